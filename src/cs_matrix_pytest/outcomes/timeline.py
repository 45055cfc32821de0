"""How the attempts of each cell of the matrix went, run by run: the history that reports show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
from cs_matrix_pytest.outcomes.matrix import UNKNOWN_VERSION, by_start
from cs_matrix_pytest.outcomes.model import AttemptOutcome, RecordedRun
from cs_matrix_pytest.outcomes.record import merge

NEWEST = 20
"""How many runs of a cell are told of, unless told."""


class CellKey(NamedTuple):
    """What a cell is about: ``feature`` is an id, ``context`` a key."""

    acs_version: str
    feature: str
    context: str


class Point(NamedTuple):
    """What one run says of one cell, in attempts: ``failed`` counts errored ones too, ``blocked`` are no evidence."""

    run: str
    passed: int
    failed: int
    blocked: int


Timelines = Mapping[CellKey, tuple[Point, ...]]
"""Oldest run first; a cell that nothing was attempted in is not there."""

PART: Mapping[AttemptOutcome, int] = {
    AttemptOutcome.PASSED: 0,
    AttemptOutcome.FAILED: 1,
    AttemptOutcome.ERRORED: 1,
    AttemptOutcome.BLOCKED: 2,
}
"""Which count of a `Point` an attempt is in; skipped ones are in none."""


def timelines(records: Iterable[RecordedRun], catalogue: FeatureCatalogue, *, newest: int = NEWEST) -> Timelines:
    """The newest runs of each cell, from records in whatever order they come and however often. Pure."""
    features: dict[str, str] = {}
    counted: dict[CellKey, dict[str, list[int]]] = defaultdict(dict)
    for record in sorted(merge(records), key=by_start):
        places = {
            name: (environment.acs_version or UNKNOWN_VERSION, Context.from_dict(environment.context).key)
            for name, environment in record.run.environments.items()
        }
        for attempt in record.attempts:
            part = PART.get(attempt.outcome)
            if part is None:
                continue
            if attempt.test not in features:
                features[attempt.test] = catalogue.feature_of(attempt.test).id
            version, context = places[attempt.environment]
            runs = counted[CellKey(version, features[attempt.test], context)]
            runs.setdefault(record.run.run, [0, 0, 0])[part] += 1
    return {
        cell: tuple(Point(run, *counts) for run, counts in list(runs.items())[-newest:])
        for cell, runs in counted.items()
    }
