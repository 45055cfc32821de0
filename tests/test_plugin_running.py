"""What a run records and shows: phases, blocked environments, Marvin's log lines and API calls, no secrets."""

from __future__ import annotations

import json
import logging

import pytest

from conftest import Labs
from small_server import HOST, SmallServer

SECRET = "s3cr3t-of-the-lab"


def test_each_phase_has_its_outcome(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestA(cloudstackTestCase):
            @classmethod
            def setUpClass(cls):
                raise Exception("no template in zone 7")

            def test_a(self):
                pass

            def test_b(self):
                pass

        class TestB(cloudstackTestCase):
            def setUp(self):
                if self._testMethodName == "test_c":
                    self.fail("not ready")

            def test_c(self):
                pass

            def test_d(self):
                self.assertTrue(False, "VM is not Running")

            def test_e(self):
                raise ValueError("no such thing")

            def test_f(self):
                self.addCleanup(self.fail, "not cleaned up")

            def test_g(self):
                pass

        class TestC(cloudstackTestCase):
            def test_h(self):
                pass

            @classmethod
            def tearDownClass(cls):
                raise Exception("account is still there")
        """
    )
    result = two.run("--cs-env=kvm-adv")
    result.assert_outcomes(passed=2, failed=4, errors=3)
    found = {test: (line["outcome"], line["phase"], line.get("message")) for (test, _), line in two.attempts().items()}
    assert found == {
        "test_a": ("errored", "setup-class", "Exception: no template in zone 7"),
        "test_b": ("errored", "setup-class", "Exception: no template in zone 7"),
        "test_c": ("failed", "setup", "AssertionError: not ready"),
        "test_d": ("failed", "call", "AssertionError: False is not true : VM is not Running"),
        "test_e": ("errored", "call", "ValueError: no such thing"),
        "test_f": ("errored", "teardown", "AssertionError: not cleaned up"),
        "test_g": ("passed", "call", None),
        "test_h": ("errored", "teardown", "Exception: account is still there"),
    }
    signatures = {test: line.get("signature") for (test, _), line in two.attempts().items()}
    assert signatures["test_a"] == signatures["test_b"] is not None
    assert signatures["test_g"] is None


def test_the_run_record(two: Labs) -> None:
    suites = two.pytester.mkdir("test")
    (suites / "integration" / "smoke").mkdir(parents=True)
    (suites / "integration" / "smoke" / "test_vm.py").write_text(
        "from marvin.cloudstackTestCase import cloudstackTestCase\n"
        "class TestVM(cloudstackTestCase):\n    def test_a(self): pass\n"
        "    def test_b(self): pass\n    test_b.tags = ['slow']\n"
    )
    two.run("--cs-env=kvm-adv", "--cs-lab=berlin", "--cs-commit=abc123", "-m", "not slow").assert_outcomes(passed=1)
    first, attempt, last = two.lines()
    assert (first["schema"], first["lab"]) == ("cs-run/1", "berlin")
    context = first["environments"]["kvm-adv"]
    assert (context["acs_version"], context["acs_commit"]) == ("4.22.0.0", "abc123")
    assert context["context"]["storage"] == {"scope": "shared", "protocol": "nfs"}
    assert first["selection"]["environments"] == ["kvm-adv"]
    assert first["selection"]["markers"] == "not slow"
    assert first["selection"]["deselected"] == 1
    assert first["tools"]["marvin"]
    assert attempt["test"] == "smoke/test_vm.py::TestVM::test_a"
    assert last["exit"] == 0
    matrix = json.loads((two.report / "matrix.json").read_text())
    assert matrix["cells"][0]["outcome"] == "compatible"
    assert (two.report / "matrix.xml").exists()


def test_collecting_only_writes_nothing(two: Labs) -> None:
    two.suite(test_x="class TestX(cloudstackTestCase):\n    def test_a(self): pass\n")
    assert two.run("--cs-env=kvm-adv", "--co").ret == 0
    assert not two.report.exists()


@pytest.mark.parametrize("option", ["--markers", "--fixtures", "--cache-show", "--setup-plan"])
def test_a_session_that_only_shows_something_writes_no_report(two: Labs, server: SmallServer, option: str) -> None:
    two.suite(test_x="class TestX(cloudstackTestCase):\n    def test_a(self): pass\n")
    assert two.run("--cs-env=kvm-adv", option).ret == 0
    assert not two.report.exists()


def test_a_second_run_adds_evidence(two: Labs) -> None:
    two.suite(test_x="class TestX(cloudstackTestCase):\n    def test_a(self): pass\n")
    two.run("--cs-env=kvm-adv")
    result = two.run("--cs-env=kvm-adv")
    assert json.loads((two.report / "matrix.json").read_text())["cells"][0]["attempts"] == 2
    result.stdout.fnmatch_lines(["*compatibility matrix*", "*kvm-adv*", "*X*compatible 1/1*", "reports: *cs-report"])


def test_header(two: Labs) -> None:
    result = two.run("--cs-env=kvm-adv")
    result.stdout.fnmatch_lines(["cs-matrix: *Marvin*", "environments: kvm-adv (kvm/advanced/*)"])


def test_a_failing_test_shows_what_marvin_did(two: Labs) -> None:
    two.suite(
        test_x="""
        from marvin.cloudstackAPI import listZones, rebootVirtualMachine

        class TestX(cloudstackTestCase):
            def test_a(self):
                self.debug("of a test that passes")

            def test_b(self):
                self.debug("about to reboot")
                client = self.testClient.getApiClient()
                client.listZones(listZones.listZonesCmd())
                self.fail("it hangs")
        """
    )
    result = two.run("--cs-env=kvm-adv")
    result.stdout.fnmatch_lines(["*- Marvin log -*", "*about to reboot*", "*- API calls -*", "listZones*HTTP 200*"])
    assert result.stdout.str().count("about to reboot") == 2  # in the source that pytest shows, and in the log
    assert "of a test that passes" not in result.stdout.str()


def test_job_ids_are_shown(labs: Labs) -> None:
    job = "99999999-2222-4333-8444-555555555555"
    answers = {
        "rebootVirtualMachine": {"jobid": job},
        "queryAsyncJobResult": {
            "jobid": job,
            "jobstatus": 2,
            "jobresult": {"errorcode": 530, "errortext": "no host"},
            "jobresultcode": 530,
        },
    }
    with SmallServer(answers) as server:
        labs.lab("kvm-adv", server)
        labs.suite(
            test_x="""
            from marvin.cloudstackAPI import rebootVirtualMachine

            class TestX(cloudstackTestCase):
                def test_a(self):
                    command = rebootVirtualMachine.rebootVirtualMachineCmd()
                    command.id = "1"
                    self.testClient.getApiClient().rebootVirtualMachine(command)
                    self.fail("Marvin has not noticed")
            """
        )
        result = labs.run("--cs-env=kvm-adv")
    result.stdout.fnmatch_lines([f"rebootVirtualMachine id=1*job {job}*", f"queryAsyncJobResult*job {job}*"])


def test_no_secret_gets_out(labs: Labs, server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PASSWORD", SECRET)
    labs.lab("kvm-adv", server, "secrets: {mgtSvr.0.passwd: '${LAB_PASSWORD}'}")
    labs.suite(
        test_x=f"""
        class TestX(cloudstackTestCase):
            def test_a(self):
                print("printed {SECRET}")
                self.debug("logged {SECRET}")
                raise Exception("login with " + self.config.mgtSvr[0].passwd + " failed")

            def test_b(self):
                self.skipTest("skipped as {SECRET} is wrong")
        """
    )
    result = labs.run("--cs-env=kvm-adv", "-rs", "--junitxml=junit.xml")
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*login with ??* failed*", "*Captured stdout*"])
    shown = [result.stdout.str(), result.stderr.str()]
    kept = [path for path in labs.pytester.path.rglob("*") if path.is_file() and path.suffix != ".py"]
    texts = [path.read_text(errors="replace") for path in kept if "__pycache__" not in path.parts]
    assert len(texts) > 5
    assert not [text for text in shown + texts if SECRET in text]


def test_no_secret_gets_into_warnings_and_live_logs(labs: Labs, server: SmallServer) -> None:
    labs.lab("kvm-adv", server, apiKey="key-of-the-lab", securityKey=SECRET, port=server.port)
    labs.suite(
        test_x="""
        import warnings
        from marvin.cloudstackAPI import listZones

        class TestX(cloudstackTestCase):
            def test_a(self):
                warnings.warn("no session with " + self.config.mgtSvr[0].securityKey)
                self.testClient.getApiClient().listZones(listZones.listZonesCmd())
        """
    )
    result = labs.run("--cs-env=kvm-adv", "--log-cli-level=DEBUG", "-olog_file=pytest.log", "-Wdefault")
    result.assert_outcomes(passed=1, warnings=1)
    shown = result.stdout.str()
    logged = (labs.pytester.path / "pytest.log").read_text()
    assert "no session with ********" in shown
    assert "apiKey=********" in shown
    assert "apiKey=********" in logged
    for secret in ("key-of-the-lab", SECRET):
        assert secret not in shown + logged
    assert not logging.getLogger("urllib3.connectionpool").filters


def test_a_test_that_is_run_again_makes_an_attempt_each_time(two: Labs) -> None:
    two.suite(
        test_x="""
        runs = []

        class TestX(cloudstackTestCase):
            def test_a(self):
                runs.append(1)
                self.assertGreater(len(runs), 1)
        """
    )
    # As pytest-rerunfailures, of which older versions do not report the last phase of an attempt that is not the last.
    two.pytester.makeconftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for run in (1, 2):
                item._initrequest()
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    if report.failed:
                        report.outcome = "rerun"
                    item.ihook.pytest_runtest_logreport(report=report)
                    if report.outcome == "rerun":
                        break
            return True
        """
    )
    two.run("--cs-env=kvm-adv").assert_outcomes(passed=1)
    assert [line["outcome"] for line in two.lines() if line["kind"] == "attempt"] == ["failed", "passed"]
    cell = json.loads((two.report / "matrix.json").read_text())["cells"][0]
    assert (cell["outcome"], cell["attempts"]) == ("unstable", 2)


