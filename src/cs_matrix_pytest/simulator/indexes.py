"""Indexes of tables: rows, sums and numbers in use by key, kept right with every addition, change and removal.

A model declares what its table is asked for; the table does the rest. No lookup needs to scan a table for these, and there
is nothing to invalidate.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol

Row = Any
"""A resource: indexes read attributes of it by name."""

Totals = Mapping[Any, Mapping[tuple[Any, ...], list[int]]]
"""What a `Tally` gives: by a value, and by the values of the other attributes, the count and the sums in their order."""

place_of: Callable[[Row], int] = attrgetter("_place")
"""Where a row stands in the order of its table."""


class Index(Protocol):
    """What is kept for one table. A row is discarded with the very attributes that it was added with."""

    def add(self, row: Row) -> None: ...

    def discard(self, row: Row) -> None: ...


class Declaration(Protocol):
    """An index as a model declares it."""

    @property
    def name(self) -> str:
        """What the table is asked for it by."""

    @property
    def depends(self) -> Iterable[str]:
        """The attributes that it follows from. Whoever changes one assigns it: a list is not changed in place."""

    def empty(self) -> Index:
        """The index of a table without rows."""


@dataclass(frozen=True)
class Lookup:
    """Rows by the value of an attribute or property, which `Table.where` and `Table.first` then find by key.

    ``of``: the attributes that a property follows from. ``many``: the value is a collection, and a row is found by each
    of its members with `Table.having`, not by the whole.
    """

    name: str
    of: tuple[str, ...] = ()
    many: bool = False

    @property
    def depends(self) -> Iterable[str]:
        return self.of or (self.name,)

    def empty(self) -> Rows:
        return Members(self.name) if self.many else Rows(self.name)


@dataclass(frozen=True)
class Tally:
    """How many rows there are, and the sums of some of their attributes: by one attribute, and for each value of it by
    the values of others."""

    name: str
    by: str
    and_by: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()

    @property
    def depends(self) -> Iterable[str]:
        return (self.by, *self.and_by, *self.sums)

    def empty(self) -> Sums:
        return Sums(self)


@dataclass(frozen=True)
class NumbersInUse:
    """Whole numbers that the rows of each value of ``by`` have; ``numbers`` gives those of a row, and follows from the
    attributes ``of``."""

    name: str
    by: str
    numbers: Callable[[Row], Iterable[int]]
    of: tuple[str, ...]

    @property
    def depends(self) -> Iterable[str]:
        return (self.by, *self.of)

    def empty(self) -> Numbers:
        return Numbers(self)


@dataclass(frozen=True)
class Changes:
    """Rows that came, went or changed in one of the attributes ``of``, until somebody asks for them."""

    name: str
    of: tuple[str, ...] = ()

    @property
    def depends(self) -> Iterable[str]:
        return self.of

    def empty(self) -> Changed:
        return Changed()


class Rows:
    """The rows of each value, in the order of their table."""

    def __init__(self, attribute: str) -> None:
        self._value: Callable[[Row], Any] = attrgetter(attribute)
        self.by_value: dict[Hashable, list[Row]] = {}

    def add(self, row: Row) -> None:
        self._put(self._value(row), row)

    def discard(self, row: Row) -> None:
        self._take(self._value(row), row)

    def _put(self, value: Hashable, row: Row) -> None:
        rows = self.by_value.get(value)
        if rows is None:
            self.by_value[value] = [row]
        elif place_of(rows[-1]) < place_of(row):
            rows.append(row)
        else:
            insort(rows, row, key=place_of)

    def _take(self, value: Hashable, row: Row) -> None:
        rows = self.by_value[value]
        if rows[-1] is not row:
            del rows[bisect_left(rows, place_of(row), key=place_of)]
        elif len(rows) > 1:
            rows.pop()
        else:
            del self.by_value[value]


class Members(Rows):
    """The rows of each member of their collections."""

    def add(self, row: Row) -> None:
        members = self._value(row)
        if members:
            for member in dict.fromkeys(members):
                self._put(member, row)

    def discard(self, row: Row) -> None:
        members = self._value(row)
        if members:
            for member in dict.fromkeys(members):
                self._take(member, row)


class Sums:
    """Counts and sums, brought up to date when they are asked for: rows change more often than that."""

    def __init__(self, declared: Tally) -> None:
        self._values: Callable[[Row], Any] = attrgetter(declared.by, *declared.and_by, *declared.sums)
        self._keys, self._zeros = 1 + len(declared.and_by), [0] * (1 + len(declared.sums))
        self._totals: dict[Hashable, dict[tuple[Hashable, ...], list[int]]] = {}
        self._changed: dict[Row, _Change] = {}

    def add(self, row: Row) -> None:
        change = self._changed.get(row)
        if change is None:
            change = self._noted(row, None)
        change.is_there = True

    def discard(self, row: Row) -> None:
        change = self._changed.get(row)
        if change is None:
            change = self._noted(row, self._values(row))
        change.is_there = False

    @property
    def totals(self) -> Totals:
        """By value, and the values of the other attributes: the count, and the sums in their order."""
        for row, change in self._changed.items():
            if change.counted is not None:
                self._count(change.counted, -1)
            if change.is_there:
                self._count(self._values(row), 1)
        self._changed.clear()
        return self._totals

    def _noted(self, row: Row, counted: tuple[Any, ...] | None) -> _Change:
        if len(self._changed) == MOST_CHANGES:
            _ = self.totals
        change = self._changed[row] = _Change(counted)
        return change

    def _count(self, values: tuple[Any, ...], sign: int) -> None:
        value, others, amounts = values[0], values[1 : self._keys], values[self._keys :]
        parts = self._totals.setdefault(value, {})
        total = parts.setdefault(others, self._zeros.copy())
        for position, amount in enumerate((1, *amounts)):
            total[position] += sign * amount
        if not total[0]:
            del parts[others]
            if not parts:
                del self._totals[value]


MOST_CHANGES = 1000
"""How many rows that changed are kept beside the sums, before they are counted unasked."""


class _Change:
    """A row that changed: what was counted of it (None: nothing), and whether it is still in the table."""

    __slots__ = ("counted", "is_there")

    def __init__(self, counted: tuple[Any, ...] | None) -> None:
        self.counted = counted
        self.is_there = False


class Changed:
    """The rows that changed, each once, in the order of their first changes."""

    def __init__(self) -> None:
        self.rows: dict[Row, None] = {}

    def add(self, row: Row) -> None:
        self.rows[row] = None

    def discard(self, row: Row) -> None:
        self.rows[row] = None


class Numbers:
    """The numbers in use of each value."""

    def __init__(self, declared: NumbersInUse) -> None:
        self._by: Callable[[Row], Hashable] = attrgetter(declared.by)
        self._numbers = declared.numbers
        self._used: dict[Hashable, Runs] = {}

    def add(self, row: Row) -> None:
        for number in self._numbers(row):
            self._used.setdefault(self._by(row), Runs()).add(number)

    def discard(self, row: Row) -> None:
        value = self._by(row)
        for number in self._numbers(row):
            used = self._used[value]
            used.discard(number)
            if not used:
                del self._used[value]

    def of(self, value: Hashable) -> Runs:
        """The numbers in use of a value."""
        return self._used.get(value, NO_NUMBERS)


class Runs:
    """A set of whole numbers as the runs that it consists of: where the next gap is, is known without counting up to it.

    A number that was added twice is in until it was discarded twice.
    """

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        self._again: dict[int, int] = {}
        """How often a number was added beyond the first time."""

    def __bool__(self) -> bool:
        return bool(self._first)

    def __contains__(self, number: int) -> bool:
        run = bisect_right(self._first, number) - 1
        return run >= 0 and number <= self._last[run]

    def first_missing(self, number: int) -> int:
        """The least number that is not in the set, from this one on."""
        run = bisect_right(self._first, number) - 1
        return self._last[run] + 1 if run >= 0 and number <= self._last[run] else number

    def add(self, number: int) -> None:
        after = bisect_right(self._first, number)
        before = after - 1
        if before >= 0 and number <= self._last[before]:
            self._again[number] = self._again.get(number, 0) + 1
            return
        follows = before >= 0 and self._last[before] == number - 1
        precedes = after < len(self._first) and self._first[after] == number + 1
        if follows and precedes:
            self._last[before] = self._last.pop(after)
            del self._first[after]
        elif follows:
            self._last[before] = number
        elif precedes:
            self._first[after] = number
        else:
            self._first.insert(after, number)
            self._last.insert(after, number)

    def discard(self, number: int) -> None:
        """Take out a number that is in the set."""
        again = self._again.pop(number, 0)
        if again:
            if again > 1:
                self._again[number] = again - 1
            return
        run = bisect_right(self._first, number) - 1
        first, last = self._first[run], self._last[run]
        if first == last:
            del self._first[run], self._last[run]
        elif number == first:
            self._first[run] = number + 1
        elif number == last:
            self._last[run] = number - 1
        else:
            self._last[run] = number - 1
            self._first.insert(run + 1, number + 1)
            self._last.insert(run + 1, last)


NO_NUMBERS = Runs()
