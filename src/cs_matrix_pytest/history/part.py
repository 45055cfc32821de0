"""What of a collection is asked for, as `outcomes.choose.choose` has it: its runs and its tests, without the attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from cs_matrix_pytest.history import parquet
from cs_matrix_pytest.history.collection import Collection
from cs_matrix_pytest.history.lines import remainder, unescaped
from cs_matrix_pytest.outcomes.choose import Choice, check, nothing_fits
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
from cs_matrix_pytest.outcomes.matrix import by_start
from cs_matrix_pytest.outcomes.model import RecordedRun

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Part(NamedTuple):
    """Runs, the oldest first, with the environments that are asked for; and the features of the tests, by their ids."""

    records: list[RecordedRun]
    features: Mapping[str, str]


def part(collection: Collection, catalogue: FeatureCatalogue, choice: Choice) -> Part:
    """Raises UserError as `choose.choose`. Leaves the collection's lines in the view ``source``."""
    database = collection.database
    database.execute(f"CREATE OR REPLACE TEMP VIEW source AS SELECT * FROM {collection.source()}")
    records = runs(collection, "source")
    found = database.execute("SELECT DISTINCT test FROM source WHERE test IS NOT NULL").fetchall()
    tests = [unescaped(test) for (test,) in found]
    features = {test: catalogue.feature_of(test).id for test in tests}
    if choice:
        check(choice, (each.run for each in records), features.values())
    chosen = [replace(each, run=run) for each in records if (run := choice.run(each.run))]
    if not chosen:
        raise nothing_fits()
    return Part(
        sorted(chosen, key=by_start), {test: feature for test, feature in features.items() if choice.feature(feature)}
    )


def runs(collection: Collection, lines: str) -> list[RecordedRun]:
    """The runs of a collection without attempts and untested tests, from its lines in a table or view."""
    return [
        remainder(rows, collection.was_in(collection.kept[run], rows))
        for run, rows in parquet.remainders(collection.database, lines)
    ]


def fill(database: DuckDBPyConnection, table: str, **columns: tuple[str, Iterable[Any]]) -> None:
    """Makes a table of columns, each given as its type and its values; all cursors see it."""
    selected = ", ".join(
        f'unnest(${index}::{kind}[]) AS "{name}"' for index, (name, (kind, _)) in enumerate(columns.items(), start=1)
    )
    database.execute(
        f"CREATE OR REPLACE TABLE {table} AS SELECT {selected}", [list(values) for _, values in columns.values()]
    )
