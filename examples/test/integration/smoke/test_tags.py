"""Tags: users label what they own, and find it again by its labels."""

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import Account, DiskOffering, Tag, Volume
from marvin.lib.common import get_zone
from nose.plugins.attrib import attr


class TestTags(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()
        zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        offering = DiskOffering.create(cls.apiclient, cls.services["disk_offering"])
        cls.addClassCleanup(offering.delete, cls.apiclient)
        cls.account = Account.create(cls.apiclient, cls.services["account"])
        cls.addClassCleanup(cls.account.delete, cls.apiclient)
        cls.tagged, cls.other = (
            Volume.create(
                cls.apiclient,
                {"diskname": name},
                zoneid=zone.id,
                account=cls.account.name,
                domainid=cls.account.domainid,
                diskofferingid=offering.id,
            )
            for name in ("tagged", "other")
        )

    def setUp(self):
        Tag.create(self.apiclient, resourceIds=[self.tagged.id], resourceType="Volume", tags={"stage": "test"})
        self.addCleanup(self._untag)

    def _tags(self):
        return Tag.list(self.apiclient, resourceid=self.tagged.id, resourcetype="Volume", listall=True)

    def _untag(self):
        if self._tags():
            self._delete({"stage": "test"})

    def _delete(self, tags):
        # In one Marvin this is a method of the class, in another of its instances.
        Tag({}).delete(self.apiclient, resourceIds=[self.tagged.id], resourceType="Volume", tags=tags)

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_01_tag_is_listed(self):
        """A tag is listed with its key, its value and whose it is"""
        [tag] = self._tags()
        self.assertEqual(("stage", "test", self.account.name), (tag.key, tag.value, tag.account))

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_02_resources_are_found_by_tag(self):
        """Of two volumes the tagged one is found by its tag"""
        found = Volume.list(
            self.apiclient,
            account=self.account.name,
            domainid=self.account.domainid,
            tags=[{"key": "stage", "value": "test"}],
        )
        self.assertEqual([self.tagged.id], [volume.id for volume in found])

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_03_deleted_tag_is_gone(self):
        """A deleted tag is not listed any more, the volume still is"""
        self._delete({"stage": "test"})

        self.assertIsNone(self._tags())
        self.assertTrue(Volume.list(self.apiclient, id=self.tagged.id, listall=True))
