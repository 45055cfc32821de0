"""What nose selects: a program for a Python that has pynose (or nose) and Marvin, which answers for many expressions at once.

    python nose_reference.py JOB.json

JOB has `paths` (as on nose's command line) and `expressions`, each a list of nose's own options (``["-a", "tags=x"]``).
nose's own loader and selector load the tests, under what Marvin's nose plugin decides of files and classes, and nose's own
attrib plugin answers for each of them. Prints JSON:

    {"tests": [{"file", "class", "method", "helper"}], "failures": [[file, error]], "vocabulary": {attribute: [value]},
     "selected": [mask], "unanswered": [mask]}

`failures` are those of files that tests would be taken from: Marvin's plugin also has nose import any other file.
A mask has bit n set for test n, in hexadecimal; `unanswered` are tests for which the expression raised (nose ends there).
`vocabulary` are the attributes that ``@attr`` gave the tests, with each of their values as text.
`class` is null for a function. `helper` is true for what only nose's rule of names takes for a test: an imported function,
and a method without ``@attr`` whose name does not begin with "test".

With `run` true in JOB nose itself runs with the options of each expression and ``--collect-only``, and `selected` says what it
took. Executable files are looked into, as with nose's option ``--exe``.
"""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import inspect
import io
import json
import logging
import os
import sys
import unittest
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

if not hasattr(collections, "Callable"):  # for nose 1.3.7
    collections.Callable = collections.abc.Callable  # type: ignore[attr-defined]
warnings.simplefilter("ignore")

import nose  # noqa: E402
from nose.case import FunctionTestCase, Test  # noqa: E402
from nose.config import Config  # noqa: E402
from nose.failure import Failure  # noqa: E402
from nose.loader import TestLoader  # noqa: E402
from nose.plugins.attrib import AttributeSelector  # noqa: E402
from nose.plugins.base import Plugin  # noqa: E402
from nose.plugins.manager import PluginManager  # noqa: E402
from nose.pyversion import unbound_method  # noqa: E402


class LikeMarvin(Plugin):  # type: ignore[misc]
    """Decides of files and classes as the plugin ``marvin`` does, and neither connects nor runs each file first."""

    name = "like-marvin"
    enabled = True

    def options(self, parser: Any, env: Any) -> None:
        pass

    def configure(self, options: Any, conf: Any) -> None:
        pass

    def wantFile(self, file: str) -> bool:
        return os.path.isfile(file) and file.endswith(".py")  # noqa: PTH113

    def wantClass(self, cls: type) -> bool | None:
        if cls.__name__ == "cloudstackTestCase":
            return False
        return True if any(each.__name__ == "cloudstackTestCase" for each in cls.__mro__) else None

    def describeTest(self, test: Any) -> str:
        """With this, nose's verbose output names each test as `identity` does."""
        return "\t".join(map(str, identity(test.test)))


def identity(test: unittest.TestCase) -> tuple[str, str | None, str]:
    """File, class (None for a function) and method of a test; must be asked while its module is the one of its name."""
    if isinstance(test, FunctionTestCase):
        return sys.modules[test.test.__module__].__file__ or "", None, test.test.__name__
    file = sys.modules[type(test).__module__].__file__ or ""
    return file, type(test).__name__, test._testMethodName


def loaded(paths: list[str]) -> Iterator[unittest.TestCase | Failure]:
    """Every test that nose loads with no expression, and a `Failure` for what it cannot load."""
    config = Config(plugins=PluginManager(plugins=[LikeMarvin()]))
    config.includeExe = True
    waiting: list[Any] = [iter([TestLoader(config=config).loadTestsFromNames(paths)])]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            continue
        inner = found.test if isinstance(found, Test) else found
        if isinstance(inner, unittest.TestCase) and not isinstance(inner, Test):
            yield inner
        else:
            waiting.append(iter(inner))


