"""Which files are Marvin suites: those that nose finds and pytest would pass by are collected too, and all import as under nose."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from cs_matrix_pytest.matrix.naming import is_test_name
from cs_matrix_pytest.matrix.pytest_private import SuiteModule

_PYTEST_FILES = ["test_*.py", "*_test.py"]
"""pytest's default ``python_files``."""
_MARVIN = re.compile(rb"\bcloudstackTestCase\b|^[ \t]*(?:from|import)[ \t]+marvin\b", re.MULTILINE)


def is_suite(file: Path) -> bool:
    """Whether a Python file is a Marvin suite: its text imports Marvin, or names Marvin's test case."""
    try:
        return _MARVIN.search(file.read_bytes()) is not None
    except OSError:
        return False


def only_nose_takes(file: Path) -> bool:
    """Whether nose looks into a file by its name and pytest does not: ``testpath_x.py``, ``TestVolumes.py``."""
    name = file.name
    return (
        file.suffix == ".py"
        and not name.startswith(("_", "."))
        and is_test_name(file.stem)
        and not any(fnmatch(name, pattern) for pattern in _PYTEST_FILES)
    )


class SuiteFiles:
    """The hooks that find and import suites, for a session that runs them, lists them or selects as nose does.

    Other files are left to pytest, and so is every file where ``python_files`` says which ones to look into.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._adds_files = config.getini("python_files") == _PYTEST_FILES

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
        if not self._adds_files or not only_nose_takes(file_path):
            return None
        if parent.session.isinitpath(file_path) or not is_suite(file_path):
            return None  # pytest itself collects what the command line names
        hook = parent.session.gethookproxy(file_path)
        module: pytest.Module = hook.pytest_pycollect_makemodule(module_path=file_path, parent=parent)
        return module

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
        if module_path.name == "__init__.py" or not is_suite(module_path):
            return None
        module: pytest.Module = SuiteModule.from_parent(parent, path=module_path)
        return module