def test_an_environment_that_cannot_be_reached_is_blocked_and_the_others_go_on(labs: Labs, server: SmallServer) -> None:
    with SmallServer() as gone:
        labs.lab("gone", gone)
    labs.lab("kvm-adv", server)
    labs.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            def test_a(self):
                pass

            def test_b(self):
                pass

        def test_native(cs_test_client):
            pass
        """
    )
    result = labs.run("--cs-env=gone,kvm-adv")
    result.assert_outcomes(passed=3, errors=3)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of TestX.test_a[[]gone[]]*", "environment gone cannot be used: *refuses*"]
    )
    assert "Traceback" not in result.stdout.str()
    assert "environment_session.py" not in result.stdout.str()
    outcomes = labs.outcomes()
    assert {outcomes[test, "gone"] for test in ("test_a", "test_b", "test_native")} == {"blocked"}
    assert {outcomes[test, "kvm-adv"] for test in ("test_a", "test_b", "test_native")} == {"passed"}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((200, "text/html", "<html><body>It works!</body></html>"), "web page"),
        ((401, "application/json", '{"errorresponse": {"errorcode": 401, "errortext": "no"}}'), "401"),
        ((500, "text/plain", "oops"), "HTTP 500"),
    ],
)
def test_a_server_that_answers_something_else(
    labs: Labs, server: SmallServer, reply: tuple[int, str, str], said: str
) -> None:
    labs.lab("kvm-adv", server, apiKey="key-of-the-lab", securityKey="secret-of-the-lab", port=0)
    config = json.loads((labs.pytester.path / "kvm-adv.cfg").read_text())
    config["mgtSvr"][0]["port"] = server.port
    (labs.pytester.path / "kvm-adv.cfg").write_text(json.dumps(config))
    server.reply = lambda _: reply
    labs.suite(test_x="class TestX(cloudstackTestCase):\n    def test_a(self): pass\n")
    result = labs.run("--cs-env=kvm-adv")
    result.assert_outcomes(errors=1)
    message = labs.attempts()["test_a", "kvm-adv"]["message"]
    assert labs.outcomes() == {("test_a", "kvm-adv"): "blocked"}
    assert said in message
    assert "secret-of-the-lab" not in result.stdout.str()


def test_a_zone_that_is_not_there_blocks(labs: Labs, server: SmallServer) -> None:
    labs.lab("kvm-adv", server, "zone: nowhere")
    labs.suite(test_x="class TestX(cloudstackTestCase):\n    def test_a(self): pass\n")
    labs.run("--cs-env=kvm-adv").assert_outcomes(errors=1)
    assert "zones there: zone1" in labs.attempts()["test_a", "kvm-adv"]["message"]


DYING = """
    import urllib.request

    def tell(cls, what):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{cls.config.mgtSvr[0].port}/?command={what}").read()
        except OSError:
            pass

    class TestX(cloudstackTestCase):
        def test_a(self):
            pass

        def test_b(self):
            tell(self, "die")
            self.fail("because the server died")

        def test_c(self):
            raise Exception("not reached")

    class TestY(cloudstackTestCase):
        def test_d(self):
            pass
