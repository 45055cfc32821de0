"""The data in the page: what its tables show at once, and the details that it reads when a cell is opened.

Both are JSON of numbers and interned texts; assets/data.js says what they mean to the page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.outcomes.classify import NOT_COMPATIBLE, PRECEDENCE
from cs_matrix_pytest.outcomes.matrix import Cell, Evidence, Matrix, Share
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.outcomes.timeline import CellKey, Point, Timelines
from cs_matrix_pytest.reports.escaping import printable
from cs_matrix_pytest.reports.html.interning import Budget, Pool, Sheet
from cs_matrix_pytest.reports.wording import message_of, tested

ORDER = PRECEDENCE
"""Outcomes as the page has them: by index, the worst first."""

NOTHING = -1
"""A room for details in which there is none."""

FEATURES = 10_000
"""A page shows so many, the worst first; of more no reader could make anything, and no browser."""

NAMED = 200
"""Of tests with one cause in one cell so many are named; the page says how many more there are."""

_NAME, _MESSAGE = 300, 1000
_LINK = re.compile(r"https?://\S+\Z", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,9})")


_BITS = 31
"""What a number may have in JavaScript's bit operations."""

_Moment = int | tuple[int, ...]
_Place = tuple[int, int, int]
_Summary = tuple[Any, ...]
_Cause = tuple[int, ...]
_Group = tuple[int, ...]


def worst(matrix: Matrix, most: int = FEATURES) -> Matrix:
    """The matrix with at most so many features: those that are failing, then unstable, in most contexts."""
    if len(matrix.features) <= most:
        return matrix
    counts: dict[str, Counter[Outcome]] = {feature: Counter() for feature in matrix.features}
    for cell in matrix.cells:
        counts[cell.feature][cell.total.outcome] += 1
    kept = sorted(counts, key=lambda feature: [-counts[feature][outcome] for outcome in ORDER])[:most]
    features = {feature: matrix.features[feature] for feature in kept}
    return replace(matrix, features=features, cells=tuple(cell for cell in matrix.cells if cell.feature in features))


@dataclass
class LeftOut:
    """What the page has no room for, each in so many cells."""

    evidence: int = 0
    passing: int = 0
    environments: int = 0
    histories: int = 0

    def __bool__(self) -> bool:
        return any(vars(self).values())


class Axes:
    """What the page counts by: versions (newest first), contexts, features (by area and title), environments, runs."""

    def __init__(self, matrix: Matrix) -> None:
        self.versions = sorted({cell.acs_version for cell in matrix.cells}, key=_age)
        contexts = {key: Context.from_dict(context) for key, context in matrix.contexts.items()}
        self.contexts = sorted(contexts.items(), key=lambda item: _natural(item[1]))
        features = matrix.features.values()
        self.features = sorted(features, key=lambda each: (each.area is None, each.area or "", each.title, each.id))
        self.areas = sorted({feature.area for feature in features if feature.area is not None})
        self.environments = list(matrix.environments)
        self.runs = matrix.runs
        self._versions = _indexes(self.versions)
        self._contexts = _indexes(key for key, _ in self.contexts)
        self._features = _indexes(feature.id for feature in self.features)
        self.environment_index = _indexes(self.environments)
        named = _by_context(matrix)
        self.in_context = [[self.environment_index[name] for name in named[key]] for key, _ in self.contexts]
        self.run_index = _indexes(run.run for run in self.runs)

    def place(self, cell: Cell) -> _Place:
        return self._versions[cell.acs_version], self._contexts[cell.context], self._features[cell.feature]


def table_data(matrix: Matrix, axes: Axes) -> dict[str, Any]:
    """What the page shows at once; all texts printable, whatever they were."""
    free = Budget(0)
    summaries: Pool[_Summary] = Pool(free)
    cells = Sheet(free, len(axes.versions), len(axes.contexts))
    for cell in matrix.cells:
        cells.put(axes.place(cell), summaries.index(_summary(cell.total)) + 1)
    areas = _indexes(axes.areas)
    return {
        "outcomes": [outcome.value for outcome in ORDER],
        "versions": _named(axes.versions),
        "areas": _named(axes.areas),
        "features": [
            [_text(each.title), _text(each.id), -1 if each.area is None else areas[each.area]] for each in axes.features
        ],
        "contexts": [_context(key, context) for key, context in axes.contexts],
        "environments": [_environment(matrix, name) for name in axes.environments],
        "inContext": axes.in_context,
        "summaries": [list(summary) for summary in summaries.values],
        "cells": cells.rows,
    }


