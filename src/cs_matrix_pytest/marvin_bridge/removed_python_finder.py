"""Whose modules are executed as suites', so that they find what Python has removed; everyone else's are left alone."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .removed_python import REMOVED_MODULES
from .removed_python_shim import INSTALLED, SuiteImports, lacking, take_uses


class SuiteFinder(MetaPathFinder):
    """Finds what the other finders find, and has what belongs to suites executed with their builtins.

    To suites belong the test modules that `collect` names, if they have Marvin's test class in sight; what a suite
    imports from its own folder or package, below it, or from `tests`, the folder of a CloudStack tree's tests; and those
    modules of a modern Marvin, in the folder `marvin`, that mention what was removed.
    """

    def __init__(self, tests: Path | None = None, marvin: Path | None = None) -> None:
        self._tests = f"{tests.absolute()}{os.sep}" if tests else None
        self._marvin = f"{marvin.absolute()}{os.sep}" if marvin else None
        self._imports = SuiteImports()
        self._collected: set[str] = set()

    def collect(self, file: Path) -> None:
        """A test module is about to be imported."""
        self._collected.add(str(file))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder.find_spec`."""
        if fullname.partition(".")[0] in sys.stdlib_module_names or self not in sys.meta_path:
            return None
        spec = self._found_by_others(fullname, path, target)
        if spec is not None and spec.loader is not None and self._is_suites(fullname, spec.origin or ""):
            spec.loader = _AsSuite(spec.loader, self._imports.builtins)
        return spec

    def _found_by_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find else None
            if spec is not None:
                return spec
        return None

    def _is_suites(self, name: str, file: str) -> bool:
        if not file.endswith(".py") or file.endswith(f"{os.sep}conftest.py"):
            return False
        in_tree = self._tests is not None and file.startswith(self._tests)
        if file in self._collected:
            return in_tree or has_marvin_in_sight(file)
        if self._marvin is not None and file.startswith(self._marvin):
            return not name.startswith("marvin.cloudstackAPI") and mentions_removed(
                Path(file).read_text("utf-8", "replace")
            )
        folder = self._imports.importers.folders[-1] if self._imports.importers.folders else ""
        if not folder or INSTALLED.search(file):
            return False
        return in_tree or file.startswith(f"{folder}{os.sep}")


class _AsSuite(Loader):
    """Executes a module as a suite's. Afterwards the module and its spec have the loader that found it, as if alone."""

    def __init__(self, loader: Any, suite_builtins: dict[str, Any]) -> None:
        self._loader = loader
        self._builtins = suite_builtins

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        __tracebackhide__ = True
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        vars(module)["__builtins__"] = self._builtins
        self._loader.exec_module(module)


_TEST_CLASS = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+marvin(?:\.cloudstackTestCase\b|[ \t]+import\b[^\n#]*\bcloudstackTestCase\b)",
    re.MULTILINE,
)
_IMPORTED = re.compile(rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)|import[ \t]+([\w.]+))", re.MULTILINE)


@cache
def _mention() -> re.Pattern[str]:
    gone = [re.escape(name) for name, removal in REMOVED_MODULES.items() if removal.is_gone]
    wanted = [rf"(?:import|from)[ \t][^\n#]*\b(?:{'|'.join(gone)})\b"]
    for module, names in lacking().items():
        wanted.append(rf"{module}(?:\.|[ \t]+import\b[^\n#]*\b)(?:{'|'.join(names)})\b")
    return re.compile(rf"\b(?:{'|'.join(wanted)})")


def mentions_removed(source: str) -> bool:
    """True for a source that names a module, or something of a module, that this Python lacks."""
    return _mention().search(source) is not None


def has_marvin_in_sight(file: str) -> bool:
    """True for a module that imports Marvin's test class, or a module of its own folder or package that does.

    Read from the source: a native test that uses Marvin's API classes alone is none of a suite's.
    """
    waiting, seen = [Path(file)], set()
    while waiting:
        here = waiting.pop()
        seen.add(here)
        try:
            source = here.read_bytes()
        except OSError:
            continue
        if _TEST_CLASS.search(source):
            return True
        for dots, relative, absolute in _IMPORTED.findall(source):
            parts = (relative or absolute).decode().split(".")
            if not all(parts):
                continue
            candidates = (folder.joinpath(*parts).with_suffix(".py") for folder in _import_folders(here, len(dots)))
            found = next((file for file in candidates if file.is_file()), None)
            if found is not None and found not in seen:
                waiting.append(found)
    return False


def _import_folders(file: Path, dots: int) -> Iterator[Path]:
    """Where an import in `file` can mean something of the suite's: beside it, and above the packages that it is in."""
    if dots:
        yield from file.parents[dots - 1 : dots]
        return
    yield file.parent
    for folder in file.parents:
        if not (folder / "__init__.py").is_file():
            yield folder
            return


def install_removed_python(tests: Path | None = None, marvin: Path | None = None) -> SuiteFinder:
    """Let suites use what Python removed, from the next import on. The folders are those of `SuiteFinder`.

    It must be asked before any other finder: install it last.
    """
    finder = SuiteFinder(tests, marvin)
    sys.meta_path.insert(0, finder)
    return finder


def uninstall_removed_python() -> None:
    """Undo `install_removed_python`; modules that were imported meanwhile keep what they have."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, SuiteFinder)]
    take_uses()
