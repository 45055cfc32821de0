"""The history of cells from run records in whatever files: by DuckDB where some are compacted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.history import parquet
from cs_matrix_pytest.history.collection import Collection, find, opened, read_files, settled
from cs_matrix_pytest.history.lines import escaped, remainder, unescaped
from cs_matrix_pytest.outcomes.choose import Choice, choose
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
from cs_matrix_pytest.outcomes.matrix import UNKNOWN_VERSION, by_start
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
    database = collection.database
    database.execute(f"CREATE OR REPLACE TEMP VIEW source AS SELECT * FROM {collection.source()}")
    features = _tests(database, catalogue, choice)
    columns, runs = _met(collection, choice)
    found: dict[CellKey, list[Point]] = defaultdict(list)
    result = database.execute(_NEWEST, {"newest": newest})
    while rows := result.fetchmany(4096):
        for column, feature, order, passed, failed, blocked in rows:
            version, context = columns[column]
            found[CellKey(version, features[feature], context)].append(Point(runs[order], passed, failed, blocked))
    return {cell: tuple(points) for cell, points in found.items()}


def _tests(database: DuckDBPyConnection, catalogue: FeatureCatalogue, choice: Choice) -> list[str]:
    """Fills the table ``tests`` (test, feature) with those that are asked for; the features' ids by their numbers."""
    named = [test for (test,) in database.execute("SELECT DISTINCT test FROM source WHERE kind = 'attempt'").fetchall()]
    feature_of = {test: catalogue.feature_of(unescaped(test)).id for test in named}
    chosen = {test: feature for test, feature in feature_of.items() if choice.feature(feature)}
    features = sorted(set(chosen.values()))
    number = {feature: index for index, feature in enumerate(features)}
    database.execute(
        "CREATE OR REPLACE TEMP TABLE tests AS SELECT unnest($1::VARCHAR[]) AS test, unnest($2::INTEGER[]) AS feature",
        [list(chosen), [number[feature] for feature in chosen.values()]],
    )
    return features


def _met(collection: Collection, choice: Choice) -> tuple[list[tuple[str, str]], list[str]]:
    """Fills the table ``met`` (run, environment, column, order) with those that are asked for.

    Columns (ACS version, context) by their numbers, and runs by theirs, the oldest first.
    """
    records = (
        remainder(rows, collection.was_in(collection.kept[run], rows))
        for run, rows in parquet.remainders(collection.database, "source")
    )
    runs = [run for record in sorted(records, key=by_start) if (run := choice.run(record.run)) is not None]
    columns: dict[tuple[str, str], int] = {}
    met: list[tuple[str, str, int, int]] = []
    for order, run in enumerate(runs):
        for name, environment in run.environments.items():
            column = (environment.acs_version or UNKNOWN_VERSION, Context.from_dict(environment.context).key)
            met.append((escaped(run.run), escaped(name), columns.setdefault(column, len(columns)), order))
    collection.database.execute(
        """CREATE OR REPLACE TEMP TABLE met AS SELECT unnest($1::VARCHAR[]) AS run, unnest($2::VARCHAR[]) AS environment,
            unnest($3::INTEGER[]) AS "column", unnest($4::INTEGER[]) AS "order" """,
        [[each[field] for each in met] for field in range(4)],
    )
    return list(columns), [run.run for run in runs]
