"""Data disks: made, attached to virtual machines, resized, deleted."""

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import Account, DiskOffering, ServiceOffering, VirtualMachine, Volume
from marvin.lib.common import get_template, get_zone
from nose.plugins.attrib import attr

GIB = 1 << 30


class TestVolumes(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        template = get_template(
            cls.apiclient, cls.zone.id, cls.services["ostype"], hypervisor=test_client.getHypervisorInfo()
        )
        offering = ServiceOffering.create(cls.apiclient, cls.services["service_offerings"]["tiny"])
        cls.addClassCleanup(offering.delete, cls.apiclient)
        cls.disk_offering = DiskOffering.create(cls.apiclient, cls.services["disk_offering"])
        cls.addClassCleanup(cls.disk_offering.delete, cls.apiclient)
        cls.account = Account.create(cls.apiclient, cls.services["account"])
        cls.addClassCleanup(cls.account.delete, cls.apiclient)
        cls.first, cls.second = (
            VirtualMachine.create(
                cls.apiclient,
                cls.services["virtual_machine"],
                templateid=template.id,
                accountid=cls.account.name,
                domainid=cls.account.domainid,
                zoneid=cls.zone.id,
                serviceofferingid=offering.id,
            )
            for _ in range(2)
        )

    def setUp(self):
        self.volume = Volume.create(
            self.apiclient,
            self.services["volume"],
            zoneid=self.zone.id,
            account=self.account.name,
            domainid=self.account.domainid,
            diskofferingid=self.disk_offering.id,
        )
        self.addCleanup(self._remove_volume)

    def _remove_volume(self):
        if getattr(self._listed(), "virtualmachineid", None):
            self.first.detach_volume(self.apiclient, self.volume)
        self.volume.delete(self.apiclient)

    def _listed(self):
        [found] = Volume.list(self.apiclient, id=self.volume.id, listall=True)
        return found

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_01_create_volume(self):
        """A new volume has the size of its disk offering, and no place on any storage yet"""
        listed = self._listed()
        self.assertEqual(("Allocated", "DATADISK"), (listed.state, listed.type))
        self.assertEqual(self.services["disk_offering"]["disksize"] * GIB, listed.size)

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_02_attached_volume_stays_through_a_restart(self):
        """An attached volume is still attached when its virtual machine was stopped and started"""
        self.first.attach_volume(self.apiclient, self.volume)
        self.first.stop(self.apiclient)
        self.first.start(self.apiclient)
        self.assertEqual(self.first.id, self._listed().virtualmachineid)

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_03_attach_and_detach(self):
        """An attached volume is ready and belongs to its virtual machine, a detached one to none"""
        self.first.attach_volume(self.apiclient, self.volume)
        attached = self._listed()
        self.assertEqual(("Ready", self.first.id), (attached.state, attached.virtualmachineid))

        self.first.detach_volume(self.apiclient, self.volume)
        self.assertIsNone(getattr(self._listed(), "virtualmachineid", None))

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_04_no_second_attachment(self):
        """A volume that is attached cannot be attached to another virtual machine as well"""
        self.first.attach_volume(self.apiclient, self.volume)
        with self.assertRaises(Exception):  # noqa: B017 - each Marvin has an exception of its own for this
            self.second.attach_volume(self.apiclient, self.volume)
        self.assertEqual(self.first.id, self._listed().virtualmachineid)

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_05_resize(self):
        """A volume grows to the size of a bigger disk offering"""
        bigger = DiskOffering.create(self.apiclient, self.services["resized_disk_offering"])
        self.addCleanup(bigger.delete, self.apiclient)

        self.volume.resize(self.apiclient, diskofferingid=bigger.id)

        self.assertEqual(bigger.disksize * GIB, self._listed().size)
