"""A test as it is in every environment: found out once, however many environments it is collected for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any
from unittest import TestLoader

import pytest

from cs_matrix_pytest.matrix.naming import is_test_name
from cs_matrix_pytest.selection.attributes import has_attributes


class Subject:
    """What a test says of itself. Compares by identity: one for a test, shared by its items of all environments."""

    def __init__(
        self, function: Callable[..., Any] | None, cls: type | None, marked: Mapping[str, object] | None = None
    ) -> None:
        """`marked` is what markers say of a native test (`selection.markers.attributes_from_marks`)."""
        self.function = function
        self.cls = cls
        self.marked = marked

    @cached_property
    def attributes(self) -> dict[str, object]:
        """Those of nose's ``@attr``, and for a native test those that its markers say."""
        from cs_matrix_pytest.selection.attributes import attributes_of

        own = attributes_of(self.function, self.cls) if self.function else {}
        return {**(self.marked or {}), **own}

    @cached_property
    def marker_names(self) -> list[str]:
        """Names of the markers that a test of a Marvin class has."""
        from cs_matrix_pytest.selection.markers import marker_names

        return marker_names(self.attributes)

    @cached_property
    def markers(self) -> list[pytest.MarkDecorator]:
        """The markers of a test of a Marvin class; their names must be registered before."""
        from cs_matrix_pytest.selection.markers import marks_for

        return marks_for(self.attributes)


class SuiteClass:
    """A Marvin class, as its suite has it."""

    def __init__(self, original: type, *, has_fixtures: bool) -> None:
        self.original = original
        self.has_fixtures = has_fixtures

    @cached_property
    def tests(self) -> dict[str, Subject]:
        """Its tests by their methods' names, in the order to run them: unittest's, then nose's that carry ``@attr``."""
        if not getattr(self.original, "__test__", True):
            return {}
        names = [name for name in TestLoader().getTestCaseNames(self.original) if _is_test(self.original, name)]
        names += [name for name in noses_tests(self.original) if name not in names]
        if not names and hasattr(self.original, "runTest"):
            names = ["runTest"]
        return {name: Subject(getattr(self.original, name), self.original) for name in names}


def noses_tests(cls: type) -> Iterator[str]:
    """Methods that nose takes for tests and unittest does not, if they say that they are meant: by ``@attr`` or ``@istest``.

    nose's name rule alone also takes helpers (``do_vpc_test``) for tests. What begins with ``_`` is none for either.
    """
    for name in dir(cls):
        if not name.startswith("_") and _is_test(cls, name):
            method = getattr(cls, name)
            attributed = is_test_name(name) and (name.startswith("Test") or has_attributes(method))
            if getattr(method, "__test__", attributed):
                yield name


def _is_test(cls: type, name: str) -> bool:
    """Whether what a class has under a name can be a test: a method (unittest takes ``test_data = Data`` too), not ``@nottest``."""
    method = getattr(cls, name, None)
    return (inspect.isfunction(method) or inspect.ismethod(method)) and bool(getattr(method, "__test__", True))
