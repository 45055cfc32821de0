"""What a Marvin class keeps on itself, made private to one environment.

Suites keep accounts, zones and services on the class (``cls.account``), on the class by its global name
(``TestX.account``, read and set), and in class-level dictionaries. All of it is on the suite's own class while an
environment's class runs, as under nose, and put back as it was when that class is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

# Classes of these packages are shared by every suite and carry no state of one.
_FOREIGN = frozenset({"marvin", "unittest", "builtins", "abc", "typing"})
# Made by Python for each class; they cannot be set, or must not be.
_PYTHONS_OWN = frozenset({"__dict__", "__weakref__", "__abstractmethods__", "_abc_impl"})
_MARVINS_BASE = ("marvin.cloudstackTestCase", "cloudstackTestCase")


def is_marvin_class(obj: object) -> TypeGuard[type]:
    """True for a class that descends from Marvin's ``cloudstackTestCase``; Marvin need not be imported to tell."""
    return isinstance(obj, type) and any((c.__module__, c.__name__) == _MARVINS_BASE for c in obj.__mro__)


def is_marvins_own(obj: type) -> bool:
    """True for a class of Marvin itself, which a suite imports but does not define."""
    return obj.__module__.partition(".")[0] == "marvin"


def suite_classes(cls: type) -> list[type]:
    """`cls` and what it inherits from suites, without Marvin's and Python's own classes."""
    return [each for each in cls.__mro__ if each.__module__.partition(".")[0] not in _FOREIGN]


def in_environment(original: type) -> type:
    """A subclass of `original` for one environment that looks like `original` in reports, logs and ``super()`` calls.

    What is set on it is set on `original`, so that ``cls.zone`` and ``TestX.zone`` are the same; a `ClassState` of
    before gives `original` back. It alone has the methods, such as ``assertEquals``, that newer Pythons have removed.
    """
    from cs_matrix_pytest.marvin_bridge.removed_python_shim import removed_methods

    class InEnvironment(type(original)):  # type: ignore[misc]
        def __setattr__(cls, name: str, value: object) -> None:
            setattr(original, name, value)

        def __delattr__(cls, name: str) -> None:
            delattr(original, name)

    same = {name: getattr(original, name) for name in ("__module__", "__qualname__", "__doc__")}
    own: type = InEnvironment(original.__name__, (original,), {**removed_methods(original), **same})
    return own


def _restorer(container: object) -> Callable[[], None] | None:
    """How to give a mutable container its present content back; None for what is not one."""
    if isinstance(container, dict):
        entries = dict(container)

        def restore_dict() -> None:
            container.clear()
            container.update(entries)

        return restore_dict
    if isinstance(container, list):
        items = list(container)

        def restore_list() -> None:
            container[:] = items

        return restore_list
    if isinstance(container, set):
        members = set(container)

        def restore_set() -> None:
            container.clear()
            container.update(members)

        return restore_set
    return None


def _inside(container: object) -> Iterator[object]:
    if isinstance(container, dict):
        yield from container.values()
    elif isinstance(container, (list, tuple)):
        yield from container


class ClassState:
    """The attributes of a suite's classes at one moment, and the content of every container reachable from them.

    Containers are put back in place, by identity, so a dictionary that a class shares with its module is restored for
    both. Other objects are left alone: only a suite knows how to copy them.
    """

    def __init__(self, original: type) -> None:
        self._attributes: list[tuple[type, dict[str, Any]]] = []
        self._restorers: dict[int, Callable[[], None]] = {}
        for cls in suite_classes(original):
            self._attributes.append((cls, dict(vars(cls))))
            self._remember(vars(cls).values())

    def _remember(self, values: Any) -> None:
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            restore = _restorer(value)
            if restore is not None:
                if id(value) in self._restorers:
                    continue
                self._restorers[id(value)] = restore
            waiting.extend(_inside(value))

    def restore(self) -> None:
        """Put the classes back as they were when this was made."""
        for cls, attributes in self._attributes:
            present = dict(vars(cls))
            for name in present.keys() - attributes.keys() - _PYTHONS_OWN:
                delattr(cls, name)
            for name, value in attributes.items():
                if name not in _PYTHONS_OWN and present.get(name, self) is not value:
                    setattr(cls, name, value)
        for restore in self._restorers.values():
            restore()
