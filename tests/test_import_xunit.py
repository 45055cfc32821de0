"""``cs-matrix import xunit``: what every runner writes, and whatever else may lie under such a name."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Labs
from cs_matrix_pytest.cli import main
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers import destination
from cs_matrix_pytest.importers.destination import Destination, ImportedRun
from cs_matrix_pytest.importers.naming import module_of_path, module_of_report, place_of
from cs_matrix_pytest.importers.stated import CONTEXT_KEYS, Stated, moment_of, read_context
from cs_matrix_pytest.importers.xunit import imported
from cs_matrix_pytest.importers.xunit_cases import CaseReader
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.lines import SCHEMA_FILE
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import Attempt, Line, RecordedRun, Run, RunEnvironment, Untested
from cs_matrix_pytest.outcomes.record import read_folder

RECORDING = os.environ.get("CS_RECORDING")

STARTED = "2026-01-02T03:04:05.000Z"

NOSE_TRACEBACK = """Traceback (most recent call last):
  File "/venv/lib/python3.10/site-packages/nose/suite.py", line 268, in setupContext
    try_run(context, names)
  File "{path}", line 214, in setUpClass
    raise {error}
{error}
"""


def case(name: str, classname: str = "integration.smoke.test_a.TestA", inner: str = "", **attributes: str) -> str:
    more = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<testcase classname={quoteattr(classname)} name={quoteattr(name)}{more}>{inner}</testcase>"


def suite(*cases: str, attributes: str = 'name="nosetests"') -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><testsuite {attributes}>{"".join(cases)}</testsuite>'


def lines_of(content: str | bytes, stated: Stated | None = None, name: str = "report.xml") -> list[Line]:
    """The lines of a report's record; raises what reading it raises."""
    return list(run_of(content, stated, name).lines)


def run_of(content: str | bytes, stated: Stated | None = None, name: str = "report.xml") -> ImportedRun:
    data = content.encode() if isinstance(content, str) else content
    return imported(io.BytesIO(data), name, stated or Stated(), STARTED)


def facts(line: Line) -> tuple[str, ...]:
    """What tells a line from others, in one tuple of texts."""
    level = [] if line.level == "test" else [line.level]
    if isinstance(line, Untested):
        return (line.test, line.reason.code.value, line.reason.text, *level)
    assert isinstance(line, Attempt)
    phase = [] if line.phase == "call" else [line.phase]
    return (line.test, line.outcome.value, *filter(None, [line.message]), *phase, *level)


def context_case(context: str, phase: str, inner: str) -> str:
    """As nose's xunit plugin writes a fixture: it cuts at the last dot."""
    before, dot, last = f"<nose.suite.ContextSuite context={context}>:{phase}".rpartition(".")
    return case(last if dot else before, before, inner)


