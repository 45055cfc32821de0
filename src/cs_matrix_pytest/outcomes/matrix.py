"""The matrix: outcomes by ACS version, feature and context, with the evidence of each cell, from run records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.classify import (
    EXECUTED,
    NEVER_SELECTED,
    SETTLE,
    WINDOW,
    Observation,
    Verdict,
    classify,
    feature_outcome,
)
from cs_matrix_pytest.outcomes.features import Feature, FeatureCatalogue
from cs_matrix_pytest.outcomes.model import AttemptOutcome, Counts, Outcome, Reason, RecordedRun
from cs_matrix_pytest.outcomes.record import merge

UNKNOWN_VERSION = "unknown"

STRENGTH = {
    outcome: rank
    for rank, outcome in enumerate((Outcome.FAILING, Outcome.UNSTABLE, Outcome.UNTESTED, Outcome.COMPATIBLE))
}
"""The order of the evidence in a cell."""


@dataclass(frozen=True)
class Evidence:
    """One test's part in a cell; by ``level``, a class's or a module's where a report named no more.

    ``why`` is one sentence. ``signature``, ``message`` and ``phase`` are the newest failure's, where one counts;
    ``reason`` is set where the test is untested; ``known`` links the issue where a known failure accounts for it.
    """

    test: str
    level: str
    outcome: Outcome
    passed: int
    failed: int
    why: str
    signature: str | None = None
    message: str | None = None
    phase: str | None = None
    reason: Reason | None = None
    known: str | None = None


@dataclass(frozen=True)
class Share:
    """A verdict on a feature from some evidence: ``tests`` counts tests by outcome, not the evidence that names less.

    ``attempts`` are the executed ones, ``blocked`` those that say nothing; both over all records, not only the window.
    ``evidence`` has the strongest first: failing, unstable, untested, compatible.
    """

    outcome: Outcome
    tests: Mapping[Outcome, int]
    attempts: int
    blocked: int
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Cell:
    """One ACS version, feature (id) and context (key); ``by_environment`` holds what each ``lab/name`` alone says."""

    acs_version: str
    feature: str
    context: str
    total: Share
    by_environment: Mapping[str, Share]


@dataclass(frozen=True)
class MatrixEnvironment:
    """An environment of the matrix; ``context`` is the key of its newest run's."""

    lab: str
    context: str


