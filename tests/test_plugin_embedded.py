"""Embedded environments: a simulator per environment and process, its time virtual while a test runs."""

from __future__ import annotations

import json
import time

import pytest

from conftest import Labs
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.virtual_time import VirtualTime

SLEEPER = """
    import datetime
    import time
    from datetime import date
    from time import sleep
    from marvin.lib.utils import wait_until

    class TestX(cloudstackTestCase):
        @classmethod
        def setUpClass(cls):
            cls.began = time.time()
            cls.day = date.today()
            cls.moment = datetime.datetime.now()
            time.sleep(1000)

        def setUp(self):
            sleep(1000)

        def test_a(self):
            wait_until(100, 10, lambda: (False, None))
            self.assertGreaterEqual(time.time() - self.began, 3000)
            self.assertIsInstance(self.moment, datetime.datetime)
            self.assertGreaterEqual(datetime.datetime.now() - self.moment, datetime.timedelta(seconds=3000))
            sleep(86400)
            self.assertIn((date.today() - self.day).days, (1, 2))

        @classmethod
        def tearDownClass(cls):
            sleep(1000)
            assert time.time() - cls.began >= 4000
"""

ZONES = """
    from marvin.cloudstackAPI import listCapabilities, listHosts, listZones

    class TestX(cloudstackTestCase):
        def test_zone(self):
            (zone,) = self.testClient.getApiClient().listZones(listZones.listZonesCmd())
            self.assertEqual(zone.networktype, "Advanced")

        def test_hosts(self):
            hosts = self.testClient.getApiClient().listHosts(listHosts.listHostsCmd())
            self.assertIn("KVM", {host.hypervisor for host in hosts})
"""


SSH = """
    import time
    from marvin.sshClient import SshClient

    class TestX(cloudstackTestCase):
        def test_a(self):
            SshClient("10.1.1.2", 22, "root", "secret", retries=100, delay=30)
"""


def test_waiting_costs_nothing(labs: Labs) -> None:
    labs.entry("demo", "simulator: embedded")
    labs.suite(test_x=SLEEPER)
    began = time.monotonic()
    labs.run("--cs-env=demo").assert_outcomes(passed=1)
    assert time.monotonic() - began < 10
    assert labs.attempts()["test_a", "demo"]["seconds"] < 5


def test_real_time_on_request(labs: Labs) -> None:
    labs.entry("demo", "simulator: embedded")
    labs.suite(
        test_x="""
        import datetime
        import time

        class TestX(cloudstackTestCase):
            def test_a(self):
                time.sleep(0.5)
                assert type(datetime) is type(time)
                assert type(datetime.datetime) is type
                assert abs(datetime.datetime.now().timestamp() - time.time()) < 5
        """
    )
    began = time.monotonic()
    labs.run("--cs-env=demo", "--cs-real-time").assert_outcomes(passed=1)
    assert time.monotonic() - began > 0.5


def test_each_environment_has_its_own_cloud(labs: Labs) -> None:
    labs.entry("demo", "simulator: embedded")
    labs.entry("broken", "simulator: embedded", "faults: {listZones: {fail: true, error: [530, no zones today]}}")
    labs.suite(test_x=ZONES)
    result = labs.run("--cs-env=demo,broken")
    result.assert_outcomes(passed=3, failed=1)
    outcomes = labs.outcomes()
    assert outcomes.pop(("test_zone", "broken")) in ("failed", "errored")
    assert set(outcomes.values()) == {"passed"}
    assert "no zones today" in labs.attempts()["test_zone", "broken"]["message"]
    assert labs.lines()[0]["environments"]["demo"]["acs_version"].startswith("4.23")
    # Marvin's logs of a simulated cloud are with the reports, not where pytest was started.
    assert not (labs.pytester.path / "MarvinLogs").exists()


def test_a_simulator_per_worker(labs: Labs) -> None:
    pytest.importorskip("xdist")
    labs.entry("demo", "simulator: embedded")
    labs.suite(test_x=ZONES, test_y=ZONES)
    labs.run_apart("--cs-env=demo", "-n", "2").assert_outcomes(passed=4)


