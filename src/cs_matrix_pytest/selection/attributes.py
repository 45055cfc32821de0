"""What a test says of itself: the attributes that ``@attr`` of nose set on its function and its class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Lookup = Callable[[str], object]
"""Name of an attribute → its value; False where the test has none (nose's rule)."""

CLASS_ATTRIBUTES = frozenset({"tags", "required_hardware", "hypervisor", "speed", "configuration", "BugId"})
"""Attributes that count when a class has them with any value; every other one counts on a class only if it is True."""

_FOREIGN_MODULES = ("unittest.case", "marvin.cloudstackTestCase")
_BOOKKEEPING = frozenset({"pytestmark", "cache_parameters", "is_hypothesis_test", "compat_co_firstlineno"})
_MISSING = object()


def lookup_of(function: object, cls: type | None, marked: Mapping[str, object] | None = None) -> Lookup:
    """How nose's attrib plugin looks attributes up: by getattr on the method, then on its class, else False.

    Any attribute is found this way, also one that no ``@attr`` set (`__name__`, a class constant), as nose does.
    `marked` is what markers add for a native pytest test (`markers.attributes_from_marks`); function and class win.
    """

    def lookup(name: str) -> object:
        value = getattr(function, name, _MISSING)
        if value is _MISSING and cls is not None:
            value = getattr(cls, name, _MISSING)
        if value is _MISSING and marked is not None:
            value = marked.get(name, _MISSING)
        return False if value is _MISSING else value

    return lookup


def attributes_of(function: object, cls: type | None) -> dict[str, object]:
    """The test attributes of a method: name → value, the method's before its class's.

    They serve markers, tags and applicability. On a function every public attribute that is plain data counts, except
    what pytest and decorators keep there. On a class, whose body holds constants of its own as well, only
    `CLASS_ATTRIBUTES` and names that are True count; what unittest and Marvin's test case define never does. Read it at
    collection: suites set ``cls.hypervisor`` and the like in setUpClass.
    """
    found = dict(_of_function(function))
    for name, value in _of_class(cls):
        found.setdefault(name, value)
    return found


def has_attributes(function: object) -> bool:
    """Whether a function carries an attribute of its own, as ``@attr`` gives it one."""
    return next(_of_function(function), None) is not None


def tags_of(attributes: Mapping[str, object]) -> list[str]:
    """The values of ``tags``, each once, in their order; a lone string is one tag."""
    return list(dict.fromkeys(text for value in values_of(attributes.get("tags")) if (text := str(value))))


def bare_names_of(attributes: Mapping[str, object]) -> list[str]:
    """The attributes that are True, as ``@attr("simulator_only")`` sets them."""
    return [name for name, value in attributes.items() if value is True and name != "tags"]


def values_of(value: object) -> list[object]:
    """The values an attribute stands for: the members of a list, tuple or set, else the value itself; None has none."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return [value]


def _of_function(function: object) -> Iterator[tuple[str, object]]:
    for name, value in getattr(function, "__dict__", {}).items():
        if _is_public(name) and _is_plain(value):
            yield name, value


def _of_class(cls: type | None) -> Iterator[tuple[str, object]]:
    for base in cls.__mro__ if cls is not None else ():
        if base.__module__ in _FOREIGN_MODULES:
            continue
        for name, value in vars(base).items():
            if _is_public(name) and (value is True or (name in CLASS_ATTRIBUTES and _is_plain(value))):
                yield name, value


def _is_public(name: str) -> bool:
    # ddt keeps its data under names such as "%values".
    return not name.startswith(("_", "%")) and name not in _BOOKKEEPING


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, str | int | float)
