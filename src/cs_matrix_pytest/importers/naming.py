"""Test ids from the names that other runners give: ``integration.smoke.test_x.TestX`` is ``smoke/test_x.py::TestX``."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from cs_matrix_pytest.matrix.naming import module_id
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.reports.escaping import printable

_LONGEST = 300
"""Characters of one part of an id; a test's name that is longer is no name."""

_TEST_MODULE = re.compile(r"test_.|.*_test\Z")
_CLASS = re.compile(r"_*[A-Z]\w*\Z")
_IN_TRACEBACK = re.compile(r"""File "([^"\n]{1,500}\.py)", line \d""")
_SUITES = re.compile(r"(?:.*/)?(?:test/integration|marvin/tests|integration)/(?=[\w-]+/)")
"""Where CloudStack's suites lie: in a source tree, on Trillian's Marvin host, below a tree's ``test`` folder."""
_NAME_OF_FILE = re.compile(r"(?:TEST-)?(?P<folder>[a-z]\w*?__)?(?P<stem>test_[\w-]+?)(?:\.py)?(?:_\d+)?(?:\.xml)?\Z")


_SUITE_TESTS = Path(__file__).with_name("suite-tests.txt")
"""A line for each module; below it, indented, one for each class: its name, and those of its tests, inherited ones too.

``test_x*`` stands for all that ddt makes of ``test_x``."""

_NO_CLASS = "-"
_SUITES_PACKAGE = "integration"


class Place(NamedTuple):
    """Where a test stands: its module's id, if known, and its classes' names with ``::`` between them.

    ``in_suites``: in one of CloudStack's suites, or in a module below ``test/integration``.
    """

    module: str | None
    classes: str = ""
    in_suites: bool = False

    @property
    def id(self) -> str:
        """The id of the class, or of the module."""
        return "::".join(filter(None, (self.module, self.classes)))


@cache
def suite_modules() -> dict[str, tuple[str, ...]]:
    """The modules of CloudStack's own suites (of the shipped catalogue) by their name without ``.py``."""
    modules: dict[str, set[str]] = defaultdict(set)
    for layer in load_catalogue().layers:
        for test in layer.exact:
            module = test.partition("::")[0]
            modules[PurePosixPath(module).stem].add(module)
    return {stem: tuple(sorted(found)) for stem, found in modules.items()}


@cache
def _suite_tests() -> dict[str, dict[str, tuple[str, ...]]]:
    """By the modules of CloudStack's own suites and the names of their tests, the classes that have such a test."""
    modules: dict[str, dict[str, list[str]]] = {}
    for line in _SUITE_TESTS.read_text(encoding="utf-8").splitlines():
        first, *tests = line.lstrip(" ").split(" ")
        if not line.startswith((" ", "#")):
            classes = modules[first] = defaultdict(list)
        for test in tests if line.startswith(" ") else ():
            classes[test].append(first)
    return {module: {test: tuple(has) for test, has in tests.items()} for module, tests in modules.items()}


def place_of_test(module: str, test: str) -> Place:
    """The place of a test that a report names without its class: the only one in CloudStack's own suites.

    ``module`` is an id, or a file's name without its folder. Where no class has such a test, or several have, the place
    is the module as it was given.
    """
    modules = [module] if "/" in module else suite_modules().get(PurePosixPath(module).stem, ())
    found = [(each, name) for each in modules for name in _classes_with(each, test)]
    if len(found) != 1 or found[0][1] == _NO_CLASS:
        return Place(module)
    return Place(*found[0], in_suites=True)


def _classes_with(module: str, test: str) -> tuple[str, ...]:
    tests = _suite_tests().get(module, {})
    # ddt makes test_x_1_value of test_x.
    made_of = (f"{test[: number.start()]}*" for number in re.finditer(r"_\d+(?=_|\Z)|\Z", test))
    return next((tests[name] for name in (test, *made_of) if name in tests), ())


def is_suite_module(module: str) -> bool:
    """Whether CloudStack's own suites have a module of this id."""
    return module in suite_modules().get(PurePosixPath(module).stem, ())


