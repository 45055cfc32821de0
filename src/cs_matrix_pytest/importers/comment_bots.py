"""What two other labs' bots said of test runs on the same pull requests: ``ACS CI BVT Run`` and upr's ``CI RESULTS``."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

from cs_matrix_pytest.importers.comment_report import RESULT, Count, Report, Row, about, duration
from cs_matrix_pytest.importers.naming import place_of
from cs_matrix_pytest.outcomes.model import AttemptOutcome

_NAME_LIMIT = 300
_MARKS = "*#>`- \t"
"""What Markdown puts around a line."""


@dataclass
class BotDraft(ABC):
    """A report of another lab that lines are added to."""

    title: str
    quoted: bool = False
    has_environment: bool = False
    numbers: dict[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @abstractmethod
    def read(self, line: str) -> None:
        """Takes what a line says."""

    @abstractmethod
    def report(self) -> Report:
        """What the lines said so far, besides the rows."""

    def finished(self) -> Report | None:
        """The report, or None where it is quoted or its lines tell no result."""
        if self.quoted or not (self.rows or self.numbers):
            return None
        return replace(self.report(), title=self.title, rows=tuple(self.rows), unread=tuple(self.unread))


# ACS CI BVT Run: facts, numbers, then lists of what failed (by module), was skipped, and of modules that passed.

_FACT = re.compile(r"(build ?number|hypervisor|network ?type)\s?[:=]?\s(.{1,100})", re.IGNORECASE)
_NUMBER = re.compile(r"(passed|failed|skipped)\s?[=:]\s?(\d{1,9})", re.IGNORECASE)
_LIST = re.compile(r"(failed|skipped|passed) test(?: ?suit(?:e)?)?s?\s?:", re.IGNORECASE)
_ANSWER = re.compile(r"(?P<name>\S.{0,300}?) (?:failed|failing since \d{1,9} runs?)\.?", re.IGNORECASE)
_FILE = re.compile(r"[\w./-]{1,300}\.py")
_TEST = re.compile(r"\w*test\w*|contextsuite context=\S{1,300}", re.IGNORECASE)


@dataclass
class BvtDraft(BotDraft):
    """An ``ACS CI BVT Run``."""

    facts: dict[str, str] = field(default_factory=dict)
    inside: str = ""
    file: str | None = None

    def read(self, line: str) -> None:
        bare = line.strip(_MARKS)
        if found := _LIST.fullmatch(bare):
            self.inside, self.file = found[1].lower(), None
        elif not self.inside and (found := _NUMBER.fullmatch(bare)):
            self.numbers[found[1].lower()] = int(found[2])
        elif not self.inside and (found := _FACT.fullmatch(bare)):
            self.facts[found[1].lower().replace(" ", "")] = found[2].strip()
        elif self.inside == "failed":
            if _FILE.fullmatch(bare):
                self.file = bare
            elif found := _ANSWER.fullmatch(bare):
                self.rows.append(about(Row(found["name"], AttemptOutcome.FAILED, file=self.file), timed=False))
        elif self.inside == "skipped" and _TEST.fullmatch(bare):
            self.rows.append(about(Row(bare, AttemptOutcome.SKIPPED), timed=False))
        elif self.inside == "passed" and _FILE.fullmatch(bare):
            self.rows.append(Row("", AttemptOutcome.PASSED, file=bare, level="module"))

    def report(self) -> Report:
        number = self.facts.get("buildnumber", "")
        said = self.numbers
        return Report(
            RESULT,
            bot="acs-ci",
            job=int(number) if re.fullmatch(r"\d{1,12}", number) else None,
            environment=self.facts.get("hypervisor"),
            networking=self.facts.get("networktype"),
            counts=(Count(None, said.get("passed"), said.get("failed"), said.get("skipped"), "test"),) if said else (),
        )


# CI RESULTS: nose's sum, then the failures as nose prints them.

_SUM = re.compile(r"(tests? run|skipped|failed|failures|errors)\s?:\s?(\d{1,9})", re.IGNORECASE)
_DURATION = re.compile(r"duration\s?:\s?(.{1,100})", re.IGNORECASE)
_PROBLEM = re.compile(r"(?P<word>FAIL|ERROR): (?P<what>.{1,400})")
_SUITE = re.compile(r"test suite for <(?:class|module) '(?P<name>[\w.-]{1,300})'")
_DOTTED = re.compile(r"(?P<name>\w{1,300}) \((?P<place>[A-Za-z_][\w.]{0,300})\)")
_FRAME = re.compile(
    r"""File "(?P<file>[^"]{0,300}\btest_[^"/]{1,200}\.py)", line \d{1,9}, in (?P<function>\w{1,300})"""
)
_END = re.compile(r"additional details in\b|ran \d|associated uploads", re.IGNORECASE)
_OUTCOMES = {"FAIL": AttemptOutcome.FAILED, "ERROR": AttemptOutcome.ERRORED}


@dataclass
class UprDraft(BotDraft):
    """``CI RESULTS`` as `upr comment` posted them."""

    seconds: float | None = None
    problem: re.Match[str] | None = None
    frame: re.Match[str] | None = None

    def read(self, line: str) -> None:
        bare = line.strip(_MARKS)
        if found := _PROBLEM.fullmatch(bare):
            self._close()
            self.problem = found
        elif self.problem:
            frame = _FRAME.match(bare)
            # The test itself: what it calls of its module stands further down, what nose calls above.
            if frame and frame["function"].startswith("test") and self.frame is None:
                self.frame = frame
            elif _END.match(bare):
                self._close()
        elif found := _SUM.fullmatch(bare):
            self.numbers[found[1].lower()] = int(found[2])
        elif found := _DURATION.fullmatch(bare):
            self.seconds = duration(found[1])

    def _close(self) -> None:
        """Makes a row of the failure that was read."""
        problem, frame, self.problem, self.frame = self.problem, self.frame, None, None
        if problem is None:
            return
        outcome = _OUTCOMES[problem["word"]]
        if suite := _SUITE.match(problem["what"]):
            place = place_of(suite["name"])
            level = "class" if place.classes else "module"
            self.rows.append(Row(place.classes, outcome, file=place.module, level=level, phase="setup-class"))
        elif dotted := _DOTTED.fullmatch(problem["what"]):
            place = place_of(dotted["place"])
            self.rows.append(Row(dotted["name"], outcome, file=place.module, class_name=place.classes or None))
        elif frame:
            self.rows.append(Row(frame["function"], outcome, file=frame["file"]))
        else:
            # A docstring names no test.
            self.unread.append(problem[0][:_NAME_LIMIT])

    def report(self) -> Report:
        self._close()
        said = self.numbers
        run, skipped = said.get("tests run", said.get("test run")), said.get("skipped")
        parts = [said[key] for key in ("failed", "failures", "errors") if key in said]
        bad = sum(parts) if parts else None
        good = None if run is None or bad is None or run < bad + (skipped or 0) else run - bad - (skipped or 0)
        counts = (Count(None, good, bad, skipped, "test"),) if said else ()
        return Report(RESULT, bot="upr", seconds=self.seconds, counts=counts)


_TITLES: tuple[tuple[re.Pattern[str], type[BotDraft]], ...] = (
    (re.compile(r"ACS CI BVT Run\b.{0,100}", re.IGNORECASE), BvtDraft),
    (re.compile(r"CI RESULTS?\s?:?", re.IGNORECASE), UprDraft),
)


def draft_of(line: str, *, quoted: bool) -> BotDraft | None:
    """The report that begins with this line; None where it is no title of these bots."""
    bare = line.strip(_MARKS)
    for pattern, draft in _TITLES:
        if pattern.fullmatch(bare):
            return draft(bare[:_NAME_LIMIT], quoted=quoted)
    return None