A = "smoke/test_a.py::TestA"
SPECIMENS: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "passed": (suite(case("test_1", time="1.5")), [(f"{A}::test_1", "passed")]),
    "nose failure": (
        suite(case("test_1", inner='<failure type="builtins.AssertionError" message="1 != 2">x</failure>')),
        [(f"{A}::test_1", "failed", "AssertionError: 1 != 2")],
    ),
    "Python 2's nose": (
        suite(case("test_1", inner='<error type="exceptions.KeyError" message="\'x\'">x</error>')),
        [(f"{A}::test_1", "errored", "KeyError: 'x'")],
    ),
    "no message": (
        suite(
            case(
                "test_1",
                inner='<error type="builtins.Exception" message="">'
                "<![CDATA[Traceback (most recent call last):\n  File\nException: of the text\n"
                "-------------------- >> begin captured logging << ------\nlogged]]></error>",
            )
        ),
        [(f"{A}::test_1", "errored", "Exception: of the text")],
    ),
    "nothing said": (suite(case("test_1", inner="<failure/>")), [(f"{A}::test_1", "failed", "no message")]),
    "setUp": (
        suite(
            case(
                "test_1",
                inner='<error type="builtins.Exception" message="m">Traceback:\n  File "/x/unittest/case.py", line 5, '
                "in _callSetUp\n  File x</error>",
            )
        ),
        [(f"{A}::test_1", "errored", "Exception: m", "setup")],
    ),
    "setUp, Python 2": (
        suite(
            case(
                "test_1",
                inner='<error type="exceptions.Exception" message="m">Traceback:\n'
                '  File "/usr/lib/python2.7/unittest/case.py", line 320, in run\n    self.setUp()\n</error>',
            )
        ),
        [(f"{A}::test_1", "errored", "Exception: m", "setup")],
    ),
    "tearDown": (
        suite(
            case(
                "test_1",
                inner='<failure type="AssertionError" message="m">  File "/x/unittest/case.py", line 5, '
                "in _callTearDown\n  File x</failure>",
            )
        ),
        [(f"{A}::test_1", "errored", "AssertionError: m", "teardown")],
    ),
    "skipped": (
        suite(case("test_1", inner='<skipped type="unittest.case.SkipTest" message="needs kvm">x</skipped>')),
        [(f"{A}::test_1", "skipped", "needs kvm")],
    ),
    "skipped as an error": (
        suite(case("test_1", inner='<error type="unittest.case.SkipTest" message="needs kvm">x</error>')),
        [(f"{A}::test_1", "skipped", "needs kvm")],
    ),
    "class set-up, module in its traceback": (
        suite(
            case(
                "ContextSuite context=TestB>:setup",
                "<nose.suite",
                '<error type="builtins.Exception" message="m">'
                + NOSE_TRACEBACK.format(path="/marvin/tests/smoke/test_b.py", error="Exception: m")
                + "</error>",
            ),
            case("test_1"),
        ),
        [
            ("smoke/test_b.py::TestB", "errored", "Exception: m", "setup-class", "class"),
            (f"{A}::test_1", "passed"),
        ],
    ),
    "class set-up, module of its tests": (
        suite(
            case("test_1", "integration.smoke.test_b.TestB"),
            case("test_1", "integration.smoke.test_c.TestC"),
            context_case("TestC", "teardown", '<error type="builtins.Exception" message="m"/>'),
        ),
        [
            ("smoke/test_b.py::TestB::test_1", "passed"),
            ("smoke/test_c.py::TestC::test_1", "passed"),
            ("smoke/test_c.py::TestC", "errored", "Exception: m", "teardown", "class"),
        ],
    ),
    "class set-up, only module": (
        suite(context_case("TestB", "setup", '<skipped type="SkipTest" message="no"/>'), case("test_1")),
        [(f"{A}::test_1", "passed"), ("smoke/test_a.py::TestB", "skipped", "no", "class")],
    ),
    "class set-up, no module": (
        suite(context_case("TestB", "setup", '<error type="E" message="m"/>')),
        [("TestB", "errored", "E: m", "setup-class", "class")],
    ),
    "module set-up": (
        suite(context_case("integration.smoke.test_b", "setup", '<error type="builtins.E" message="m"/>')),
        [("smoke/test_b.py", "errored", "E: m", "setup-class", "module")],
    ),
    "unittest's class set-up": (
        suite(case("setUpClass (smoke.test_b.TestB)", "", '<error type="E" message="m"/>')),
        [("smoke/test_b.py::TestB", "errored", "E: m", "setup-class", "class")],
    ),
    "a test that is only called so": (suite(case("setUpClass_works")), [(f"{A}::setUpClass_works", "passed")]),
    "nose's import failure": (
        suite(
            case(
                "runTest",
                "nose.failure.Failure",
                '<error type="builtins.ImportError" message="No module named x">'
                + NOSE_TRACEBACK.format(path="/t/test/integration/smoke/test_b.py", error="ImportError: x")
                + "</error>",
            )
        ),
        [("smoke/test_b.py", "not-collected", "No module named x", "module")],
    ),
    "pytest's collection failure": (
        suite(
            case("smoke.test_b", "", '<error message="collection failure">x\nE   ImportError: no x</error>'),
            case(
                "smoke.test_c", "", '<skipped message="collection skipped">(&apos;x&apos;, 1, &apos;no&apos;)</skipped>'
            ),
        ),
        [
            ("smoke/test_b.py", "not-collected", "ImportError: no x", "module"),
            ("smoke/test_c.py", "skipped", "('x', 1, 'no')", "module"),
        ],
    ),
    "pytest's own failure": (suite(case("internal", "pytest", '<error message="internal error"/>')), []),
    "pytest, fails and then fails to clean up": (
        suite(
            case("test_1", inner='<failure message="AssertionError: m"/>'),
            case("test_1", inner='<error message="failed on teardown with &quot;ValueError: t&quot;"/>'),
        ),
        [(f"{A}::test_1", "failed", "AssertionError: m")],
    ),
    "pytest, fails to clean up": (
        suite(case("test_1", inner='<error message="failed on teardown with &quot;ValueError: t&quot;"/>')),
        [(f"{A}::test_1", "errored", "ValueError: t", "teardown")],
    ),
    "pytest's failure that is no assertion": (
        suite(case("test_1", inner='<failure message="marvin.cloudstackException.CloudstackAPIException: m"/>')),
        [(f"{A}::test_1", "errored", "CloudstackAPIException: m")],
    ),
    "expected to fail": (
        suite(case("test_1", inner='<skipped type="pytest.xfail" message="a bug"/>')),
        [(f"{A}::test_1", "skipped", "expected to fail: a bug")],
    ),
    "pytest with file": (
        suite(case("test_1", "test.integration.smoke.test_x-y.TestA.TestB", file="test/integration/smoke/test_x-y.py")),
        [("smoke/test_x-y.py::TestA::TestB::test_1", "passed")],
    ),
    "Surefire, flaky": (
        suite(
            case(
                "test_1",
                "com.cloud.FooTest",
                '<flakyFailure type="java.lang.AssertionError" message="m"><stackTrace>s</stackTrace></flakyFailure>'
                "<system-out>o</system-out>",
            )
        ),
        [
            ("com.cloud.FooTest::test_1", "failed", "AssertionError: m"),
            ("com.cloud.FooTest::test_1", "passed"),
        ],
    ),
    "Surefire, failed twice": (
        suite(
            case(
                "test_1",
                inner='<error type="java.io.IOException" message="m">t</error>'
                '<rerunError type="java.io.IOException" message="n"><stackTrace>s</stackTrace></rerunError>',
            )
        ),
        [(f"{A}::test_1", "errored", "IOException: m"), (f"{A}::test_1", "errored", "IOException: n")],
    ),
    "not run": (
        suite(case("test_1", status="notrun"), case("test_2", inner="<disabled/>"), case("test_3", status="run")),
        [
            (f"{A}::test_1", "skipped", "not run: notrun"),
            (f"{A}::test_2", "skipped", "no reason given"),
            (f"{A}::test_3", "passed"),
        ],
    ),
    "badly by an attribute": (
        suite(case("test_1", status="failed"), case("test_2", result="error"), case("test_3", status="passed")),
        [
            (f"{A}::test_1", "failed", "status: failed"),
            (f"{A}::test_2", "errored", "result: error"),
            (f"{A}::test_3", "passed"),
        ],
    ),
    "rerun elements": (
        suite(
            case("test_1", inner='<rerun type="E" message="m">t</rerun>'),
            case("test_2", inner='<rerun message="n">t</rerun><failure message="AssertionError: o">t</failure>'),
        ),
        [
            (f"{A}::test_1", "failed", "E: m"),
            (f"{A}::test_1", "passed"),
            (f"{A}::test_2", "failed", "AssertionError: o"),
            (f"{A}::test_2", "failed", "n"),
        ],
    ),
    "class set-up, cut at another dot": (
        suite(
            '<testcase classname="&lt;nose" name="suite.ContextSuite context=integration.smoke.test_a.TestA&gt;:setup">'
            '<error type="E" message="m"/></testcase>'
        ),
        [(A, "errored", "E: m", "setup-class", "class")],
    ),
    "properties and output": (
        "<testsuites><properties><property name='a' value='b'/></properties><testsuite><properties>"
        "<property name='failure'>x</property></properties>"
        + case("test_1", inner="<properties><property name='a'/></properties><system-out>&lt;failure/></system-out>")
        + "<system-err>e</system-err></testsuite></testsuites>",
        [(f"{A}::test_1", "passed")],
    ),
    "suites in suites": (
        f"<testsuites><testsuite><testsuite>{case('test_1')}</testsuite></testsuite>"
        f"<testsuite>{case('test_2')}</testsuite></testsuites>",
        [(f"{A}::test_1", "passed"), (f"{A}::test_2", "passed")],
    ),
    "a secret": (
        suite(case("test_1", inner='<error type="E" message="password=hunter22 refused"/>')),
        [(f"{A}::test_1", "errored", "E: password=******** refused")],
    ),
    "no names": ("<testsuite><testcase/></testsuite>", [("unknown::unknown", "passed")]),
}


