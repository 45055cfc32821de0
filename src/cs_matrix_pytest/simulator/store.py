"""What the simulated cloud holds: tables of resources, found by uuid and by the internal number."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from os import urandom
from typing import Any, ClassVar, Generic, TypeVar

from cs_matrix_pytest.simulator.clock import Clock
from cs_matrix_pytest.simulator.indexes import Changed, Declaration, Index, Numbers, Rows, Runs, Sums, Totals, place_of


def new_uuid() -> str:
    """A random uuid (version 4) as CloudStack writes them; a command makes a dozen, and `uuid.uuid4` takes its time."""
    digits = urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


NOT_YET = datetime.min.replace(tzinfo=timezone.utc)
"""When a resource was created that no store has yet."""


class _Entry:
    """What a table with indexes keeps with a row of its own; in slots, as one more attribute can cost a dictionary."""

    __slots__ = ("_place", "_table")

    _place: int
    """Where it stands in the order of its table."""
    _table: Table[Any] | None
    """The table that is to know when it changes; without it (or None): none."""


@dataclass(eq=False, kw_only=True, repr=False)
class Resource(_Entry):
    """Anything with an identity. The store sets ``number`` (the database's id), ``created`` and ``removed``.

    A removed resource is in no list, but stays findable by its uuid where CloudStack keeps its row.
    """

    entities: ClassVar[tuple[str, ...]] = ()
    """Response classes under which parameters name this resource (``UserVmResponse``)."""
    label: ClassVar[str] = "resource"
    """What error texts call it."""
    resource_type: ClassVar[str] = ""
    """What tags, annotations and details call it (``UserVm``); empty where it can have none."""
    leaves_row: ClassVar[bool] = True
    """False where the server deletes the row of what is removed: nothing can name it any more."""
    indexes: ClassVar[tuple[Declaration, ...]] = ()
    """What its table is asked for by key: declared here, kept by the table."""

    id: str = field(default_factory=new_uuid)
    number: int = 0
    created: datetime = NOT_YET
    removed: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if any(declared.depends for declared in vars(cls).get("indexes", ())):
            # Only these pay for being watched.
            cls.__setattr__ = _telling(cls.indexes)  # type: ignore[assignment, method-assign]

    def __repr__(self) -> str:
        # Resources refer to one another: a repr of all fields would never end.
        return f"<{self.label} {self.number} {getattr(self, 'name', self.id)}>"


def _telling(indexes: Iterable[Declaration]) -> Callable[[Resource, str, Any], None]:
    """How resources with these indexes are assigned attributes: their table is told."""
    watched = frozenset(name for index in indexes for name in index.depends)
    put = object.__setattr__

    def assign(self: Resource, name: str, value: Any) -> None:
        if name in watched:
            table = getattr(self, "_table", None)
            if table is not None:
                table.change(self, name, value)
                return
        put(self, name, value)

    return assign


R = TypeVar("R", bound=Resource)
X = TypeVar("X", Rows, Sums, Numbers, Changed)


class Table(Generic[R]):
    """All resources of one class, in order of creation, with the indexes that the class declares."""

    def __init__(self, indexes: Iterable[Declaration] = ()) -> None:
        self.last_number = 0
        """The number that was given out last."""
        self._live: dict[str, R] = {}
        self._by_number: dict[int, R] = {}
        self._removed: dict[str, R] = {}
        self._declared = tuple(indexes)
        self._last_place = 0
        self._indexes: dict[str, Index] = {declared.name: declared.empty() for declared in self._declared}
        self._rows = {name: index for name, index in self._indexes.items() if type(index) is Rows}
        self._affected: dict[str, list[Index]] = {}
        """The indexes that follow from an attribute."""
        for declared in self._declared:
            for name in declared.depends:
                self._affected.setdefault(name, []).append(self._indexes[declared.name])

    def _enter(self, row: R) -> None:
        """Have a row, now the last of the table, in the indexes."""
        if self._declared:
            # Usually that is its number itself, which costs no memory of its own.
            self._last_place = place = max(self._last_place + 1, row.number)
            row._place, row._table = place, self
            for index in self._indexes.values():
                index.add(row)

    def _leave(self, row: R) -> None:
        if self._declared:
            for index in self._indexes.values():
                index.discard(row)
            row._table = None

    def change(self, row: R, name: str, value: Any) -> None:
        """Assign an attribute that indexes follow from."""
        if getattr(row, name) is value:
            return
        affected = self._affected.get(name, ())
        for index in affected:
            index.discard(row)
        object.__setattr__(row, name, value)
        for index in affected:
            index.add(row)

    def add(self, resource: R) -> R:
        """Keep a new resource; it gets the next number."""
        if not resource.number:
            self.last_number += 1
            resource.number = self.last_number
        before = self._live.pop(resource.id, None)
        if before is not None:
            self._leave(before)
        self._live[resource.id] = resource
        self._by_number[resource.number] = resource
        self._enter(resource)
        return resource

    def remove(self, resource: R) -> None:
        """Take a resource out of every list; it stays findable with ``removed=True``."""
        row = self._live.pop(resource.id, None)
        if row is not None:
            self._leave(row)
            self._removed[resource.id] = resource

    def forget(self, resource: R) -> None:
        """Take a resource out for good: not even its uuid is known afterwards."""
        row = self._live.pop(resource.id, None)
        if row is not None:
            self._leave(row)
        self._removed.pop(resource.id, None)
        self._by_number.pop(resource.number, None)

    def restore(self, live: Iterable[R], removed: Iterable[R], last_number: int) -> None:
        """Hold these resources, and no others, in these orders."""
        for row in self._live.values():
            self._leave(row)
        self._live = {row.id: row for row in live}
        self._removed = {row.id: row for row in removed}
        rows = sorted((*self._removed.values(), *self._live.values()), key=lambda row: row.number)
        self._by_number = {row.number: row for row in rows}
        self.last_number = last_number
        for row in self._live.values():
            self._enter(row)

    def get(self, id: str, *, removed: bool = False) -> R | None:
        """The resource of this uuid."""
        found = self._live.get(id)
        return self._removed.get(id) if found is None and removed else found

    def removed(self) -> list[R]:
        """The removed resources whose rows are still there, in the order that they were removed."""
        return list(self._removed.values())

    def by_number(self, number: int) -> R | None:
        """The resource of this internal number, removed ones included."""
        return self._by_number.get(number)

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._live.values()))

    def __reversed__(self) -> Iterator[R]:
        """The newest first. The table must not change meanwhile."""
        return reversed(self._live.values())

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, resource: object) -> bool:
        # A request's id parameter may be a number that names nothing.
        return isinstance(resource, Resource) and resource.id in self._live

    def where(self, test: Callable[[R], bool] | None = None, **attributes: Any) -> list[R]:
        """Resources whose attributes equal these and that pass ``test``; by an index where the class declares one."""
        rows, left = self._narrowed(attributes)
        if test is None and not left:
            return list(rows)
        return [
            resource
            for resource in rows
            if all(getattr(resource, name) == value for name, value in left) and (test is None or test(resource))
        ]

    def first(self, test: Callable[[R], bool] | None = None, **attributes: Any) -> R | None:
        """The oldest of `where`, or None."""
        rows, left = self._narrowed(attributes)
        for resource in rows:
            if all(getattr(resource, name) == value for name, value in left) and (test is None or test(resource)):
                return resource
        return None

    def _narrowed(self, attributes: dict[str, Any]) -> tuple[Iterable[R], list[tuple[str, Any]]]:
        """The fewest rows that an index gives for one of these attributes, and the others to compare."""
        fewest: list[R] | None = None
        known = ""
        for name, value in attributes.items():
            index = self._rows.get(name)
            if index is not None:
                rows = index.by_value.get(value)
                if rows is None:
                    return (), []
                if fewest is None or len(rows) < len(fewest):
                    fewest, known = rows, name
        left = [(name, value) for name, value in attributes.items() if name != known]
        return self._live.values() if fewest is None else fewest, left

    def having(self, name: str, *members: Hashable) -> list[R]:
        """Resources in whose collection ``name``, declared as a `Lookup` of many, one of these is."""
        by_value = self._index(name, Rows).by_value
        found = [by_value[member] for member in members if member in by_value]
        return list(found[0]) if len(found) == 1 else sorted({*chain.from_iterable(found)}, key=place_of)

    def select(self, name: str, test: Callable[[Any], bool]) -> list[R]:
        """Resources whose attribute ``name`` passes a test, which is asked once per value where it is a `Lookup`."""
        index = self._rows.get(name)
        if index is None:
            return [row for row in self._live.values() if test(getattr(row, name))]
        by_value = index.by_value
        chosen = [rows for value, rows in by_value.items() if test(value)]
        if len(chosen) == len(by_value):
            return list(self._live.values())
        return list(chosen[0]) if len(chosen) == 1 else sorted(chain.from_iterable(chosen), key=place_of)

    def totals(self, name: str) -> Totals:
        """Counts and sums, declared as a `Tally`: the count and the sums by value and the other values; no zeros."""
        return self._index(name, Sums).totals

    def numbers_in_use(self, name: str, value: Hashable) -> Runs:
        """The numbers, declared as `NumbersInUse`, that the rows of a value have."""
        return self._index(name, Numbers).of(value)

    def changes(self, name: str) -> list[R]:
        """Resources, declared as `Changes`, that came, went or changed since this was last asked."""
        index = self._index(name, Changed)
        rows = list(index.rows)
        index.rows.clear()
        return rows

    def _index(self, name: str, kind: type[X]) -> X:
        index = self._indexes[name]
        assert isinstance(index, kind)
        return index


class Store:
    """The tables, one per resource class, made as they are first used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tables: dict[type[Resource], Table[Any]] = {}

    def table(self, kind: type[R]) -> Table[R]:
        """The table of exactly this class."""
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = Table(kind.indexes)
        return table

    @property
    def kinds(self) -> list[type[Resource]]:
        """The classes that have a table."""
        return list(self._tables)

    def clear(self) -> None:
        """Hold nothing, as if nothing had ever been held."""
        self._tables.clear()

    def add(self, resource: R) -> R:
        """Keep a new resource in its class's table, created now."""
        if resource.created is NOT_YET:
            resource.created = self._clock.datetime()
        return self.table(type(resource)).add(resource)

    def remove(self, resource: Resource) -> None:
        """Remove a resource now."""
        resource.removed = self._clock.datetime()
        table = self.table(type(resource))
        (table.remove if resource.leaves_row else table.forget)(resource)

    def forget(self, resource: Resource) -> None:
        """Remove a resource without trace, where CloudStack deletes the row instead of marking it."""
        self.table(type(resource)).forget(resource)

    def __contains__(self, resource: Resource) -> bool:
        return resource in self.table(type(resource))
