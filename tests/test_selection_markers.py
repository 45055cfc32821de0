"""Attributes as markers, in real pytest sessions, and markers of native tests as attributes."""

from __future__ import annotations

import copy
import pickle
from typing import Any, NamedTuple

import pytest

from cs_matrix_pytest.selection.applicability import parse_rules
from cs_matrix_pytest.selection.markers import (
    RESERVED,
    AnyOf,
    attributes_from_marks,
    marker_name,
    marker_names,
    registrations,
)

pytest_plugins = ["pytester"]

CONFTEST = """
import pytest
from cs_matrix_pytest.selection.attributes import attributes_of
from cs_matrix_pytest.selection.markers import ATTR_REGISTRATION, marker_names, marks_for, registration

def pytest_configure(config):
    config.addinivalue_line("markers", ATTR_REGISTRATION)

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        attributes = attributes_of(item.function, item.cls)
        for name in marker_names(attributes):
            config.addinivalue_line("markers", registration(name))
        for mark in marks_for(attributes):
            item.add_marker(mark)
"""

SUITE = """
import unittest

def attr(*names, **values):
    def decorate(target):
        for name, value in {**dict.fromkeys(names, True), **values}.items():
            setattr(target, name, value)
        return target
    return decorate

class TestIt(unittest.TestCase):
    @attr(tags=["advanced", "quick-test"], required_hardware="false")
    def test_a(self): pass

    @attr("simulator_only", tags=["basic"], required_hardware="true", BugId="7180")
    def test_b(self): pass

    @attr(tags=["skip", "xfail", "not", "3tier", "attr"], priority=2)
    def test_c(self): pass

    def test_d(self): pass
"""


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("advanced", "a"),
        ("quick_test", "a"),
        ("quick_test or basic", "ab"),
        ("simulator_only", "b"),
        ("not advanced", "bcd"),
        ("tag_skip and tag_xfail and tag_not and tag_3tier", "c"),
        ("attr", "abc"),
        ("attr(required_hardware='false')", "a"),
        ("attr(tags='advanced')", "a"),
        ("attr(tags='advanced', required_hardware='false')", "a"),
        ("attr(tags='advanced', required_hardware='true')", ""),
        ("attr(tags='advanced') and attr(tags='quick-test')", "a"),
        ("attr(tags='adv')", ""),
        ("attr(BugId='7180')", "b"),
        ("attr(simulator_only=True)", "b"),
        ("attr(priority=2)", "c"),
    ],
)
def test_marker_expressions_select_by_tags_and_attributes(pytester, expression, selected):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SUITE)
    result = pytester.runpytest("-p", "no:cs_matrix", "--strict-markers", "-Werror", "-v", "-m", expression)
    passed = {line.split("::")[-1].split()[0] for line in result.outlines if " PASSED" in line}
    assert passed == {f"test_{letter}" for letter in selected}


def test_a_tag_called_skip_or_xfail_changes_nothing(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SUITE)
    pytester.runpytest("-p", "no:cs_matrix", "--strict-markers", "-Werror").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("advanced", "advanced"),
        ("quick-test", "quick_test"),
        ("deploy vm.2", "deploy_vm_2"),
        ("3tier", "tag_3tier"),
        ("_private", "tag_private"),
        ("-x", "tag_x"),
        ("not", "tag_not"),
        ("True", "tag_True"),
        ("skip", "tag_skip"),
        ("parametrize", "tag_parametrize"),
        ("flaky", "tag_flaky"),
        ("Skip", "Skip"),
        ("größe", "größe"),
        ("--", "tag_"),
    ],
)
def test_what_a_marker_cannot_be_called_is_called_otherwise(tag, name):
    assert marker_name(tag) == name


def test_every_builtin_marker_of_this_pytest_is_reserved(pytester):
    listed = pytester.runpytest("--markers", "-p", "no:cs_matrix", "-p", "no:hypothesispytest", "-p", "no:xdist")
    names = {line.split(".mark.")[1].split(":")[0].split("(")[0] for line in listed.outlines if line.startswith("@")}
    assert names - {"hypothesis", "no_cover"} <= RESERVED


def test_native_tests_find_registered_what_the_rules_know():
    rules = parse_rules(
        [
            {"when": {"tags": ["nicira", "xcp-ng"]}, "needs": {"extras": "nicira"}},
            {"when": {"vgpu": True, "hypervisor": "kvm", "tags": "nicira"}, "needs": {"extras": "vgpu"}},
        ]
    )
    names = [line.split(":")[0].split("(")[0] for line in registrations(rules)]
    assert names == ["attr", "nicira", "xcp_ng", "vgpu"]


def test_marker_names_are_tags_then_bare_names_each_once():
    attributes = {"simulator_only": True, "tags": ["quick-test", "quick_test", "simulator_only"], "speed": "slow"}
    assert marker_names(attributes) == ["quick_test", "simulator_only"]


def test_a_marker_s_list_is_a_list_that_equals_its_members_and_survives_copies():
    tags = AnyOf(["advanced", "basic"])
    assert isinstance(tags, list)
    assert list(tags) == ["advanced", "basic"]
    for same in (tags, copy.deepcopy(tags), pickle.loads(pickle.dumps(tags))):
        assert same == "basic"
        assert same == ["advanced", "basic"]
        assert same != "bas"
        assert same != ["basic"]
        assert not same != "basic"  # noqa: SIM202
        assert repr(same) == "['advanced', 'basic']"


class Marked(NamedTuple):
    """The shape of a pytest.Mark, whose constructor is pytest's own."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


def attr(*args, **kwargs):
    return Marked("attr", args, kwargs)


@pytest.mark.parametrize(
    ("marks", "attributes"),
    [
        ([], {}),
        ([Marked("skip"), Marked("usefixtures", ("tmp_path",)), Marked("timeout_like", (3,))], {}),
        ([attr(required_hardware="true")], {"required_hardware": "true"}),
        (
            [attr(tags=["near"], speed="slow"), attr(tags=["far"], BugId="1")],
            {"tags": ["near"], "speed": "slow", "BugId": "1"},
        ),
        ([attr("simulator_only")], {"simulator_only": True}),
        ([attr(tags=AnyOf(["a", "b"]), mode=AnyOf(["x"]))], {"tags": ["a", "b"], "mode": ["x"]}),
    ],
)
def test_attributes_of_a_native_test_come_from_its_markers(marks, attributes):
    assert attributes_from_marks(marks) == attributes


def test_a_plain_marker_is_a_tag_and_a_bare_name(pytester):
    pytester.makeini("[pytest]\nmarkers =\n  advanced\n  simulator_only\n  attr\n  timeout_like")
    pytester.makepyfile(
        """
        import pytest
        from cs_matrix_pytest.selection.markers import attributes_from_marks

        @pytest.mark.advanced
        class TestIt:
            @pytest.mark.simulator_only
            @pytest.mark.attr(tags=["smoke"], required_hardware="false")
            @pytest.mark.timeout_like(3)
            def test_it(self, request):
                assert attributes_from_marks(request.node.iter_markers()) == {
                    "tags": ["smoke", "simulator_only", "advanced"],
                    "simulator_only": True,
                    "advanced": True,
                    "required_hardware": "false",
                }
        """
    )
    pytester.runpytest("-p", "no:cs_matrix").assert_outcomes(passed=1)