@pytest.mark.parametrize("specimen", SPECIMENS)
def test_cases(specimen: str) -> None:
    content, expected = SPECIMENS[specimen]
    assert [facts(line) for line in lines_of(content)] == expected


PYTEST = 'name="pytest" tests="{tests}"'
RUN_AGAIN = "failed and was run again; the report does not say why"
FAILED = '<failure message="AssertionError: m">t</failure>'


@pytest.mark.parametrize(
    ("tests", "cases", "expected"),
    [
        pytest.param(
            3,
            # pytest-xdist mixes the tries of several tests.
            [("test_1", ""), ("test_2", ""), ("test_1", ""), ("test_2", FAILED), ("test_3", ""), ("test_1", "")],
            {
                "test_1": [("failed", RUN_AGAIN), ("failed", RUN_AGAIN), ("passed",)],
                "test_2": [("failed", "AssertionError: m"), ("failed", RUN_AGAIN)],
                "test_3": [("passed",)],
            },
            id="run again",
        ),
        pytest.param(
            2,
            [("test_1", ""), ("test_1", FAILED), ("test_1", '<error message="failed on teardown with &quot;E: m&quot;"/>'), ("test_2", "")],
            {"test_1": [("failed", "AssertionError: m"), ("failed", RUN_AGAIN)], "test_2": [("passed",)]},
            id="a clean-up that failed, too",
        ),
        pytest.param(
            4,
            [("test_1", ""), ("test_2", FAILED), ("test_1", ""), ("test_2", "")],
            {"test_1": [("passed",), ("passed",)], "test_2": [("failed", "AssertionError: m"), ("passed",)]},
            id="by two workers",
        ),
        pytest.param(
            9,
            [("test_1", ""), ("test_1", FAILED), ("test_2", ""), ("test_2", "")],
            {"test_1": [("failed", "AssertionError: m")], "test_2": [("passed",)]},
            id="with subtests it cannot be told",
        ),
    ],
)  # fmt: skip
def test_tests_that_pytest_ran_again(
    tests: int, cases: list[tuple[str, str]], expected: dict[str, list[tuple[str, ...]]]
) -> None:
    report = suite(*(case(name, inner=inner) for name, inner in cases), attributes=PYTEST.format(tests=tests))
    found: dict[str, list[tuple[str, ...]]] = {}
    for test, *said in map(facts, lines_of(report)):
        found.setdefault(test.rpartition("::")[2], []).append(tuple(said))
    assert found == expected


def test_reports_in_one_file_are_not_tries_of_one_run() -> None:
    one = f"<testsuite {PYTEST.format(tests=1)}>{case('test_1')}</testsuite>"
    assert [facts(line) for line in lines_of(f"<testsuites>{one}{one}</testsuites>")] == [
        (f"{A}::test_1", "passed")
    ] * 2


def test_other_runners_may_run_a_test_twice() -> None:
    report = suite(case("test_1"), case("test_1"), attributes='name="nosetests" tests="1"')
    assert [facts(line) for line in lines_of(report)] == [(f"{A}::test_1", "passed")] * 2


def test_signatures_do_not_depend_on_the_runner() -> None:
    nose = '<failure type="builtins.AssertionError" message="7 != 1 : too many">Traceback</failure>'
    pytests = '<failure message="AssertionError: 9 != 3 : too many">def test</failure>'
    unittests = (
        '<failure type="AssertionError">Traceback (most recent call last):\nAssertionError: 5 != 4 : too many</failure>'
    )
    lines = lines_of(
        suite(*(case(f"test_{number}", inner=inner) for number, inner in enumerate((nose, pytests, unittests))))
    )
    assert len({line.signature for line in lines if isinstance(line, Attempt)}) == 1