def module_named(stem: str, folder: str | None = None) -> str | None:
    """The id of the only suite module of this name (in this folder, if told); None where there is none, or several."""
    found = [each for each in suite_modules().get(stem, ()) if folder is None or each.startswith(f"{folder}/")]
    return found[0] if len(found) == 1 else None


def module_of_path(path: str) -> str | None:
    """The module of a path on whatever machine (``/marvin/tests/smoke/test_x.py``); None where it is no module's."""
    path = path.replace("\\", "/")
    if not path.endswith(".py"):
        return None
    below = _SUITES.match(path)
    if below:
        return path[below.end() :]
    parts = PurePosixPath(path).parts
    for start in range(max(len(parts) - 4, 0), len(parts)):
        if is_suite_module(candidate := "/".join(parts[start:])):
            return candidate
    stem = PurePosixPath(path).stem
    return module_named(stem) or (module_id(PurePath(path), PurePath()) if not path.startswith("/") else parts[-1])


def module_of_traceback(text: str, *, first: bool = False) -> str | None:
    """The test module that a Python traceback went through, the innermost or the ``first``; None where it names none."""
    paths = _IN_TRACEBACK.findall(text)
    for path in paths if first else reversed(paths):
        stem = PurePosixPath(path.replace("\\", "/")).stem
        if _TEST_MODULE.match(stem) or stem in suite_modules():
            return module_of_path(path)
    return None


def module_of_report(name: str) -> str | None:
    """The module that a report is of by the report's own name: ``test_x.py.xml``, ``smoke__test_x.xml``."""
    match = _NAME_OF_FILE.match(name)
    if match is None:
        return None
    folder = match["folder"].removesuffix("__").replace("__", "/") if match["folder"] else None
    known = module_named(match["stem"], folder)
    return known or (f"{folder}/{match['stem']}.py" if folder else f"{match['stem']}.py")


def place_of(classname: str, file: str | None = None) -> Place:
    """The place that an xunit classname (with dots, nose's or pytest's) and ``file`` attribute name."""
    parts = [part for part in _tame(classname).split(".") if part]
    if file and file.endswith(".py"):
        module = module_of_path(_tame(file)) or file
        dotted = [part for part in re.split(r"[/\\.]", file[: -len(".py")]) if part]
        inner = parts[len(dotted) :] if parts[: len(dotted)] == dotted else []
        return Place(module, "::".join(inner), is_suite_module(module) or bool(_SUITES.match(file)))
    below = _SUITES_PACKAGE in parts[:-1]
    if below:
        parts = parts[len(parts) - parts[::-1].index(_SUITES_PACKAGE) :]
    at = _module_index(parts, python=below)
    if at is None:
        return Place(None, ".".join(parts))
    module = "/".join(parts[: at + 1]) + ".py"
    if at == 0:
        module = module_named(parts[0]) or module
    elif not is_suite_module(module):
        # Seen from below another root: tests.smoke.test_x of a folder /marvin/tests.
        shorter = ("/".join(parts[start : at + 1]) + ".py" for start in range(1, at))
        module = next(filter(is_suite_module, shorter), module)
    return Place(module, "::".join(parts[at + 1 :]), below or is_suite_module(module))


def _module_index(parts: list[str], *, python: bool) -> int | None:
    """Which of the dotted parts is the module: one with a test module's name, else (in ``python``) the last before the
    classes; None where that is not to be told, as for a Java class."""
    for index, part in enumerate(parts):
        if _TEST_MODULE.match(part) or part in suite_modules():
            return index
    modules = [index for index, part in enumerate(parts) if not _CLASS.match(part)]
    return modules[-1] if python and modules else None


def name_of(written: str) -> str:
    """A test's name as an id can have it: one line of bounded length."""
    return written if len(written) <= _LONGEST and written.isprintable() else _tame(written)


def _tame(text: str) -> str:
    return printable(text[: 4 * _LONGEST], _LONGEST)
