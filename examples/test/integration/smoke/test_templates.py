"""Templates: made from a disk, used, deleted; and what VMware wants of them."""

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import Account, ServiceOffering, Template, VirtualMachine, Volume
from marvin.lib.common import get_template, get_zone
from nose.plugins.attrib import attr


class TestTemplates(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()
        cls.zone = get_zone(cls.apiclient, test_client.getZoneForTests())
        cls.offering = ServiceOffering.create(cls.apiclient, cls.services["service_offerings"]["tiny"])
        cls.addClassCleanup(cls.offering.delete, cls.apiclient)
        cls.account = Account.create(cls.apiclient, cls.services["account"])
        cls.addClassCleanup(cls.account.delete, cls.apiclient)
        builtin = get_template(
            cls.apiclient, cls.zone.id, cls.services["ostype"], hypervisor=test_client.getHypervisorInfo()
        )
        virtual_machine = cls._deploy(builtin)
        # Not every hypervisor can read the disk of a running virtual machine.
        virtual_machine.stop(cls.apiclient)
        [cls.root] = Volume.list(cls.apiclient, virtualmachineid=virtual_machine.id, type="ROOT", listall=True)

    @classmethod
    def _deploy(cls, template):
        return VirtualMachine.create(
            cls.apiclient,
            cls.services["virtual_machine"],
            templateid=template.id,
            accountid=cls.account.name,
            domainid=cls.account.domainid,
            zoneid=cls.zone.id,
            serviceofferingid=cls.offering.id,
        )

    def _create(self):
        return Template.create(
            self.apiclient,
            {"name": "From a disk", "displaytext": "From a disk", "ostype": self.services["ostype"]},
            volumeid=self.root.id,
            account=self.account.name,
            domainid=self.account.domainid,
        )

    def _listed(self, template):
        found = Template.list(self.apiclient, templatefilter="all", id=template.id, listall=True)
        return found[0] if found else None

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_01_template_from_root_disk(self):
        """A template made from a root disk is ready, private, and its account's own"""
        template = self._create()
        self.addCleanup(template.delete, self.apiclient)

        listed = self._listed(template)
        self.assertTrue(listed.isready, listed.status)
        self.assertFalse(listed.ispublic)
        self.assertEqual((self.account.name, "USER"), (listed.account, listed.templatetype))

    @attr(tags=["advanced", "basic", "sg", "smoke", "deploy-vm"], required_hardware="false")
    def test_02_deploy_from_own_template(self):
        """A virtual machine can be deployed from a template that a user made"""
        template = self._create()
        self.addCleanup(template.delete, self.apiclient)

        virtual_machine = self._deploy(template)
        self.addCleanup(virtual_machine.delete, self.apiclient, expunge=True)

        [listed] = VirtualMachine.list(self.apiclient, id=virtual_machine.id, listall=True)
        self.assertEqual(("Running", template.id), (listed.state, listed.templateid))

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_03_deleted_template_is_gone(self):
        """A deleted template is not listed any more"""
        template = self._create()
        template.delete(self.apiclient)
        self.assertIsNone(self._listed(template))


class TestVMwareTemplates(cloudstackTestCase):
    @attr(tags=["advanced", "basic", "smoke", "vmware"], required_hardware="false")
    def test_01_templates_are_appliances(self):
        """On VMware a template is an appliance: every featured one is of the format OVA"""
        apiclient = self.testClient.getApiClient()
        zone = get_zone(apiclient, self.testClient.getZoneForTests())
        templates = Template.list(apiclient, templatefilter="featured", zoneid=zone.id, hypervisor="VMware")
        self.assertTrue(templates, f"zone {zone.name} has no template for VMware")
        self.assertEqual({"OVA"}, {template.format for template in templates})
