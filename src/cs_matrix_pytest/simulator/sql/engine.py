"""Statements run on the tables: sqlglot reads MySQL's SQL, SQLite answers it from the rows of the tables it names."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from cs_matrix_pytest.simulator.sql.table import TIME, Column, NotServed, Table, Value, stored
from cs_matrix_pytest.simulator.sql.tables import SCHEMAS, TABLES
from cs_matrix_pytest.simulator.store import new_uuid

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

SYSTEM_SCHEMAS = ("information_schema", "mysql", "performance_schema", "sys")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
NO_SUCH_COLUMN = re.compile(r"no such column: (?:\w+\.)*(\w+)")


COUNTED = "counted"


class SqlError(Exception):
    """A statement that was refused, as MySQL tells it: ``code`` is MySQL's number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


SYNTAX, NO_DATABASE, NO_TABLE, NO_COLUMN, UNSUPPORTED = 1064, 1049, 1146, 1054, 1235
"""ER_PARSE_ERROR, ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR, ER_NOT_SUPPORTED_YET."""


@dataclass(frozen=True)
class Result:
    """What a statement gave: rows of a query with their columns' names, else how many rows were changed."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    changed: int = 0


def statements(sql: str) -> list[exp.Expression]:
    """The statements of a text. Raises SqlError."""
    try:
        return [each for each in parse(sql, dialect="mysql") if isinstance(each, exp.Expression)]
    except SqlglotError as error:
        raise SqlError(SYNTAX, f"You have an error in your SQL syntax: {first_line(error)}") from None


def is_of_cloud(statement: exp.Expression) -> bool:
    """True for a statement about CloudStack's tables, not about the session or MySQL itself."""
    if isinstance(statement, exp.Query):
        tables = list(statement.find_all(exp.Table))
        return bool(tables) and all(table.db.lower() not in SYSTEM_SCHEMAS for table in tables)
    return isinstance(statement, exp.DML)


def schema() -> dict[str, dict[str, dict[str, str]]]:
    """The columns that there are, by schema and table, all as text: what SHOW and DESCRIBE tell."""
    found: dict[str, dict[str, dict[str, str]]] = {each: {} for each in SCHEMAS}
    for table in TABLES.values():
        found[table.schema][table.name] = dict.fromkeys(table.columns, "text")
    return found


def run(cloud: Cloud, statement: exp.Expression, database: str | None = "cloud") -> Result:
    """Run one statement on a cloud's state. Raises SqlError."""
    kinds = (
        (exp.Query, _select),
        (exp.Update, _update),
        (exp.Insert, _insert),
        (exp.Delete, _delete),
    )
    action = next((action for kind, action in kinds if isinstance(statement, kind)), None)
    if action is None and isinstance(statement, (exp.Condition, exp.Alias)):
        raise SqlError(SYNTAX, "You have an error in your SQL syntax: this is no statement")
    if action is None:
        raise SqlError(UNSUPPORTED, f"This simulator's database does not do {statement.key.upper()}")
    with cloud.lock:
        cloud.clock.run_due()
        try:
            with closing(_Work(cloud, database or "cloud")) as work:
                return action(work, statement.copy())
        except NotServed as error:
            raise SqlError(UNSUPPORTED, str(error)) from None


