"""Load balancing: one public address, several virtual machines behind it."""

from marvin.cloudstackAPI import listLoadBalancerRuleInstances
from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import (
    Account,
    LoadBalancerRule,
    Network,
    NetworkOffering,
    PublicIPAddress,
    ServiceOffering,
    VirtualMachine,
)
from marvin.lib.common import get_template, get_zone
from nose.plugins.attrib import attr


class TestRoundRobin(cloudstackTestCase):
    algorithm = "roundrobin"

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
        cls.virtual_machines = [
            VirtualMachine.create(
                cls.apiclient,
                cls.services["virtual_machine"],
                templateid=template.id,
                accountid=cls.account.name,
                domainid=cls.account.domainid,
                zoneid=cls.zone.id,
                serviceofferingid=offering.id,
                networkids=[cls.network.id],
            )
            for _ in range(2)
        ]
        cls.public_ip = PublicIPAddress.create(
            cls.apiclient,
            accountid=cls.account.name,
            zoneid=cls.zone.id,
            domainid=cls.account.domainid,
            networkid=cls.network.id,
        )

    def setUp(self):
        self.rule = LoadBalancerRule.create(
            self.apiclient,
            {**self.services["lbrule"], "alg": self.algorithm},
            ipaddressid=self.public_ip.ipaddress.id,
            accountid=self.account.name,
            networkid=self.network.id,
            domainid=self.account.domainid,
        )
        self.addCleanup(self._remove_rule)

    def _remove_rule(self):
        if LoadBalancerRule.list(self.apiclient, id=self.rule.id, listall=True):
            self.rule.delete(self.apiclient)

    def _members(self):
        command = listLoadBalancerRuleInstances.listLoadBalancerRuleInstancesCmd()
        command.id = self.rule.id
        found = self.apiclient.listLoadBalancerRuleInstances(command)
        return {virtual_machine.id for virtual_machine in found or ()}

    @attr(tags=["advanced", "smoke", "quick-test"], required_hardware="false")
    def test_01_rule_has_its_algorithm(self):
        """A rule is listed with its algorithm and ports, with nothing behind it yet"""
        [listed] = LoadBalancerRule.list(self.apiclient, id=self.rule.id, listall=True)
        self.assertEqual(self.algorithm, listed.algorithm)
        self.assertEqual(str(self.services["lbrule"]["publicport"]), str(listed.publicport))
        self.assertEqual(set(), self._members())

    @attr(tags=["advanced", "smoke"], required_hardware="false")
    def test_02_assign_and_remove(self):
        """Virtual machines are assigned to a rule and removed from it, one by one"""
        first, second = self.virtual_machines
        self.rule.assign(self.apiclient, [first, second])
        self.assertEqual({first.id, second.id}, self._members())

        self.rule.remove(self.apiclient, [first])
        self.assertEqual({second.id}, self._members())

    @attr(tags=["advanced", "smoke"], required_hardware="false")
    def test_03_deleted_rule_is_gone(self):
        """A deleted rule is not listed any more; what was behind it is"""
        self.rule.assign(self.apiclient, self.virtual_machines)
        self.rule.delete(self.apiclient)

        self.assertIsNone(LoadBalancerRule.list(self.apiclient, id=self.rule.id, listall=True))
        for virtual_machine in self.virtual_machines:
            [listed] = VirtualMachine.list(self.apiclient, id=virtual_machine.id, listall=True)
            self.assertEqual("Running", listed.state)


class TestLeastConnections(TestRoundRobin):
    """The same tests, and the same set-up, for another algorithm."""

    algorithm = "leastconn"
