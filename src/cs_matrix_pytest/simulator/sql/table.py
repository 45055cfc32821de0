"""What a database table is made of: rows of state, and columns as attributes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

Value = str | int | float | None
"""What a database cell holds here; times are text in UTC, as MySQL writes them."""
Getter = Callable[[Any], Any]
Setter = Callable[["Cloud", Any, Value], None]


class NotServed(Exception):
    """A statement that CloudStack's database would take and this one does not: the text says of what table and column."""


@dataclass(frozen=True)
class Column:
    """``read``: a dotted path of attributes (None where one of them is) or a function of the row."""

    read: str | Getter
    write: Setter | None = None

    def of(self, row: Any) -> Value:
        if callable(self.read):
            return stored(self.read(row))
        value = row
        for name in self.read.split("."):
            value = getattr(value, name)
            if value is None:
                return None
        return stored(value)


@dataclass(frozen=True)
class Table:
    """One table.

    ``rows`` gives what its rows are made from, any objects; ``insert`` takes the values by column; both, and ``delete``,
    raise NotServed for what they cannot do.
    """

    name: str
    rows: Callable[[Cloud], Iterable[Any]]
    columns: Mapping[str, Column]
    schema: str = "cloud"
    insert: Callable[[Cloud, dict[str, Value]], None] | None = None
    delete: Callable[[Cloud, Any], None] | None = None

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


def columns(names: str, **special: Getter | Column) -> dict[str, Column]:
    """Columns in their order, from words: ``name`` is the attribute of that name, ``uuid=id`` another one, or a path;
    a name that ``special`` has is read (and perhaps written) as it says."""
    found = {}
    for word in names.split():
        name, _, path = word.partition("=")
        own = special.get(name)
        found[name] = own if isinstance(own, Column) else Column(own or path or name)
    return found


def stored(value: Any) -> Value:
    """A value of the state as a cell."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime(TIME)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Enum):
        return stored(value.value)
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return ",".join(str(each) for each in value) or None
    return str(value)


def moment(value: Value) -> datetime | None:
    """A cell as a time; raise NotServed where it is none."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=timezone.utc)
    except ValueError:
        raise NotServed(f"Incorrect datetime value: {value!r}") from None


def text(value: Value) -> str | None:
    """A cell as text."""
    return None if value is None else str(value)


def number(value: Value) -> int | None:
    """A cell as a number; raise NotServed where it is none."""
    try:
        return None if value is None else int(value)
    except ValueError:
        raise NotServed(f"Incorrect integer value: {value!r}") from None


def assign(attribute: str, convert: Callable[[Value], Any] = text) -> Setter:
    """A setter of an attribute."""

    def write(_cloud: Cloud, row: Any, value: Value) -> None:
        setattr(row, attribute, convert(value))

    return write


TIME = "%Y-%m-%d %H:%M:%S"
