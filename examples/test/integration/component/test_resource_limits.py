"""Resource limits: an account gets what it is allowed, and not one more."""

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import Account, DiskOffering, Resources, Volume
from marvin.lib.common import get_zone
from nose.plugins.attrib import attr

VOLUMES = 2
"""The resource type of volumes in the API."""


class TestVolumeLimit(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        cls.offering = DiskOffering.create(cls.apiclient, cls.services["disk_offering"])
        cls.addClassCleanup(cls.offering.delete, cls.apiclient)

    def setUp(self):
        self.account = Account.create(self.apiclient, self.services["account"])
        self.addCleanup(self.account.delete, self.apiclient)

    def _limit(self, volumes):
        Resources.updateLimit(
            self.apiclient,
            resourcetype=VOLUMES,
            max=volumes,
            account=self.account.name,
            domainid=self.account.domainid,
        )

    def _create_volume(self):
        return Volume.create(
            self.apiclient,
            self.services["volume"],
            zoneid=self.zone.id,
            account=self.account.name,
            domainid=self.account.domainid,
            diskofferingid=self.offering.id,
        )

    def _count(self):
        [counted] = Resources.updateCount(
            self.apiclient, resourcetype=VOLUMES, account=self.account.name, domainid=self.account.domainid
        )
        return int(counted.resourcecount)

    @attr(tags=["advanced", "basic", "sg", "quick-test"], required_hardware="false")
    def test_01_limit_is_a_limit(self):
        """An account that may have one volume gets one, and is refused a second"""
        self._limit(1)
        self._create_volume()

        with self.assertRaises(Exception):  # noqa: B017 - each Marvin has an exception of its own for this
            self._create_volume()

        volumes = Volume.list(self.apiclient, account=self.account.name, domainid=self.account.domainid)
        self.assertEqual(1, len(volumes))

    @attr(tags=["advanced", "basic", "sg"], required_hardware="false")
    def test_02_deleted_volume_makes_room(self):
        """What an account deletes does not count against its limit"""
        self._limit(1)
        first = self._create_volume()
        self.assertEqual(1, self._count())

        first.delete(self.apiclient)
        self.assertEqual(0, self._count())
        self._create_volume()
        self.assertEqual(1, self._count())
