"""The zone that all other tests need: enabled, with hosts and storage that are up."""

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import Host, StoragePool, Zone
from marvin.lib.common import get_zone
from marvin.lib.utils import wait_until
from nose.plugins.attrib import attr


class TestZone(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.hypervisor = test_client.getHypervisorInfo()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_01_zone_is_enabled(self):
        """A zone is enabled, and listed by its id alone"""
        zones = Zone.list(self.apiclient, id=self.zone.id)
        self.assertEqual([self.zone.name], [zone.name for zone in zones])
        self.assertEqual("Enabled", zones[0].allocationstate)
        self.assertIn(zones[0].networktype, ("Basic", "Advanced"))

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_02_hosts_are_up(self):
        """Every hypervisor host is up and enabled, and is of the hypervisor under test"""
        hosts = Host.list(self.apiclient, zoneid=self.zone.id, type="Routing")
        self.assertTrue(hosts, f"zone {self.zone.name} has no host")
        for host in hosts:
            self.assertEqual(("Up", "Enabled"), (host.state, host.resourcestate), host.name)
        self.assertIn(self.hypervisor.lower(), [host.hypervisor.lower() for host in hosts])

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_03_primary_storage_is_up(self):
        """The zone has primary storage that virtual machines can use"""
        pools = StoragePool.list(self.apiclient, zoneid=self.zone.id)
        self.assertTrue(pools, f"zone {self.zone.name} has no primary storage")
        for pool in pools:
            self.assertEqual("Up", pool.state, pool.name)
            self.assertLess(pool.disksizeused, pool.disksizetotal, pool.name)


class TestHostMaintenance(cloudstackTestCase):
    """It takes a host from everybody: never in a lab that others use, so for simulators only."""

    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        cls.host = Host.list(cls.apiclient, zoneid=cls.zone.id, type="Routing")[0]

    @attr("simulator_only", tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_01_maintenance_and_back(self):
        """A host goes into maintenance, and comes back into service"""
        Host.enableMaintenance(self.apiclient, id=self.host.id)
        self.addCleanup(self._leave_maintenance)
        self._wait_for("Maintenance")

        self._leave_maintenance()
        self._wait_for("Enabled")

    def _state(self):
        return Host.list(self.apiclient, id=self.host.id)[0].resourcestate

    def _leave_maintenance(self):
        if self._state() != "Enabled":
            Host.cancelMaintenance(self.apiclient, id=self.host.id)

    def _wait_for(self, state):
        # The management server asks its hosts every minute.
        reached, last = wait_until(10, 12, lambda: (self._state() == state, self._state()))
        self.assertTrue(reached, f"host {self.host.name} is {last} after two minutes, not {state}")
