"""Rows of run records in Parquet files, by DuckDB: written sorted, so that questions read little; read by run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history.lines import BULK, COLUMNS, Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEMA = "cs-history/1"
"""Stands in the Parquet file's metadata under the key ``schema``."""

MEMORY_LIMIT = "1GB"
"""What DuckDB may use before it writes to temporary files."""

ROW_GROUP = 122_880

_NULL = "\\N"
"""No escaped text is this: JSON knows no such escape."""
_SORTED = "acs_version, context, test, level, started, started_text, run, line"

# In files ``started`` is a timestamp, smaller and faster to read and to sort than a text. Where its text with milliseconds is
# not what the record writes, they have that as ``started_text`` too, or alone.
_TIME = "try_cast(started AS TIMESTAMP_MS)"
_WITH_FRACTION = "strftime({}, '%Y-%m-%dT%H:%M:%S.%gZ')"
_WITHOUT = "strftime({}, '%Y-%m-%dT%H:%M:%SZ')"


class Order(NamedTuple):
    """How attempts are ordered in time: ``by`` is SQL over columns of `source`; its value ``instant`` is of ``day``."""

    by: str
    day: str


_BY_TIME = Order("time", "strftime(instant, '%Y-%m-%d')")
_BY_TEXT = Order("rtrim(started, 'Z')", "left(instant, 10)")


class Unwritable(UserError):
    """A file could not be written, or what it was to be made of could not be read meanwhile."""


class Broken(UserError):
    """A file that is no compacted history, or one of a newer schema."""


def available() -> bool:
    """Whether DuckDB is installed."""
    from importlib.util import find_spec

    return find_spec("duckdb") is not None


@contextmanager
def connection() -> Iterator[DuckDBPyConnection]:
    """A database in memory, with a temporary folder to spill to. Raises UserError where DuckDB is not installed."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise UserError("this needs DuckDB", hint="pip install 'cs-matrix-pytest[history]'") from None
    with tempfile.TemporaryDirectory(prefix="cs-matrix-") as scratch:
        # Nothing is downloaded, whatever a query might need, and no name in one is a Python variable's.
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": scratch,
            "autoinstall_known_extensions": "false",
            "preserve_insertion_order": "false",
            "python_enable_replacements": "false",
        }
        with duckdb.connect(":memory:", config=settings) as database:
            database.execute("SET enable_progress_bar = false")
            yield database


def check(database: DuckDBPyConnection, file: Path, label: str) -> None:
    """Raises Broken where a file cannot be asked, or is of a newer schema."""
    import duckdb

    try:
        found = database.execute(
            "SELECT decode(value) FROM parquet_kv_metadata($1) WHERE decode(key) = 'schema'", [str(file)]
        ).fetchall()
    except duckdb.Error as error:
        raise Broken(f"this is not a Parquet file of run records: {_said(error)}", file=label) from None
    schema = found[0][0] if found else None
    if schema == SCHEMA:
        return
    if isinstance(schema, str) and schema.startswith("cs-history/"):
        raise Broken(
            f"the file has schema {schema}; this version of cs-matrix-pytest reads {SCHEMA}",
            file=label,
            hint="A newer cs-matrix-pytest wrote it: pip install --upgrade cs-matrix-pytest",
        )
    raise Broken("this is not a Parquet file of run records", file=label)


def gather(database: DuckDBPyConnection, rows: Iterable[Row], file: Path) -> None:
    """Writes rows as they come: a file for `source`, beside those that `write` wrote."""
    draft = file.with_suffix(".tsv")
    longest = 0
    with draft.open("w", encoding="ascii", newline="") as text:
        for row in rows:
            line = "\t".join(_NULL if value is None else str(value) for value in row)
            longest = max(longest, len(line))
            text.write(line + "\n")
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
    read = f"""SELECT * FROM read_csv($1, delim = '\t', quote = '', escape = '', nullstr = '{_NULL}', header = false,
        auto_detect = false, new_line = '\\n', max_line_size = {longest + 100},
        buffer_size = {max(32_000_000, 4 * longest)}, columns = {{{columns}}})"""
    database.execute(f"COPY ({_stored(read)}) TO '{_quoted(file)}' (FORMAT parquet)", [str(draft)])
    draft.unlink()


def write(database: DuckDBPyConnection, selected: str, file: Path) -> None:
    """Writes what ``selected`` (a SELECT of `COLUMNS`) gives. Raises Unwritable."""
    import duckdb

    try:
        database.execute(
            f"""COPY ({_stored(selected)} ORDER BY kind, {_SORTED}) TO '{_quoted(file)}'
            (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP}, KV_METADATA {{schema: '{SCHEMA}'}})"""
        )
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise Unwritable(f"the history cannot be written: {_said(error)}", file=file) from None


def headers(database: DuckDBPyConnection, source: str) -> list[tuple[str, str, int]]:
    """Run (escaped), digest and number of lines of each record in ``source``."""
    return database.execute(f"SELECT run, digest, lines FROM {source} WHERE kind = 'run'").fetchall()


def records(database: DuckDBPyConnection, source: str, runs: Sequence[str]) -> Iterator[tuple[str, list[Row]]]:
    """All rows of each of these runs (escaped)."""
    database.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT unnest($1) AS run", [list(runs)])
    yield from _by_run(
        database.execute(f"SELECT {', '.join(COLUMNS)} FROM {source} SEMI JOIN wanted USING (run) ORDER BY run")
    )


def remainders(database: DuckDBPyConnection, source: str) -> Iterator[tuple[str, list[Row]]]:
    """Of each run the rows that are not of the kinds in `BULK`."""
    few = " AND ".join(f"kind <> '{kind}'" for kind in BULK)
    yield from _by_run(database.execute(f"SELECT {', '.join(COLUMNS)} FROM {source} WHERE {few} ORDER BY run"))


def source(files: Sequence[Path], *options: str) -> str:
    """Files as a table expression, with options of DuckDB's read_parquet. Its columns: `COLUMNS` and those of `order`."""
    listed = ", ".join(f"'{_quoted(file)}'" for file in files)
    read = f"read_parquet({', '.join((f'[{listed}]', 'union_by_name = true', *options))})"
    text = f"coalesce(started_text, {_WITH_FRACTION.format('started')})"
    return f"(SELECT * REPLACE ({text} AS started), started AS time FROM {read})"


def order(database: DuckDBPyConnection, lines: str) -> Order:
    """How the attempts in a view of a `source` are ordered: by time, unless one of them is written in an odd form."""
    odd = f"SELECT 1 FROM {lines} WHERE kind = 'attempt' AND started_text IS NOT NULL LIMIT 1"
    return _BY_TEXT if database.execute(odd).fetchone() else _BY_TIME


def _stored(selected: str) -> str:
    """A SELECT of `COLUMNS` as files have it."""
    as_time = f"SELECT {', '.join(COLUMNS)}, {_TIME} AS time FROM ({selected})"
    usual, whole = _WITH_FRACTION.format("time"), _WITHOUT.format("time")
    return f"""SELECT * EXCLUDE (time) REPLACE (CASE WHEN started IN ({usual}, {whole}) THEN time END AS started),
        CASE WHEN started IS DISTINCT FROM {usual} THEN started END AS started_text FROM ({as_time})"""


def _by_run(result: Any) -> Iterator[tuple[str, list[Row]]]:
    run = list(COLUMNS).index("run")

    def fetched() -> Iterator[Row]:
        while some := result.fetchmany(10_000):
            yield from map(Row._make, some)

    for name, rows in groupby(fetched(), key=lambda row: row[run]):
        yield str(name), list(rows)


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


def _said(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
