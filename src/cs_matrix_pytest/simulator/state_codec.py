"""Resources and what they hold, as values that JSON has, and back: data only, of classes that are known beforehand.

Scalars and lists stand for themselves; everything else is an object with one key that says what it is:

===== =============================================================
``r``  a resource, by its position among all that are kept
``o``  a part of a resource, ``[class, fields]``
``e``  a member of an enumeration, ``[class, value]``
``f``  a function that was declared with `clock.timed`, ``[name, keywords]``
``d``  a dict whose keys are texts; ``m`` any other, as pairs
``t``  a tuple; ``s`` a set, ``z`` a frozen one; ``q`` a deque, ``[items, longest]``
``at`` a time, ISO 8601; ``ip`` an address or a network
===== =============================================================
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import types
import typing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from cs_matrix_pytest.simulator.clock import TIMED, name_of_timed
from cs_matrix_pytest.simulator.outbox import Outbox
from cs_matrix_pytest.simulator.store import Resource

PACKAGE = "cs_matrix_pytest.simulator."
SCALARS = frozenset({str, int, float, bool, type(None)})
ADDRESSES = (IPv4Address, IPv6Address)
IP_NETWORKS = (IPv4Network, IPv6Network)
MADE_ANEW = (Outbox,)
"""What fields may hold that no file has: whoever reads the file makes it anew."""
LEAVES = (*SCALARS, datetime, *ADDRESSES, *IP_NETWORKS, *MADE_ANEW)
CONTAINERS = (list, tuple, set, frozenset, dict, deque)


class CannotCarry(Exception):
    """Something that a state has and no file can have. Says what, and where."""


class Unreadable(Exception):
    """Something in a file that is no value of a state."""


class Vocabulary(NamedTuple):
    """The classes that values may be of, by name."""

    resources: dict[str, type[Resource]]
    parts: dict[str, type[Any]]
    enums: dict[str, type[Enum]]


def vocabulary() -> Vocabulary:
    """The resources of the families that were imported, and what their fields may hold by their types.

    Raises CannotCarry for a field of a type that this codec does not know, and for two classes of one name.
    """
    known = Vocabulary({}, {}, {})
    for kind in _below(Resource):
        if kind.__module__.startswith(PACKAGE):
            _name(known.resources, kind)
    waiting = list(known.resources.values())
    while waiting:
        kind = waiting.pop()
        for field, hint in _field_types(kind, known.resources):
            for found in _classes_in(hint, f"{kind.__name__}.{field}"):
                if issubclass(found, Enum):
                    _name(known.enums, found)
                elif not issubclass(found, Resource) and found.__name__ not in known.parts:
                    waiting.append(found)
                    _name(known.parts, found)
    return known


def _name(known: dict[str, Any], kind: type[Any]) -> None:
    if known.setdefault(kind.__name__, kind) is not kind:
        raise CannotCarry(
            f"two classes are called {kind.__name__}: {known[kind.__name__].__module__}, {kind.__module__}"
        )


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _field_types(kind: type[Any], resources: dict[str, type[Resource]]) -> Iterator[tuple[str, Any]]:
    """The fields of a dataclass with their types, those that only a type checker imports included."""
    scopes = [vars(sys.modules[base.__module__]) for base in kind.__mro__]
    missing = {name: each for name, each in resources.items() if not any(name in scope for scope in scopes)}
    hints = typing.get_type_hints(kind, localns=missing)
    return ((field.name, hints[field.name]) for field in dataclasses.fields(kind))


def _classes_in(hint: Any, place: str) -> Iterator[type[Any]]:
    """The resources, parts and enumerations that a type names. Raises CannotCarry for anything else."""
    origin = typing.get_origin(hint)
    if hint in (Any, Ellipsis) or origin is collections.abc.Callable:
        return
    if origin in (typing.Union, types.UnionType, *CONTAINERS):
        for each in typing.get_args(hint):
            yield from _classes_in(each, place)
    elif origin is typing.Literal:
        return
    elif isinstance(hint, type) and (issubclass(hint, (Resource, Enum)) or dataclasses.is_dataclass(hint)):
        yield hint
    elif hint not in LEAVES and hint not in CONTAINERS:
        raise CannotCarry(f"{place} is a {getattr(hint, '__qualname__', hint)}")


class _Field(NamedTuple):
    """``absent`` is true of a value that a row leaves out, ``make`` makes that value."""

    name: str
    absent: Callable[[Any], bool]
    make: Callable[[], Any] | None


_FIELDS: dict[type[Any], tuple[_Field, ...]] = {}


def _fields(kind: type[Any]) -> tuple[_Field, ...]:
    found = _FIELDS.get(kind)
    if found is None:
        found = _FIELDS[kind] = tuple(_plan(field) for field in dataclasses.fields(kind))
    return found


def _plan(field: dataclasses.Field[Any]) -> _Field:
    if field.default is not dataclasses.MISSING:
        default = field.default
        same = type(default)
        return _Field(field.name, lambda value: type(value) is same and value == default, lambda: default)
    factory = field.default_factory
    if factory is dataclasses.MISSING:
        return _Field(field.name, lambda value: False, None)
    if factory in CONTAINERS:
        return _Field(field.name, lambda value: type(value) is factory and not value, factory)
    return _Field(field.name, lambda value: isinstance(value, MADE_ANEW), factory)


class Encoder:
    """Values of a state as values that JSON has. Resources that no table keeps are gathered in ``loose``."""

    def __init__(self, known: Vocabulary, kept: Iterable[Resource]) -> None:
        """``kept``: the resources of the tables, in the order of their positions."""
        self._known = known
        self._positions: dict[int, int] = {}
        self.loose: list[Resource] = []
        for position, resource in enumerate(kept):
            self._positions.setdefault(id(resource), position)
        self._size = len(self._positions)

    def row(self, holder: Any) -> dict[str, Any]:
        """The fields of a resource or a part, without those that have their defaults. Raises CannotCarry."""
        row = {}
        for name, absent, _ in _fields(type(holder)):
            value = getattr(holder, name)
            if type(value) in SCALARS:
                if not absent(value):
                    row[name] = value
            elif not absent(value):
                try:
                    row[name] = self.value(value)
                except CannotCarry as problem:
                    raise CannotCarry(f"{type(holder).__name__}.{name}: {problem}") from None
        return row

    def value(self, value: Any) -> Any:
        """One value. Raises CannotCarry."""
        kind = type(value)
        if kind in SCALARS:
            return value
        if kind is list:
            return [self.value(each) for each in value]
        if kind is dict:
            if all(type(key) is str for key in value):
                return {"d": {key: self.value(each) for key, each in value.items()}}
            return {"m": [[self.value(key), self.value(each)] for key, each in value.items()]}
        if isinstance(value, Resource) and self._known.resources.get(kind.__name__) is kind:
            return {"r": self._position(value)}
        encode = _ENCODED.get(kind)
        if encode is not None:
            tag, plain = encode(value)
            return {tag: self.value(plain)}
        if self._known.enums.get(kind.__name__) is kind:
            return {"e": [kind.__name__, value.value]}
        if self._known.parts.get(kind.__name__) is kind:
            return {"o": [kind.__name__, self.row(value)]}
        function, keywords = (value.func, value.keywords) if kind is partial and not value.args else (value, {})
        name = name_of_timed(function)
        if name is None:
            raise CannotCarry(f"a {kind.__qualname__}")
        return {"f": [name, self.value(dict(keywords))]}

    def _position(self, resource: Resource) -> int:
        position = self._positions.get(id(resource))
        if position is None:
            position = self._positions[id(resource)] = self._size + len(self.loose)
            self.loose.append(resource)
        return position


_ENCODED: dict[type[Any], Callable[[Any], tuple[str, Any]]] = {
    datetime: lambda value: ("at", value.isoformat()),
    tuple: lambda value: ("t", list(value)),
    set: lambda value: ("s", list(value)),
    frozenset: lambda value: ("z", list(value)),
    deque: lambda value: ("q", [list(value), value.maxlen]),
    **{kind: lambda value: ("ip", str(value)) for kind in (*ADDRESSES, *IP_NETWORKS)},
}


class Decoder:
    """The way back. Resources exist from the beginning, and are filled row by row: they name one another."""

    def __init__(self, known: Vocabulary, kinds: Iterable[str]) -> None:
        """``kinds``: the class of the resource at each position. Raises Unreadable."""
        self._known = known
        self.resources: list[Resource] = [object.__new__(_named(known.resources, kind)) for kind in kinds]

    def fill(self, holder: Any, row: Any) -> None:
        """Give a new resource or part its fields. Raises Unreadable."""
        kind = type(holder)
        if not isinstance(row, dict):
            raise Unreadable(f"a {kind.__name__} without fields")
        used = 0
        for name, _, make in _fields(kind):
            if name in row:
                used += 1
                value = row[name]
                if type(value) not in SCALARS:
                    value = self.value(value)
            elif make is not None:
                value = make()
            else:
                raise Unreadable(f"a {kind.__name__} without {name}")
            # Not by ``holder.name = …``: parts may be frozen.
            object.__setattr__(holder, name, value)
        if used != len(row):
            strange = next(name for name in row if name not in {field.name for field in _fields(kind)})
            raise Unreadable(f"a {kind.__name__} with {strange!r}")

    def value(self, value: Any) -> Any:
        """One value. Raises Unreadable."""
        if type(value) in SCALARS:
            return value
        if type(value) is list:
            return [self.value(each) for each in value]
        if type(value) is not dict or len(value) != 1:
            raise Unreadable("a value without its kind")
        ((tag, inner),) = value.items()
        decode = _DECODED.get(tag)
        if decode is None:
            raise Unreadable(f"a value of kind {tag!r}")
        try:
            return decode(self, inner)
        except (TypeError, ValueError, AttributeError) as problem:
            raise Unreadable(f"a value of kind {tag!r}: {problem}") from None

    def resource(self, position: object) -> Resource:
        """The resource at a position. Raises Unreadable."""
        if type(position) is not int or not 0 <= position < len(self.resources):
            raise Unreadable(f"a resource at {position!r}")
        return self.resources[position]

    def _part(self, kind: Any, row: Any) -> Any:
        part = object.__new__(_named(self._known.parts, kind))
        self.fill(part, row)
        return part

    def _function(self, name: Any, keywords: Any) -> Callable[..., Any]:
        function: Callable[..., Any] = _named(TIMED, name)
        given = self.value(keywords)
        return partial(function, **given) if given else function

    def _values(self, inner: Any) -> list[Any]:
        if type(inner) is not list:
            raise Unreadable("a collection without items")
        return [self.value(each) for each in inner]


def _named(known: dict[str, Any], name: Any) -> Any:
    found = known.get(name) if isinstance(name, str) else None
    if found is None:
        raise Unreadable(f"something called {name!r}")
    return found


_DECODED: dict[str, Callable[[Decoder, Any], Any]] = {
    "r": lambda decoder, inner: decoder.resource(inner),
    "o": lambda decoder, inner: decoder._part(*inner),
    "e": lambda decoder, inner: _named(decoder._known.enums, inner[0])(inner[1]),
    "f": lambda decoder, inner: decoder._function(*inner),
    "d": lambda decoder, inner: {key: decoder.value(each) for key, each in inner.items()},
    "m": lambda decoder, inner: {decoder.value(key): decoder.value(each) for key, each in inner},
    "t": lambda decoder, inner: tuple(decoder._values(inner)),
    "s": lambda decoder, inner: set(decoder._values(inner)),
    "z": lambda decoder, inner: frozenset(decoder._values(inner)),
    "q": lambda decoder, inner: deque(decoder._values(inner[0]), inner[1]),
    "at": lambda decoder, inner: datetime.fromisoformat(inner),
    "ip": lambda decoder, inner: ip_network(inner) if "/" in inner else ip_address(inner),
}
