"""The little of nose that suites import, for where nose itself cannot be imported: it is not there, or its import fails
(nose 1.3.7 on Python 3.12 and newer). A nose that works is left alone."""
# ruff: noqa: ARG002 - the signatures are the import system's

from __future__ import annotations

import importlib
import re
import sys
import unittest
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

from .finder import AlreadyLoaded

_T = TypeVar("_T")
_ROOT = "nose"


def attr(*names: str, **values: Any) -> Callable[[_T], _T]:
    """As nose's attrib plugin: set each name to True and each keyword to its value on the function or class."""

    def marked(target: _T) -> _T:
        for name in names:
            setattr(target, name, True)
        for name, value in values.items():
            setattr(target, name, value)
        return target

    return marked


def istest(target: _T) -> _T:
    """Mark a function or class as a test, whatever its name."""
    target.__test__ = True  # type: ignore[attr-defined]
    return target


def nottest(target: _T) -> _T:
    """Mark a function or class as no test, whatever its name."""
    target.__test__ = False  # type: ignore[attr-defined]
    return target


def ok_(condition: object, message: str | None = None) -> None:
    """``assert condition``."""
    if not condition:
        raise AssertionError(message)


def eq_(left: object, right: object, message: str | None = None) -> None:
    """``assert left == right``."""
    if left != right:
        raise AssertionError(message or f"{left!r} != {right!r}")


def _assertions() -> dict[str, Any]:
    """unittest's assertions under the names of nose.tools: assert_equal for assertEqual."""

    class Case(unittest.TestCase):
        def runTest(self) -> None:
            """Only there so that an instance can be made."""

    case = Case()
    methods = (name for name in dir(case) if re.fullmatch(r"assert[A-Z]\w*", name))
    return {re.sub(r"([A-Z]+)", r"_\1", name).lower(): getattr(case, name) for name in methods}


_CONTENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "nose": lambda: {"SkipTest": unittest.SkipTest, "__path__": []},
    "nose.plugins": lambda: {"__path__": []},
    "nose.plugins.attrib": lambda: {"attr": attr},
    "nose.plugins.skip": lambda: {"SkipTest": unittest.SkipTest},
    "nose.tools": lambda: {"istest": istest, "nottest": nottest, "ok_": ok_, "eq_": eq_, **_assertions()},
}


def install_shim() -> None:
    """Let ``import nose…`` succeed; whether nose itself works is only tried when something imports it."""
    if not any(isinstance(finder, NoseFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, NoseFinder())


def uninstall_shim() -> None:
    """Remove the finder and the modules that stood in for nose; a real nose stays."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, NoseFinder)]
    stand_in = isinstance(getattr(getattr(sys.modules.get(_ROOT), "__spec__", None), "loader", None), _StandIn)
    if stand_in:
        _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name == _ROOT or name.startswith(f"{_ROOT}.")]:
        del sys.modules[name]


class NoseFinder(MetaPathFinder):
    """Finds nose's stand-in where nose itself does not import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder.find_spec`."""
        if fullname not in _CONTENTS:
            return None
        if fullname != _ROOT and _ROOT not in sys.modules:
            # An import of nose that failed, out of this finder's sight, leaves parts of it behind.
            _forget()
            importlib.import_module(fullname.rpartition(".")[0])
        if fullname == _ROOT:
            if (nose := self.real_nose()) is not None:
                return ModuleSpec(fullname, AlreadyLoaded(nose))
        elif not isinstance(getattr(sys.modules[_ROOT].__spec__, "loader", None), _StandIn):
            return None
        return ModuleSpec(fullname, _StandIn(), is_package="__path__" in _CONTENTS[fullname]())

    def real_nose(self) -> ModuleType | None:
        """Nose imported out of this finder's sight; what it warns of is not for who runs CloudStack's tests."""
        sys.meta_path.remove(self)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module("nose.plugins.attrib")
                return importlib.import_module(_ROOT)
        except Exception:
            _forget()
            return None
        finally:
            sys.meta_path.insert(0, self)


class _StandIn(Loader):
    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(_CONTENTS[module.__name__]())
