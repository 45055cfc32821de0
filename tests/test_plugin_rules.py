"""The plugin's pure parts: class state, names of tests, phases folded into attempts."""

from __future__ import annotations

import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cs_matrix_pytest.matrix import naming
from cs_matrix_pytest.matrix.attempts import AttemptFolder, PhaseNote, fold
from cs_matrix_pytest.matrix.class_state import ClassState, in_environment, is_marvin_class, suite_classes
from cs_matrix_pytest.matrix.naming import split_nodeid, without_environment
from cs_matrix_pytest.matrix.recorder import cause_of
from cs_matrix_pytest.outcomes.messages import short
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Untested

SHARED: dict[str, Any] = {"sizes": [1, 2]}


def make_classes() -> tuple[type, type]:
    class Base(unittest.TestCase):
        cleanup: list[str] = []

    class Suite(Base):
        services = {"vm": {"zone": None, "disks": [10]}, "shared": SHARED}
        pair = ([1], {2})
        account: str | None = None

        @classmethod
        def helper(cls) -> str:
            return cls.__name__

    return Base, Suite


def test_state_is_put_back_whatever_was_done_to_it() -> None:
    base, suite = make_classes()
    services = suite.services  # type: ignore[attr-defined]
    state = ClassState(suite)

    services["vm"]["zone"] = "z"
    services["vm"]["disks"].append(20)
    services["new"] = services
    del SHARED["sizes"]
    suite.pair[0].clear()  # type: ignore[attr-defined]
    suite.pair[1].add(3)  # type: ignore[attr-defined]
    suite.account = "a"  # type: ignore[attr-defined]
    suite.extra = 1  # type: ignore[attr-defined]
    base.cleanup.append("vm")  # type: ignore[attr-defined]
    base.late = True  # type: ignore[attr-defined]
    suite.services = {}  # type: ignore[attr-defined]
    del suite.helper  # type: ignore[attr-defined]
    state.restore()

    assert suite.services is services  # type: ignore[attr-defined]
    assert services == {"vm": {"zone": None, "disks": [10]}, "shared": {"sizes": [1, 2]}}
    assert suite.pair == ([1], {2})  # type: ignore[attr-defined]
    assert suite.account is None  # type: ignore[attr-defined]
    assert base.cleanup == []  # type: ignore[attr-defined]
    assert suite.helper() == "Suite"  # type: ignore[attr-defined]
    assert not hasattr(suite, "extra")
    assert not hasattr(suite, "late")


def test_containers_that_hold_themselves() -> None:
    class Suite:
        ring: list[Any] = [1]

    Suite.ring.append(Suite.ring)
    state = ClassState(Suite)
    Suite.ring.clear()
    state.restore()
    assert Suite.ring[0] == 1
    assert Suite.ring[1] is Suite.ring


def test_a_class_of_its_own_looks_like_the_original() -> None:
    _, suite = make_classes()
    one, other = in_environment(suite), in_environment(suite)
    state = ClassState(suite)
    one.account = "of one"  # type: ignore[attr-defined]
    assert suite.account == "of one"  # type: ignore[attr-defined]
    state.restore()
    assert (one.account, other.account, suite.account) == (None, None, None)  # type: ignore[attr-defined]
    assert issubclass(one, suite)
    assert (one.__name__, one.__qualname__, one.__module__) == (
        suite.__name__,
        suite.__qualname__,
        suite.__module__,
    )


def test_marvin_is_told_by_name_not_by_import() -> None:
    base = type("cloudstackTestCase", (unittest.TestCase,), {"__module__": "marvin.cloudstackTestCase"})
    same_name = type("cloudstackTestCase", (unittest.TestCase,), {"__module__": "mine"})
    suite = type("TestX", (base,), {"__module__": "test_x"})
    assert is_marvin_class(suite)
    assert not is_marvin_class(type("TestY", (same_name,), {}))
    assert not is_marvin_class("TestX")
    assert suite_classes(suite) == [suite]


ROOT = Path("/root/of/tests")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/src/cloudstack/test/integration/smoke/test_vm.py", "smoke/test_vm.py::TestVM::test_a"),
        ("/root/of/tests/test/integration/plugins/x/test_y.py", "plugins/x/test_y.py::TestVM::test_a"),
        ("/root/of/tests/suites/test_vm.py", "suites/test_vm.py::TestVM::test_a"),
        ("/elsewhere/test_vm.py", "test_vm.py::TestVM::test_a"),
    ],
)
def test_ids_are_the_same_on_every_machine(path: str, expected: str) -> None:
    assert naming.test_id(Path(path), ROOT, ("TestVM", "test_a")) == expected


