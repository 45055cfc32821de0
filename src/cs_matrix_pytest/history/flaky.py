"""The ranking of flaky tests from run records in whatever files: by DuckDB where some are compacted.

Of series of attempts that all gave one answer only how many there are leaves the database; `outcomes.flaky` judges the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.history import parquet
from cs_matrix_pytest.history.collection import Collection, find, opened, read_files, settled
from cs_matrix_pytest.history.lines import escaped, unescaped
from cs_matrix_pytest.history.part import Part, fill, part
from cs_matrix_pytest.outcomes.choose import Choice, choose
from cs_matrix_pytest.outcomes.classify import EXECUTED, SETTLE
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
from cs_matrix_pytest.outcomes.flaky import MINIMUM, FlakyTest, Seen, Tried, product_of, rank, ranked
from cs_matrix_pytest.outcomes.matrix import UNKNOWN_VERSION

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EXECUTED = ", ".join(sorted(f"'{outcome.value}'" for outcome in EXECUTED))
_AT_ONCE = 10_000

_ATTEMPTS = f"""
CREATE OR REPLACE TEMP VIEW attempts AS
SELECT source.* REPLACE (met.context AS context), place, product, "order", outcome = 'passed' AS ok
FROM source JOIN met USING (run, environment) SEMI JOIN tests USING (test)
WHERE kind = 'attempt' AND outcome IN ({_EXECUTED})
"""

_COUNTED = """
CREATE OR REPLACE TEMP TABLE counted AS
SELECT test, level, context, place, count(*) AS executed, count(*) FILTER (ok) AS passed FROM attempts GROUP BY ALL
"""

_STEADY = """
SELECT test, level, context, sum(executed)::BIGINT
FROM counted SEMI JOIN (SELECT test, level FROM counted WHERE passed > 0 AND passed < executed) USING (test, level)
WHERE passed = executed
GROUP BY ALL
"""

# What passed says no more than that: texts of it need not be sorted.
_MIXED = """
SELECT test, level, context, place, ok, product,
    CASE WHEN NOT ok THEN signature END AS signature, CASE WHEN NOT ok THEN started END AS started
FROM (
    SELECT *, {by} AS instant FROM attempts
    SEMI JOIN (SELECT test, level, place FROM counted WHERE passed > 0 AND passed < executed)
    USING (test, level, place)
)
ORDER BY test, level, place, instant, product, "order", line
"""


def read_flaky(
    places: Sequence[str],
    catalogue: FeatureCatalogue,
    choice: Choice,
    *,
    minimum: int = MINIMUM,
    settle: int = SETTLE,
) -> tuple[FlakyTest, ...] | None:
    """`outcomes.flaky.rank` of the records in these places (folders, object-store prefixes, files) that are asked for.

    None where there are no records. Raises UserError.
    """

    def ask() -> tuple[FlakyTest, ...] | None:
        files = find(places)
        if not files:
            return None
        if not any(file.compacted for file in files):
            return rank(choose(read_files(files), choice, catalogue), minimum=minimum, settle=settle)
        with opened(files) as collection:
            return ranked(_tried(collection, part(collection, catalogue, choice)), minimum=minimum, settle=settle)

    return settled(ask)


def _tried(collection: Collection, asked: Part) -> Iterator[Tried]:
    """The tests with a series that had both answers; of others nothing can be flaky."""
    database = collection.database
    fill(database, "tests", test=("VARCHAR", map(escaped, asked.features)))
    contexts = _fill_met(database, asked)
    database.execute(_ATTEMPTS)
    database.execute(_COUNTED)
    steady: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for test, level, context, attempts in _rows(database.execute(_STEADY)):
        steady[test, level][contexts[context]] = attempts
    signature = cache(unescaped)
    mixed = _MIXED.format(by=parquet.order(database, "source").by)
    for subject, rows in groupby(_rows(database.execute(mixed)), key=itemgetter(0, 1)):
        series = [
            (
                contexts[context],
                [Seen(ok, product, said and signature(said), started) for *_, ok, product, said, started in same],
            )
            for (context, _), same in groupby(rows, key=itemgetter(2, 3))
        ]
        test, level = subject
        yield Tried(unescaped(test), unescaped(level), series, steady.pop(subject, {}))


def _fill_met(database: DuckDBPyConnection, asked: Part) -> list[str]:
    """Fills the table ``met`` (run, environment, context, place, product, order); the contexts' keys by their numbers.

    A place is an environment of a lab in a context at an ACS version: there a test's attempts are one series.
    """
    contexts: dict[str, int] = {}
    places: dict[tuple[str, str, str], int] = {}
    met: list[tuple[str, str, int, int, tuple[str, bool], int]] = []
    # As records are merged.
    runs = sorted((record.run for record in asked.records), key=lambda run: run.run)
    for order, run in enumerate(runs):
        for name, environment in run.environments.items():
            context = Context.from_dict(environment.context).key
            place = (context, f"{run.lab}/{name}", environment.acs_version or UNKNOWN_VERSION)
            met.append(
                (
                    escaped(run.run),
                    escaped(name),
                    contexts.setdefault(context, len(contexts)),
                    places.setdefault(place, len(places)),
                    product_of(run, environment),
                    order,
                )
            )
    number = {product: index for index, product in enumerate(sorted({product for *_, product, _ in met}))}
    fill(
        database,
        "met",
        run=("VARCHAR", [each[0] for each in met]),
        environment=("VARCHAR", [each[1] for each in met]),
        context=("INTEGER", [each[2] for each in met]),
        place=("INTEGER", [each[3] for each in met]),
        product=("INTEGER", [number[each[4]] for each in met]),
        order=("INTEGER", [each[5] for each in met]),
    )
    return list(contexts)


def _rows(result: DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while some := result.fetchmany(_AT_ONCE):
        yield from some
