"""What a test says of itself: attributes of method and class, as nose sees them and as markers need them."""

from __future__ import annotations

import functools
import unittest
from unittest import mock

import pytest

from cs_matrix_pytest.selection.attributes import (
    attributes_of,
    bare_names_of,
    has_attributes,
    lookup_of,
    tags_of,
    values_of,
)


def attr(*names, **values):
    """@attr of nose, as far as its effect goes: names become True, keywords their value."""

    def decorate(target):
        for name, value in {**dict.fromkeys(names, True), **values}.items():
            setattr(target, name, value)
        return target

    return decorate


class Base(unittest.TestCase):
    tags = ("basic",)
    required_hardware = "true"

    def test_inherits(self):
        pass

    @attr(tags=["advanced"])
    def test_overrides(self):
        pass

    @attr("simulator_only", tags=["smoke"], required_hardware="false")
    @attr("disruptive", tags=["advanced"], BugId="7180")
    def test_stacked(self):
        pass


class Derived(Base):
    tags = ("sg",)


@pytest.mark.parametrize(
    ("cls", "method", "expected"),
    [
        (Base, "test_inherits", {"tags": ("basic",), "required_hardware": "true"}),
        (Derived, "test_inherits", {"tags": ("sg",), "required_hardware": "true"}),
        (Derived, "test_overrides", {"tags": ["advanced"], "required_hardware": "true"}),
        (
            Base,
            "test_stacked",
            {
                "disruptive": True,
                "simulator_only": True,
                "tags": ["smoke"],
                "required_hardware": "false",
                "BugId": "7180",
            },
        ),
    ],
)
def test_a_method_s_attribute_wins_over_its_class_s_and_a_derived_class_over_its_base(cls, method, expected):
    assert attributes_of(getattr(cls, method), cls) == expected


def test_a_class_gives_bare_names_and_the_known_attributes_but_not_its_constants():
    @attr("simulator_only", tags=["advanced"], hypervisor="kvm")
    class TestIt(unittest.TestCase):
        services = {"cpu": 1}
        error_text = "should be detached"
        zone = None
        retries = 3

        def test_it(self):
            pass

    expected = {"simulator_only": True, "tags": ["advanced"], "hypervisor": "kvm"}
    assert attributes_of(TestIt.test_it, TestIt) == expected


def test_what_decorators_and_pytest_leave_on_a_function_is_no_attribute():
    def original(self):
        pass

    @attr(tags=["advanced"])
    @pytest.mark.usefixtures("tmp_path")
    @mock.patch("os.getcwd")
    @functools.wraps(original)
    def test_it(self):
        pass

    test_it.is_hypothesis_test = True
    test_it.callback = print
    setattr(test_it, "%values", (1, 2))
    assert attributes_of(test_it, None) == {"tags": ["advanced"]}


def test_the_lookup_finds_any_attribute_as_nose_does_and_False_for_a_missing_one():
    lookup = lookup_of(Base.test_stacked, Base)
    assert lookup("__name__") == "test_stacked"
    assert lookup("maxDiff") == unittest.TestCase.maxDiff
    assert lookup("tags") == ["smoke"]
    assert lookup("hypervisor") is False
    assert lookup_of(Base.test_stacked, None)("maxDiff") is False


def test_markers_add_to_the_lookup_and_the_function_wins_over_them():
    lookup = lookup_of(Base.test_overrides, Base, {"tags": ["native"], "speed": "slow"})
    assert (lookup("tags"), lookup("speed"), lookup("none")) == (["advanced"], "slow", False)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["b", "a", "b"], ["b", "a"]),
        (("a",), ["a"]),
        ({"b", "a"}, ["a", "b"]),
        ("advanced", ["advanced"]),
        ([8, ""], ["8"]),
        (None, []),
    ],
)
def test_tags_are_a_list_without_repeats_whatever_the_suite_wrote(tags, expected):
    assert tags_of({"tags": tags}) == expected


def test_bare_names_are_the_ones_that_are_exactly_True():
    assert bare_names_of({"a": True, "b": "true", "c": 1, "d": False, "tags": True}) == ["a"]


def test_values_of_a_scalar_is_the_scalar():
    assert (values_of("ab"), values_of(False), values_of(None), values_of(())) == (["ab"], [False], [], [])


@pytest.mark.parametrize(
    ("decorate", "expected"),
    [
        (attr(tags=["advanced"]), True),
        (attr("simulator_only"), True),
        (attr(required_hardware="false"), True),
        (lambda function: function, False),
        (functools.wraps(len), False),
        (unittest.skip("not today"), False),
        (pytest.mark.usefixtures("tmp_path"), False),
    ],
)
def test_a_function_has_attributes_if_attr_gave_it_one(decorate, expected):
    def do_test(self):
        pass

    assert has_attributes(decorate(do_test)) is expected