class _Work:
    """One statement's tables in a database of its own, and the rows of state that they came from."""

    def __init__(self, cloud: Cloud, database: str) -> None:
        self.cloud = cloud
        self.database = database
        self._connection = sqlite3.connect(":memory:")
        now = stored(cloud.clock.datetime())
        for name in ("now", "sysdate", "utc_timestamp", "current_timestamp"):
            self._connection.create_function(name, 0, lambda: now)
        self._connection.create_function("uuid", 0, new_uuid)
        for schema in SCHEMAS:
            self._connection.execute(f"attach ':memory:' as {schema}")
        self._filled: dict[str, tuple[Table, list[Any]]] = {}

    def fill(self, statement: exp.Expression) -> None:
        """Create the tables that a statement names, with what it reads of them."""
        own = {each.alias_or_name for each in statement.find_all(exp.CTE)}
        used = names_used(statement)
        for named in list(statement.find_all(exp.Table)):
            if named.name not in own or named.db:
                table = self.table(named)
                named.set("db", exp.to_identifier(table.schema))
                self._create(table, used)

    def table(self, named: exp.Table) -> Table:
        """The table that is named. Raises SqlError."""
        schema = (named.db or self.database).lower()
        if schema not in SCHEMAS:
            raise SqlError(NO_DATABASE, f"Unknown database '{schema}'")
        table = TABLES.get(f"{schema}.{named.name.lower()}")
        if table is None:
            raise SqlError(NO_TABLE, f"Table '{schema}.{named.name}' is not kept by this simulator")
        return table

    def _create(self, table: Table, used: frozenset[str] | None) -> None:
        """Create a table. Columns that are not used are there, but empty."""
        if table.full_name in self._filled:
            return
        rows = list(table.rows(self.cloud))
        self._filled[table.full_name] = (table, rows)
        read = {name: column for name, column in table.columns.items() if used is None or name.lower() in used}
        cells = [[column.of(row) for column in read.values()] for row in rows]
        # MySQL finds '12' where 12 is, and "Running" where "running" is.
        types = ["integer" if is_numeric(column) else "text collate nocase" for column in zip(*cells)]
        names = [f'"{name}"' for name in read]
        declared = [" ".join(each) for each in zip_longest(names, types, fillvalue="")]
        where, places = f'{table.schema}."{table.name}"', ", ".join("?" * (1 + len(names)))
        # Without any column a table cannot be; with none that is read, rows are only counted.
        self._connection.execute(f"create table {where} ({', '.join(declared) or COUNTED})")
        self._connection.executemany(
            f"insert into {where} ({', '.join(['rowid', *names])}) values ({places})",
            ((number, *row) for number, row in enumerate(cells, 1)),
        )

    def close(self) -> None:
        self._connection.close()

    def query(self, statement: exp.Expression) -> sqlite3.Cursor:
        """Run a query over tables that were filled. Raises SqlError."""
        text = statement.sql(dialect="sqlite")
        try:
            return self._connection.execute(text)
        except sqlite3.Error as error:
            missing = NO_SUCH_COLUMN.match(str(error))
            names = ", ".join(table.full_name for table, _ in self._filled.values())
            if missing:
                raise SqlError(
                    NO_COLUMN, f"Unknown column '{missing[1]}': this simulator does not keep it in {names}"
                ) from None
            raise SqlError(UNSUPPORTED, f"{error} (in {text})") from None

    def matching(
        self, table: Table, where: exp.Expression | None, *values: exp.Expression
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of state that a condition holds for, each with the values of expressions on it."""
        select = exp.select("rowid", *(value.copy() for value in values)).from_(
            exp.table_(table.name, db=table.schema, quoted=True)
        )
        if where is not None:
            select = select.where(where.this.copy())
        self.fill(select)
        rows = self._filled[table.full_name][1]
        for number, *given in self.query(select).fetchall():
            yield rows[number - 1], *given


def _select(work: _Work, statement: exp.Expression) -> Result:
    work.fill(statement)
    cursor = work.query(statement)
    names = [description[0] for description in cursor.description]
    return Result(names, [tuple(map(shown, row)) for row in cursor.fetchall()])


def _update(work: _Work, statement: exp.Expression) -> Result:
    table = work.table(statement.this)
    changed = [column_of(table, assignment.this.name) for assignment in statement.expressions]
    values = [default_of(assignment.expression) for assignment in statement.expressions]
    found = list(work.matching(table, statement.args.get("where"), *values))
    for row, *given in found:
        for (name, column), value in zip(changed, given, strict=True):
            if column.write is None:
                raise NotServed(f"This simulator cannot update column {name} of {table.full_name}")
            column.write(work.cloud, row, value)
    return Result(changed=len(found))


def _insert(work: _Work, statement: exp.Expression) -> Result:
    target, source = statement.this, statement.expression
    named = target.this if isinstance(target, exp.Schema) else target
    table = work.table(named)
    if table.insert is None:
        raise NotServed(f"This simulator cannot insert into {table.full_name}")
    names = [column.name for column in target.expressions] if isinstance(target, exp.Schema) else list(table.columns)
    if not isinstance(source, exp.Values):
        raise NotServed(f"This simulator can insert only VALUES into {table.full_name}")
    for values in source.expressions:
        if len(values.expressions) != len(names):
            raise SqlError(1136, "Column count doesn't match value count at row 1")
        select = exp.select(*(default_of(value) for value in values.expressions))
        work.fill(select)
        table.insert(work.cloud, dict(zip(names, work.query(select).fetchone(), strict=True)))
    return Result(changed=len(source.expressions))


def _delete(work: _Work, statement: exp.Expression) -> Result:
    table = work.table(statement.this)
    found = [row for (row,) in work.matching(table, statement.args.get("where"))]
    if found and table.delete is None:
        raise NotServed(f"This simulator cannot delete from {table.full_name}")
    for row in found:
        assert table.delete is not None
        table.delete(work.cloud, row)
    return Result(changed=len(found))


def column_of(table: Table, name: str) -> tuple[str, Column]:
    """A column and its name as the table has it. Raises SqlError."""
    for each, column in table.columns.items():
        if each.lower() == name.lower():
            return each, column
    raise SqlError(NO_COLUMN, f"Unknown column '{name}': this simulator does not keep it in {table.full_name}")


def default_of(value: exp.Expression) -> exp.Expression:
    """``DEFAULT`` as the NULL that it is for every column that can be written here; anything else as it is."""
    is_default = isinstance(value, (exp.Column, exp.Var)) and value.sql().upper() == "DEFAULT"
    return exp.Null() if is_default else value


def shown(value: Value) -> Value | datetime:
    """A cell as clients get it: a time is one to them."""
    return datetime.strptime(value, TIME) if isinstance(value, str) and MOMENT.fullmatch(value) else value


def names_used(statement: exp.Expression) -> frozenset[str] | None:
    """The names of the columns that a statement reads, in lower case; None: all."""
    if any(not isinstance(star.parent, exp.Count) for star in statement.find_all(exp.Star)):
        return None
    return frozenset(column.name.lower() for column in statement.find_all(exp.Column))


def is_numeric(column: Iterable[Value]) -> bool:
    """True for a column that has numbers only."""
    return all(isinstance(value, (int, float)) for value in column if value is not None)


def first_line(error: Exception) -> str:
    """An error's first line, without the terminal's marks."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().split("\n", 1)[0]
