"""What the simulated cloud holds: tables of resources, found by uuid and by the internal number."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, ClassVar, Generic, TypeVar

from cs_matrix_pytest.simulator.clock import Clock


def new_uuid() -> str:
    """A random uuid as CloudStack writes them."""
    return str(uuid.uuid4())


NOT_YET = datetime.min.replace(tzinfo=timezone.utc)
"""When a resource was created that no store has yet."""


@dataclass(eq=False, kw_only=True, repr=False)
class Resource:
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

    id: str = field(default_factory=new_uuid)
    number: int = 0
    created: datetime = NOT_YET
    removed: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        # Resources refer to one another: a repr of all fields would never end.
        return f"<{self.label} {self.number} {getattr(self, 'name', self.id)}>"


R = TypeVar("R", bound=Resource)


class Table(Generic[R]):
    """All resources of one class, in order of creation."""

    def __init__(self) -> None:
        self.last_number = 0
        """The number that was given out last."""
        self._live: dict[str, R] = {}
        self._by_number: dict[int, R] = {}
        self._removed: dict[str, R] = {}
        self._indexes: dict[str, dict[Any, R]] = {}

    def add(self, resource: R) -> R:
        """Keep a new resource; it gets the next number."""
        if not resource.number:
            self.last_number += 1
            resource.number = self.last_number
        self._live[resource.id] = resource
        self._by_number[resource.number] = resource
        self._indexes.clear()
        return resource

    def remove(self, resource: R) -> None:
        """Take a resource out of every list; it stays findable with ``removed=True``."""
        if self._live.pop(resource.id, None) is not None:
            self._removed[resource.id] = resource
            self._indexes.clear()

    def forget(self, resource: R) -> None:
        """Take a resource out for good: not even its uuid is known afterwards."""
        for rows in (self._live, self._removed):
            rows.pop(resource.id, None)
        self._by_number.pop(resource.number, None)
        self._indexes.clear()

    def restore(self, live: Iterable[R], removed: Iterable[R], last_number: int) -> None:
        """Hold these resources, and no others, in these orders."""
        self._live = {row.id: row for row in live}
        self._removed = {row.id: row for row in removed}
        rows = sorted((*self._removed.values(), *self._live.values()), key=lambda row: row.number)
        self._by_number = {row.number: row for row in rows}
        self._indexes.clear()
        self.last_number = last_number

    def get(self, id: str, *, removed: bool = False) -> R | None:
        """The resource of this uuid."""
        found = self._live.get(id)
        return self._removed.get(id) if found is None and removed else found

    def removed(self) -> list[R]:
        """The removed resources whose rows are still there, in the order that they were removed."""
        return list(self._removed.values())

    def by(self, attribute: str, value: Any) -> R | None:
        """The live resource whose ``attribute``, unique and never changed in place, has this value; found by an index."""
        index = self._indexes.get(attribute)
        if index is None:
            index = self._indexes[attribute] = {getattr(row, attribute): row for row in self._live.values()}
        return index.get(value)

    def by_number(self, number: int) -> R | None:
        """The resource of this internal number, removed ones included."""
        return self._by_number.get(number)

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._live.values()))

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, resource: object) -> bool:
        # A request's id parameter may be a number that names nothing.
        return isinstance(resource, Resource) and resource.id in self._live

    def where(self, test: Callable[[R], bool] | None = None, **attributes: Any) -> list[R]:
        """Resources whose attributes equal these and that pass ``test``."""
        return [
            resource
            for resource in self._live.values()
            if all(getattr(resource, name) == value for name, value in attributes.items())
            and (test is None or test(resource))
        ]

    def first(self, test: Callable[[R], bool] | None = None, **attributes: Any) -> R | None:
        """The oldest of `where`, or None."""
        for resource in self._live.values():
            if all(getattr(resource, name) == value for name, value in attributes.items()) and (
                test is None or test(resource)
            ):
                return resource
        return None


class Store:
    """The tables, one per resource class, made as they are first used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tables: dict[type[Resource], Table[Any]] = {}

    def table(self, kind: type[R]) -> Table[R]:
        """The table of exactly this class."""
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = Table()
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
