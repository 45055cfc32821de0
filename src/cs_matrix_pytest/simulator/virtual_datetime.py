"""The datetime module with another clock: what modules get in its place for a while.

``datetime`` and ``date`` are types that nobody can patch. Their faces are subclasses without instances: whatever is made
through one is a real ``datetime`` or ``date``, so that arithmetic, comparison and pickling are what they always are, and
nothing of a face stays behind.
"""

from __future__ import annotations

import datetime as real
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _FaceType(type):
    """The type of faces, which pass for what is behind them, and of classes that a suite derives from one."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _behind(cls)) if _is_face(cls) else super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _behind(cls)) if _is_face(cls) else super().__subclasscheck__(subclass)

    def __eq__(cls, other: object) -> bool:
        return cls is other or (_is_face(cls) and _behind(cls) is other)

    def __hash__(cls) -> int:
        return hash(_behind(cls)) if _is_face(cls) else super().__hash__()


def _is_face(cls: type) -> bool:
    return "is_face" in vars(cls)


def _behind(face: type) -> type:
    return face.__mro__[1]


def faces(clock: Callable[[], float]) -> dict[object, object]:
    """What stands for the datetime module, ``datetime`` and ``date``, by these; ``clock`` gives seconds since the epoch."""

    class Date(real.date, metaclass=_FaceType):
        is_face = True

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return real.date(*args, **kwargs) if _is_face(cls) else super().__new__(cls, *args, **kwargs)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(clock())

    class Datetime(real.datetime, metaclass=_FaceType):
        is_face = True

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return real.datetime(*args, **kwargs) if _is_face(cls) else super().__new__(cls, *args, **kwargs)

        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(clock(), tz)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(clock())

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(clock(), real.timezone.utc).replace(tzinfo=None)

    for face in (Date, Datetime):
        behind = _behind(face)
        face.__name__, face.__qualname__, face.__module__ = behind.__name__, behind.__qualname__, behind.__module__
    module = ModuleType(real.__name__, real.__doc__)
    vars(module).update(vars(real), datetime=Datetime, date=Date)
    return {real: module, real.datetime: Datetime, real.date: Date}
