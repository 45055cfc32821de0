"""The matrix as Markdown for a pull request: a row per environment, and the failures by feature below.

What comes from outside (names, messages, versions) stands in code spans unless it is plain words: there GitHub makes
neither links nor mentions nor HTML of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.outcomes.classify import NOT_COMPATIBLE, PRECEDENCE
from cs_matrix_pytest.outcomes.matrix import UNKNOWN_VERSION, Evidence, Matrix, Share
from cs_matrix_pytest.outcomes.model import Counts, Outcome
from cs_matrix_pytest.reports.console import UNICODE
from cs_matrix_pytest.reports.escaping import printable
from cs_matrix_pytest.reports.wording import because

LIMIT = 65_536
"""Characters that GitHub takes in one comment."""

_NAME = 200
_MESSAGE = 300
_TESTS_SHOWN = 20
_ENVIRONMENTS_SHOWN = 12
_LEFT_OUT = 600
"""Room kept for the sentences about what was left out."""

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ,()/.+-]*[A-Za-z0-9).+])?")
_MEANS_SOMETHING = re.compile(r"(?i)\bgh-\d|\bwww\.|[0-9a-f]{7}|^\d+[.)](?:\s|$)|\.[a-z]{2,}(?:$|/)")
"""What GitHub makes links of, and Markdown lists, though no sign in it looks like it."""

_SIGNS = UNICODE.of


def render(matrix: Matrix, *, title: str = "Test run", limit: int = LIMIT) -> str:
    """The report, ending in a newline and at most ``limit`` characters long (as GitHub counts: UTF-16 units).

    What does not fit is left out from the end, rows of the table last, and sentences say how much. ``title`` is text from
    outside like all else.
    """
    page = _Page(limit)
    page.add(f"### {shown(title)}\n\n{_summary(matrix)}\n\n")
    rows = list(_rows(matrix))
    several = len({row.version for row in rows}) > 1
    if rows:
        page.add(_head(several))
        page.add_all([row.text(several) for row in rows], "environments", keep=_LEFT_OUT)
    page.add_all(list(_warnings(matrix)), "warnings", keep=_LEFT_OUT)
    page.add_all(list(_failures(matrix, several)), "entries on failures", keep=_LEFT_OUT)
    return page.finished()


def shown(text: str, limit: int = _NAME, *, in_table: bool = False) -> str:
    """Text from outside, in one line: as it is where it is plain words, else as a code span.

    In a code span of a table a bar is escaped (GitHub Flavored Markdown, "Tables").
    """
    line = printable(text, limit)
    if not line:
        return "none"
    if _PLAIN.fullmatch(line) and not _MEANS_SOMETHING.search(line):
        return line
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    inner = f" {line} " if line[0] == "`" or line[-1] == "`" else line
    if in_table:
        # A backslash before the bar would end up next to the one that escapes it.
        inner = inner.replace("\\|", "\\ |").replace("|", "\\|")
    return f"{fence}{inner}{fence}"


def length(text: str) -> int:
    """Characters as GitHub counts them; those beyond the first plane as two, to be on the safe side."""
    return len(text) + sum(character > "\uffff" for character in text)


class _Page:
    """A text that stays below a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._used = 0
        self._left_out: list[str] = []

    def add(self, text: str) -> None:
        self._parts.append(text)
        self._used += length(text)

    def add_all(self, texts: list[str], what: str, *, keep: int) -> None:
        """As many of the texts as leave ``keep`` characters free, in order; from the first that does not fit on, none."""
        for index, text in enumerate(texts):
            if self._used + length(text) + keep > self._limit:
                self._left_out.append(f"{len(texts) - index} of {len(texts)} {what}")
                return
            self.add(text)

    def finished(self) -> str:
        if self._left_out:
            self.add(
                f"\nLeft out, for a comment on GitHub has room for {LIMIT:,} characters: {', '.join(self._left_out)}.\n"
            )
        return "".join(self._parts).rstrip("\n") + "\n"


# The table