def details_data(matrix: Matrix, timelines: Timelines, axes: Axes, bytes_: int) -> tuple[dict[str, Any], LeftOut]:
    """The evidence and the history of each cell, in about so many bytes at most; and what had to be left out for that.

    What matters most is taken first: what is failing or unstable at any version; then version by version, from the
    newest on, the other evidence, environments, histories, and which tests pass.
    """
    details = _Details(axes, Budget(bytes_), matrix.cells, timelines)
    by_version: dict[str, list[Cell]] = {version: [] for version in axes.versions}
    for cell in matrix.cells:
        by_version[cell.acs_version].append(cell)
    for outcome in (Outcome.FAILING, Outcome.UNSTABLE):
        for cells in by_version.values():
            details.evidence(cell for cell in cells if cell.total.outcome is outcome)
    for cells in by_version.values():
        details.evidence(cell for cell in cells if cell.total.outcome not in NOT_COMPATIBLE)
        details.environments(cells)
        details.histories(cells, timelines)
        details.passing(cells)
    return details.as_dict(), details.left_out


class _Details:
    def __init__(self, axes: Axes, budget: Budget, cells: Iterable[Cell], timelines: Timelines) -> None:
        self._axes = axes
        self._budget = budget
        self._texts: Pool[str] = Pool(budget)
        self._tests: Pool[tuple[int, str]] = Pool(budget)
        self._test_sets: Pool[tuple[int, ...]] = Pool(budget)
        self._causes: Pool[_Cause] = Pool(budget)
        self._groups: Pool[_Group] = Pool(budget)
        self._group_sets: Pool[tuple[int, ...]] = Pool(budget)
        self._shares: Pool[tuple[_Summary, ...]] = Pool(budget)
        self._histories: Pool[tuple[_Moment, ...]] = Pool(budget)
        self._runs_met = _runs_met(axes, cells, timelines)
        self._named_features: set[str] = set()

        def sheet() -> Sheet:
            return Sheet(budget, len(axes.versions), len(axes.contexts))

        self._evidence_sheet = sheet()
        self._passing_sheet = sheet()
        self._share_sheet = sheet()
        self._history_sheet = sheet()
        self._runs = [[_text(run.run), run.started[:16], _text(run.lab), int(run.ended)] for run in axes.runs]
        self.left_out = LeftOut()

    def evidence(self, cells: Iterable[Cell]) -> None:
        """The evidence that is not compatible."""
        for cell in cells:
            found = [each for each in cell.total.evidence if each.outcome is not Outcome.COMPATIBLE]
            if found and self._budget.spent:
                self.left_out.evidence += 1
            elif found:
                self._put_evidence(self._evidence_sheet, cell, found)

    def passing(self, cells: Iterable[Cell]) -> None:
        """Which tests pass, and since when."""
        for cell in cells:
            found = [each for each in cell.total.evidence if each.outcome is Outcome.COMPATIBLE]
            if found and self._budget.spent:
                self.left_out.passing += 1
            elif found:
                self._put_evidence(self._passing_sheet, cell, found)

    def environments(self, cells: Iterable[Cell]) -> None:
        """How much was attempted in each environment, and what it alone says; where there is one, it says what all say."""
        for cell in cells:
            if self._budget.spent:
                self.left_out.environments += 1
                continue
            version, context, feature = self._axes.place(cell)
            alone = len(cell.by_environment) == len(self._axes.in_context[context]) == 1
            shares = tuple(
                (share.attempts, share.blocked)
                if alone
                else (share.attempts, share.blocked, self._axes.environment_index[name], *_summary(share))
                for name, share in cell.by_environment.items()
            )
            self._share_sheet.put((version, context, feature), self._shares.index(shares) + 1)

    def histories(self, cells: Iterable[Cell], timelines: Timelines) -> None:
        """Run by run of all that met the cell's context at its version, each a `_moment`."""
        for cell in cells:
            points = _points(self._axes, cell, timelines)
            if not points:
                continue
            if self._budget.spent:
                self.left_out.histories += 1
                continue
            version, context, feature = self._axes.place(cell)
            history = tuple(_moment(points.get(run)) for run in self._runs_met[version][context])
            self._history_sheet.put((version, context, feature), self._histories.index(history) + 1)

    def as_dict(self) -> dict[str, Any]:
        return {
            "texts": self._texts.values,
            "tests": self._tests.values,
            "testSets": self._test_sets.values,
            "causes": self._causes.values,
            "groups": self._groups.values,
            "groupSets": self._group_sets.values,
            "shares": self._shares.values,
            "histories": self._histories.values,
            "runsMet": self._runs_met,
            "runs": self._runs,
            "evidence": self._evidence_sheet.rows,
            "passing": self._passing_sheet.rows,
            "environments": self._share_sheet.rows,
            "history": self._history_sheet.rows,
        }

    def _put_evidence(self, sheet: Sheet, cell: Cell, evidence: Iterable[Evidence]) -> None:
        """Tests of one cause together."""
        if cell.feature not in self._named_features:
            # Tests of one feature side by side: a set of them is then few numbers.
            self._named_features.add(cell.feature)
            for test in sorted(each.test for each in cell.total.evidence)[:NAMED]:
                self._test(test)
        by_cause: dict[_Cause, list[str]] = {}
        for each in evidence:
            by_cause.setdefault(self._cause(each), []).append(each.test)
        groups = tuple(self._group(cause, tests) for cause, tests in by_cause.items())
        sheet.put(self._axes.place(cell), self._group_sets.index(groups) + 1)

    def _cause(self, evidence: Evidence) -> _Cause:
        said = "" if evidence.reason else message_of(evidence)
        reason = evidence.reason.text if evidence.reason else ""
        known = evidence.known if evidence.known and _LINK.match(evidence.known) else ""
        phase = "" if evidence.phase in (None, "call") else str(evidence.phase)
        texts = (
            printable(evidence.why, _NAME),
            printable(reason or said, _MESSAGE),
            printable(evidence.signature or "", _NAME),
            printable(phase, _NAME),
            "" if evidence.level == "test" else printable(evidence.level, _NAME),
            known,
        )
        return (ORDER.index(evidence.outcome), *map(self._texts.index, texts))

    def _group(self, cause: _Cause, tests: Sequence[str]) -> int:
        named = _masks(map(self._test, tests[:NAMED]))
        more = len(tests) - NAMED
        return self._groups.index(
            (self._causes.index(cause), self._test_sets.index(named), *((more,) if more > 0 else ()))
        )

    def _test(self, test: str) -> int:
        module, colons, name = printable(test, _NAME).rpartition("::")
        return self._tests.index((self._texts.index(module + colons), name))