@pytest.mark.parametrize(
    ("classname", "expected"),
    [
        ("integration.smoke.test_vm_life_cycle.TestDeployVM", "smoke/test_vm_life_cycle.py::TestDeployVM"),
        ("test.integration.smoke.test_new.TestNew", "smoke/test_new.py::TestNew"),
        ("smoke.test_new.TestNew", "smoke/test_new.py::TestNew"),
        ("tests.smoke.test_vm_life_cycle.TestDeployVM", "smoke/test_vm_life_cycle.py::TestDeployVM"),
        ("test_vm_life_cycle.TestDeployVM", "smoke/test_vm_life_cycle.py::TestDeployVM"),
        ("test_new.TestNew", "test_new.py::TestNew"),
        # In smoke and in component.
        ("test_snapshots.TestA", "test_snapshots.py::TestA"),
        ("component.test_snapshots.TestA", "component/test_snapshots.py::TestA"),
        ("tests.unit.test_native", "tests/unit/test_native.py"),
        ("TestAlone", "TestAlone"),
        ("integration.smoke.misc.TestA", "smoke/misc.py::TestA"),
        ("com.cloud.vm.ManagerTest", "com.cloud.vm.ManagerTest"),
    ],
)
def test_places(classname: str, expected: str) -> None:
    assert place_of(classname).id == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/marvin/tests/smoke/test_new.py", "smoke/test_new.py"),
        ("C:\\cs\\test\\integration\\smoke\\test_new.py", "smoke/test_new.py"),
        ("/home/x/vpc/test_vpc_vpn.py", "smoke/test_vpc_vpn.py"),
        ("/home/x/test_new.py", "test_new.py"),
        ("tests/unit/test_new.py", "tests/unit/test_new.py"),
        ("/home/x/notes.txt", None),
    ],
)
def test_modules_of_paths(path: str, expected: str | None) -> None:
    assert module_of_path(path) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_vpc_vpn.py.xml", "smoke/test_vpc_vpn.py"),
        ("test_vpc_vpn.py_1.xml", "smoke/test_vpc_vpn.py"),
        ("component__test_snapshots.xml", "component/test_snapshots.py"),
        ("plugins__quota__test_x.xml", "plugins/quota/test_x.py"),
        ("junit.xml", None),
    ],
)
def test_modules_of_reports(name: str, expected: str | None) -> None:
    assert module_of_report(name) == expected


# Times


