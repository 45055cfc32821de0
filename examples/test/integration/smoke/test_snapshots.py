"""Volume snapshots: taken by hand and by schedule, and used."""

import time
import unittest

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import Account, ServiceOffering, Snapshot, SnapshotPolicy, VirtualMachine, Volume
from marvin.lib.common import get_template, get_zone
from nose.plugins.attrib import attr


class TestSnapshots(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        hypervisor = test_client.getHypervisorInfo()
        if hypervisor.lower() == "hyperv":
            raise unittest.SkipTest("CloudStack has no volume snapshots on Hyper-V")
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        template = get_template(cls.apiclient, cls.zone.id, cls.services["ostype"], hypervisor=hypervisor)
        offering = ServiceOffering.create(cls.apiclient, cls.services["service_offerings"]["tiny"])
        cls.addClassCleanup(offering.delete, cls.apiclient)
        cls.account = Account.create(cls.apiclient, cls.services["account"])
        cls.addClassCleanup(cls.account.delete, cls.apiclient)
        cls.virtual_machine = VirtualMachine.create(
            cls.apiclient,
            cls.services["virtual_machine"],
            templateid=template.id,
            accountid=cls.account.name,
            domainid=cls.account.domainid,
            zoneid=cls.zone.id,
            serviceofferingid=offering.id,
        )
        [cls.root] = Volume.list(cls.apiclient, virtualmachineid=cls.virtual_machine.id, type="ROOT", listall=True)

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_01_snapshot_of_root_disk(self):
        """A snapshot of a running virtual machine's root disk is backed up"""
        snapshot = Snapshot.create(self.apiclient, self.root.id)
        self.addCleanup(snapshot.delete, self.apiclient)

        [listed] = Snapshot.list(self.apiclient, id=snapshot.id, listall=True)
        self.assertEqual((self.root.id, "BackedUp"), (listed.volumeid, listed.state))

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_02_deleted_snapshot_is_gone(self):
        """A deleted snapshot is not listed any more, its volume still is"""
        snapshot = Snapshot.create(self.apiclient, self.root.id)
        snapshot.delete(self.apiclient)

        self.assertIsNone(Snapshot.list(self.apiclient, id=snapshot.id, listall=True))
        self.assertTrue(Volume.list(self.apiclient, id=self.root.id, listall=True))

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_03_hourly_snapshots(self):
        """A policy takes a snapshot at its minute of the hour"""
        in_two_minutes = time.gmtime(time.time() + 120)
        policy = SnapshotPolicy.create(
            self.apiclient,
            self.root.id,
            {"intervaltype": "HOURLY", "schedule": in_two_minutes.tm_min, "maxsnaps": 1, "timezone": "UTC"},
        )
        self.addCleanup(policy.delete, self.apiclient)

        # The management server looks for what is due every few minutes only.
        for _ in range(10):
            time.sleep(60)
            taken = Snapshot.list(self.apiclient, volumeid=self.root.id, intervaltype="HOURLY", listall=True)
            if taken and taken[0].state == "BackedUp":
                break

        self.assertEqual(["HOURLY"], [snapshot.intervaltype for snapshot in taken or ()])
        self.addCleanup(Snapshot(taken[0].__dict__).delete, self.apiclient)
