"""Plain data of a run: attempts, and tests not executed with the reason. Knows nothing of pytest or Marvin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class AttemptOutcome(str, Enum):
    """What one execution of one test in one environment gave."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    SKIPPED = "skipped"
    BLOCKED = "blocked"


class Outcome(str, Enum):
    """The verdict on a test or a feature in a context. The value is what files and tables show."""

    COMPATIBLE = "compatible"
    FAILING = "failing"
    UNSTABLE = "unstable"
    UNTESTED = "untested"


class ReasonCode(str, Enum):
    """Why a test is untested."""

    NOT_SELECTED = "not-selected"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    NOT_COLLECTED = "not-collected"
    """The test's module could not be imported or collected."""


@dataclass(frozen=True)
class Reason:
    """Why a test is untested: a code for machines, one sentence for people."""

    code: ReasonCode
    text: str


@dataclass(frozen=True)
class Attempt:
    """One execution of one test in one environment.

    ``started`` is ISO 8601 UTC with a Z; ``seconds`` wall time; ``phase`` is where it ended: ``setup-class``,
    ``setup``, ``call`` or ``teardown``; ``signature`` is equal for failures of the same cause; ``message`` is one
    masked line or few.
    """

    test: str
    environment: str
    outcome: AttemptOutcome
    started: str
    seconds: float
    phase: str = "call"
    signature: str | None = None
    message: str | None = None
    level: str = "test"


@dataclass(frozen=True)
class Untested:
    """A test (or, by ``level``, a whole module or class) that was not executed in an environment, and why."""

    test: str
    environment: str
    reason: Reason
    level: str = "test"


@dataclass(frozen=True)
class Counts:
    """What a report counts without naming: so many modules (or, by ``level``, tests) that went well, badly, not at all.

    None: the report does not say. ``suite`` is the part of the run that is counted (``smoke``), ``seconds`` what all of
    it took. Counts stand in the record and in matrix.json; they decide no outcome.
    """

    environment: str
    ok: int | None = None
    failed: int | None = None
    did_not_run: int | None = None
    level: str = "module"
    suite: str | None = None
    seconds: float | None = None


Line = Attempt | Untested | Counts
"""What a run record holds between its first line and its last."""


@dataclass(frozen=True)
class RunEnvironment:
    """An environment as a run saw it. ``context`` has the shape of `environments.model.Context.as_dict`."""

    context: Mapping[str, Any]
    acs_version: str | None = None
    acs_commit: str | None = None


@dataclass(frozen=True)
class Run:
    """The first line of a run record: one pytest session or one imported report."""

    run: str
    started: str
    lab: str
    environments: Mapping[str, RunEnvironment]
    tools: Mapping[str, str] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedRun:
    """A run record as read. ``ended`` is False where the run was killed, or is still going on.

    ``warnings`` name lines that were left out because they could not be understood.
    """

    run: Run
    attempts: tuple[Attempt, ...] = ()
    untested: tuple[Untested, ...] = ()
    counts: tuple[Counts, ...] = ()
    ended: bool = False
    finished: str | None = None
    exit: int | None = None
    warnings: tuple[str, ...] = ()
