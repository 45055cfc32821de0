"""Under pytest-xdist: a class in one environment stays together, the record is written once, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import QUIET, Labs
from small_server import SmallServer

pytest.importorskip("xdist")

BOTH = "--cs-env=kvm-adv,kvm-two"

SUITE = """
    import os

    class {name}(cloudstackTestCase):
        @classmethod
        def setUpClass(cls):
            cls.worker = os.environ.get("PYTEST_XDIST_WORKER")
            with open("set-ups", "a") as file:
                print("{name}", cls.worker, file=file)

        def test_a(self):
            pass

        def test_b(self):
            pass

        def test_c(self):
            self.assertEqual(self.worker, os.environ.get("PYTEST_XDIST_WORKER"))
"""


@pytest.mark.parametrize("dist", ["load", "loadgroup", "worksteal", "loadscope", "loadfile"])
def test_a_class_in_an_environment_stays_on_one_worker(two: Labs, dist: str) -> None:
    two.suite(test_x=SUITE.format(name="TestX"), test_y=SUITE.format(name="TestY"))
    two.pytester.makepyfile(test_plain="def test_p(): pass\ndef test_q(): pass\n")
    result = two.run_apart(BOTH, "-n", "2", f"--dist={dist}")
    result.assert_outcomes(passed=14)
    set_ups = (two.pytester.path / "set-ups").read_text().split("\n")[:-1]
    assert sorted(line.split()[0] for line in set_ups) == ["TestX", "TestX", "TestY", "TestY"]
    assert len(two.outcomes()) == 6  # TestX and TestY have tests of the same names
    lines = [line for line in two.lines() if line["kind"] == "attempt"]
    assert len(lines) == 12
    assert two.lines()[-1]["kind"] == "end"
    result.stdout.fnmatch_lines(["*compatibility matrix*"])


def test_plain_tests_are_spread_one_by_one() -> None:
    from cs_matrix_pytest.matrix.scheduling import scope_of

    names = frozenset({"kvm-adv", "kvm-two"})
    assert scope_of("a/test_x.py::TestX::test_a[kvm-adv]", names) == "a/test_x.py::TestX[kvm-adv]"
    assert scope_of("a/test_x.py::TestX::test_a[kvm-two]", names) == "a/test_x.py::TestX[kvm-two]"
    assert scope_of("a/test_x.py::TestX::test_a[kvm-adv]@slow", names) == "slow"
    for alone in (
        "a/test_x.py::TestX::test_a",
        "a/test_x.py::test_a[me@home]",
        "a/test_x.py::test_a[kvm-adv]",
        "a/test_x.py::TestX::test_a[1]",
    ):
        assert scope_of(alone, names) == alone


BUSY = """
    import os
    import time

    class {name}(cloudstackTestCase):
        @classmethod
        def setUpClass(cls):
            cls.note("in")

        @classmethod
        def tearDownClass(cls):
            cls.note("out")

        @classmethod
        def note(cls, what):
            worker = os.environ.get("PYTEST_XDIST_WORKER")
            environment = os.environ["PYTEST_CURRENT_TEST"].partition("[")[2].partition("]")[0]
            with open(f"busy-{{environment}}", "a") as file:
                print(what, worker, file=file)

        def test_a(self):
            time.sleep(0.1)

        def test_b(self):
            time.sleep(0.1)
