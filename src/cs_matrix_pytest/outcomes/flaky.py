"""Which tests are flaky, and how much: tests that give both answers while the product stays as it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import NormalDist
from typing import NamedTuple

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.outcomes.classify import EXECUTED, SETTLE
from cs_matrix_pytest.outcomes.matrix import UNKNOWN_VERSION
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, RecordedRun, Run, RunEnvironment
from cs_matrix_pytest.outcomes.record import merge

CONFIDENCE = 0.95
MINIMUM = 5
"""A test with fewer attempts is not ranked, unless told."""

_OCCASIONS = 2

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Rate:
    """Failures of attempts while the test was flaky, and how often the answer changed for no reason that is known."""

    failures: int
    attempts: int
    flips: int

    @property
    def value(self) -> float:
        """The share of attempts that failed, 0 to 1."""
        return self.failures / self.attempts if self.attempts else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval at 95 % confidence."""
        return wilson(self.failures, self.attempts)

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.failures + other.failures, self.attempts + other.attempts, self.flips + other.flips)


_NOTHING = Rate(0, 0, 0)


@dataclass(frozen=True)
class FlakyTest:
    """A test with its rate overall, and by context (those where it was executed, the flakiest first).

    ``signatures`` are those of its failures with how often each was seen, the most frequent first; ``last`` is when the
    newest of these failures was, as in `Attempt.started`.
    """

    test: str
    level: str
    total: Rate
    contexts: tuple[tuple[str, Rate], ...]
    signatures: tuple[tuple[str, int], ...]
    last: str


class Seen(NamedTuple):
    """An executed attempt, and the product that it met: a commit, or a run where the commit is not known.

    ``signature`` and ``started`` (as in `Attempt`) are asked for only where it failed.
    """

    passed: bool
    product: Hashable
    signature: str | None
    started: str


Series = tuple[str, Sequence[Seen]]
"""A context, and the attempts of one test in one environment of it at one ACS version, oldest first."""


class Tried(NamedTuple):
    """All that was executed of one test (or class, or module, by its ``level``).

    ``steady`` may have some of it in numbers: by context, the attempts in series in which all passed. Series in which
    all failed may be left out: they are no evidence, and do not count.
    """

    test: str
    level: str
    series: Sequence[Series]
    steady: Mapping[str, int] = {}


_Stretch = list[Seen]


def wilson(failures: int, attempts: int) -> tuple[float, float]:
    """Wilson's score interval for a proportion at 95 % confidence (E. B. Wilson, JASA 22, 1927); (0, 1) of nothing."""
    if not attempts:
        return 0.0, 1.0
    share, z2 = failures / attempts, _Z * _Z
    middle = (share + z2 / (2 * attempts)) / (1 + z2 / attempts)
    half = _Z / (1 + z2 / attempts) * (share * (1 - share) / attempts + z2 / (4 * attempts * attempts)) ** 0.5
    # Rounding must not push an end past the share itself, nor beyond what is possible.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def rank(records: Iterable[RecordedRun], *, minimum: int = MINIMUM, settle: int = SETTLE) -> tuple[FlakyTest, ...]:
    """The flaky tests, those first whose rate is high for certain: by the lower end of the interval; pure.

    Attempts are looked at in series: one test, in one environment, at one ACS version. It is evidence of flakiness that

    - one product (a commit, or a run whose commit is not known) gave both answers in a series, or
    - the answer changed, and changed back within fewer than ``settle`` attempts, on at least two occasions: once is a
      product that was broken and mended.

    Tests without evidence are left out, and tests with fewer than ``minimum`` attempts. Of the others all attempts
    count but those that failed because the product was broken: where the answer changed and both answers held for
    ``settle`` attempts, the series is cut, and a part in which everything failed is a break.
    """
    return ranked(_tried(records), minimum=minimum, settle=settle)


def ranked(tried: Iterable[Tried], *, minimum: int = MINIMUM, settle: int = SETTLE) -> tuple[FlakyTest, ...]:
    """`rank`, of each test what was tried; of those that are not flaky nothing is kept."""
    found = (_flaky(each, settle) for each in tried)
    flaky = [each for each in found if each is not None and each.total.attempts >= minimum]
    return tuple(sorted(flaky, key=lambda each: (-each.total.interval[0], -each.total.value, each.test, each.level)))


