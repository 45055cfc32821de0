"""The page on what the simulator covers: which suites are run, what counts as a difference, why, and how it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.coverage_comparison import (
    ALONE,
    Recorded,
    differences,
    failing,
    read_results,
    reason,
    spread,
    totals,
    unrecorded,
)
from benchmarks.coverage_page import render
from benchmarks.fidelity import Figure, Figures, error_codes
from benchmarks.shapes import errors
from benchmarks.upstream_selection import Result, Session, run, selected, suites

WORKFLOW = """\
jobs:
  build:
    steps: [{run: make}]
  test:
    strategy:
      matrix:
        tests: ["smoke/test_b
                 smoke/test_a",
                "component/test_c", "smoke/test_a"]
"""
PASSED, SKIPPED, FAILED = Result("passed"), Result("skipped", "setup"), Result("failed")


def test_suites_are_those_of_the_workflow_each_once_in_its_order() -> None:
    assert suites(WORKFLOW) == ("smoke/test_b", "smoke/test_a", "component/test_c")


@pytest.mark.parametrize("text", ["", "[]", "jobs: 3", "jobs: {a: {strategy: {matrix: {os: [x]}}}}", "jobs: {a: null}"])
def test_a_workflow_without_suites_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no job of the workflow"):
        suites(text)


def test_a_suite_that_the_tree_lacks_is_not_run(tmp_path: Path) -> None:
    for name in (".github/workflows/ci.yml", "test/integration/smoke/test_a.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(WORKFLOW)
    assert selected(tmp_path) == ["smoke/test_a.py"]


def test_recorded_results(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    file.write_text(
        "suite,class,test,result,seconds,message,environment_bound\n"
        "smoke/test_a,TestA,test_1,passed,1.5,,\n"
        "smoke/test_a,TestA,test_2,error,2,no route,yes\n"
        "smoke/test_a,TestA,test_2,passed,1,,\n"
        "smoke/test_a,TestA,test_3,failure,1,5 != 4,yes\n"
        "smoke/test_a,suite,ContextSuite context=TestB>:setup,skipped,0,not here,\n"
        "smoke/test_a,suite,ContextSuite context=TestA>:teardown,error,9,left,yes\n"
    )
    recorded = read_results(file)
    assert recorded == {
        "smoke/test_a.py::TestA::test_1": Recorded(Result("passed"), 1.5),
        "smoke/test_a.py::TestA::test_2": Recorded(Result("passed"), 1.0),
        "smoke/test_a.py::TestA::test_3": Recorded(Result("failed", "call", "5 != 4"), 1.0, True),
        "smoke/test_a.py::TestB": Recorded(Result("skipped", "setup-class", "not here")),
    }
    tests = spread(recorded, ["smoke/test_a.py::TestB::test_9", "smoke/test_z.py::TestZ::test_1"])
    assert tests["smoke/test_a.py::TestB::test_9"].result.outcome == "skipped"
    assert "smoke/test_a.py::TestB" not in tests
    assert "smoke/test_z.py::TestZ::test_1" not in tests


@pytest.mark.parametrize(
    ("message", "phase", "why"),
    [
        (
            "errorText:addThing is served by CloudStack but has no behaviour in this",
            "call",
            "missing command: addThing",
        ),
        ("addThing is served by CloudStack but has no behaviour yet", "setup-class", "missing command: addThing"),
        ("SSH: needs SSH: the simulator has no machine to log in to at 10.0.0.1:22", "call", "needs SSH"),
        ("1235: This simulator cannot update column account_name of cloud.account", "call", "needs SQL"),
        ("ModuleNotFoundError: No module named 'flask'", "call", "needs a package: flask"),
        ("KeyError: 'zone'", "setup-class", "set-up failed"),
        ("AssertionError: 1 != 2", "call", "other"),
    ],
)
def test_reasons(message: str, phase: str, why: str) -> None:
    assert reason(Result("errored", phase, message)) == why


def test_what_a_bad_run_of_the_real_server_or_another_suite_explains() -> None:
    assert reason(FAILED, Recorded(FAILED, bound=True)) == "environment-bound there"
    assert reason(FAILED, Recorded(PASSED), alone=PASSED) == ALONE
    assert reason(FAILED, Recorded(PASSED), alone=FAILED) == "other"
    assert reason(Result("not run")) == "not among the tests of this tree"


def test_differences() -> None:
    recorded = {
        "a::A::same": Recorded(PASSED),
        "a::A::gone": Recorded(PASSED),
        "a::A::worse": Recorded(PASSED),
        "a::A::better": Recorded(FAILED, bound=True),
        "a::A::as_bad": Recorded(Result("errored"), bound=True),
        "a::A::ran": Recorded(SKIPPED),
    }
    results = {
        "a::A::same": PASSED,
        "a::A::worse": FAILED,
        "a::A::better": PASSED,
        "a::A::as_bad": FAILED,
        "a::A::ran": FAILED,
        "b::B::new": PASSED,
        "b::B::new_bad": Result("blocked"),
    }
    found = {each.test.rpartition("::")[2]: (each.there, each.here) for each in differences(recorded, results)}
    assert found == {
        "gone": ("passed", "not run"),
        "worse": ("passed", "failed"),
        "better": ("failed", "passed"),
        "ran": ("skipped", "failed"),
    }
    assert list(unrecorded(recorded, results)) == ["b::B::new", "b::B::new_bad"]
    assert failing(recorded, results) == ["a::A::ran", "a::A::worse", "b::B::new_bad"]
    assert totals(recorded, results)["passed", "passed"] == 1


def session(python: str, **results: Result) -> Session:
    tests = {f"smoke/test_a.py::TestA::{name}": result for name, result in results.items()}
    return Session(tests, 61.4, 240.2, {"python": python, "pytest": "9.2.0"}, "4.23.0.0-SNAPSHOT")


def test_the_page() -> None:
    hostile = Result("failed", "call", "a | b <script> @all\n\x1b[31mred")
    sessions = [
        session("3.11.7", good=PASSED, bad=hostile, other=PASSED, new=FAILED),
        session("3.13.0", good=PASSED, bad=hostile, other=FAILED, new=FAILED),
    ]
    recorded = {f"smoke/test_a.py::TestA::{name}": Recorded(PASSED, 1800) for name in ("good", "bad", "other")}
    figures = Figures((Figure("probes", 2, 3, 1.0, "of the wire"),), {"listZones": ["field .zone[].name"]})
    page = render(sessions, recorded, figures, {"smoke/test_a.py::TestA::new": PASSED})
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in page.splitlines() if line.startswith("|")
    ]
    assert ["… that pass there", "3", "2 pass", "1 pass"] in rows
    assert ["time", "1.5 h of tests", "61 s", "61 s"] in rows
    bad, new, other = (f"`smoke/test_a.py::TestA::{name}`" for name in ("bad", "new", "other"))
    assert [bad, "passed", "failed", "other", "`a \\| b <script> @all red`"] in rows
    assert [new, "failed", ALONE, ""] in rows
    assert [other, "3.11.7", "passed", "3.13.0", "failed", ""] in rows
    assert ["probes", "2", "3", "66.7 %", "of the wire"] in rows
    assert ["listZones", "`field .zone[].name`"] in rows
    assert ["`smoke/test_a.py`", "3", "0", "", "2", "0", "2"] in rows


def test_a_page_without_a_recording() -> None:
    page = render([session("3.11.7", good=PASSED, bad=FAILED)], None)
    assert "real server |" not in page
    assert "2 tests: 1 pass, 0 are skipped, 1 fail" in page


def call(test: str | None, command: str, body: object) -> str:
    return json.dumps({"t": test, "c": command, "p": {}, "s": 200, "r": {f"{command}response": body}})


def test_errors_are_compared_test_by_test() -> None:
    job = {"jobid": "1", "jobstatus": 2, "jobresult": {"errorcode": 530, "errortext": "x"}}
    real = [
        json.dumps({"t": "x.TestA.test_1", "sql": "select 1"}),
        call("x.TestA.test_1", "createThing", {"errorcode": 431}),
        call("x.TestA.test_1", "createThing", {"errorcode": 431}),
        call("x.TestA.test_2", "startThing", {"jobid": "1"}),
        call("x.TestA.test_2", "queryAsyncJobResult", job),
        call(None, "deleteThing", {"errorcode": 530}),
        call("x.TestB.test_3", "bound", {"errorcode": 530}),
    ]
    assert list(errors(real[:4])) == [("TestA.test_1", "createThing", 431)] * 2
    ours = [call("TestA.test_1", "createThing", {"errorcode": 431}), *real[3:5], call("TestB.test_3", "other", {})]
    real.append(call("x.TestC.not_run", "createThing", {"errorcode": 431}))
    figure, wrong = error_codes(real, ours, but={"TestB.test_3"})
    assert (figure.good, figure.total) == (2, 3)
    assert wrong == {"createThing": ["no error 431, 1 times"]}


@pytest.mark.upstream
def test_suites_of_a_tree_are_run(cs_source: Path, tmp_path: Path) -> None:
    files = selected(cs_source)
    assert len(files) > 100
    calls = tmp_path / "calls.jsonl"
    found = run(cs_source, tmp_path / "run", files=files[:2], calls=calls)
    assert {test.split("::")[0] for test in found.results} == set(files[:2])
    assert {result.outcome for result in found.results.values()} <= {"passed", "skipped"}
    assert found.version.startswith("4.")
    assert 50 < found.memory < 1024
    assert json.loads(calls.read_text().splitlines()[-1])["s"] == 200