def is_helper(test: unittest.TestCase, file: str) -> bool:
    if isinstance(test, FunctionTestCase):
        function, name = test.test, test.test.__name__
        # nose gives an imported function a wrapper of the suite's.
        imported = "compat_func_name" in vars(function) or Path(function.__code__.co_filename) != Path(file)
        return imported or not (name.startswith("test") or attributes_of(function))
    method = getattr(type(test), test._testMethodName)
    return not (test._testMethodName.lower().startswith("test") or attributes_of(method))


def attributes_of(function: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(function).items()
        if name[0] not in "_%" and isinstance(value, (str, int, list, tuple, set, type(None)))
    }


def vocabulary(tests: list[unittest.TestCase]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for test in tests:
        if isinstance(test, FunctionTestCase):
            continue
        own = attributes_of(getattr(type(test), test._testMethodName))
        for name in {*own, "tags", "required_hardware", "hypervisor", "speed"}:
            value = own[name] if name in own else getattr(type(test), name, None)
            if isinstance(value, (str, int, list, tuple, set)):
                members = value if isinstance(value, (list, tuple, set)) else [value]
                found.setdefault(name, set()).update(map(str, members))
    return {name: sorted(values) for name, values in sorted(found.items())}


def answers(selector: AttributeSelector, test: unittest.TestCase) -> bool:
    """Whether the plugin accepts a test, asked as nose's loader asks it."""
    if isinstance(test, FunctionTestCase):
        return selector.wantFunction(test.test) is None
    method = getattr(type(test), test._testMethodName)
    asked = unbound_method(type(test), method) if inspect.isfunction(method) else method
    return selector.wantMethod(asked) is None


def selector_of(options: list[str]) -> AttributeSelector:
    selector = AttributeSelector()
    values = list(zip(options[::2], options[1::2], strict=True))
    named = {flag: [value for name, value in values if name == flag] for flag in ("-a", "-A")}
    selector.configure(SimpleNamespace(attr=named["-a"], eval_attr=named["-A"]), None)
    return selector


def collected(paths: list[str], options: list[str]) -> list[str]:
    """What ``nosetests --collect-only`` lists, one line of `identity` each."""
    shown = io.StringIO()
    argv = ["nosetests", "--collect-only", "-v", "--exe", *options, *paths]
    with contextlib.redirect_stderr(shown):
        nose.run(argv=argv, addplugins=[LikeMarvin()])
    return [line.rpartition(" ... ")[0] for line in shown.getvalue().splitlines() if line.endswith(" ... ok")]


def main(job: dict[str, Any]) -> dict[str, Any]:
    tests: list[unittest.TestCase] = []
    rows: list[dict[str, Any]] = []
    failures: list[tuple[str, str]] = []
    for test in loaded(job["paths"]):
        if isinstance(test, Failure):
            file = str(test.address()[0])
            if Config().testMatch.search(Path(file).stem):
                failures.append((file, f"{test.exc_class.__name__}: {test.exc_val}"))
            continue
        file, cls, method = identity(test)
        tests.append(test)
        rows.append({"file": file, "class": cls, "method": method, "helper": is_helper(test, file)})
    selected, unanswered = [], []
    for options in job["expressions"]:
        chosen = lost = 0
        if job.get("run"):
            taken = collections.Counter(collected(job["paths"], options))
            for number, row in enumerate(rows):
                name = "\t".join(str(row[key]) for key in ("file", "class", "method"))
                if taken[name]:
                    taken[name] -= 1
                    chosen |= 1 << number
            assert not +taken, +taken
        else:
            selector = selector_of(options)
            for number, test in enumerate(tests):
                try:
                    chosen |= answers(selector, test) << number
                except Exception:
                    lost |= 1 << number
        selected.append(f"{chosen:x}")
        unanswered.append(f"{lost:x}")
    return {
        "tests": rows,
        "failures": failures,
        "vocabulary": vocabulary(tests),
        "selected": selected,
        "unanswered": unanswered,
    }


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    output, sys.stdout = sys.stdout, sys.stderr  # what suites print as they are imported is not part of the answer
    json.dump(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), output)