@pytest.mark.parametrize(
    ("parameters", "rest"),
    [
        ("kvm-adv", ""),
        ("kvm-adv-3", "3"),
        ("3-kvm-adv", "3"),
        ("a-kvm-adv-b", "a-b"),
        ("kvm-adv-kvm-adv", "kvm-adv"),
    ],
)
def test_the_environment_is_no_part_of_a_native_tests_id(parameters: str, rest: str) -> None:
    assert without_environment(parameters, "kvm-adv") == rest


def test_a_node_id_says_which_test_of_the_matrix_it_was() -> None:
    names = frozenset({"kvm-adv"})
    assert split_nodeid("a/test_x.py::TestX::test_a[kvm-adv]", ROOT, names) == ("a/test_x.py::TestX::test_a", "kvm-adv")
    assert split_nodeid("a/test_x.py::test_a[kvm-adv]@group", ROOT, names) == ("a/test_x.py::test_a", "kvm-adv")
    assert split_nodeid("a/test_x.py::TestX::test_a[other]", ROOT, names) is None
    assert split_nodeid("a/test_x.py::test_a", ROOT, names) is None


def note(outcome: str, phase: str = "call", reason: str | None = None) -> PhaseNote:
    return PhaseNote("t", "e", outcome, phase, f"{outcome} in {phase}", None, reason)


@pytest.mark.parametrize(
    ("phases", "outcome", "phase"),
    [
        (["passed", "passed", "passed"], "passed", "call"),
        (["errored", "passed"], "errored", "setup"),
        (["passed", "failed", "passed"], "failed", "call"),
        (["passed", "passed", "errored"], "errored", "teardown"),
        (["passed", "failed", "errored"], "failed", "call"),
        (["skipped", "passed"], "skipped", "setup"),
        (["passed", "skipped", "errored"], "errored", "teardown"),
        (["passed", "failed", "blocked"], "blocked", "teardown"),
        (["blocked", "passed"], "blocked", "setup"),
    ],
)
def test_the_phase_that_went_wrong_speaks_for_the_test(phases: list[str], outcome: str, phase: str) -> None:
    names = ["setup", "call", "teardown"] if len(phases) == 3 else ["setup", "teardown"]
    notes = [note(each, name) for each, name in zip(phases, names, strict=True)]
    notes = [each if each.outcome != "passed" else PhaseNote("t", "e") for each in notes]
    attempt = fold(notes, 1_700_000_000.5, 2.0)
    assert isinstance(attempt, Attempt)
    assert (attempt.outcome, attempt.phase) == (AttemptOutcome(outcome), phase)
    assert attempt.started == "2023-11-14T22:13:20.500Z"


def test_what_was_never_meant_to_run_is_untested() -> None:
    untested = fold([note("skipped", "setup", "not-applicable"), note("passed")], 0.0, 0.0)
    assert isinstance(untested, Untested)
    assert untested.reason.code.value == "not-applicable"


def test_tests_may_interleave() -> None:
    def report(nodeid: str, when: str) -> Any:
        return SimpleNamespace(
            nodeid=nodeid, when=when, start=0.0, duration=1.0, cs_matrix=PhaseNote(nodeid, "e").as_dict()
        )

    folder = AttemptFolder()
    order = [("a", "setup"), ("b", "setup"), ("b", "call"), ("a", "call"), ("b", "teardown"), ("a", "teardown")]
    done = [line for nodeid, when in order if (line := folder.add(report(nodeid, when)))]
    assert [(line.test, getattr(line, "seconds", None)) for line in done] == [("b", 3.0), ("a", 3.0)]
    assert folder.add(SimpleNamespace(nodeid="c", when="teardown")) is None  # type: ignore[arg-type]


def test_workers_may_run_the_same_test() -> None:
    def report(worker: str, when: str, outcome: str = "passed") -> Any:
        note = PhaseNote("t", "e", outcome).as_dict()
        return SimpleNamespace(nodeid="t", node=worker, when=when, start=0.0, duration=1.0, cs_matrix=note)

    folder = AttemptFolder()
    order = [("gw0", "setup"), ("gw1", "setup"), ("gw0", "call"), ("gw1", "call"), ("gw0", "teardown")]
    done = [folder.add(report(worker, when, "failed" if worker == "gw1" else "passed")) for worker, when in order]
    assert [line.outcome.value for line in done if isinstance(line, Attempt)] == ["passed"]
    assert folder.crashed(report("gw1", "???")) == ("t", "e")
    assert folder.crashed(report("gw1", "???")) is None


def test_messages_are_bounded() -> None:
    assert short("  one  ") == "one"
    assert len(short("x" * 10_000)) == 600


def test_the_cause_of_a_module_that_does_not_import() -> None:
    text = "file.py:1: in <module>\n    import nothing\nE   ModuleNotFoundError: No module named 'nothing'\n"
    assert cause_of(text) == "ModuleNotFoundError: No module named 'nothing'"
    assert cause_of("only this") == "only this"
    assert cause_of("") == "it could not be collected"
