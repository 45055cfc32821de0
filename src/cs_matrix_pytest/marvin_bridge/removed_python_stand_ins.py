"""What suites get in place of what Python has removed, written anew where Python itself has no equal under another name."""

from __future__ import annotations

import configparser
import importlib
import importlib.util
import inspect
import shutil
import sys
import unittest
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, NamedTuple


class ArgSpec(NamedTuple):
    """What `getargspec` answers; unpacked as a tuple of four by older code."""

    args: list[str]
    varargs: str | None
    keywords: str | None
    defaults: tuple[Any, ...] | None


def getargspec(function: Callable[..., Any]) -> ArgSpec:
    """The positional parameters of a function; keyword-only ones and annotations, once an error, are left out."""
    return ArgSpec(*inspect.getfullargspec(function)[:4])


class SafeConfigParser(configparser.ConfigParser):
    """The parser under its old name, with `readfp` under its own."""

    def readfp(self, fp: Iterable[str], filename: str | None = None) -> None:
        """As `read_file`."""
        self.read_file(fp, filename)


def makeSuite(testCaseClass: type[unittest.TestCase], prefix: str = "test") -> unittest.TestSuite:
    """The tests of a class whose names begin with `prefix`."""
    return _loader(prefix).loadTestsFromTestCase(testCaseClass)


def findTestCases(module: ModuleType, prefix: str = "test") -> unittest.TestSuite:
    """The tests of a module whose names begin with `prefix`."""
    return _loader(prefix).loadTestsFromModule(module)


def _loader(prefix: str) -> unittest.TestLoader:
    loader = unittest.TestLoader()
    loader.testMethodPrefix = prefix
    return loader


def assertDictContainsSubset(
    self: unittest.TestCase, subset: Mapping[Any, Any], dictionary: Mapping[Any, Any], msg: object = None
) -> None:
    """Every entry of `subset` is one of `dictionary`."""
    self.assertEqual(dict(dictionary), {**dictionary, **subset}, msg)


_YES = frozenset(("y", "yes", "t", "true", "on", "1"))
_NO = frozenset(("n", "no", "f", "false", "off", "0"))


def strtobool(val: str) -> int:
    """1 for a word that says yes, 0 for one that says no, in any case. Raises ValueError for another."""
    word = val.lower()
    if word not in _YES | _NO:
        raise ValueError(f"invalid truth value {word!r}")
    return int(word in _YES)


def find_executable(executable: str, path: str | None = None) -> str | None:
    """Where a program lies, on `path` or $PATH; None for one that is not there."""
    return shutil.which(executable, path=path)


def load_source(name: str, pathname: str) -> ModuleType:
    """The module of a source file, loaded anew and known as `name`."""
    spec = importlib.util.spec_from_file_location(name, pathname)
    if spec is None or spec.loader is None:
        raise ImportError(f"{pathname} is no Python source", name=name, path=pathname)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


MODULES: dict[str, dict[str, object]] = {
    "distutils": {"__path__": []},
    "distutils.spawn": {"find_executable": find_executable},
    "distutils.util": {"strtobool": strtobool},
    "imp": {"load_source": load_source, "new_module": ModuleType, "reload": importlib.reload},
}
"""The content of modules that are no more, as far as suites use them."""
