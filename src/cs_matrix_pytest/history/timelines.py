"""The history of cells from run records in whatever files: by DuckDB where some are compacted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.history.collection import Collection, find, opened, read_files, settled
from cs_matrix_pytest.history.lines import escaped
from cs_matrix_pytest.history.part import Part, fill, part
from cs_matrix_pytest.outcomes.choose import Choice, choose
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
from cs_matrix_pytest.outcomes.matrix import UNKNOWN_VERSION
from cs_matrix_pytest.outcomes.timeline import NEWEST, PART, CellKey, Point, Timelines, timelines

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COUNTS = ", ".join(f"count(*) FILTER (part = {part})" for part in sorted(set(PART.values())))
_PART = " ".join(f"WHEN '{outcome.value}' THEN {part}" for outcome, part in PART.items())

_NEWEST = f"""
SELECT "column", feature, "order", {_COUNTS}
FROM (SELECT run, environment, test, CASE outcome {_PART} END AS part FROM source WHERE kind = 'attempt')
JOIN met USING (run, environment) JOIN tests USING (test)
WHERE part IS NOT NULL
GROUP BY "column", feature, "order"
QUALIFY row_number() OVER (PARTITION BY "column", feature ORDER BY "order" DESC) <= $newest
ORDER BY "order"
"""


def read_timelines(
    places: Sequence[str], catalogue: FeatureCatalogue, choice: Choice, *, newest: int = NEWEST
) -> Timelines:
    """The newest runs of each cell, as `outcomes.timeline.timelines` of the records in these places that are asked for.

    ``places`` are folders, object-store prefixes and files. Raises UserError.
    """

    def ask() -> Timelines:
        files = find(places)
        if not any(file.compacted for file in files):
            return timelines(choose(read_files(files), choice, catalogue), catalogue, newest=newest)
        with opened(files) as collection:
            return _asked(collection, catalogue, choice, newest)

    return settled(ask)


def _asked(collection: Collection, catalogue: FeatureCatalogue, choice: Choice, newest: int) -> Timelines:
    asked = part(collection, catalogue, choice)
    features = _fill_tests(collection.database, asked)
    columns = _fill_met(collection.database, asked)
    found: dict[CellKey, list[Point]] = defaultdict(list)
    result = collection.database.execute(_NEWEST, {"newest": newest})
    while rows := result.fetchmany(4096):
        for column, feature, order, passed, failed, blocked in rows:
            version, context = columns[column]
            point = Point(asked.records[order].run.run, passed, failed, blocked)
            found[CellKey(version, features[feature], context)].append(point)
    return {cell: tuple(points) for cell, points in found.items()}


def _fill_tests(database: DuckDBPyConnection, asked: Part) -> list[str]:
    """Fills the table ``tests`` (test, feature); the features' ids by their numbers."""
    features = sorted(set(asked.features.values()))
    number = {feature: index for index, feature in enumerate(features)}
    fill(
        database,
        "tests",
        test=("VARCHAR", map(escaped, asked.features)),
        feature=("INTEGER", [number[feature] for feature in asked.features.values()]),
    )
    return features


def _fill_met(database: DuckDBPyConnection, asked: Part) -> list[tuple[str, str]]:
    """Fills the table ``met`` (run, environment, column, order); columns (ACS version, context) by their numbers."""
    columns: dict[tuple[str, str], int] = {}
    met: list[tuple[str, str, int, int]] = []
    for order, record in enumerate(asked.records):
        for name, environment in record.run.environments.items():
            column = (environment.acs_version or UNKNOWN_VERSION, Context.from_dict(environment.context).key)
            met.append((escaped(record.run.run), escaped(name), columns.setdefault(column, len(columns)), order))
    fill(
        database,
        "met",
        run=("VARCHAR", [run for run, *_ in met]),
        environment=("VARCHAR", [environment for _, environment, *_ in met]),
        column=("INTEGER", [column for *_, column, _ in met]),
        order=("INTEGER", [order for *_, order in met]),
    )
    return list(columns)
