"""The nose command line of today, in pytest: one environment from a Marvin configuration, and Marvin's result files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Labs
from cs_matrix_pytest.environments.model import UNKNOWN, Context, Hypervisor, Storage
from cs_matrix_pytest.environments.unnamed import unnamed, unnamed_environment
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.virtual_time import VirtualTime

PASSWORD = "s3cret-of-the-lab"

ZONES = """
    from marvin.cloudstackAPI import listZones

    class TestZones(cloudstackTestCase):
        def test_zone(self):
            (zone,) = self.testClient.getApiClient().listZones(listZones.listZonesCmd())
            self.assertEqual(zone.name, self.testClient.getZoneForTests())
"""

ALL_OUTCOMES = """
    class TestA(cloudstackTestCase):
        def test_1_passes(self):
            '''What it is for,
            at length.'''
            self.debug("said by a test")

        def test_2_fails(self):
            self.assertEqual(1, 2, "not the same")

        def test_3_errs(self):
            {}["no such key"]

        def test_4_is_skipped(self):
            self.skipTest("no hosts here")

    class TestBrokenSetUp(cloudstackTestCase):
        @classmethod
        def setUpClass(cls):
            raise Exception("nothing can be set up")

        def test_5(self):
            pass

        def test_6(self):
            pass

    class TestSkippedClass(cloudstackTestCase):
        @classmethod
        def setUpClass(cls):
            raise unittest.SkipTest("not today")

        def test_7(self):
            pass

        def test_8(self):
            pass

    class TestBrokenTearDown(cloudstackTestCase):
        @classmethod
        def tearDownClass(cls):
            raise Exception("cannot be torn down")

        def test_9(self):
            pass
"""


def lab_config(simulator: Simulator, **more: Any) -> dict[str, Any]:
    """A Marvin configuration for a running simulator, with a password that must not be shown."""
    own = simulator.marvin_config()
    return {**own, "mgtSvr": [{**own["mgtSvr"][0], "passwd": PASSWORD}], **more}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(hypervisor="kvm") as running:
        yield running


@pytest.fixture
def lab(labs: Labs, simulator: Simulator) -> Labs:
    """A rootdir with lab.cfg, for a server with KVM hosts, and no environments file."""
    written(labs, simulator)
    return labs


def written(labs: Labs, simulator: Simulator, name: str = "lab.cfg", **more: Any) -> None:
    config = lab_config(simulator, **{"logger": {"LogFolderPath": "logs"}, **more})
    text = json.dumps({key: value for key, value in config.items() if value is not None})
    (labs.pytester.path / name).write_text(f"# a lab\n{text}", encoding="utf-8")


NOSE = ("--with-marvin", "--marvin-config=lab.cfg")


def log_folder(below: Path) -> Path:
    """The one folder of Marvin's logs."""
    (found,) = (below / "MarvinLogs").iterdir()
    return found


def test_the_line_of_a_lab_works_as_it_is(lab: Labs) -> None:
    lab.suite(test_x=ZONES)
    result = lab.run(*NOSE, "--zone=zone1", "--hypervisor=kvm", "-s", "test_x.py")
    result.assert_outcomes(passed=1)
    assert lab.outcomes() == {("test_zone", "lab"): "passed"}
    start = lab.lines()[0]
    assert start["lab"] == "local"
    assert start["environments"]["lab"]["context"]["hypervisor"]["type"] == "kvm"
    assert start["selection"]["environments"] == ["lab"]
    (folder,) = re.findall(r"=== Final results are now copied to: (.*) ===", result.stdout.str())
    assert log_folder(lab.pytester.path / "logs") == Path(folder)


@pytest.mark.parametrize("given", ["KVM", "kvm", "Kvm"])
def test_marvin_is_told_the_hypervisor_as_it_was_written(lab: Labs, given: str) -> None:
    lab.suite(
        test_x=f"""
        class TestX(cloudstackTestCase):
            @attr(hypervisor="kvm")
            def test_a(self):
                self.assertEqual(self.testClient.getHypervisorInfo(), {given!r})

            @attr(hypervisor="vmware")
            def test_b(self):
                pass
        """
    )
    result = lab.run(*NOSE, f"--hypervisor={given}")
    result.assert_outcomes(passed=1, skipped=1)
    assert lab.untested()["test_b", "lab"]["text"] == "needs hypervisor vmware, lab has kvm"
    assert "CsMatrixWarning" not in result.stdout.str()