"""


def most_at_once(notes: Path) -> tuple[int, int]:
    """How many workers there were at most in a zone at once, and how many in all."""
    lines = [line.split() for line in notes.read_text().splitlines()]
    inside = most = 0
    for what, _ in lines:
        inside += 1 if what == "in" else -1
        most = max(most, inside)
    return most, len({worker for _, worker in lines})


@pytest.mark.parametrize("dist", ["load", "loadgroup", "worksteal", "loadscope", "loadfile"])
def test_an_environment_takes_as_many_workers_as_it_has_capacity_for(
    labs: Labs, server: SmallServer, dist: str
) -> None:
    labs.lab("small", server, "capacity: 1")
    labs.lab("wide", server)
    labs.suite(**{f"test_{name.lower()}": BUSY.format(name=name) for name in ("TestU", "TestV", "TestX", "TestY")})
    environments = ["small,wide"] if dist in ("load", "loadgroup", "worksteal") else ["small", "wide"]
    for selected in environments:
        labs.run_apart(f"--cs-env={selected}", "-n", "3", f"--dist={dist}").assert_outcomes(
            passed=8 * len(selected.split(","))
        )
    assert most_at_once(labs.pytester.path / "busy-small")[0] == 1
    most, workers = most_at_once(labs.pytester.path / "busy-wide")
    assert most > 1
    assert workers > 1


def test_embedded_simulators_take_all_workers(labs: Labs) -> None:
    labs.entry("own", "simulator: embedded", "capacity: 1")
    labs.suite(**{f"test_{name.lower()}": BUSY.format(name=name) for name in ("TestU", "TestV", "TestX", "TestY")})
    labs.run_apart("--cs-env=own", "-n", "2").assert_outcomes(passed=8)
    assert most_at_once(labs.pytester.path / "busy-own")[1] == 2


def test_a_worker_that_crashes_where_no_other_may_go_is_replaced(labs: Labs, server: SmallServer) -> None:
    labs.lab("small", server, "capacity: 1")
    crash = "class {name}(cloudstackTestCase):\n    def test_a(self): pass\n    def test_b(self): {does}\n"
    does = {"TestU": "pass", "TestV": "__import__('os')._exit(1)", "TestX": "pass", "TestY": "pass"}
    labs.suite(**{f"test_{name.lower()}": crash.format(name=name, does=what) for name, what in does.items()})
    result = labs.run_apart("--cs-env=small", "-n", "3")
    result.assert_outcomes(passed=7, failed=1)


def test_failures_and_modules_that_do_not_import_reach_the_record_once(two: Labs) -> None:
    two.suite(
        test_x="class TestX(cloudstackTestCase):\n    def test_a(self):\n        self.debug('seen')\n        self.fail('no')\n",
        test_broken="import no_such_library\n",
    )
    result = two.run_apart(BOTH, "-n", "2")
    result.assert_outcomes(failed=2, errors=1)
    result.stdout.fnmatch_lines(["*- Marvin log -*", "*seen*"])
    assert sorted(two.untested()) == [("test_broken.py", "kvm-adv"), ("test_broken.py", "kvm-two")]
    assert set(two.outcomes().values()) == {"failed"}


def test_the_labs_are_asked_for_their_facts_once(two: Labs, server: object) -> None:
    two.suite(test_x=SUITE.format(name="TestX"))
    two.run_apart(BOTH, "-n", "2").assert_outcomes(passed=6)
    assert server.commands.count("listHosts") == 2  # type: ignore[attr-defined]
    assert two.lines()[0]["environments"]["kvm-adv"]["context"]["storage"]["protocol"] == "nfs"


def test_a_worker_that_crashes(two: Labs) -> None:
    two.suite(
        test_x="""
        import os

        class TestX(cloudstackTestCase):
            def test_a(self):
                pass

            def test_b(self):
                os._exit(1)

            def test_c(self):
                pass
        """,
    )
    result = two.run_apart("--cs-env=kvm-adv", "-n", "1")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*worker 'gw0' crashed while running 'test_x.py::TestX::test_b[[]kvm-adv[]]'*"])
    crashed = two.attempts()["test_b", "kvm-adv"]
    assert crashed["outcome"] == "errored"
    assert "crashed while running" in crashed["message"]


def test_a_native_test_with_parameters_that_crashes_its_worker(two: Labs) -> None:
    two.pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.parametrize("size", [1, 2])
        def test_a(cs_env, size):
            if size == 2:
                os._exit(1)
        """
    )
    two.run_apart("--cs-env=kvm-adv", "-n", "1").assert_outcomes(passed=1, failed=1)
    assert two.outcomes() == {("test_a[1]", "kvm-adv"): "passed", ("test_a[2]", "kvm-adv"): "errored"}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_kill_leaves_every_finished_attempt_in_the_record(two: Labs, workers: tuple[str, ...]) -> None:
    two.suite(
        test_x="""
        import pathlib
        import time

        class TestX(cloudstackTestCase):
            def test_a(self):
                pass

            def test_b(self):
                self.fail("no")

            def test_c(self):
                pathlib.Path("reached").touch()
                time.sleep(60)
        """
    )
    reached = two.pytester.path / "reached"
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *QUIET, "--cs-env=kvm-adv", *workers],
        cwd=two.pytester.path,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(reached)
        _wait_for_lines(two.report, 3)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert {test: outcome for (test, _), outcome in two.outcomes().items()} == {"test_a": "passed", "test_b": "failed"}
    assert [line["kind"] for line in two.lines()] == ["run", "attempt", "attempt"]


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n", "2")], ids=["alone", "xdist"])
def test_ctrl_c_tears_the_class_down_ends_the_record_and_writes_the_reports(
    two: Labs, workers: tuple[str, ...]
) -> None:
    two.suite(
        test_x="""
        import pathlib
        import time

        class TestX(cloudstackTestCase):
            def test_a(self):
                pass

            def test_b(self):
                pathlib.Path("reached").touch()
                time.sleep(60)

            @classmethod
            def tearDownClass(cls):
                cls.testClient.getApiClient()
                pathlib.Path("torn-down").touch()
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *QUIET, "--cs-env=kvm-adv", *workers],
        cwd=two.pytester.path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A background job of a shell ignores the signal, and so does what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        _wait_for(two.pytester.path / "reached")
        _wait_for_lines(two.report, 2)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "compatibility matrix" in output
    assert (two.pytester.path / "torn-down").exists()
    assert two.outcomes() == {("test_a", "kvm-adv"): "passed"}
    assert two.lines()[-1]["exit"] == pytest.ExitCode.INTERRUPTED
    assert (two.report / "matrix.json").exists()


def test_each_worker_of_dist_each_makes_an_attempt(two: Labs) -> None:
    two.suite(test_x=SUITE.format(name="TestX"))
    two.run_apart("--cs-env=kvm-adv", "--dist=each", "--tx=2*popen").assert_outcomes(passed=6)
    tests = [line["test"].rpartition("::")[2] for line in two.lines() if line["kind"] == "attempt"]
    assert sorted(tests) == ["test_a", "test_a", "test_b", "test_b", "test_c", "test_c"]


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _wait_for_lines(report: Path, count: int) -> None:
    """xdist's controller hears of a finished test a moment after the worker has gone on."""
    deadline = time.monotonic() + 30
    while sum(file.read_text().count("\n") for file in report.glob("run-*.jsonl")) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