def test_a_zone_that_the_simulator_does_not_have_blocks(labs: Labs) -> None:
    labs.entry("demo", "simulator: embedded", "zone: nowhere")
    labs.suite(test_x=ZONES)
    labs.run("--cs-env=demo").assert_outcomes(errors=2)
    assert set(labs.outcomes().values()) == {"blocked"}
    assert "no zone 'nowhere'; zones there: zone1" in labs.attempts()["test_zone", "demo"]["message"]


def test_required_hardware_does_not_fit(labs: Labs) -> None:
    labs.entry("demo", "simulator: embedded")
    labs.suite(
        test_x='class TestX(cloudstackTestCase):\n    @attr(required_hardware="true")\n    def test_a(self): pass\n'
    )
    labs.run("--cs-env=demo").assert_outcomes(skipped=1)
    assert labs.untested()["test_a", "demo"]["text"] == "needs real hardware, demo is a simulator"


def zones_to_deploy() -> dict[str, object]:
    """A Marvin configuration whose zones can be deployed on a fresh install."""
    with Simulator(hypervisor="kvm") as example:
        return example.marvin_config()


def test_an_embedded_environment_is_deployed_from_its_marvin_config(labs: Labs) -> None:
    (labs.pytester.path / "zones.cfg").write_text(json.dumps(zones_to_deploy()))
    labs.entry("demo", "simulator: embedded", "marvin_config: zones.cfg")
    labs.suite(test_x=ZONES)
    began = time.monotonic()
    labs.run("--cs-env=demo").assert_outcomes(passed=2)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_lab_is_deployed_once_before_its_facts_are_read(labs: Labs, workers: tuple[str, ...]) -> None:
    if workers:
        pytest.importorskip("xdist")
    with Simulator(hypervisor="kvm", ready=False) as fresh, VirtualTime(fresh.cloud):
        own = fresh.marvin_config()
        config = {**own, **zones_to_deploy(), "mgtSvr": own["mgtSvr"], "logger": {"LogFolderPath": "logs"}}
        (labs.pytester.path / "lab.cfg").write_text(json.dumps(config))
        labs.entry("lab", "marvin_config: lab.cfg", "storage: {scope: local}")
        labs.suite(test_x=ZONES)
        labs.run("--cs-env=lab").assert_outcomes(errors=2)
        result = labs.run("--cs-env=lab", "--cs-deploy", "--cs-report=second", *workers)
        result.assert_outcomes(passed=2, warnings=1)
        zones = fresh.run("listZones")["zone"]
    assert len(zones) == 1


def test_labs_are_deployed_each_from_its_own_configuration(labs: Labs) -> None:
    with Simulator(hypervisor="kvm", ready=False) as one, Simulator(hypervisor="kvm", ready=False) as other:
        for name, lab in (("one", one), ("other", other)):
            config = {**zones_to_deploy(), **{key: lab.marvin_config()[key] for key in ("mgtSvr", "dbSvr")}}
            config["zones"][0]["name"] = name
            (labs.pytester.path / f"{name}.cfg").write_text(json.dumps(config))
            labs.entry(name, f"marvin_config: {name}.cfg", "storage: {scope: local}")
        labs.suite(test_x=ZONES)
        with VirtualTime(one.cloud), VirtualTime(other.cloud):
            labs.run("--cs-env=one", "--cs-env=other", "--cs-deploy").assert_outcomes(passed=4, warnings=2)
        names = [[zone["name"] for zone in lab.run("listZones")["zone"]] for lab in (one, other)]
    assert names == [["one"], ["other"]]


def test_what_needs_ssh_fails_at_once_and_says_so(labs: Labs) -> None:
    labs.entry("demo", "simulator: embedded")
    labs.suite(test_x=SSH)
    began = time.monotonic()
    # In real time, so that a retry would be seen.
    result = labs.run("--cs-env=demo", "--cs-real-time")
    assert time.monotonic() - began < 10
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*needs SSH: the simulator has no machine to log in to at 10.1.1.2:22*"])