def _runs_met(axes: Axes, cells: Iterable[Cell], timelines: Timelines) -> list[list[list[int]]]:
    """For each version and context the runs (by index) that attempted anything there."""
    met: list[list[set[int]]] = [[set() for _ in axes.contexts] for _ in axes.versions]
    for cell in cells:
        version, context, _ = axes.place(cell)
        met[version][context].update(_points(axes, cell, timelines))
    return [[sorted(runs) for runs in row] for row in met]


def _masks(indexes: Iterable[int]) -> tuple[int, ...]:
    """A set of numbers as pairs: the first of at most 31 numbers in a row, and a bit for each that is in the set."""
    masks: list[int] = []
    for index in sorted(indexes):
        if masks and index - masks[-2] < _BITS:
            masks[-1] |= 1 << (index - masks[-2])
        else:
            masks += [index, 1]
    return tuple(masks)


def _moment(point: Point | None) -> _Moment:
    """How a run went: how many attempts passed, and, where any did not, how many failed and how many were blocked.

    -1 where the run did not attempt anything of the cell.
    """
    if point is None:
        return -1
    if point.blocked:
        return (point.passed, point.failed, point.blocked)
    return (point.passed, point.failed) if point.failed else point.passed


def _points(axes: Axes, cell: Cell, timelines: Timelines) -> dict[int, Point]:
    """The cell's history by run (by index); runs that came after the matrix was computed are none of its."""
    points = timelines.get(CellKey(cell.acs_version, cell.feature, cell.context), ())
    return {axes.run_index[point.run]: point for point in points if point.run in axes.run_index}


def _summary(share: Share) -> _Summary:
    """Outcome and how many tests have which; where no test is named, in words what there is."""
    counts = tuple(share.tests.get(outcome, 0) for outcome in ORDER)
    if any(counts):
        return (ORDER.index(share.outcome), *counts)
    return (ORDER.index(share.outcome), *counts, printable(tested(share), _NAME))


def _context(key: str, context: Context) -> dict[str, Any]:
    return {
        "key": _text(key),
        "hypervisor": _text(context.hypervisor.type),
        "hypervisorVersion": _text(context.hypervisor.version or ""),
        "networking": _text(context.networking),
        "storage": _text(context.storage.scope),
        "protocol": _text(context.storage.protocol or ""),
        "managementOs": _text(context.management_os or ""),
        "extras": _named(context.extras),
    }


def _environment(matrix: Matrix, name: str) -> list[str]:
    lab = matrix.environments[name].lab
    return [_text(lab), _text(name.removeprefix(f"{lab}/"))]


def _by_context(matrix: Matrix) -> Mapping[str, list[str]]:
    """For each context the environments that any cell of it names."""
    found: dict[str, set[str]] = {key: set() for key in matrix.contexts}
    for cell in matrix.cells:
        found[cell.context].update(cell.by_environment)
    return {key: sorted(names) for key, names in found.items()}


def _text(text: str) -> str:
    return printable(text, _NAME)


def _named(texts: Iterable[str]) -> list[str]:
    return [_text(text) for text in texts]


def _indexes(names: Iterable[str]) -> Mapping[str, int]:
    return {name: index for index, name in enumerate(names)}


def _age(version: str) -> tuple[tuple[int, int, str], ...]:
    """Newest first: 4.20 before 4.9; words, as "unknown", last."""
    return tuple((0, -int(part), "") if _NUMBERS.fullmatch(part) else (1, 0, part) for part in version.split("."))


def _natural(context: Context) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Contexts side by side that have much in common, numbers in their names by size."""
    facts = (
        context.hypervisor.type,
        context.hypervisor.version,
        context.networking,
        context.storage.scope,
        context.storage.protocol,
        context.management_os,
        *context.extras,
    )
    return tuple(
        tuple((0, int(part), "") if _NUMBERS.fullmatch(part) else (1, 0, part) for part in _NUMBERS.split(fact or ""))
        for fact in facts
    )