"""


class MortalServer(SmallServer):
    """Refuses everything from the command ``die`` on, until it was asked `lives` times."""

    def __init__(self, lives: int) -> None:
        super().__init__()
        self.lives = lives
        self.dead = False

    def answer(self, command: str) -> tuple[int, str, str]:
        self.dead = self.dead or command == "die"
        if self.dead:
            self.lives -= 1
            self.dead = self.lives >= 0
        return (503, "text/plain", "gone") if self.dead else super().answer(command)


def test_a_server_that_dies_between_tests(labs: Labs, server: SmallServer) -> None:
    labs.lab("kvm-adv", server)
    with MortalServer(lives=1000) as mortal:
        labs.lab("mortal", mortal)
        labs.suite(test_x=DYING)
        result = labs.run("--cs-env=mortal")
    result.assert_outcomes(passed=1, failed=1, errors=2)
    assert labs.outcomes() == {
        ("test_a", "mortal"): "passed",
        ("test_b", "mortal"): "blocked",
        ("test_c", "mortal"): "blocked",
        ("test_d", "mortal"): "blocked",
    }


def test_a_server_that_comes_back(labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cs_matrix_pytest.matrix.environment_session.PATIENCE", 0)
    # die itself, the look after test_b's failure, the look before test_c: then it is back.
    with MortalServer(lives=3) as mortal:
        labs.lab("mortal", mortal)
        labs.suite(test_x=DYING)
        labs.run("--cs-env=mortal").assert_outcomes(passed=2, failed=1, errors=1)
    assert labs.outcomes() == {
        ("test_a", "mortal"): "passed",
        ("test_b", "mortal"): "blocked",
        ("test_c", "mortal"): "blocked",
        ("test_d", "mortal"): "passed",
    }


def test_a_server_that_is_slow_to_fail_is_not_asked_before_every_test(labs: Labs) -> None:
    with SmallServer() as slow:
        slow.delay = 0.2
        slow.reply = lambda _: (503, "text/plain", "busy")
        labs.lab("slow", slow)
        tests = "".join(f"    def test_{number}(self): pass\n" for number in range(30))
        labs.suite(test_x=f"class TestX(cloudstackTestCase):\n{tests}")
        labs.run("--cs-env=slow").assert_outcomes(errors=30)
    assert len(slow.commands) <= 3


def test_facts_of_the_server_win_with_a_warning(labs: Labs) -> None:
    answers = {"listHosts": {"count": 1, "host": [{**HOST, "hypervisor": "VMware", "hypervisorversion": "8.0"}]}}
    with SmallServer(answers) as server:
        labs.lab("kvm-adv", server)
        labs.suite(test_x='class TestX(cloudstackTestCase):\n    @attr(tags=["vmware"])\n    def test_a(self): pass\n')
        result = labs.run("--cs-env=kvm-adv")
        result.assert_outcomes(passed=1, warnings=1)
        result.stdout.fnmatch_lines(["*kvm-adv: the environments file says hypervisor kvm, the server vmware*"])
        strict = labs.run("--cs-env=kvm-adv", "-W", "error")
    assert strict.ret == pytest.ExitCode.USAGE_ERROR
    assert labs.lines()[0]["environments"]["kvm-adv"]["context"]["hypervisor"] == {"type": "vmware", "version": "8.0"}


def test_tracebacks_leave_out_marvins_own_frames(two: Labs) -> None:
    two.suite(
        test_x="""
        from marvin.cloudstackAPI import rebootVirtualMachine
        from marvin.lib.base import VirtualMachine

        class TestX(cloudstackTestCase):
            def test_refused(self):
                VirtualMachine.list(self.testClient.getApiClient())

            def test_mistaken(self):
                VirtualMachine.list(None)
        """
    )
    result = two.run("--cs-env=kvm-adv")
    result.assert_outcomes(failed=2)
    output = result.stdout.str()
    assert "VirtualMachine.list(self.testClient.getApiClient())" in output
    assert "unknown command listVirtualMachines" in output
    assert "cloudstackConnection.py" not in output.partition("short test summary")[0]
    assert "base.py" in output  # where the exception that is not Marvin's was raised
    full = two.run("--cs-env=kvm-adv", "--full-trace", "-k", "refused")
    full.stdout.fnmatch_lines(["*cloudstackConnection.py*"])
