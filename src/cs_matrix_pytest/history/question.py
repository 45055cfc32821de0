"""The matrix of a collection of run records, worked out by DuckDB: the same as `outcomes.matrix.compute_matrix` gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.history import part, verdicts
from cs_matrix_pytest.history.collection import Collection
from cs_matrix_pytest.history.lines import escaped, unescaped
from cs_matrix_pytest.outcomes.choose import Choice, check, nothing_fits
from cs_matrix_pytest.outcomes.classify import NEVER_SELECTED, PRECEDENCE, SETTLE, WINDOW
from cs_matrix_pytest.outcomes.features import Feature, FeatureCatalogue
from cs_matrix_pytest.outcomes.matrix import (
    STRENGTH,
    UNKNOWN_VERSION,
    Cell,
    Evidence,
    Matrix,
    Share,
    by_start,
    check_window,
    outline,
)
from cs_matrix_pytest.outcomes.model import Outcome, Reason, ReasonCode, RecordedRun

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_AT_ONCE = 4096
_COMMIT_SHOWN = 12


@dataclass(frozen=True)
class Subject:
    """What evidence is about, as `outcomes.matrix.Evidence` names it."""

    test: str
    level: str
    feature: Feature


@dataclass(frozen=True)
class Place:
    """A part of the matrix: an ACS version and context, or one environment (``lab/name``) of several there.

    ``only`` is the environment of a part that has no more than one.
    """

    acs_version: str
    context: str
    environment: str | None = None
    only: str | None = None


class Said(NamedTuple):
    """A cell's share, or an environment's in it.

    ``evidence`` has a number for each subject, strongest first: ``subject * stride + n`` where all of its n attempts that
    count passed, n being 0 where it was never selected; None where the next of ``others`` says it.
    """

    place: Place
    feature: str
    outcome: Outcome
    tests: tuple[int, int, int, int]
    """How many tests there are of each outcome, in the order of `Outcome`."""
    attempts: int
    blocked: int
    evidence: Sequence[int | None]
    others: Sequence[Any]


class Question:
    """Works out all verdicts on a collection's runs when made; then `matrix` or, cell by cell, `shares` tells them.

    ``outline`` is the matrix without its cells, ``subjects`` and ``stride`` are what the numbers of `Said` mean.
    Raises UserError as `choose.choose` and `compute_matrix` do.
    """

    def __init__(
        self,
        collection: Collection,
        catalogue: FeatureCatalogue,
        choice: Choice,
        *,
        generated: str,
        window: int = WINDOW,
        settle: int = SETTLE,
    ) -> None:
        check_window(window, settle)
        self.stride = window + 1
        self._database = database = collection.database
        database.execute(f"CREATE OR REPLACE TEMP VIEW lines AS SELECT * FROM {collection.source()}")
        records = part.runs(collection, "lines")
        self.subjects = _subjects(database, catalogue)
        if choice:
            check(choice, (each.run for each in records), (each.feature.id for each in self.subjects))
            records = [replace(each, run=run) for each in records if (run := choice.run(each.run))]
            if not records:
                raise nothing_fits()
        runs = sorted(records, key=by_start)
        self._features = sorted({each.feature.id for each in self.subjects})
        _fill_subjects(database, self.subjects, self._features, choice)
        self._places = _fill_places(database, runs)
        verdicts.compute(database, window=window, settle=settle)
        used = database.execute("SELECT DISTINCT subject FROM verdicts").fetchall()
        features = {(feature := self.subjects[number].feature).id: feature for (number,) in used}
        self.outline: Matrix = replace(outline(runs, generated), features=dict(sorted(features.items())))

    def shares(self, spoken: str, *, alone: bool) -> Iterator[Said]:
        """The cells, sorted as a matrix has them, each followed by its environments' where there are several.

        ``spoken`` is SQL for one of `Said.others`, over the columns of the tables ``spoken`` (`verdicts.compute`) and
        ``subjects``. Where not ``alone``, environments come without their evidence.
        """
        tests = ", ".join(f"count(*) FILTER (strength = {STRENGTH[outcome]} AND is_test)" for outcome in Outcome)
        told = "true" if alone else "is_column"
        joined = "JOIN subjects USING (subject) JOIN places USING (place)"
        # Three results in one order, read side by side: lists in the first would cost thrice as much.
        cells = self._rows(
            f"""
            SELECT place, feature, min({_DECIDES}), {tests}, sum(executed)::BIGINT, sum(blocked)::BIGINT,
                count(*) FILTER ({told})
            FROM verdicts {joined} GROUP BY place, feature, version ORDER BY version, feature, place
            """
        )
        in_order = f"WHERE {told} ORDER BY version, feature, place, strength, subject"
        numbers = self._rows(f"SELECT subject::BIGINT * {self.stride} + plain FROM verdicts {joined} {in_order}")
        others = self._rows(f"SELECT {spoken} FROM spoken JOIN verdicts USING (place, subject) {joined} {in_order}")
        for place, feature, decides, one, two, three, four, attempts, blocked, count in cells:
            evidence = [number for (number,) in islice(numbers, count)]
            yield Said(
                self._places[place],
                self._features[feature],
                PRECEDENCE[decides],
                (one, two, three, four),
                attempts,
                blocked,
                evidence,
                [other for (other,) in islice(others, evidence.count(None))],
            )

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """A query's rows, while others are being read."""
        result = self._database.cursor().execute(query)
        while rows := result.fetchmany(_AT_ONCE):
            yield from rows

    def matrix(self) -> Matrix:
        """The whole matrix, equal to `compute_matrix` of the same records."""
        evidence: dict[int, Evidence] = {}
        cells: list[Cell] = []
        for said in self.shares(_AS_STRUCT, alone=True):
            others = iter(said.others)
            share = Share(
                outcome=said.outcome,
                tests={outcome: count for outcome, count in zip(Outcome, said.tests) if count},
                attempts=said.attempts,
                blocked=said.blocked,
                evidence=tuple(
                    self._other(next(others))
                    if number is None
                    else evidence.get(number) or evidence.setdefault(number, self._plain(number))
                    for number in said.evidence
                ),
            )
            place = said.place
            if place.environment is None:
                alone = {place.only: share} if place.only is not None else {}
                cells.append(Cell(place.acs_version, said.feature, place.context, share, alone))
            else:
                cast(dict[str, Share], cells[-1].by_environment)[place.environment] = share
        return replace(self.outline, cells=tuple(cells))

    def _plain(self, number: int) -> Evidence:
        subject, passed = self.subjects[number // self.stride], number % self.stride
        if passed:
            return Evidence(subject.test, subject.level, Outcome.COMPATIBLE, passed, 0, f"passed {passed} of {passed}")
        never = NEVER_SELECTED
        return Evidence(
            subject.test, subject.level, Outcome.UNTESTED, 0, 0, never.code.value.replace("-", " "), reason=never
        )

    def _other(self, spoken: Mapping[str, Any]) -> Evidence:
        subject = self.subjects[spoken["subject"]]
        texts = {key: spoken[key] and unescaped(spoken[key]) for key in ("why", "signature", "message", "phase")}
        reason = spoken["reason"] and Reason(ReasonCode(spoken["reason"]), unescaped(spoken["reason_text"]))
        return Evidence(
            subject.test,
            subject.level,
            Outcome(spoken["outcome"]),
            spoken["passed"],
            spoken["failed"],
            reason=reason,
            **texts,
        )


_DECIDES = " ".join(
    ("CASE strength", *(f"WHEN {STRENGTH[outcome]} THEN {rank}" for rank, outcome in enumerate(PRECEDENCE)), "END")
)
"""SQL for what a test says about its feature: of several the least holds, as `classify.feature_outcome` has it."""

_AS_STRUCT = """{'subject': subject, 'outcome': outcome, 'passed': passed, 'failed': failed, 'why': why,
    'signature': signature, 'message': message, 'phase': phase, 'reason': reason, 'reason_text': reason_text}"""


def _subjects(database: DuckDBPyConnection, catalogue: FeatureCatalogue) -> list[Subject]:
    """All that the lines are about, in the order of evidence."""
    found = database.execute("SELECT DISTINCT test, level FROM lines WHERE test IS NOT NULL").fetchall()
    named = sorted((unescaped(test), unescaped(level)) for test, level in found)
    return [Subject(test, level, catalogue.feature_of(test)) for test, level in named]


def _fill_subjects(
    database: DuckDBPyConnection, subjects: Sequence[Subject], features: Sequence[str], choice: Choice
) -> None:
    number = {feature: index for index, feature in enumerate(features)}
    chosen = [(index, each) for index, each in enumerate(subjects) if choice.feature(each.feature.id)]
    part.fill(
        database,
        "subjects",
        subject=("INTEGER", [index for index, _ in chosen]),
        test=("VARCHAR", [escaped(each.test) for _, each in chosen]),
        level=("VARCHAR", [escaped(each.level) for _, each in chosen]),
        feature=("INTEGER", [number[each.feature.id] for _, each in chosen]),
        is_test=("BOOLEAN", [each.level == "test" for _, each in chosen]),
    )


class _Source(NamedTuple):
    """An environment of a run. ``name`` is what `outcomes.matrix` calls the source of an observation."""

    order: int
    run: str
    environment: str
    name: str
    in_lab: str
    column: Place
    commit: str | None


def _fill_places(database: DuckDBPyConnection, runs: Sequence[RecordedRun]) -> list[Place]:
    sources = list(_sources(runs))
    there: dict[Place, set[str]] = defaultdict(set)
    for each in sources:
        there[each.column].add(each.in_lab)
    places: list[Place] = []
    number: dict[Place, int] = {}
    in_column: list[int] = []
    for column in sorted(there, key=lambda place: (place.acs_version, place.context)):
        environments = sorted(there[column])
        number[column] = first = len(places)
        if len(environments) == 1:
            places.append(replace(column, only=environments[0]))
            in_column.append(first)
            continue
        for place in (column, *(replace(column, environment=name) for name in environments)):
            number[place] = len(places)
            places.append(place)
            in_column.append(first)
    versions = {version: index for index, version in enumerate(sorted({place.acs_version for place in places}))}
    part.fill(
        database,
        "places",
        place=("INTEGER", range(len(places))),
        version=("INTEGER", [versions[place.acs_version] for place in places]),
        is_column=("BOOLEAN", [place.environment is None for place in places]),
        in_column=("INTEGER", in_column),
    )
    _fill_sources(database, sources, number)
    return places


def _fill_sources(database: DuckDBPyConnection, sources: Sequence[_Source], places: Mapping[Place, int]) -> None:
    def ranks(key: Any) -> dict[_Source, int]:
        return {source: rank for rank, source in enumerate(sorted(sources, key=key))}

    products: dict[tuple[str, bool], int] = {}
    # Attempts of one moment are sorted by source, and stay then as records give them: by environment, run and line.
    ordinal = ranks(lambda each: (each.name, each.in_lab, each.order))
    reason_ordinal = ranks(lambda each: (each.in_lab, each.order))
    met = [
        (source, place)
        for source in sources
        for place in (places[source.column], places.get(replace(source.column, environment=source.in_lab)))
        if place is not None
    ]
    product = [(each.commit, True) if each.commit else (each.name, False) for each, _ in met]
    part.fill(
        database,
        "sources",
        run=("VARCHAR", [escaped(source.run) for source, _ in met]),
        environment=("VARCHAR", [escaped(source.environment) for source, _ in met]),
        place=("INTEGER", [place for _, place in met]),
        product=("INTEGER", [products.setdefault(each, len(products)) for each in product]),
        commit_name=(
            "VARCHAR",
            [escaped(source.commit[:_COMMIT_SHOWN]) if source.commit else None for source, _ in met],
        ),
        ordinal=("INTEGER", [ordinal[source] for source, _ in met]),
        reason_ordinal=("INTEGER", [reason_ordinal[source] for source, _ in met]),
    )


def _sources(runs: Sequence[RecordedRun]) -> Iterator[_Source]:
    keys: dict[str, str] = {}
    for order, record in enumerate(runs):
        run = record.run
        for name, environment in run.environments.items():
            shape = repr(environment.context)
            key = keys.get(shape) or keys.setdefault(shape, Context.from_dict(environment.context).key)
            yield _Source(
                order,
                run.run,
                name,
                f"{run.run}/{name}",
                f"{run.lab}/{name}",
                Place(environment.acs_version or UNKNOWN_VERSION, key),
                environment.acs_commit,
            )
