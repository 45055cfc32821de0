"""What is news between two matrices: newly failing, newly unstable, lost coverage, fixed, new coverage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from cs_matrix_pytest.outcomes.classify import SETTLE, feature_outcome
from cs_matrix_pytest.outcomes.features import Feature
from cs_matrix_pytest.outcomes.matrix import Cell, Evidence, Matrix
from cs_matrix_pytest.outcomes.model import Outcome


class News(str, Enum):
    """What may have happened to a test. The value is what files, options and tables show."""

    NEWLY_FAILING = "newly-failing"
    NEWLY_UNSTABLE = "newly-unstable"
    LOST_COVERAGE = "lost-coverage"
    FIXED = "fixed"
    NEW_COVERAGE = "new-coverage"


GATES = (News.NEWLY_FAILING, News.NEWLY_UNSTABLE, News.LOST_COVERAGE)
"""What ``--fail-on`` may name."""

_NEWS: Mapping[tuple[Outcome, Outcome], News] = {
    (Outcome.COMPATIBLE, Outcome.FAILING): News.NEWLY_FAILING,
    (Outcome.UNSTABLE, Outcome.FAILING): News.NEWLY_FAILING,
    (Outcome.COMPATIBLE, Outcome.UNSTABLE): News.NEWLY_UNSTABLE,
    (Outcome.FAILING, Outcome.COMPATIBLE): News.FIXED,
    (Outcome.UNSTABLE, Outcome.COMPATIBLE): News.FIXED,
    (Outcome.COMPATIBLE, Outcome.UNTESTED): News.LOST_COVERAGE,
    (Outcome.FAILING, Outcome.UNTESTED): News.LOST_COVERAGE,
    (Outcome.UNSTABLE, Outcome.UNTESTED): News.LOST_COVERAGE,
    (Outcome.UNTESTED, Outcome.COMPATIBLE): News.NEW_COVERAGE,
    (Outcome.UNTESTED, Outcome.FAILING): News.NEW_COVERAGE,
    (Outcome.UNTESTED, Outcome.UNSTABLE): News.NEW_COVERAGE,
}
"""By outcome before and after; what is not here is no news. Failing, then unstable: better, but not fixed."""


@dataclass(frozen=True)
class Change:
    """A test whose outcome is news. ``before`` or ``after`` is None where that side's records do not name the test.

    ``place`` is what both sides have in common: the context, or the ACS version, or both with a space between.
    """

    news: News
    feature: str
    test: str
    level: str
    place: str
    before: Evidence | None
    after: Evidence | None

    @property
    def evidence(self) -> Evidence:
        """What the change is about: the later side's, the earlier one's where the test is fixed or not run any more."""
        earlier = self.news in (News.FIXED, News.LOST_COVERAGE)
        found = (self.before if earlier else self.after) or self.after or self.before
        assert found is not None
        return found

    @property
    def known(self) -> str | None:
        """The issue of the known failure that keeps it from being news, if there is one."""
        return self.after.known if self.after and self.news in (News.NEWLY_FAILING, News.NEWLY_UNSTABLE) else None


@dataclass(frozen=True)
class Comparison:
    """Two sides set against each other.

    ``compared`` counts by (outcome before, after) the tests that both sides tested in one place; ``only_before`` and
    ``only_after`` count the tests that one side alone tested anywhere. ``places`` are those where both sides tested,
    the other two those where one did. ``changes`` are in the order of News, then by feature, test and place.
    """

    before: str
    after: str
    same: str
    compared: Mapping[tuple[Outcome, Outcome], int]
    only_before: int
    only_after: int
    places: tuple[str, ...]
    places_before: tuple[str, ...]
    places_after: tuple[str, ...]
    features: Mapping[str, Feature]
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()

    def counts(self, gates: Iterable[News]) -> int:
        """How many changes are among ``gates`` and no known failures."""
        wanted = frozenset(gates)
        return sum(change.news in wanted and change.known is None for change in self.changes)


_Unit = tuple[str, str, str]
"""Level, test and place: what is compared with its like on the other side."""

_Seen = tuple[str, Evidence]
"""Feature and evidence. Plain tuples: there are many, and the garbage collector soon passes over those of plain texts."""


_UNSEEN: tuple[str, None] = ("", None)

_PLACES: Mapping[str, Callable[[Cell], str]] = {
    "context": lambda cell: cell.context,
    "version": lambda cell: cell.acs_version,
    "both": lambda cell: f"{cell.acs_version} {cell.context}",
}


def compare(
    before: Matrix,
    after: Matrix,
    *,
    same: str,
    names: tuple[str, str] = ("before", "after"),
    settle: int = SETTLE,
    notes: Iterable[str] = (),
) -> Comparison:
    """What is news in ``after``; pure.

    ``same`` says which results are comparable: those of one test in one ``context`` (two versions, commits, runs), at
    one ACS ``version`` (two environments), or ``both`` (two labs). Where a side has several verdicts to compare, the
    worst counts. A test that was unstable is failing, or fixed, once at least ``settle`` attempts agree.
    ``names`` are the sides', ``notes`` more to say beside the matrices' warnings.
    """
    earlier, later = _units(before, same), _units(after, same)
    changes: list[Change] = []
    compared: Counter[tuple[Outcome, Outcome]] = Counter()
    for unit in earlier.keys() | later.keys():
        (feature, first), (later_feature, second) = earlier.get(unit, _UNSEEN), later.get(unit, _UNSEEN)
        was, now = (seen.outcome if seen else Outcome.UNTESTED for seen in (first, second))
        if Outcome.UNTESTED not in (was, now):
            compared[was, now] += 1
        news = _NEWS.get((was, now))
        if news is None or (was is Outcome.UNSTABLE and second and not _settled(second, settle)):
            continue
        level, test, place = unit
        changes.append(Change(news, later_feature or feature, test, level, place, first, second))
    order = list(News)
    tests = [{test for _, test, _ in _tested(units)} for units in (earlier, later)]
    places = [{place for *_, place in _tested(units)} for units in (earlier, later)]
    return Comparison(
        before=names[0],
        after=names[1],
        same=same,
        compared=compared,
        only_before=len(tests[0] - tests[1]),
        only_after=len(tests[1] - tests[0]),
        places=tuple(sorted(places[0] & places[1])),
        places_before=tuple(sorted(places[0] - places[1])),
        places_after=tuple(sorted(places[1] - places[0])),
        features={**before.features, **after.features},
        changes=tuple(
            sorted(changes, key=lambda each: (order.index(each.news), each.feature, each.test, each.place, each.level))
        ),
        warnings=tuple(dict.fromkeys((*before.warnings, *after.warnings, *notes))),
    )


def _units(matrix: Matrix, same: str) -> dict[_Unit, _Seen]:
    place_of = _PLACES[same]
    found: dict[_Unit, _Seen] = {}
    several: dict[_Unit, list[_Seen]] = {}
    for cell in matrix.cells:
        place = place_of(cell)
        for evidence in cell.total.evidence:
            unit, seen = (evidence.level, evidence.test, place), (cell.feature, evidence)
            first = found.setdefault(unit, seen)
            if first is not seen:
                several.setdefault(unit, [first]).append(seen)
    found.update((unit, _worst(seen)) for unit, seen in several.items())
    return found


def _worst(seen: list[_Seen]) -> _Seen:
    outcome = feature_outcome(Counter(evidence.outcome for _, evidence in seen))
    return next(each for each in seen if each[1].outcome is outcome)


def _tested(units: Mapping[_Unit, _Seen]) -> Iterator[_Unit]:
    return (unit for unit, (_, evidence) in units.items() if evidence.outcome is not Outcome.UNTESTED)


def _settled(evidence: Evidence, settle: int) -> bool:
    return evidence.outcome is Outcome.UNTESTED or evidence.passed + evidence.failed >= settle