@dataclass(frozen=True)
class MatrixRun:
    """A run that the matrix was computed from; ``ended`` is False where it was cut short.

    ``environments`` are its ``lab/name``; ``counts`` what its report counted without naming: no evidence of a test's.
    """

    run: str
    started: str
    lab: str
    ended: bool
    environments: tuple[str, ...] = ()
    counts: tuple[Counts, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """Everything that reports show. ``generated`` is ISO 8601 UTC with a Z; ``warnings`` are about the records read."""

    generated: str
    runs: tuple[MatrixRun, ...] = ()
    contexts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environments: Mapping[str, MatrixEnvironment] = field(default_factory=dict)
    features: Mapping[str, Feature] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    warnings: tuple[str, ...] = ()


class _Subject(NamedTuple):
    """What a line of a record is about."""

    level: str
    test: str


class _Place(NamedTuple):
    """Where it was met: the part of the matrix, and the environment (``lab/name``) in it."""

    acs_version: str
    context: str
    environment: str
    source: str
    commit: str | None


@dataclass
class _Seen:
    """All that the records say of one subject at one version in one context, by environment."""

    observations: dict[str, list[Observation]] = field(default_factory=lambda: defaultdict(list))
    reasons: dict[str, list[Reason]] = field(default_factory=lambda: defaultdict(list))


_Column = tuple[str, str]  # ACS version, context
_Subjects = dict[_Subject, _Seen]
_Named = dict[tuple[str, str], dict[_Subject, None]]  # by ACS version and feature


def compute_matrix(
    records: Iterable[RecordedRun],
    catalogue: FeatureCatalogue,
    *,
    generated: str,
    window: int = WINDOW,
    settle: int = SETTLE,
) -> Matrix:
    """The matrix of all ``records``, in whatever order they come and however often; pure.

    ``generated`` is the moment to write into it (`record.instant`); ``window`` and ``settle`` as in `classify`.
    Raises UserError where 1 ≤ settle ≤ window does not hold.
    """
    check_window(window, settle)
    runs = sorted(merge(records), key=by_start)
    columns = _gather(runs)
    features = _features_of(columns, catalogue)
    named = _named_tests(columns, features)
    cells: list[Cell] = []
    for (version, context), subjects in columns.items():
        for feature, members in _with_unnamed(version, subjects, features, named).items():
            cells.append(_cell(version, context, feature, members, window, settle))
    used = {cell.feature for cell in cells}
    by_id = {feature.id: feature for feature in features.values()}
    return replace(
        outline(runs, generated),
        features={name: by_id[name] for name in sorted(used)},
        cells=tuple(sorted(cells, key=lambda cell: (cell.acs_version, cell.feature, cell.context))),
    )


def outline(runs: Sequence[RecordedRun], generated: str) -> Matrix:
    """The matrix of runs (each once, sorted by `by_start`) without its features and cells: none of their attempts count."""
    return Matrix(
        generated=generated,
        runs=tuple(map(_matrix_run, runs)),
        contexts=_contexts(runs),
        environments=_environments(runs),
        warnings=tuple(warning for record in runs for warning in record.warnings),
    )


def by_start(record: RecordedRun) -> tuple[str, str]:
    """The key to sort runs by, oldest first."""
    return record.run.started, record.run.run


def check_window(window: int, settle: int) -> None:
    """Raises UserError where 1 ≤ settle ≤ window does not hold."""
    if not 1 <= settle <= window:
        raise UserError(
            f"a window of {window} attempts with {settle} to settle cannot be",
            hint="Give 1 <= settle <= window (ini cs_settle and cs_window; --settle and --window of cs-matrix report).",
        )


def _gather(runs: Iterable[RecordedRun]) -> dict[_Column, _Subjects]:
    columns: dict[_Column, _Subjects] = defaultdict(lambda: defaultdict(_Seen))
    for record in runs:
        places = {name: _place(record, name) for name in record.run.environments}
        for attempt in record.attempts:
            place = places[attempt.environment]
            seen = columns[place.acs_version, place.context][_Subject(attempt.level, attempt.test)]
            seen.observations[place.environment].append(Observation(attempt, place.source, place.commit))
        for untested in record.untested:
            place = places[untested.environment]
            seen = columns[place.acs_version, place.context][_Subject(untested.level, untested.test)]
            seen.reasons[place.environment].append(untested.reason)
    return columns


def _place(record: RecordedRun, name: str) -> _Place:
    run, environment = record.run, record.run.environments[name]
    return _Place(
        acs_version=environment.acs_version or UNKNOWN_VERSION,
        context=Context.from_dict(environment.context).key,
        environment=f"{run.lab}/{name}",
        source=f"{run.run}/{name}",
        commit=environment.acs_commit,
    )


def _features_of(columns: Mapping[_Column, _Subjects], catalogue: FeatureCatalogue) -> dict[str, Feature]:
    tests = {subject.test for subjects in columns.values() for subject in subjects}
    return {test: catalogue.feature_of(test) for test in tests}


def _named_tests(columns: Mapping[_Column, _Subjects], features: Mapping[str, Feature]) -> _Named:
    """The tests of each version and feature, whichever context names them."""
    named: _Named = defaultdict(dict)
    for (version, _), subjects in columns.items():
        for subject in subjects:
            if subject.level == "test":
                named[version, features[subject.test].id][subject] = None
    return named


def _with_unnamed(
    version: str, subjects: _Subjects, features: Mapping[str, Feature], named: _Named
) -> dict[str, _Subjects]:
    """The subjects by feature, and to each feature its tests that only other contexts of the same version name.

    So "2 of 14" says 14 in every context, also where a run selected two. A feature that nothing names here stays away.
    """
    by_feature: dict[str, _Subjects] = defaultdict(dict)
    for subject, seen in subjects.items():
        by_feature[features[subject.test].id][subject] = seen
    for feature, members in by_feature.items():
        for subject in named.get((version, feature), ()):
            if subject not in members:
                members[subject] = _Seen()
    return by_feature


def _cell(version: str, context: str, feature: str, members: _Subjects, window: int, settle: int) -> Cell:
    environments = sorted({name for seen in members.values() for name in (*seen.observations, *seen.reasons)})
    total = _share(members, environments, window, settle)
    alone = {
        name: total if len(environments) == 1 else _share(members, [name], window, settle) for name in environments
    }
    return Cell(version, feature, context, total, alone)


def _share(members: _Subjects, environments: list[str], window: int, settle: int) -> Share:
    evidence: list[Evidence] = []
    attempts = blocked = 0
    for subject, seen in members.items():
        observations = [each for name in environments for each in seen.observations.get(name, ())]
        reasons = [reason for name in environments for reason in seen.reasons.get(name, ())]
        for each in observations:
            attempts += each.attempt.outcome in EXECUTED
            blocked += each.attempt.outcome is AttemptOutcome.BLOCKED
        evidence.append(_evidence(subject, classify(observations, reasons, window=window, settle=settle)))
    return Share(
        outcome=feature_outcome(Counter(each.outcome for each in evidence)),
        tests=Counter(each.outcome for each in evidence if each.level == "test"),
        attempts=attempts,
        blocked=blocked,
        evidence=tuple(sorted(evidence, key=lambda each: (STRENGTH[each.outcome], each.test, each.level))),
    )


def _evidence(subject: _Subject, verdict: Verdict) -> Evidence:
    failure = verdict.newest_failure
    return Evidence(
        test=subject.test,
        level=subject.level,
        outcome=verdict.outcome,
        passed=verdict.passed,
        failed=verdict.failed,
        why=verdict.why,
        signature=failure.signature if failure else None,
        message=failure.message if failure else None,
        phase=failure.phase if failure else None,
        reason=verdict.reason or (NEVER_SELECTED if verdict.outcome is Outcome.UNTESTED else None),
    )


def _matrix_run(record: RecordedRun) -> MatrixRun:
    run = record.run
    environments = tuple(f"{run.lab}/{name}" for name in run.environments)
    # Where only a part of a record was asked for, some of its environments are gone.
    counts = tuple(each for each in record.counts if each.environment in run.environments)
    return MatrixRun(run.run, run.started, run.lab, record.ended, environments, counts)


def _contexts(runs: Iterable[RecordedRun]) -> dict[str, Mapping[str, Any]]:
    contexts = (
        Context.from_dict(environment.context) for record in runs for environment in record.run.environments.values()
    )
    return dict(sorted((context.key, context.as_dict()) for context in set(contexts)))


def _environments(runs: Iterable[RecordedRun]) -> dict[str, MatrixEnvironment]:
    """By ``lab/name``; the newest run says the context, for labs change."""
    found = {
        f"{record.run.lab}/{name}": MatrixEnvironment(record.run.lab, Context.from_dict(environment.context).key)
        for record in runs
        for name, environment in record.run.environments.items()
    }
    return dict(sorted(found.items()))
