"""Accounts and domains: made, disabled, deleted, and kept apart."""

from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.lib.base import Account, Domain, User
from nose.plugins.attrib import attr


class TestAccounts(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()

    @attr(tags=["advanced", "basic", "sg", "smoke", "quick-test"], required_hardware="false")
    def test_01_create_account(self):
        """A new account is enabled and has the one user that it was made with"""
        account = Account.create(self.apiclient, self.services["account"])
        self.addCleanup(account.delete, self.apiclient)

        [listed] = Account.list(self.apiclient, id=account.id)
        self.assertEqual((account.name, "enabled"), (listed.name, listed.state))
        [user] = User.list(self.apiclient, account=account.name, domainid=account.domainid)
        self.assertEqual(self.services["account"]["email"], user.email)

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_02_disabled_account_disables_its_users(self):
        """Nobody works with a disabled account: its users are disabled with it"""
        account = Account.create(self.apiclient, self.services["account"])
        self.addCleanup(account.delete, self.apiclient)

        account.disable(self.apiclient)

        [listed] = Account.list(self.apiclient, id=account.id)
        self.assertEqual("disabled", listed.state)

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_03_deleted_account_takes_its_users_along(self):
        """A deleted account is not listed any more, and neither are its users"""
        account = Account.create(self.apiclient, self.services["account"])
        account.delete(self.apiclient)

        self.assertIsNone(Account.list(self.apiclient, name=account.name, listall=True))
        self.assertIsNone(User.list(self.apiclient, username=account.user[0].username, listall=True))

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_04_user_sees_only_its_own_account(self):
        """A user lists one account, its own, however many there are"""
        mine = Account.create(self.apiclient, self.services["account"])
        self.addCleanup(mine.delete, self.apiclient)
        others = Account.create(self.apiclient, self.services["account"])
        self.addCleanup(others.delete, self.apiclient)

        client = self.testClient.getUserApiClient(UserName=mine.name, DomainName=mine.domain)

        self.assertEqual([mine.name], [account.name for account in Account.list(client, listall=True)])


class TestDomains(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        test_client = cls.getClsTestClient()
        cls.apiclient = test_client.getApiClient()
        cls.services = test_client.getParsedTestDataConfig()

    @attr(tags=["advanced", "basic", "sg", "smoke"], required_hardware="false")
    def test_01_domain_holds_its_accounts(self):
        """An account of a domain is listed there, and goes with it"""
        domain = Domain.create(self.apiclient, self.services["domain"])
        account = Account.create(self.apiclient, self.services["account"], domainid=domain.id)
        [listed] = Account.list(self.apiclient, domainid=domain.id)
        self.assertEqual(account.id, listed.id)

        domain.delete(self.apiclient, cleanup=True)

        self.assertIsNone(Domain.list(self.apiclient, name=domain.name, listall=True))
        self.assertIsNone(Account.list(self.apiclient, name=account.name, listall=True))