def test_times_follow_each_other_from_the_suites_beginning() -> None:
    content = (
        f'<testsuites><testsuite timestamp="2026-03-01T10:00:00+02:00">{case("a", time="90.25")}{case("b")}</testsuite>'
        f"<testsuite>{case('c', time='1,000.5')}{case('d', time='nan')}{case('e')}</testsuite>"
        f'<testsuite timestamp="2026-02-01 10:00:00,5">{case("f", time="-4")}{case("g", time="0,5")}'
        f"{case('h', duration='2.5')}</testsuite></testsuites>"
    )
    run = run_of(content)
    found = {
        line.test.rpartition("::")[2]: (line.started, line.seconds) for line in run.lines if isinstance(line, Attempt)
    }
    assert found == {
        "a": ("2026-03-01T08:00:00.000Z", 90.25),
        "b": ("2026-03-01T08:01:30.250Z", 0.0),
        "c": (STARTED, 1000.5),
        "d": ("2026-01-02T03:20:45.500Z", 0.0),
        "e": ("2026-01-02T03:20:45.500Z", 0.0),
        "f": ("2026-02-01T10:00:00.500Z", 0.0),
        "g": ("2026-02-01T10:00:00.500Z", 0.5),
        "h": ("2026-02-01T10:00:01.000Z", 2.5),
    }
    assert run.started == "2026-02-01T10:00:00.500Z"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00.000Z"),
        ("2026-01-31T08:00:00.1234567+0100", "2026-01-31T07:00:00.123Z"),
        ("2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("2026-01-31T08:00", "2026-01-31T08:00:00.000Z"),
        ("2026-01-31 08:00:00 -0130", "2026-01-31T09:30:00.000Z"),
        ("2026-01-31T08:00:00+01", "2026-01-31T07:00:00.000Z"),
        ("2026-01-31 08:00:00 UTC", "2026-01-31T08:00:00.000Z"),
        ("2026-01-31T08:00:00.5gmt", "2026-01-31T08:00:00.500Z"),
        ("2026-01-31 08:00:00 CEST", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_moments(written: str, expected: str | None) -> None:
    assert moment_of(written) == expected


# Environments


def test_environments_of_node_ids() -> None:
    content = suite(
        case("test_1[kvm-adv]", "test.integration.smoke.test_new.TestA"),
        case("test_1[vmware]", "test.integration.smoke.test_new.TestA"),
        case("test_2[vmware-3]", "tests.test_native"),
        case("test_2[3]@group", "tests.test_native"),
        case("test_3[lab-1-x]", "tests.test_native"),
    )
    lines = lines_of(content, Stated(environment="lab-1"))
    assert [(line.test, line.environment) for line in lines] == [
        ("smoke/test_new.py::TestA::test_1", "kvm-adv"),
        ("smoke/test_new.py::TestA::test_1", "vmware"),
        ("tests/test_native.py::test_2[3]", "vmware"),
        ("tests/test_native.py::test_2[3]@group", "lab-1"),
        ("tests/test_native.py::test_3[x]", "lab-1"),
    ]


SUITE = """
    class TestX(cloudstackTestCase):
        def test_pass(self): pass
        def test_fail(self): self.assertEqual(1, 2)
        def test_error(self): {}["x"]
        def test_skip(self): self.skipTest("not here")
    class TestY(cloudstackTestCase):
        @classmethod
        def setUpClass(cls): raise Exception("nothing to work with")
        def test_1(self): pass
"""


@pytest.mark.parametrize("family", ["xunit1", "xunit2", "legacy"])
def test_a_run_of_this_project_says_the_same_as_its_record(labs: Labs, family: str, tmp_path: Path) -> None:
    labs.entry("one", "simulator: embedded")
    labs.entry("down", "marvin_config: down.cfg")
    down = {"zones": [], "mgtSvr": [{"mgtSvrIp": "127.0.0.1", "port": 1}], "dbSvr": {}}
    (labs.pytester.path / "down.cfg").write_text(json.dumps(down))
    labs.suite(**{"test/integration/smoke/test_new": SUITE})
    labs.run("--cs-env=*", "--junitxml=j.xml", "-o", f"junit_family={family}").assert_outcomes(
        passed=1, failed=2, skipped=1, errors=6
    )
    dest = tmp_path / "imported"
    assert main(["import", "xunit", str(labs.pytester.path / "j.xml"), str(dest)]) == 0
    assert told(dest) == told(labs.report)


def told(folder: Path) -> dict[tuple[str, str], tuple[object, ...]]:
    """What the records of a folder say of each test; a skipped attempt is an untested line of an importer's."""
    said: dict[tuple[str, str], tuple[object, ...]] = {}
    for record in read_folder(folder):
        for line in record.attempts:
            skipped = line.outcome.value == "skipped"
            blocked = line.outcome.value == "blocked"
            phase = "" if skipped else line.phase
            message = (line.message or "").split("\n")[0]
            said[line.test, line.environment] = (line.outcome.value, phase, line.signature, message, blocked)
        for each in record.untested:
            said[each.test, each.environment] = (each.reason.code.value, "", None, each.reason.text, False)
    return said


# The command


def save(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "records"


def test_facts_that_the_file_does_not_say(tmp_path: Path, dest: Path) -> None:
    report = save(tmp_path, "a.xml", suite(case("test_1")))
    words = ["--environment=lab", "--acs-version=4.22.0.0", "--commit=abc", "--lab=ours", f"--started={STARTED}"]
    context = {
        "hypervisor.type": "KVM",
        "hypervisor.version": "el9",
        "networking": "advanced",
        "storage.scope": "shared",
        "storage.protocol": "nfs",
        "management_os": "el9",
        "extras": "nsx, tungsten",
    }
    assert tuple(context) == CONTEXT_KEYS
    words += [f"--context={key}={value}" for key, value in context.items()]
    assert main(["import", "xunit", str(report), str(dest), *words]) == 0
    (record,) = read_folder(dest)
    assert record.run.lab == "ours"
    assert record.run.started == record.attempts[0].started == STARTED
    lab = record.run.environments["lab"]
    assert (lab.acs_version, lab.acs_commit) == ("4.22.0.0", "abc")
    (cell,) = compute_matrix([record], load_catalogue(), generated=STARTED).cells
    assert cell.context == "kvm-el9/advanced/nfs/mgmt-el9/+nsx/+tungsten"


def test_facts_that_nothing_says_are_unknown(tmp_path: Path, dest: Path) -> None:
    report = save(tmp_path, "a.xml", suite(case("test_1")))
    os.utime(report, (1_700_000_000, 1_700_000_000))
    assert main(["import", "xunit", str(report), str(dest)]) == 0
    (record,) = read_folder(dest)
    assert record.run.started == "2023-11-14T22:13:20.000Z"
    (cell,) = compute_matrix([record], load_catalogue(), generated=STARTED).cells
    assert (cell.acs_version, cell.context) == ("unknown", "unknown/unknown/unknown")
    assert set(cell.by_environment) == {"unknown/unknown"}


def test_records_are_as_the_schema_says(tmp_path: Path, dest: Path) -> None:
    import jsonschema

    save(tmp_path, "a.xml", suite(*(content for content, _ in map(inner_of, SPECIMENS.values()))))
    assert main(["import", "xunit", str(tmp_path / "a.xml"), str(dest)]) == 0
    (path,) = dest.iterdir()
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert Counter(line["kind"] for line in lines)["attempt"] > 20
    for line in lines:
        jsonschema.validate(line, schema)


def inner_of(specimen: tuple[str, object]) -> tuple[str, object]:
    return "".join(re.findall(r"<testcase.*</testcase>", specimen[0], re.DOTALL)).replace("</testsuite>", "").replace(
        "<testsuite>", ""
    ), specimen[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--context=hypervisr.type=kvm"], "hypervisr.type is not a key of a context\n  did you mean hypervisor.type"),
        (["--context=networking=advancd"], "did you mean advanced or advanced-sg?"),
        (["--context=kvm"], "--context kvm: not KEY=VALUE"),
        (["--context=networking="], "not KEY=VALUE"),
        (["--context=networking=basic", "--context=networking=advanced"], "given twice, as basic and as advanced"),
        (["--started=soon"], "--started soon: not a time"),
    ],
)
def test_facts_that_make_no_sense(
    words: list[str], said: str, tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = save(tmp_path, "a.xml", suite(case("test_1")))
    assert main(["import", "xunit", str(report), str(dest), *words]) == 2
    assert said in capsys.readouterr().err
    assert not dest.exists()


def test_importing_again_changes_nothing(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = save(tmp_path, "a.xml", suite(case("test_1"), case("test_2", inner="<failure/>")))
    copy = save(tmp_path, "elsewhere/b.xml", report.read_bytes())
    os.utime(copy, (1_700_000_000, 1_700_000_000))
    assert main(["import", "xunit", str(report), str(dest)]) == 0
    (before,) = dest.iterdir()
    content = before.read_bytes()
    assert main(["import", "xunit", str(copy), str(report), str(dest)]) == 0
    assert [path.read_bytes() for path in dest.iterdir()] == [content]
    assert capsys.readouterr().out.splitlines() == [
        f"1 record written to {dest}: 1 passed, 1 failed",
        f"0 records written to {dest} (2 there already)",
    ]
    assert main(["import", "xunit", str(report), str(dest), "--acs-version=4.22"]) == 0
    assert len(list(dest.iterdir())) == 2


def test_two_processes_leave_one_record(tmp_path: Path, dest: Path) -> None:
    report = save(tmp_path, "a.xml", suite(*(case(f"test_{number}") for number in range(3000))))
    command = [sys.executable, "-m", "cs_matrix_pytest", "import", "xunit", str(report), str(dest)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert sorted(text.startswith("1 record written") for text in said) == [False, False, False, True]
    (record,) = read_folder(dest)
    assert (len(record.attempts), record.ended) == (3000, True)
    assert len(list(dest.iterdir())) == 1


@pytest.mark.parametrize("error", [UserError("no more"), KeyboardInterrupt(), OSError(5, "I/O error")])
def test_what_breaks_off_leaves_nothing(dest: Path, error: BaseException) -> None:
    def lines() -> object:
        for number in range(5000):
            yield Attempt(f"t::{number}", "e", destination.AttemptOutcome.PASSED, STARTED, 0.0)
        raise error

    run = ImportedRun("xunit", "x", STARTED, lines(), environments={"e": RunEnvironment({})})  # type: ignore[arg-type]
    with pytest.raises((UserError, KeyboardInterrupt)):
        Destination(dest).add(run)
    assert list(dest.iterdir()) == []


def test_a_disk_without_links(tmp_path: Path, dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    report = save(tmp_path, "a.xml", suite(case("test_1")))
    assert main(["import", "xunit", str(report), str(dest)]) == 0
    assert [record.ended for record in read_folder(dest)] == [True]
    assert len(list(dest.iterdir())) == 1


def test_a_folder(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "reports"
    save(folder, "one.xml", suite(case("test_1")))
    save(folder, "deep/two.xml", suite(case("test_2")))
    save(folder, "none.xml", suite())
    save(folder, "pom.xml", "<project><x/></project>")
    save(folder, "notes.txt", "not looked at")
    assert main(["import", "xunit", str(folder), str(dest)]) == 0
    said = capsys.readouterr()
    assert said.out == f"2 records written to {dest}: 2 passed\n"
    assert said.err.splitlines() == [
        f"cs-matrix: left out: {folder}/pom.xml: not an xunit file: its outermost element is <project>",
        "cs-matrix: 1 source has no test in it",
    ]


def test_standard_input(dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(suite(case("test_1")).encode())))
    assert main(["import", "xunit", "-", str(dest)]) == 0
    assert [len(record.attempts) for record in read_folder(dest)] == [1]


def test_the_good_ones_are_kept(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = save(tmp_path, "good.xml", suite(case("test_1")))
    bad = save(tmp_path, "bad.xml", "<html><body>log in</body></html>")
    missing = tmp_path / "missing.xml"
    assert main(["import", "xunit", str(bad), str(missing), str(good), str(dest)]) == 2
    said = capsys.readouterr()
    assert said.out == f"1 record written to {dest}: 1 passed\n"
    assert said.err.splitlines() == [
        f"cs-matrix: {bad}: not an xunit file: its outermost element is <html>",
        f"cs-matrix: {missing}: cannot be read: No such file or directory",
    ]


def test_a_destination_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = save(tmp_path, "a.xml", suite(case("test_1")))
    assert main(["import", "xunit", str(report), str(report)]) == 2
    assert "records cannot be written there: it is a file\n  The last word of" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["import", "xunit", str(empty), str(tmp_path / "d")]) == 2
    assert "there is no xunit file (*.xml) in it" in capsys.readouterr().err


def test_the_matrix_of_a_run_is_no_evidence(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = save(tmp_path, "a.xml", suite(case("test_1")))
    assert main(["import", "xunit", str(report), str(dest)]) == 0
    matrix = tmp_path / "matrix.xml"
    assert main(["report", str(dest), "--format=xunit", "--output", str(matrix)]) == 0
    assert main(["import", "xunit", str(matrix), str(dest)]) == 2
    assert "this is a compatibility matrix, not the result of a test run" in capsys.readouterr().err
    assert len(list(dest.iterdir())) == 1


# Bad input

WHOLE = suite(
    *(case(f"test_{number}", time="1", inner="<system-out>x</system-out>" * (number % 2)) for number in range(9))
)


@pytest.mark.parametrize("size", range(0, len(WHOLE), 7))
def test_cut_off_anywhere(size: int) -> None:
    """The cases before the cut, whole; less than a first element is no xunit."""
    run = run_of(WHOLE[:size])
    expected = WHOLE[:size].count("</testcase>")
    if size <= WHOLE.index("><testcase"):
        with pytest.raises(UserError, match="empty or cut off"):
            list(run.lines)
        return
    names = [line.test.rpartition("_")[2] for line in run.lines if isinstance(line, Attempt)]
    assert names == [str(number) for number in range(expected)]
    assert not run.complete
    assert run.warnings == [f"report.xml:1: cut off; the {expected} cases before that are kept"]


def test_a_record_of_a_cut_off_file_has_no_end(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = save(tmp_path, "a.xml", WHOLE[: len(WHOLE) // 2])
    assert main(["import", "xunit", str(report), str(dest)]) == 0
    assert "warning" in capsys.readouterr().err
    (record,) = read_folder(dest)
    assert record.attempts
    assert not record.ended


STRAY = {
    "a stray ampersand": case("test_2", inner="<failure>a & b</failure>"),
    "a stray tag": case("test_2", inner="<failure>a <b </failure>"),
    "a tag that is not closed": case("test_2", inner="<failure>"),
    "a reference to a character that XML has not": case("test_2", inner='<failure message="&#27;[31m"/>'),
    "an entity that is not declared": case("test_2", inner="<failure>&nbsp;</failure>"),
    "an end of the file in it": case("test_2", inner="</testsuite>"),
    "another file": '</testsuite><?xml version="1.0"?><testsuite>',
}


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("filler", [0, 300_000], ids=["near", "far"])
def test_mistakes_cost_only_their_case(stray: str, filler: int) -> None:
    big = case("test_big", inner=f"<system-out>{'x' * filler}</system-out>")
    run = run_of(suite(case("test_1"), big, STRAY[stray], big, case("test_3")).replace(">", ">\n", 3))
    tests = {line.test.rpartition("::")[2] for line in run.lines}
    assert {"test_1", "test_3"} <= tests <= {"test_1", "test_big", "test_2", "test_3"}
    assert run.complete
    assert len(run.warnings) == 1
    assert re.match(r"report\.xml:[3-9]: not XML \(.*\) after [23] cases: ", run.warnings[0])


def test_many_mistakes_are_counted() -> None:
    run = run_of(suite(*(case(f"test_{number}", inner="&") for number in range(100)), case("test_last")))
    assert [line.test for line in run.lines] == [f"{A}::test_last"]
    assert run.warnings[5:] == ["report.xml: and 95 more places that are not XML"]


def test_more_mistakes_than_a_report_has(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(suite(case("test_1"), *("<testcase &" for _ in range(30_000)), case("test_2")))
    assert [line.test for line in run.lines] == [f"{A}::test_1"]
    assert not run.complete
    assert run.warnings[-1] == "report.xml: and 9,995 more places that are not XML"


def test_results_and_environments_beyond_reason() -> None:
    many = case("test_1", inner="<failure/>" * 10_000)
    assert len(lines_of(suite(many))) == 1
    named = (case(f"test_1[e{number}]") for number in range(600))
    assert len({line.environment for line in lines_of(suite(*named))}) == 501


HOSTILE = {
    "entity bomb": (
        '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><testsuite>'
        + case("&b;").replace("&amp;", "&"),
        "it declares XML entities",
    ),
    "external entity": (
        '<!DOCTYPE t [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite>' + case("x", inner="<failure>&a;</failure>"),
        "it declares XML entities",
    ),
    "parameter entity": (
        '<!DOCTYPE t [<!ENTITY % a SYSTEM "http://127.0.0.1:1/x"> %a;]><testsuite>',
        "it declares XML entities",
    ),
    "depth": ("<testsuite>" * 10_000, "deep in each other"),
    "depth in a case": (f"<testsuite><testcase>{'<a>' * 10_000}", "deep in each other"),
    "no XML": ("\x00\x01\x02 nothing", "not an xunit file"),
    "JSON": ('{"tests": []}', "not an xunit file"),
    "HTML": ("<!DOCTYPE html><html><head>", "outermost element is <html>"),
    "nothing": ("", "empty or cut off"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_files_are_refused(hostile: str) -> None:
    content, said = HOSTILE[hostile]
    with pytest.raises(UserError, match=re.escape(said)):
        lines_of(content)


def test_an_external_dtd_is_not_fetched() -> None:
    content = '<!DOCTYPE testsuite SYSTEM "http://127.0.0.1:1/x.dtd">' + suite(case("test_1")).partition("?>")[2]
    assert len(lines_of(content)) == 1


def test_a_tag_without_end_does_not_fill_the_memory() -> None:
    run = run_of(suite(case("test_1"), f'<testcase name="{"x" * 40_000_000}', case("test_2")))
    lines = list(run.lines)
    assert lines[0].test == f"{A}::test_1"
    assert "one tag or comment of more than 16 MiB" in run.warnings[0]


ENCODED: dict[str, tuple[Callable[[str], bytes], str]] = {
    "UTF-8": (lambda text: text.encode(), "Grüße"),
    "UTF-8 with a mark": (lambda text: text.encode("utf-8-sig"), "Grüße"),
    "UTF-16": (lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16"), "Grüße"),
    "UTF-16 without a mark": (lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16-le"), "Grüße"),
    "Latin-1": (lambda text: text.replace("UTF-8", "ISO-8859-1").encode("latin-1"), "Grüße"),
    "GB18030": (lambda text: text.replace("UTF-8", "gb18030").encode("gb18030"), "Grüße"),
    "Latin-1 that says UTF-8": (lambda text: text.encode("latin-1"), "Gr\ufffd\ufffde"),
    "UTF-8 that says UTF-16": (lambda text: text.replace("UTF-8", "UTF-16").encode(), "Grüße"),
    "an unknown one": (lambda text: text.replace("UTF-8", "klingon").encode(), "Grüße"),
    "one that is no encoding of text": (lambda text: text.replace("UTF-8", "zip").encode(), "Grüße"),
    "a slow one": (lambda text: text.replace("UTF-8", "punycode").encode(), "Grüße"),
    "space before it": (lambda text: b"\n\n  " + text.encode(), "Grüße"),
    "control characters": (lambda text: text.replace("Gr", "G\x00\x1b\x08r").encode(), "Grüße"),
    "surrogates and noncharacters": (
        lambda text: text.replace("ß", "ß\ud800\uffff").encode("utf-8", "surrogatepass"),
        "Grüß\ufffd\ufffd\ufffd\ufffde",
    ),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_encodings(encoding: str) -> None:
    encode, expected = ENCODED[encoding]
    run = run_of(encode(suite(case("test_1", inner='<failure type="E" message="Grüße"/>'), case("test_2"))))
    assert [facts(line) for line in run.lines] == [
        (f"{A}::test_1", "failed", f"E: {expected}"),
        (f"{A}::test_2", "passed"),
    ]
    assert run.complete
    assert bool(run.warnings) == (
        encoding
        in {
            "Latin-1 that says UTF-8",
            "an unknown one",
            "surrogates and noncharacters",
            "one that is no encoding of text",
            "a slow one",
        }
    )


def test_names_may_be_anything(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["<b>x</b>", "a\n\tb", "\u202eabc", "x" * 100_000, "|a|b|", "../../etc/passwd", "$(id)", "", "::", "日本語"]
    report = save(tmp_path, "a.xml", suite(*(case(name, name) for name in names)))
    assert main(["import", "xunit", str(report), str(dest), "--environment=<i>e</i>"]) == 0
    (record,) = read_folder(dest)
    assert len(record.attempts) == len(names)
    assert all(line.test.isprintable() and len(line.test) <= 700 for line in record.attempts)
    assert main(["report", str(dest)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.xml"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path, dest: Path) -> None:
    def peak(tests: int) -> int:
        """Kilobytes that importing so many distinct tests takes at most."""
        report = tmp_path / f"{tests}.xml"
        with report.open("w") as stream:
            stream.write('<testsuite name="nosetests">')
            stream.writelines(
                case(f"test_{number}", f"integration.smoke.test_{number % 999}.Test{number}") for number in range(tests)
            )
            stream.write("</testsuite>")
        measured = (
            "import resource, sys; from cs_matrix_pytest.cli import main; "
            f"assert main(['import', 'xunit', {str(report)!r}, {str(dest)!r}]) == 0; "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", measured], capture_output=True, text=True, check=True)
        return int(done.stdout.split()[-1])

    assert hasattr(resource, "RUSAGE_SELF")
    few, many = peak(30_000), peak(120_000)
    assert many < few * 1.5


# Laws

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
ELEMENTS = st.sampled_from(["failure", "error", "skipped", "flakyFailure", "rerunError", "system-out", "properties"])


@st.composite
def reports(draw: st.DrawFn) -> str:
    from xml.etree import ElementTree

    from cs_matrix_pytest.reports.escaping import xml_text

    root = ElementTree.Element("testsuite", name=xml_text(draw(TEXT)))
    for _ in range(draw(st.integers(0, 8))):
        attributes = {
            "name": xml_text(draw(TEXT)),
            "classname": xml_text(draw(TEXT)),
            "time": draw(st.sampled_from(["1", "x", ""])),
        }
        element = ElementTree.SubElement(root, "testcase", attributes)
        for tag in draw(st.lists(ELEMENTS, max_size=3)):
            ElementTree.SubElement(element, tag, message=xml_text(draw(TEXT))).text = xml_text(draw(TEXT))
    return ElementTree.tostring(root, encoding="unicode")


@given(reports())
@settings(deadline=None)
def test_every_case_of_a_good_report_is_told(content: str) -> None:
    reader = CaseReader(io.BytesIO(content.encode()), "x")
    cases = [each for batch in reader.batches() for each in batch]
    assert len(cases) == content.count("<testcase")
    assert (reader.complete, reader.warnings) == (True, [])
    for line in lines_of(content):
        assert line.test
        assert line.environment == "unknown"


@given(reports(), st.integers(0, 2000), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_damaged_report_is_read_or_refused(content: str, at: int, byte: int) -> None:
    data = bytearray(content.encode())
    data[at % len(data)] = byte
    read_or_refuse(bytes(data))


@given(st.binary(max_size=300), st.sampled_from([b"", b"<testsuite>", b"<testsuites><testcase name='", WHOLE.encode()]))
@settings(max_examples=200, deadline=None)
def test_bytes_are_read_or_refused(data: bytes, before: bytes) -> None:
    read_or_refuse(before + data)


def read_or_refuse(data: bytes) -> None:
    run = run_of(data)
    try:
        lines = list(run.lines)
    except UserError:
        return
    record = RecordedRun(
        run=Run("r", run.started, run.lab, run.environments),
        attempts=tuple(line for line in lines if isinstance(line, Attempt)),
    )
    assert {line.environment for line in lines} <= set(run.environments)
    assert len(record.attempts) <= len(lines)
    json.dumps([facts(line) for line in lines])


def test_contexts_name_every_key() -> None:
    with pytest.raises(UserError, match="is not a key"):
        read_context(["hypervisor=kvm"])


@pytest.mark.skipif(not RECORDING, reason="CS_RECORDING names no recording of a real server")
def test_the_xunit_files_of_a_real_run(tmp_path: Path, dest: Path) -> None:
    recording = Path(str(RECORDING))
    assert main(["import", "xunit", str(recording / "xunit"), str(dest), "--environment=real"]) == 0
    got = {}
    for record in read_folder(dest):
        got |= {line.test: line.outcome.value for line in record.attempts if line.level == "test"}
        got |= {line.test: line.reason.code.value for line in record.untested if line.level == "test"}
    words = {"failure": "failed", "error": "errored"}
    with (recording / "results.csv").open(newline="") as stream:
        expected = {
            f"{row['suite']}.py::{row['class']}::{row['test']}": words.get(row["result"], row["result"])
            for row in csv.DictReader(stream)
        }
    assert len(got) > 1000
    assert got == {test: expected[test] for test in got}


@pytest.mark.parametrize("byte", [b"\0", b"\x01"])
def test_a_source_without_end_or_beginning_is_given_up(tmp_path, capsys, byte):
    save(tmp_path, "a.xml", (byte * (17 << 20)).decode())
    assert main(["import", "xunit", str(tmp_path / "a.xml"), str(tmp_path / "d")]) == 2
    assert "a.xml: not an xunit file: its first 16 MiB have no element" in capsys.readouterr().err
