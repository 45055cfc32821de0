"""Suites go on using what Python has removed: for the modules of suites alone, and only what the running Python lacks.

A suite's module is executed with builtins of its own, which are everybody's but for ``__import__``. So an import is
answered by who asks: a suite gets ``collections`` with its ``Mapping``, everyone else the module as Python has it, and
nothing in ``sys.modules`` is touched. Old method names are on the class that a Marvin class is given per environment.
"""

from __future__ import annotations

import builtins
import importlib
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from .missing_modules import mend_of
from .removed_python import REMOVED_METHODS, REMOVED_NAMES, Removal, removed_module


@dataclass(frozen=True, order=True)
class Use:
    """One place where a suite uses what its Python lacks: the file, the line from 1, and what there is to say of it."""

    file: str
    line: int
    message: str


_uses: dict[Use, None] = {}


def take_uses() -> list[Use]:
    """The uses since the last call, each place once, by file and line."""
    taken = sorted(_uses)
    _uses.clear()
    return taken


def _note(frame: FrameType, what: str, removal: Removal) -> None:
    use = Use(frame.f_code.co_filename, frame.f_lineno, f"{removal.about(what)}: use {removal.instead}")
    _uses.setdefault(use)


def _resolve(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def removed_methods(cls: type) -> dict[str, Callable[..., Any]]:
    """The methods under old names that `cls`, a `unittest.TestCase`, lacks; each notes who calls it."""
    return {
        name: _method(name, removal)
        for name, removal in REMOVED_METHODS.items()
        if removal.stand_in and not hasattr(cls, name)
    }


@cache
def _method(name: str, removal: Removal) -> Callable[..., Any]:
    stand_in = str(removal.stand_in)

    def old(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        _note(sys._getframe(1), f".{name}()", removal)
        if ":" in stand_in:
            return _resolve(stand_in)(self, *args, **kwargs)
        return getattr(self, stand_in)(*args, **kwargs)

    old.__name__ = name
    return old


@cache
def lacking() -> dict[str, dict[str, Removal]]:
    """Module → name → entry, of what this Python lacks of its modules and a stand-in is there for."""
    found: dict[str, dict[str, Removal]] = {}
    for full_name, removal in REMOVED_NAMES.items():
        if removal.is_gone and removal.stand_in:
            module, _, name = full_name.rpartition(".")
            found.setdefault(module, {})[name] = removal
    return found


def _with_removed(real: ModuleType, removed: Mapping[str, Removal]) -> ModuleType:
    """A face of `real` that has also what was removed of it; whatever is set on it is set on `real`."""

    class WithRemoved(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            try:
                return getattr(real, name)
            except AttributeError:
                removal = removed.get(name)
                if removal is None:
                    raise
            _note(sys._getframe(1), f"{real.__name__}.{name}", removal)
            return _resolve(str(removal.stand_in))

        def __setattr__(self, name: str, value: object) -> None:
            setattr(real, name, value)

        def __delattr__(self, name: str) -> None:
            delattr(real, name)

        def __dir__(self) -> Iterable[str]:
            return dir(real)

    return WithRemoved(real.__name__)


def _stand_ins() -> dict[str, ModuleType]:
    """The modules that stand in for removed ones, by name; a package has its parts."""
    from .removed_python_stand_ins import MODULES

    made: dict[str, ModuleType] = {}
    for name, content in MODULES.items():
        made[name] = ModuleType(name)
        vars(made[name]).update(content)
        package, _, part = name.rpartition(".")
        if package:
            setattr(made[package], part, made[name])
    return made


class _Importers(threading.local):
    """The folders of the suite modules whose imports are under way in a thread, the innermost last."""

    def __init__(self) -> None:
        self.folders: list[str] = []


@cache
def _folder_of(file: str) -> str:
    """The folder of a suite's module: of a package the outermost, so that its parts can import each other."""
    folder = Path(file).parent
    while (folder / "__init__.py").is_file() and (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return str(folder)


class SuiteImports:
    """How suites import: as everyone does, but for what their Python lacks."""

    def __init__(self) -> None:
        self.importers = _Importers()
        self.builtins = _SuiteBuiltins(self._import)
        self._faces: dict[str, ModuleType] = {}
        self._stand_ins: dict[str, ModuleType] = {}

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """As `builtins.__import__`."""
        __tracebackhide__ = True
        frame = sys._getframe(1)
        removal = removed_module(name) if level == 0 else None
        brought_back = False
        try:
            with self._importing((globals or {}).get("__file__")), _warning_of(frame, removal):
                module = builtins.__import__(name, globals, locals, fromlist or (), level)
            if removal is not None and removal.is_gone:
                # One that lies beside the suite is the suite's own, whatever its name.
                brought_back = bool(INSTALLED.search(getattr(module, "__file__", None) or ""))
        except ModuleNotFoundError as error:
            if removal is None or not removal.is_gone or error.name not in (name, name.partition(".")[0]):
                raise
            module, brought_back = self._stand_in(name, bool(fromlist)), True
        if removal is not None and brought_back:
            _note(frame, f"the module {name}", removal)
        if level or (fromlist and "*" in fromlist):
            return module  # no removed name is among those that a star brings
        return self._face(module)

    @contextmanager
    def _importing(self, file: object) -> Iterator[None]:
        folders = self.importers.folders
        folders.append(_folder_of(file) if isinstance(file, str) else "")
        try:
            yield
        finally:
            folders.pop()

    def _stand_in(self, name: str, from_it: bool) -> ModuleType:
        """What stands in for the module. Raises ModuleNotFoundError, with the mend, where nothing does."""
        __tracebackhide__ = True
        self._stand_ins = self._stand_ins or _stand_ins()
        if name not in self._stand_ins:
            raise ModuleNotFoundError(f"No module named {name!r}: {mend_of(name)}", name=name) from None
        return self._stand_ins[name if from_it else name.partition(".")[0]]

    def _face(self, module: ModuleType) -> ModuleType:
        removed = lacking().get(module.__name__)
        if removed is None:
            return module
        if module.__name__ not in self._faces:
            self._faces[module.__name__] = _with_removed(module, removed)
        return self._faces[module.__name__]


@contextmanager
def _warning_of(frame: FrameType, removal: Removal | None) -> Iterator[None]:
    """Python's own warning that a module will be removed names the line of the suite, as if this were not in between.

    A module that is gone already, and that some package brings back, is noted; what that warns of is not said twice.
    """
    if removal is None:
        yield
        return
    with warnings.catch_warnings(record=True) as caught:
        if removal.is_gone:
            warnings.simplefilter("ignore")
        yield
    for each in caught:
        place = (
            (frame.f_code.co_filename, frame.f_lineno) if each.filename == __file__ else (each.filename, each.lineno)
        )
        warnings.warn_explicit(each.message, each.category, *place, source=each.source)


INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]")
"""Found in the path of a file that pip has put where it is."""


class _SuiteBuiltins(dict[str, Any]):
    """The builtins as they are when they are asked for, so that what a test patches in them is patched here, too."""

    def __init__(self, import_function: Callable[..., ModuleType]) -> None:
        super().__init__(__import__=import_function)

    def __missing__(self, name: str) -> Any:
        return vars(builtins)[name]
