"""What a pytest report says about an attempt, as plain data that travels with it from an xdist worker.

The side that runs a test puts a `PhaseNote` on each of its reports (as a dict, xdist can send no other); the side that
writes the record folds the notes of one test into one line of it.
"""

from __future__ import annotations

import unittest
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from types import TracebackType

import pytest

from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Reason, ReasonCode, Untested
from cs_matrix_pytest.outcomes.record import instant

# Where in unittest.TestCase.run a test ended, by the function of unittest.case that the traceback passed through.
_UNITTEST_PHASES = {
    "_callSetUp": "setup",
    "_callTestMethod": "call",
    "_callTearDown": "teardown",
    "_callCleanup": "teardown",
    "doCleanups": "teardown",
}


@dataclass(frozen=True)
class PhaseNote:
    """One phase of one test in one environment. ``outcome`` is an AttemptOutcome's value; ``reason`` a ReasonCode's."""

    test: str
    environment: str
    outcome: str = AttemptOutcome.PASSED.value
    phase: str = "call"
    message: str | None = None
    signature: str | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Plain data for the report."""
        return asdict(self)

    @classmethod
    def of(cls, report: object) -> PhaseNote | None:
        """The note that a report carries, if it has one."""
        data = getattr(report, "cs_matrix", None)
        return cls(**data) if data else None


def phase_of(when: str, traceback: TracebackType | None, *, in_class: bool) -> str:
    """Where an attempt ended, in the words of the run record.

    `when` is pytest's phase. To pytest unittest's ``setUp`` and ``tearDown`` are part of the call, and ``setUpClass`` of
    a Marvin class (`in_class`) is what fails in its set-up.
    """
    if when == "setup" and in_class:
        return "setup-class"
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if traceback.tb_frame.f_globals.get("__name__") == "unittest.case" and code.co_name in _UNITTEST_PHASES:
            return _UNITTEST_PHASES[code.co_name]
        traceback = traceback.tb_next
    return when


def outcome_of(error: BaseException | None, phase: str) -> AttemptOutcome:
    """Failed where the test's own assertion did not hold, errored for everything else (unittest's distinction)."""
    assertion = (AssertionError, unittest.TestCase.failureException, pytest.fail.Exception)
    own = phase in ("setup", "call")
    return AttemptOutcome.FAILED if own and isinstance(error, assertion) else AttemptOutcome.ERRORED


_RANKS = {
    AttemptOutcome.BLOCKED: 0,
    AttemptOutcome.FAILED: 1,
    AttemptOutcome.ERRORED: 1,
    AttemptOutcome.SKIPPED: 2,
    AttemptOutcome.PASSED: 3,
}


_Key = tuple[str, object]


@dataclass
class _Test:
    started: float
    seconds: float = 0.0
    notes: list[PhaseNote] = field(default_factory=list)

    def folded(self) -> Attempt | Untested:
        return fold(self.notes, self.started, self.seconds)


class AttemptFolder:
    """Folds the reports of each test, in whatever order tests interleave, into one attempt or one untested line."""

    def __init__(self) -> None:
        self._running: dict[_Key, _Test] = {}

    def add(self, report: pytest.TestReport) -> Attempt | Untested | None:
        """What is to be recorded now that `report` has come; None while its test goes on, or is not of the matrix."""
        note = PhaseNote.of(report)
        if note is None:
            return None
        key = _key(report)
        # A set-up where a test was going on: it is run again, and its last teardown was not reported (as
        # older pytest-rerunfailures do).
        before = self._running.pop(key, None) if report.when == "setup" else None
        test = self._running.setdefault(key, _Test(report.start))
        test.seconds += report.duration
        test.notes.append(note)
        if report.when != "teardown":
            return before.folded() if before else None
        return self._running.pop(key).folded()

    def crashed(self, report: pytest.TestReport) -> tuple[str, str] | None:
        """(test, environment) of a test whose worker died, as `report` says; None where it had not got to its set-up's end."""
        test = self._running.pop(_key(report), None)
        return (test.notes[0].test, test.notes[0].environment) if test else None


def _key(report: pytest.TestReport) -> _Key:
    """The test that a report is of; under xdist's ``--dist=each`` every worker runs one of that name."""
    return report.nodeid, getattr(report, "node", None)


def fold(notes: list[PhaseNote], started: float, seconds: float) -> Attempt | Untested:
    """The attempt that phases add up to; `started` is seconds since the epoch.

    The first phase that went wrong speaks for the test; a skip counts only where nothing did; blocked comes before all.
    """
    note = min(notes, key=lambda each: _RANKS[AttemptOutcome(each.outcome)])
    if note.reason is not None:
        return Untested(note.test, note.environment, Reason(ReasonCode(note.reason), note.message or ""))
    return Attempt(
        test=note.test,
        environment=note.environment,
        outcome=AttemptOutcome(note.outcome),
        started=instant(datetime.fromtimestamp(started, timezone.utc)),
        seconds=seconds,
        phase=note.phase,
        signature=note.signature,
        message=note.message,
    )