@dataclass
class _Row:
    """An environment at one version."""

    version: str
    name: str
    facts: tuple[str, ...]
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    tests: Counter[Outcome] = field(default_factory=Counter)
    wider: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    blocked: int = 0
    known: int = 0
    counts: tuple[Counts, ...] = ()

    @property
    def outcome(self) -> Outcome:
        present = (outcome for outcome in PRECEDENCE if self.outcomes[outcome])
        return next(present, Outcome.UNTESTED)

    def text(self, with_version: bool) -> str:
        facts = [shown(self.name, in_table=True), *self.facts, self._result()]
        if with_version:
            facts.insert(0, shown(self.version, in_table=True))
        return f"| {' | '.join(facts)} |\n"

    def _result(self) -> str:
        counted = [f"{self.tests[outcome]} {outcome.value}" for outcome in PRECEDENCE if self.tests[outcome]]
        wider = [
            f"{count} {_level(level, count)} {outcome.value}"
            for (outcome, level), count in sorted(
                self.wider.items(), key=lambda item: (PRECEDENCE.index(item[0][0]), item[0][1])
            )
        ]
        parts = [
            f"tests: {', '.join(counted)}" if counted else "",
            ", ".join(wider),
            f"{self.known} known" if self.known else "",
            f"{self.blocked} blocked" if self.blocked else "",
            *map(_counted, self.counts),
        ]
        said = "; ".join(filter(None, parts))
        return f"{_SIGNS[self.outcome]} **{self.outcome.value}**{f' ({said})' if said else ''}"


def _head(with_version: bool) -> str:
    names = ["Environment", "Hypervisor", "Networking", "Extras", "Result"]
    if with_version:
        names.insert(0, "CloudStack")
    return f"| {' | '.join(names)} |\n|{' --- |' * len(names)}\n"


def _rows(matrix: Matrix) -> Iterator[_Row]:
    """A row per version and environment, and one for each environment of which no cell says anything."""
    names, counts = _names(matrix), _newest_counts(matrix)
    rows: dict[tuple[str, str], _Row] = {}

    def row(version: str, name: str, context: str) -> _Row:
        facts = _facts(matrix.contexts.get(context, {}))
        return rows.setdefault((version, name), _Row(version, names[name], facts, counts=counts.get(name, ())))

    for cell in matrix.cells:
        for name, share in cell.by_environment.items():
            _add(row(cell.acs_version, name, cell.context), share)
    for name in matrix.environments.keys() - {name for _, name in rows}:
        row(UNKNOWN_VERSION, name, matrix.environments[name].context)
    return iter([rows[key] for key in sorted(rows)])


def _add(row: _Row, share: Share) -> None:
    row.outcomes[share.outcome] += 1
    row.tests.update(share.tests)
    row.wider.update((each.outcome, each.level) for each in share.evidence if each.level != "test")
    row.known += sum(each.known is not None for each in share.evidence)
    row.blocked += share.blocked


