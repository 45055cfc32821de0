"""Isolated networks: made, implemented by their first virtual machine, collected when the last one is gone."""

import time

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import (
    Account,
    Configurations,
    Network,
    NetworkOffering,
    PublicIPAddress,
    Router,
    ServiceOffering,
    VirtualMachine,
)
from marvin.lib.common import get_template, get_zone
from nose.plugins.attrib import attr

OFFERING = "DefaultIsolatedNetworkOfferingWithSourceNatService"
LONGEST_COLLECTION = 1800
"""Seconds. A lab whose networks are collected later than that is not waited for."""


class TestIsolatedNetworks(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        cls.template = get_template(
            cls.apiclient, cls.zone.id, cls.services["ostype"], hypervisor=test_client.getHypervisorInfo()
        )
        [cls.network_offering] = NetworkOffering.list(cls.apiclient, name=OFFERING)
        cls.offering = ServiceOffering.create(cls.apiclient, cls.services["service_offerings"]["tiny"])
        cls.addClassCleanup(cls.offering.delete, cls.apiclient)
        cls.account = Account.create(cls.apiclient, cls.services["account"])
        cls.addClassCleanup(cls.account.delete, cls.apiclient)

    def setUp(self):
        self.network = Network.create(
            self.apiclient,
            self.services["isolated_network"],
            accountid=self.account.name,
            domainid=self.account.domainid,
            networkofferingid=self.network_offering.id,
            zoneid=self.zone.id,
        )
        self.addCleanup(self.network.delete, self.apiclient)

    def _deploy(self):
        return VirtualMachine.create(
            self.apiclient,
            self.services["virtual_machine"],
            templateid=self.template.id,
            accountid=self.account.name,
            domainid=self.account.domainid,
            zoneid=self.zone.id,
            serviceofferingid=self.offering.id,
            networkids=[self.network.id],
        )

    def _listed(self):
        [found] = Network.list(self.apiclient, id=self.network.id, listall=True)
        return found

    @attr(tags=["advanced", "smoke", "quick-test"], required_hardware="false")
    def test_01_new_network_is_only_allocated(self):
        """A new network has a range of its own, and costs nothing before it is used"""
        listed = self._listed()
        self.assertEqual(("Allocated", "Isolated"), (listed.state, listed.type))
        self.assertTrue(listed.cidr, "the network has no range")
        self.assertIsNone(Router.list(self.apiclient, networkid=self.network.id, listall=True))

    @attr(tags=["advanced", "smoke"], required_hardware="false")
    def test_02_first_vm_implements_the_network(self):
        """The first virtual machine brings its network a router and a source NAT address"""
        virtual_machine = self._deploy()
        self.addCleanup(virtual_machine.delete, self.apiclient, expunge=True)

        self.assertEqual("Implemented", self._listed().state)
        [router] = Router.list(self.apiclient, networkid=self.network.id, listall=True)
        self.assertEqual("Running", router.state)
        [address] = PublicIPAddress.list(
            self.apiclient, associatednetworkid=self.network.id, issourcenat=True, listall=True
        )
        self.assertEqual("Allocated", address.state)

    @attr(tags=["advanced", "smoke"], required_hardware="false")
    def test_03_unused_network_is_collected(self):
        """A network whose last virtual machine is gone is shut down after a while, and stays for the next one"""
        wait, interval = (
            int(Configurations.list(self.apiclient, name=name)[0].value)
            for name in ("network.gc.wait", "network.gc.interval")
        )
        if wait + interval > LONGEST_COLLECTION:
            self.skipTest(f"unused networks are collected after {wait} s here")
        virtual_machine = self._deploy()
        self.assertEqual("Implemented", self._listed().state)
        virtual_machine.delete(self.apiclient, expunge=True)

        # One look finds the network unused, a later one that it has been so for long enough.
        time.sleep(wait + 2 * interval)

        self.assertEqual("Allocated", self._listed().state)