def test_a_simulator_takes_the_tests_of_every_hypervisor(labs: Labs) -> None:
    with Simulator() as simulator:
        written(labs, simulator)
        labs.suite(
            test_x="""
            class TestX(cloudstackTestCase):
                @attr(hypervisor="vmware")
                def test_a(self):
                    self.assertEqual(self.testClient.getHypervisorInfo(), "simulator")
            """
        )
        labs.run(*NOSE, "--hypervisor=simulator").assert_outcomes(passed=1)
    assert labs.lines()[0]["environments"]["lab"]["context"]["hypervisor"]["type"] == "simulator"


def test_a_hypervisor_that_the_lab_does_not_have_is_warned_of(lab: Labs) -> None:
    lab.suite(test_x=ZONES)
    result = lab.run(*NOSE, "--hypervisor=VMware")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*lab: --hypervisor or lab.cfg says hypervisor vmware, the server kvm; *"])


def test_a_zone_that_the_lab_does_not_have_blocks_and_names_those_there(lab: Labs) -> None:
    lab.suite(test_x=ZONES)
    lab.run(*NOSE, "--zone=nowhere").assert_outcomes(errors=1)
    attempt = lab.attempts()["test_zone", "lab"]
    assert attempt["outcome"] == "blocked"
    assert "has no zone 'nowhere'; zones there: zone1" in attempt["message"]


