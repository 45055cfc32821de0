"""The life of a virtual machine, from its deployment until nothing of it is left."""

import time

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import Account, Configurations, Host, ServiceOffering, VirtualMachine, Volume
from marvin.lib.common import get_template, get_zone
from nose.plugins.attrib import attr

LONGEST_EXPUNGE_DELAY = 600
"""Seconds. A lab that keeps destroyed machines for longer is not waited for."""


class VirtualMachineCase(cloudstackTestCase):
    """An account of its own, and what a virtual machine is made of."""

    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        cls.template = get_template(
            cls.apiclient, cls.zone.id, cls.services["ostype"], hypervisor=test_client.getHypervisorInfo()
        )
        # A class clean-up is done even if the rest of this set-up fails; deleting an account deletes all that it owns.
        cls.offering = ServiceOffering.create(cls.apiclient, cls.services["service_offerings"]["tiny"])
        cls.addClassCleanup(cls.offering.delete, cls.apiclient)
        cls.account = Account.create(cls.apiclient, cls.services["account"])
        cls.addClassCleanup(cls.account.delete, cls.apiclient)

    @classmethod
    def deploy(cls):
        return VirtualMachine.create(
            cls.apiclient,
            cls.services["virtual_machine"],
            templateid=cls.template.id,
            accountid=cls.account.name,
            domainid=cls.account.domainid,
            zoneid=cls.zone.id,
            serviceofferingid=cls.offering.id,
        )

    def listed(self, virtual_machine):
        [found] = VirtualMachine.list(self.apiclient, id=virtual_machine.id, listall=True)
        return found


class TestDeployVM(VirtualMachineCase):
    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test", "deploy-vm"], required_hardware="false")
    def test_01_deploy_virtual_machine(self):
        """A deployed virtual machine runs on a host, has an address, and a root disk"""
        virtual_machine = self.deploy()
        self.addCleanup(virtual_machine.delete, self.apiclient, expunge=True)

        listed = self.listed(virtual_machine)
        self.assertEqual("Running", listed.state)
        self.assertEqual(self.template.id, listed.templateid)
        self.assertTrue(listed.nic[0].ipaddress, "its first network card has no address")
        [host] = Host.list(self.apiclient, id=listed.hostid)
        self.assertEqual("Up", host.state)
        [root] = Volume.list(self.apiclient, virtualmachineid=virtual_machine.id, type="ROOT", listall=True)
        self.assertEqual("Ready", root.state)

    @attr(tags=["advanced", "basic", "sg", "smoke", "deploy-vm"], required_hardware="false")
    def test_02_deploy_without_start(self):
        """A virtual machine that is deployed without being started has no host until it is"""
        virtual_machine = VirtualMachine.create(
            self.apiclient,
            self.services["virtual_machine"],
            templateid=self.template.id,
            accountid=self.account.name,
            domainid=self.account.domainid,
            zoneid=self.zone.id,
            serviceofferingid=self.offering.id,
            startvm=False,
        )
        self.addCleanup(virtual_machine.delete, self.apiclient, expunge=True)
        self.assertEqual("Stopped", self.listed(virtual_machine).state)

        virtual_machine.start(self.apiclient)

        self.assertEqual("Running", self.listed(virtual_machine).state)

    @attr(tags=["advanced", "basic", "sg", "smoke", "deploy-vm"], required_hardware="true")
    def test_03_guest_answers(self):
        """The guest of a deployed virtual machine can be logged in to: there must be one, so not in a simulator"""
        virtual_machine = self.deploy()
        self.addCleanup(virtual_machine.delete, self.apiclient, expunge=True)

        guest = virtual_machine.get_ssh_client(ipaddress=virtual_machine.nic[0].ipaddress)

        self.assertEqual(["ready"], guest.execute("echo ready"))


class TestVMLifeCycle(VirtualMachineCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.virtual_machine = cls.deploy()

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_01_stop_and_start(self):
        """A stopped virtual machine has no host, and gets one when it is started"""
        self.virtual_machine.stop(self.apiclient)
        self.assertEqual("Stopped", self.listed(self.virtual_machine).state)
        self.virtual_machine.start(self.apiclient)
        self.assertEqual("Running", self.listed(self.virtual_machine).state)

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_02_reboot(self):
        """A rebooted virtual machine keeps its address"""
        before = self.listed(self.virtual_machine).nic[0].ipaddress
        self.virtual_machine.reboot(self.apiclient)
        after = self.listed(self.virtual_machine)
        self.assertEqual(("Running", before), (after.state, after.nic[0].ipaddress))

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_03_scale_up_while_stopped(self):
        """A stopped virtual machine takes another service offering, and starts with it"""
        bigger = ServiceOffering.create(self.apiclient, self.services["service_offerings"]["small"])
        self.addCleanup(bigger.delete, self.apiclient)
        self.virtual_machine.stop(self.apiclient)

        self.virtual_machine.scale(self.apiclient, bigger.id)
        self.virtual_machine.start(self.apiclient)

        listed = self.listed(self.virtual_machine)
        self.assertEqual(("Running", bigger.memory), (listed.state, listed.memory))

    @attr(tags=["advanced", "basic", "sg", "smoke", "multihost"], required_hardware="false")
    def test_04_live_migration(self):
        """A running virtual machine moves to another host that suits it, and keeps running"""
        before = self.listed(self.virtual_machine)
        hosts = Host.listForMigration(self.apiclient, virtualmachineid=self.virtual_machine.id)
        # Hosts of other clusters suit, too, but the disks would have to move as well.
        suitable = [host for host in hosts or () if host.suitableformigration and not host.requiresStorageMotion]
        if not suitable:
            self.skipTest("needs two hosts that suit the virtual machine")

        self.virtual_machine.migrate(self.apiclient, suitable[0].id)

        after = self.listed(self.virtual_machine)
        self.assertEqual(("Running", suitable[0].id), (after.state, after.hostid))
        self.assertNotEqual(before.hostid, after.hostid)

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_05_destroy_and_recover(self):
        """A destroyed virtual machine can be recovered for a while: it is then stopped, and starts"""
        self.virtual_machine.delete(self.apiclient, expunge=False)
        self.assertEqual("Destroyed", self.listed(self.virtual_machine).state)

        self.virtual_machine.recover(self.apiclient)
        self.assertEqual("Stopped", self.listed(self.virtual_machine).state)
        self.virtual_machine.start(self.apiclient)
        self.assertEqual("Running", self.listed(self.virtual_machine).state)


class TestExpunge(VirtualMachineCase):
    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_01_destroyed_vm_is_expunged_after_the_delay(self):
        """A destroyed virtual machine is kept for expunge.delay, then it goes with its disk"""
        delay, interval = (
            int(Configurations.list(self.apiclient, name=name)[0].value)
            for name in ("expunge.delay", "expunge.interval")
        )
        if delay + interval > LONGEST_EXPUNGE_DELAY:
            self.skipTest(f"destroyed virtual machines are kept for {delay} s here")
        virtual_machine = self.deploy()
        virtual_machine.delete(self.apiclient, expunge=False)
        self.assertEqual("Destroyed", self.listed(virtual_machine).state)

        # Somebody looks every interval for what has been destroyed for longer than the delay.
        time.sleep(delay + 2 * interval)

        self.assertIsNone(VirtualMachine.list(self.apiclient, id=virtual_machine.id, listall=True))
        self.assertIsNone(Volume.list(self.apiclient, virtualmachineid=virtual_machine.id, listall=True))
