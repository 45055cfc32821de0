"""Offerings: what an administrator offers is what users can choose."""

from ddt import data, ddt
from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import DiskOffering, ServiceOffering
from nose.plugins.attrib import attr


@ddt
class TestServiceOfferings(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    @data("tiny", "small", "medium")
    def test_01_create_service_offering(self, size):
        """A service offering is listed with the CPUs and the memory that it was made with"""
        wanted = self.services["service_offerings"][size]
        offering = ServiceOffering.create(self.apiclient, wanted)
        self.addCleanup(offering.delete, self.apiclient)

        [listed] = ServiceOffering.list(self.apiclient, id=offering.id)
        self.assertEqual(
            (wanted["cpunumber"], wanted["cpuspeed"], wanted["memory"]),
            (listed.cpunumber, listed.cpuspeed, listed.memory),
        )

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_02_delete_service_offering(self):
        """A deleted service offering is not offered any more"""
        offering = ServiceOffering.create(self.apiclient, self.services["service_offerings"]["tiny"])
        offering.delete(self.apiclient)

        self.assertIsNone(ServiceOffering.list(self.apiclient, id=offering.id))


class TestDiskOfferings(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_01_create_disk_offering(self):
        """A disk offering has the size that it was made with"""
        offering = DiskOffering.create(self.apiclient, self.services["disk_offering"])
        self.addCleanup(offering.delete, self.apiclient)

        [listed] = DiskOffering.list(self.apiclient, id=offering.id)
        self.assertEqual(self.services["disk_offering"]["disksize"], listed.disksize)
        self.assertFalse(listed.iscustomized)

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_02_custom_disk_offering_has_no_size(self):
        """The size of a custom disk offering is the user's to choose"""
        offering = DiskOffering.create(self.apiclient, self.services["disk_offering"], custom=True)
        self.addCleanup(offering.delete, self.apiclient)

        [listed] = DiskOffering.list(self.apiclient, id=offering.id)
        self.assertTrue(listed.iscustomized)
        self.assertEqual(0, listed.disksize)