def _facts(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Hypervisor, networking and extras, for a table."""
    context = Context.from_dict(data)
    storage = [part for part in (context.storage.scope, context.storage.protocol) if part and part != "unknown"]
    management = [f"mgmt {context.management_os}"] if context.management_os else []
    texts = (
        " ".join(filter(None, (context.hypervisor.type, context.hypervisor.version))),
        context.networking,
        ", ".join([" ".join(storage), *management, *context.extras]).removeprefix(", "),
    )
    return tuple(shown(text, in_table=True) for text in texts)


def _newest_counts(matrix: Matrix) -> dict[str, tuple[Counts, ...]]:
    """By ``lab/name``, what its newest run counted without naming."""
    found: dict[str, tuple[Counts, ...]] = {}
    for run in matrix.runs:
        for environment in run.environments:
            found[environment] = tuple(each for each in run.counts if f"{run.lab}/{each.environment}" == environment)
    return found


def _counted(counts: Counts) -> str:
    numbers = ((counts.ok, "ok"), (counts.failed, "failed"), (counts.did_not_run, "did not run"))
    said = ", ".join(f"{number} {word}" for number, word in numbers if number is not None)
    suite = f"{shown(counts.suite, 40, in_table=True)} " if counts.suite else ""
    return f"counted {suite}{_level(counts.level, 2)}: {said}" if said else ""


def _level(level: str, count: int) -> str:
    word = level if count == 1 else f"{level}es" if level.endswith("s") else f"{level}s"
    return shown(word, 40, in_table=True)


def _names(matrix: Matrix) -> dict[str, str]:
    """``lab/name`` → what it is called here: without the lab where there is only one."""
    labs = {environment.lab for environment in matrix.environments.values()}
    return {
        name: name.removeprefix(f"{environment.lab}/") if len(labs) == 1 else name
        for name, environment in matrix.environments.items()
    }


def _summary(matrix: Matrix) -> str:
    versions = sorted({cell.acs_version for cell in matrix.cells})
    labs = sorted({environment.lab for environment in matrix.environments.values()})
    features = Counter(cell.total.outcome for cell in matrix.cells)
    counted = ", ".join(
        f"{_SIGNS[outcome]} {features[outcome]} {outcome.value}" for outcome in PRECEDENCE if features[outcome]
    )
    parts = [
        f"CloudStack {_list(versions)}" if versions else "",
        f"lab {_list(labs)}" if labs else "",
        f"features by context: {counted}" if counted else "nothing was tested",
    ]
    return "; ".join(filter(None, parts)) + "."


def _warnings(matrix: Matrix) -> Iterator[str]:
    cut = [run.run for run in matrix.runs if not run.ended]
    if cut:
        yield f"\nNot finished: {_list(cut)}.\n"


def _list(names: Iterable[str]) -> str:
    all_names = list(names)
    listed = ", ".join(shown(name) for name in all_names[:_ENVIRONMENTS_SHOWN])
    more = len(all_names) - _ENVIRONMENTS_SHOWN
    return f"{listed} and {more} more" if more > 0 else listed


# Failures


@dataclass
class _Cause:
    """Failures of one feature at one version that say the same: of which tests, each in which environments."""

    outcome: Outcome
    said: str
    known: str | None
    tests: dict[str, dict[str, None]] = field(default_factory=dict)

    def text(self) -> str:
        everywhere = next(iter(self.tests.values()))
        alike = all(environments.keys() == everywhere.keys() for environments in self.tests.values())
        place = f" in {_list(everywhere)}" if alike else ""
        known = f" (known: {shown(self.known)})" if self.known else ""
        head = f"- {_SIGNS[self.outcome]} **{self.outcome.value}**{place}{known}: {shown(self.said, _MESSAGE)}\n"
        lines = [
            f"  - {shown(test)}{'' if alike else f' in {_list(environments)}'}\n"
            for test, environments in list(self.tests.items())[:_TESTS_SHOWN]
        ]
        more = len(self.tests) - _TESTS_SHOWN
        return head + "".join(lines) + (f"  - and {more} more\n" if more > 0 else "")


def _failures(matrix: Matrix, several_versions: bool) -> Iterator[str]:
    """One text per feature and cause; the first of a feature begins with its heading."""
    names = _names(matrix)
    causes: dict[tuple[str, str], dict[object, _Cause]] = {}
    for cell in matrix.cells:
        for name, share in cell.by_environment.items():
            for each in share.evidence:
                if each.outcome in NOT_COMPATIBLE:
                    of_feature = causes.setdefault((cell.feature, cell.acs_version), {})
                    cause = of_feature.setdefault(_key(each), _Cause(each.outcome, _said(each), each.known))
                    cause.tests.setdefault(each.test, {})[names[name]] = None
    by_weight = sorted(
        causes.items(), key=lambda item: (min(PRECEDENCE.index(cause.outcome) for cause in item[1].values()), item[0])
    )
    for (feature, version), of_feature in by_weight:
        at = f", CloudStack {shown(version)}" if several_versions else ""
        head = f"\n#### {shown(matrix.features[feature].title)}{at}\n\n"
        for cause in sorted(of_feature.values(), key=lambda cause: PRECEDENCE.index(cause.outcome)):
            yield head + cause.text()
            head = ""


def _key(evidence: Evidence) -> tuple[object, ...]:
    return evidence.outcome, evidence.known, evidence.signature or _said(evidence)


def _said(evidence: Evidence) -> str:
    """What the failure says; where it says nothing, how often it was seen."""
    return because(evidence).removeprefix(evidence.why).lstrip(": ") or evidence.why