def _tried(records: Iterable[RecordedRun]) -> Iterator[Tried]:
    met: dict[tuple[str, str], dict[tuple[str, str, str], list[tuple[str, tuple[str, bool], Attempt]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in merge(records):
        run = record.run
        for attempt in record.attempts:
            if attempt.outcome not in EXECUTED:
                continue
            environment = run.environments[attempt.environment]
            context = Context.from_dict(environment.context).key
            place = context, f"{run.lab}/{attempt.environment}", environment.acs_version or UNKNOWN_VERSION
            product = product_of(run, environment)
            met[attempt.test, attempt.level][place].append((attempt.started.rstrip("Z"), product, attempt))
    for (test, level), places in met.items():
        yield Tried(test, level, [(context, _by_age(attempts)) for (context, _, _), attempts in places.items()])


def product_of(run: Run, environment: RunEnvironment) -> tuple[str, bool]:
    """What the attempts of a run met in an environment. Of one moment the lesser counts as older."""
    return (environment.acs_commit, True) if environment.acs_commit else (run.run, False)


def _by_age(attempts: Iterable[tuple[str, tuple[str, bool], Attempt]]) -> list[Seen]:
    return [
        Seen(attempt.outcome is AttemptOutcome.PASSED, product, attempt.signature, attempt.started)
        for _, product, attempt in sorted(attempts, key=lambda each: each[:2])
    ]


def _flaky(tried: Tried, settle: int) -> FlakyTest | None:
    series = [(context, _stretches(_by_product(attempts))) for context, attempts in tried.series]
    if not _is_evidence([stretches for _, stretches in series], settle):
        return None
    by_context = {context: Rate(0, attempts, 0) for context, attempts in tried.steady.items()}
    failures: list[Seen] = []
    for context, stretches in series:
        for period in _periods(stretches, settle):
            by_context[context] = by_context.get(context, _NOTHING) + _rate(period)
            failures += [seen for seen in period if not seen.passed]
    contexts = sorted(by_context.items(), key=lambda item: (-item[1].interval[0], -item[1].value, item[0]))
    signatures = Counter(each.signature for each in failures if each.signature)
    return FlakyTest(
        test=tried.test,
        level=tried.level,
        total=sum(by_context.values(), _NOTHING),
        contexts=tuple(contexts),
        signatures=tuple(sorted(signatures.items(), key=lambda item: (-item[1], item[0]))),
        last=max((each.started for each in failures), default=""),
    )


def _by_product(attempts: Iterable[Seen]) -> list[Seen]:
    """The attempts of one product together, products by their first: commits may have been tested in turns."""
    products: dict[Hashable, list[Seen]] = {}
    for seen in attempts:
        products.setdefault(seen.product, []).append(seen)
    return [seen for same in products.values() for seen in same]


def _stretches(series: Iterable[Seen]) -> list[_Stretch]:
    """The series as stretches of equal answers."""
    return [list(same) for _, same in groupby(series, key=lambda seen: seen.passed)]


def _is_evidence(series: Iterable[Sequence[_Stretch]], settle: int) -> bool:
    occasions: set[Hashable] = set()
    for stretches in series:
        if any(_one_product(*pair) for pair in pairwise(stretches)):
            return True
        # Of the first and the last stretch nobody knows how long they were.
        occasions |= {stretch[0].product for stretch in stretches[1:-1] if len(stretch) < settle}
    return len(occasions) >= _OCCASIONS


def _periods(stretches: Iterable[_Stretch], settle: int) -> Iterator[_Stretch]:
    """A series cut where the answer changed and both answers held; without the parts in which everything failed."""
    periods: list[list[_Stretch]] = []
    for stretch in stretches:
        before = periods[-1][-1] if periods else None
        held = before is not None and min(len(before), len(stretch)) >= settle
        if before is not None and (_one_product(before, stretch) or not held):
            periods[-1].append(stretch)
        else:
            periods.append([stretch])
    for period in periods:
        if any(stretch[0].passed for stretch in period):
            yield [seen for stretch in period for seen in stretch]


def _one_product(before: _Stretch, after: _Stretch) -> bool:
    return before[-1].product == after[0].product


def _rate(period: _Stretch) -> Rate:
    return Rate(
        failures=sum(not seen.passed for seen in period),
        attempts=len(period),
        flips=sum(one.passed is not other.passed for one, other in pairwise(period)),
    )
