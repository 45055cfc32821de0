"""The way in: firewall rules, port forwarding and static NAT of a public address."""

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import (
    Account,
    FireWallRule,
    NATRule,
    Network,
    NetworkOffering,
    PublicIPAddress,
    ServiceOffering,
    StaticNATRule,
    VirtualMachine,
)
from marvin.lib.common import get_template, get_zone
from nose.plugins.attrib import attr


class TestFirewallAndNat(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        template = get_template(
            cls.apiclient, cls.zone.id, cls.services["ostype"], hypervisor=test_client.getHypervisorInfo()
        )
        [network_offering] = NetworkOffering.list(
            cls.apiclient, name="DefaultIsolatedNetworkOfferingWithSourceNatService"
        )
        offering = ServiceOffering.create(cls.apiclient, cls.services["service_offerings"]["tiny"])
        cls.addClassCleanup(offering.delete, cls.apiclient)
        cls.account = Account.create(cls.apiclient, cls.services["account"])
        cls.addClassCleanup(cls.account.delete, cls.apiclient)
        cls.network = Network.create(
            cls.apiclient,
            cls.services["isolated_network"],
            accountid=cls.account.name,
            domainid=cls.account.domainid,
            networkofferingid=network_offering.id,
            zoneid=cls.zone.id,
        )
        cls.virtual_machine = VirtualMachine.create(
            cls.apiclient,
            cls.services["virtual_machine"],
            templateid=template.id,
            accountid=cls.account.name,
            domainid=cls.account.domainid,
            zoneid=cls.zone.id,
            serviceofferingid=offering.id,
            networkids=[cls.network.id],
        )

    def setUp(self):
        self.public_ip = PublicIPAddress.create(
            self.apiclient,
            accountid=self.account.name,
            zoneid=self.zone.id,
            domainid=self.account.domainid,
            networkid=self.network.id,
        )
        self.addCleanup(self.public_ip.delete, self.apiclient)
        self.address_id = self.public_ip.ipaddress.id

    def _address(self):
        [found] = PublicIPAddress.list(self.apiclient, id=self.address_id, listall=True)
        return found

    @attr(tags=["advanced", "smoke", "quick-test"], required_hardware="false")
    def test_01_firewall_rule(self):
        """A firewall rule opens its ports until it is deleted"""
        rule = FireWallRule.create(
            self.apiclient,
            ipaddressid=self.address_id,
            protocol="TCP",
            cidrlist=["0.0.0.0/0"],
            startport=22,
            endport=80,
        )
        [listed] = FireWallRule.list(self.apiclient, ipaddressid=self.address_id, listall=True)
        self.assertEqual(
            ("tcp", 22, 80, "Active"),
            (listed.protocol.lower(), int(listed.startport), int(listed.endport), listed.state),
        )

        rule.delete(self.apiclient)
        self.assertIsNone(FireWallRule.list(self.apiclient, ipaddressid=self.address_id, listall=True))

    @attr(tags=["advanced", "smoke", "quick-test"], required_hardware="false")
    def test_02_port_forwarding(self):
        """A port of a public address leads to a port of a virtual machine"""
        rule = NATRule.create(
            self.apiclient, self.virtual_machine, self.services["natrule"], ipaddressid=self.address_id
        )
        [listed] = NATRule.list(self.apiclient, ipaddressid=self.address_id, listall=True)
        self.assertEqual((self.virtual_machine.id, "Active"), (listed.virtualmachineid, listed.state))
        self.assertEqual(self.services["natrule"]["privateport"], int(listed.privateport))

        rule.delete(self.apiclient)
        self.assertIsNone(NATRule.list(self.apiclient, ipaddressid=self.address_id, listall=True))

    @attr(tags=["advanced", "smoke"], required_hardware="false")
    def test_03_static_nat(self):
        """A public address belongs to one virtual machine while static NAT is enabled"""
        StaticNATRule.enable(self.apiclient, self.address_id, self.virtual_machine.id, networkid=self.network.id)
        address = self._address()
        self.assertTrue(address.isstaticnat)
        self.assertEqual(self.virtual_machine.id, address.virtualmachineid)

        StaticNATRule.disable(self.apiclient, self.address_id, self.virtual_machine.id)
        self.assertFalse(self._address().isstaticnat)

    @attr(tags=["advanced", "smoke"], required_hardware="false")
    def test_04_static_nat_excludes_port_forwarding(self):
        """An address with static NAT forwards no single ports"""
        StaticNATRule.enable(self.apiclient, self.address_id, self.virtual_machine.id, networkid=self.network.id)
        with self.assertRaises(Exception):  # noqa: B017 - each Marvin has an exception of its own for this
            NATRule.create(self.apiclient, self.virtual_machine, self.services["natrule"], ipaddressid=self.address_id)
        self.assertIsNone(NATRule.list(self.apiclient, ipaddressid=self.address_id, listall=True))