@pytest.mark.parametrize("way", ["default", "variable", "home"])
def test_where_the_configuration_is(
    labs: Labs, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    labs.suite(test_x=ZONES)
    written(labs, simulator, "datacenter.cfg" if way == "default" else "other.cfg")
    if way == "variable":
        monkeypatch.setenv("MARVIN_CONFIG", "other.cfg")
    home = [f"--marvin-config=~/{labs.pytester.path.name}/other.cfg"] if way == "home" else []
    if home:
        monkeypatch.setenv("HOME", str(labs.pytester.path.parent))
    result = labs.run("--with-marvin", *home, "--co", "-q")
    result.stdout.fnmatch_lines([f"test_x.py::TestZones::test_zone?{'datacenter' if way == 'default' else 'other'}?"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--with-marvin", "--cs-env=lab"], "either --with-marvin or --cs-env, not both"),
        (
            ["--marvin-config=lab.cfg", "--zone=z", "--deploy"],
            "--marvin-config, --zone, --deploy: only with --with-marvin",
        ),
        (["--log-folder-path=x"], "--log-folder-path: only with --with-marvin"),
        ([*NOSE, "--deploy", "--load"], "either --deploy or --load"),
        (["--with-marvin"], "datacenter.cfg: this Marvin configuration does not exist"),
        (["--with-marvin", "--marvin-config="], "--marvin-config names no file"),
        (["--with-marvin", "--marvin-config=."], "is a folder"),
        (["--with-marvin", "--marvin-config=bad.cfg"], "bad.cfg:2: this Marvin configuration is not JSON"),
        (
            ["--with-marvin", "--marvin-config=empty.cfg"],
            "empty.cfg: mgtSvr: this Marvin configuration names no management",
        ),
        ([*NOSE, "--zone"], "expected one argument"),
    ],
)
def test_what_is_wrong_with_the_line_is_said_at_once(lab: Labs, words: list[str], says: str) -> None:
    lab.suite(test_x=ZONES)
    (lab.pytester.path / "bad.cfg").write_text(f'# a comment\n{{"mgtSvr": "{PASSWORD}" "x"}}')
    (lab.pytester.path / "empty.cfg").write_text("{}")
    result = lab.run(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    shown = result.stdout.str() + result.stderr.str()
    assert says in shown
    assert "Traceback" not in shown
    assert PASSWORD not in shown
    assert not lab.report.exists()


def test_what_is_empty_is_not_given(lab: Labs) -> None:
    lab.suite(test_x=ZONES)
    lab.run(*NOSE, "--zone=", "--hypervisor=", "--log-folder-path=").assert_outcomes(passed=1)
    assert log_folder(lab.pytester.path / "logs")


def test_the_command_line_comes_before_the_ini_file(lab: Labs) -> None:
    lab.suite(test_x=ZONES)
    lab.pytester.makeini("[pytest]\ncs_env = another\n")
    assert lab.collected(*NOSE) == ["test_x.py::TestZones::test_zone[lab]"]


def test_it_can_stand_in_the_ini_file(lab: Labs) -> None:
    lab.suite(test_x=ZONES)
    lab.pytester.makeini("[pytest]\naddopts = --with-marvin --marvin-config=lab.cfg --zone=zone1\n")
    assert lab.collected() == ["test_x.py::TestZones::test_zone[lab]"]


def test_projects_may_have_options_of_these_names(labs: Labs) -> None:
    labs.pytester.makeconftest(
        """
        def pytest_addoption(parser):
            for name in ("--zone", "--hypervisor", "--deploy", "--load"):
                parser.addoption(name, default="theirs")
        """
    )
    labs.pytester.makepyfile(
        'def test_a(request):\n    assert request.config.getoption("--zone") == "z"\n'
        '    assert request.config.getoption("--deploy") == "theirs"\n'
    )
    labs.run("--zone=z").assert_outcomes(passed=1)


def test_native_tests_run_in_it_too(lab: Labs) -> None:
    lab.pytester.makepyfile(
        test_n="""
        import pytest

        def test_a(cs_env):
            assert cs_env.name == "lab"

        @pytest.mark.attr(hypervisor="vmware")
        def test_b(cs_env):
            pass
        """
    )
    lab.run(*NOSE).assert_outcomes(passed=1, skipped=1)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_deploy(labs: Labs, workers: tuple[str, ...]) -> None:
    if workers:
        pytest.importorskip("xdist")
    with Simulator(hypervisor="kvm") as example:
        zones = example.marvin_config()["zones"]
    with Simulator(hypervisor="kvm", ready=False) as fresh, VirtualTime(fresh.cloud):
        written(labs, fresh, zones=zones)
        labs.suite(test_x=ZONES)
        labs.run(*NOSE, "--deploy", *workers).assert_outcomes(passed=1)
        assert len(fresh.run("listZones")["zone"]) == 1
    if not workers:
        # As under nose one Marvin deploys and tests.
        log = (log_folder(labs.pytester.path / "logs") / "runinfo.txt").read_text()
        assert log.index("createZone") < log.index("STARTED : TC: test_zone")


def test_workers_and_the_last_failed(lab: Labs) -> None:
    pytest.importorskip("xdist")
    lab.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            def test_x(self):
                said = (self.testClient.getZoneForTests(), self.testClient.getHypervisorInfo())
                self.assertEqual(said, ("zone1", "Kvm"))
        """,
        test_y='class TestY(cloudstackTestCase):\n    def test_y(self): self.fail("no")\n',
    )
    line = (*NOSE, "--zone=zone1", "--hypervisor=Kvm", "--log-folder-path=mine")
    lab.run_apart(*line, "-n", "2").assert_outcomes(passed=1, failed=1)
    assert {each.name[:-7] for each in (lab.pytester.path / "mine/MarvinLogs").iterdir()} == {"test_x", "test_y"}
    assert lab.collected(*NOSE, "--lf") == ["test_y.py::TestY::test_y[lab]"]


@pytest.mark.upstream
def test_the_api_can_be_that_of_its_server(lab: Labs, cs_source: Path) -> None:
    lab.suite(test_x=ZONES)
    result = lab.run(*NOSE, f"--cs-source={cs_source}", "--cs-api-from=lab")
    result.assert_outcomes(passed=1)
    assert "asking environment lab for its API" in result.stdout.str() + result.stderr.str()


def test_a_text_that_cannot_be_encoded_is_written_all_the_same(lab: Labs) -> None:
    lab.suite(test_x='class TestX(cloudstackTestCase):\n    def test_a(self): self.skipTest("odd \\udc80 text")\n')
    lab.run(*NOSE).assert_outcomes(skipped=1)
    assert "SKIP: odd \\udc80 text" in (log_folder(lab.pytester.path / "logs") / "results.txt").read_text()


def test_no_secret_of_the_configuration_is_shown(lab: Labs) -> None:
    lab.suite(
        test_x=f"""
        class TestX(cloudstackTestCase):
            def test_a(self):
                self.debug("logged {PASSWORD}")
                self.fail("failed with {PASSWORD}")
        """
    )
    result = lab.run(*NOSE)
    result.assert_outcomes(failed=1)
    assert "failed with ********" in result.stdout.str()
    files = [*log_folder(lab.pytester.path / "logs").iterdir(), *lab.report.iterdir()]
    for text in (result.stdout.str(), *(file.read_text() for file in files)):
        assert PASSWORD not in text


@pytest.mark.parametrize(
    ("settings", "option", "below"),
    [
        ({"logger": {"LogFolderPath": "from-config"}}, [], "from-config"),
        ({"logger": {"LogFolderPath": "from-config"}}, ["--log-folder-path=from-line"], "from-line"),
        ({"logger": {"LogFolderPath": "from-config"}}, ["--log-folder-path", "a/b"], "a/b"),
        ({"logger": None}, [], "."),
        ({"logger": {"LogFolderPath": None}}, [], "."),
    ],
)
def test_where_the_logs_go(
    labs: Labs, simulator: Simulator, settings: dict[str, Any], option: list[str], below: str
) -> None:
    written(labs, simulator, **settings)
    labs.suite(test_x=ZONES)
    labs.run(*NOSE, *option).assert_outcomes(passed=1)
    folder = log_folder(labs.pytester.path / below)
    assert re.fullmatch(r"test_x_[A-Z0-9]{6}", folder.name)
    assert {each.name for each in folder.iterdir()} == {"results.txt", "runinfo.txt", "failed_plus_exceptions.txt"}
    assert len(list(labs.pytester.path.rglob("MarvinLogs"))) == 1


@pytest.fixture(params=["4.4.0", pytest.param("modern", marks=pytest.mark.upstream)])
def marvin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The option that chooses a Marvin: what is installed, or that of a real CloudStack tree."""
    if request.param == "4.4.0":
        return []
    return [f"--cs-source={request.getfixturevalue('cs_source')}"]


# What pynose with the Marvin plugin of 4.23 wrote for these classes, but for the name of a class where it wrote that of the
# test before (see `run_log`), and without the frames of nose itself.
RESULTS = """\
What it is for, ... === TestName: test_1_passes | Status : SUCCESS ===
ok
test_2_fails (TestA) ... === TestName: test_2_fails | Status : FAILED ===
FAIL
test_3_errs (TestA) ... === TestName: test_3_errs | Status : EXCEPTION ===
ERROR
test_4_is_skipped (TestA) ... SKIP: no hosts here
=== TestName: TestBrokenSetUp | Status : EXCEPTION ===
ERROR
=== TestName: TestSkippedClass | Status : EXCEPTION ===
SKIP: not today
test_9 (TestBrokenTearDown) ... === TestName: test_9 | Status : SUCCESS ===
ok
=== TestName: TestBrokenTearDown | Status : EXCEPTION ===
ERROR

======================================================================
ERROR: test_3_errs (TestA)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "test_x.py", line N, in test_3_errs
    {}["no such key"]
KeyError: 'no such key'

======================================================================
ERROR: test suite for <class 'test_x.TestBrokenSetUp'>
----------------------------------------------------------------------
Traceback (most recent call last):
  File "test_x.py", line N, in setUpClass
    raise Exception("nothing can be set up")
Exception: nothing can be set up

======================================================================
ERROR: test suite for <class 'test_x.TestBrokenTearDown'>
----------------------------------------------------------------------
Traceback (most recent call last):
  File "test_x.py", line N, in tearDownClass
    raise Exception("cannot be torn down")
Exception: cannot be torn down

======================================================================
FAIL: test_2_fails (TestA)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "test_x.py", line N, in test_2_fails
    self.assertEqual(1, 2, "not the same")
AssertionError: 1 != 2 : 'not the same'

----------------------------------------------------------------------
Ran 5 tests in Ns

FAILED (SKIP=2, errors=3, failures=1)
"""


def test_the_result_files_are_those_of_nose(lab: Labs, marvin: list[str]) -> None:
    lab.suite(test_x=ALL_OUTCOMES)
    lab.run(*NOSE, *marvin).assert_outcomes(passed=2, failed=2, errors=3, skipped=3)
    folder = log_folder(lab.pytester.path / "logs")
    assert normalised((folder / "results.txt").read_text(), lab) == RESULTS
    # 4.4.0's own format has the logger's name, which is the test's, before the message.
    failures = [
        re.sub(r".* - CRITICAL - (?:\S+ \(\S+\) - )?", "", line)
        for line in (folder / "failed_plus_exceptions.txt").read_text().splitlines()
    ]
    assert [line.partition(": [")[0] for line in failures] == [
        "FAILED: test_2_fails",
        "EXCEPTION: test_3_errs",
        "EXCEPTION: TestBrokenSetUp",
        "EXCEPTION: TestSkippedClass",
        "EXCEPTION: TestBrokenTearDown",
    ]
    # As the plugin: the lines of the traceback as Python shows a list.
    lines = eval(failures[1].partition(": ")[2].partition(": ")[2])
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):\n", "KeyError: 'no such key'\n")
    said = (folder / "runinfo.txt").read_text()
    order = ["::STARTED : TC: test_1_passes ::", "said by a test", "TestCaseName: test_1_passes; Time Taken: 0 Seconds"]
    assert sorted(order, key=said.index) == order
    assert said.count("Result: SUCCESS") == 2


def normalised(text: str, labs: Labs) -> str:
    """Without what differs from run to run, between releases of Python, and between Marvins."""
    text = text.replace(f"{labs.pytester.path}{os.sep}", "")
    text = re.sub(r'  File "[^"]*/marvin/cloudstackTestCase.py".*\n.*\n', "", text)
    text = re.sub(r"\((?:test_x\.)?(Test\w+)(?:\.test_\w+)?\)", r"(\1)", text)
    text = re.sub(r"^ +[~^]+\n", "", text, flags=re.MULTILINE)
    text = text.replace("b'not the same'", "'not the same'").replace(": not the same", ": 'not the same'")
    return re.sub(r"in \d+\.\d{3}s", "in Ns", re.sub(r"line \d+", "line N", text))


# What a configuration says


CLUSTER = {"clustername": "c1", "hypervisor": "XenServer", "primaryStorages": [{"url": "nfs://10.0.0.1/x"}]}
SERVER = {"mgtSvrIp": "10.0.0.2", "hypervisor": "VMware"}
ZONE_A = {"name": "a", "networktype": "Basic", "pods": [{"clusters": [CLUSTER]}]}
ZONE_B = {"name": "b", "networktype": "Advanced", "securitygroupenabled": "true", "localstorageenabled": True}


@pytest.mark.parametrize(
    ("zones", "given", "zone", "context"),
    [
        ([ZONE_A, ZONE_B], {}, "a", Context(Hypervisor("xenserver"), "basic", Storage("shared", "nfs"))),
        ([ZONE_A, ZONE_B], {"zone": "b"}, "b", Context(Hypervisor("vmware"), "advanced-sg", Storage("local"))),
        ([ZONE_A], {"zone": "of the server"}, "of the server", Context(Hypervisor("vmware"))),
        ([ZONE_A], {"hypervisor": "KVM"}, "a", Context(Hypervisor("kvm"), "basic", Storage("shared", "nfs"))),
        (None, {}, None, Context(Hypervisor("vmware"))),
        ("nonsense", {}, None, Context(Hypervisor("vmware"))),
        ([{"name": "a", "pods": [None, {"clusters": "x"}]}], {}, "a", Context(Hypervisor("vmware"))),
    ],
)
def test_the_environment_is_what_its_configuration_says(
    tmp_path: Path, zones: Any, given: dict[str, str], zone: str | None, context: Context
) -> None:
    file = tmp_path / "lab.cfg"
    file.write_text(json.dumps({"zones": zones, "mgtSvr": [SERVER]}))
    environment = unnamed_environment(file, **given)
    assert (environment.name, environment.zone, environment.context) == ("lab", zone, context)
    assert environment.marvin_config == file


def test_a_configuration_that_does_not_say_its_hypervisor(tmp_path: Path) -> None:
    (tmp_path / "lab.cfg").write_text('{"mgtSvr": [{"mgtSvrIp": "10.0.0.2"}]}')
    assert unnamed_environment(tmp_path / "lab.cfg").context.hypervisor.type == UNKNOWN
    with pytest.raises(UserError, match="does not exist"):
        unnamed_environment(tmp_path / "other.cfg")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("setup/dev/advdualzone.cfg", "advdualzone"),
        ("kvm.adv.cfg", "kvm.adv"),
        ("datacenter", "datacenter"),
        ("my lab (new).cfg", "my-lab-new-"),
        (".cfg", "cfg"),
        ("ß.cfg", "environment"),
    ],
)
def test_it_is_called_after_its_configuration(file: str, name: str) -> None:
    assert unnamed(Path(file)) == name
