"""A small checkout in the form of CloudStack's whose suites have every peculiarity that makes one hard to find or select."""

from __future__ import annotations

import textwrap
from pathlib import Path

import java_tree

MARVIN = {
    "lib/common.py": """
        def get_test_template(client):
            raise AssertionError("a helper, which nose takes for a test wherever it is imported")


        def get_test_ovf_templates(client):
            raise AssertionError("a helper")
        """,
}

_IMPORTS = """
import unittest
from marvin.cloudstackTestCase import cloudstackTestCase
from nose.plugins.attrib import attr
"""

SUITES = {
    "__init__.py": "",
    "smoke/__init__.py": "",
    "smoke/test_volumes.py": """
        from marvin.lib.common import get_test_template, get_test_ovf_templates


        class Services:
            def __init__(self):
                self.services = {"disk": 1}


        class TestVolumes(cloudstackTestCase):
            test_data = Services
            testdata = {"account": {}}
            hypervisor = None

            @attr(tags=["advanced", "advancedns", "smoke"], required_hardware="false")
            def test_01_create(self): pass

            @attr(tags=["advanced", "basic"], required_hardware="true")
            def test_02_attach(self): pass

            @attr(tags=["Advanced", "BVT"], required_hardware="True")
            def test_03_detach(self): pass

            @attr(tags=("basic", "sg"), required_hardware=True)
            def test_04_resize(self): pass

            @attr(tags={"advanced"}, required_hardware=False)
            def test_05_migrate(self): pass

            @attr(tags="advanced", required_hrdware="false")
            def test_06_delete(self): pass

            def test_07_says_nothing(self): pass

            def Test_08_begins_with_a_capital(self): pass

            @attr("simulator_only", tags=["adeancedsg", "advanced"], BugId=["7180", 42], speed="slow", priority=2)
            def test_09_all_kinds(self): pass

            @attr("disruptive", "multihost", tags=["needs root", "a=b"], required_hardware="simulator only")
            def test_10_words(self): pass

            @attr(tags=[], configuration=None)
            def test_11_empty(self): pass
        """,
    "smoke/test_stacked.py": """
        class TestStacked(cloudstackTestCase):
            @attr(tags=["simulator"], required_hardware="true")
            @attr("disruptive", tags=["advanced"], required_hardware="false", speed="fast")
            def test_two(self): pass

            @attr(tags=["basic"])
            @attr(hypervisor="xenserver")
            @unittest.skip("not today")
            def test_three(self): pass


        @attr("simulator_only", tags=["advanced"], required_hardware="false", hypervisor="kvm")
        class TestOfClass(cloudstackTestCase):
            speed = "slow"

            def test_inherits(self): pass

            @attr(tags=["basic"])
            def test_overrides(self): pass

            @attr(tags=None, hypervisor="")
            def test_takes_away(self): pass


        class TestDerived(TestOfClass):
            required_hardware = "true"

            @attr(speed=None)
            def test_own(self): pass
        """,
    "smoke/test_helpers.py": """
        from marvin.lib.common import *


        def wait_for_test(): raise AssertionError("a helper")


        class TestRouters(cloudstackTestCase):
            def do_vpc_test(self): raise AssertionError("a helper")

            def run_test_limits(self): raise AssertionError("a helper")

            @attr(tags=["advanced"])
            def login_test_saml_user(self): pass

            @attr(required_hardware="false")
            def login_test_without_tags(self): pass

            @attr("simulator_only")
            def bare_test(self): pass

            @attr(tags=["advanced"])
            def verify_nothing(self): raise AssertionError("its name is no test's for nose either")

            @attr(tags=["advanced"])
            def _test_switched_off(self): raise AssertionError("private")

            @attr(tags=["advanced"], required_hardware="false")
            def test_routers(self): pass

            @staticmethod
            @attr(tags=["basic"])
            def test_static(): pass


        class _Base(cloudstackTestCase):
            @attr(tags=["basic"], required_hardware="false")
            def test_in_base(self): pass


        class TestOfBase(_Base):
            tags = ["advanced"]

            def test_of_base(self): pass
        """,
    "smoke/test_data_driven.py": """
        from ddt import data, ddt, unpack


        @ddt
        class TestDataDriven(cloudstackTestCase):
            @data("nfs", "local")
            @attr(tags=["advanced"], required_hardware="false")
            def test_storage(self, value): pass

            @attr(tags=["basic"])
            @data((1, 2), (3, 4))
            @unpack
            def test_pairs(self, one, other): pass
        """,
    "smoke/test_plain.py": """
        @attr(tags=["advanced"], required_hardware="false")
        def test_function(): pass


        def test_function_that_says_nothing(): pass


        class TestPlain(unittest.TestCase):
            @attr(tags=["basic"])
            def test_plain(self): pass
        """,
    "smoke/test_does_not_parse.py": "  class TestX(cloudstackTestCase: pass\n",
    "smoke/test_lacks_a_module.py": "import module_that_nobody_has\n\n\nclass TestX(cloudstackTestCase):\n    def test_a(self): pass\n",
    "smoke/test_raises.py": "raise RuntimeError('not like this')\n",
    "component/__init__.py": "",
    "component/test_volumes.py": """
        class TestVolumes(cloudstackTestCase):
            @attr(tags=["advanced"], required_hardware="false")
            def test_01_of_component(self): pass
        """,
    "component/test_acl_deployVM-impersonation.py": """
        class TestImpersonation(cloudstackTestCase):
            @attr(tags=["advanced"], required_hardware="false")
            def test_hyphen(self): pass
        """,
    "component/test_imports_a_class.py": """
        from integration.smoke.test_stacked import TestOfClass as Imported


        class TestHere(Imported):
            @attr(tags=["sg"])
            def test_here(self): pass
        """,
    "component/find_hosts.py": """
        class TestHosts(cloudstackTestCase):
            @attr(tags=["advanced"])
            def test_by_name_only(self): pass
        """,
    "component/maint/__init__.py": "",
    "component/maint/testpath_disable_zone.py": """
        class TestDisableZone(cloudstackTestCase):
            @attr(tags=["advanced", "basic"], required_hardware="true")
            def test_01_disable(self): pass
        """,
    "component/maint/upgrade-test-path.py": """
        class TestUpgrade(cloudstackTestCase):
            @attr(tags=["advanced"], required_hardware="false")
            def test_upgrade(self): pass
        """,
    "plugins/acme/TestVolumes.py": """
        from util import acme_util


        class TestVolumes(cloudstackTestCase):
            where = acme_util.WHERE

            @attr(tags=["advanced"], required_hardware="true")
            def test_of_acme(self): self.assertEqual(self.where, "acme")
        """,
    "plugins/acme/util/acme_util.py": "WHERE = 'acme'\n",
    "plugins/other/TestVolumes.py": """
        class TestVolumes(cloudstackTestCase):
            @attr(tags=["basic"])
            def test_of_other(self): pass
        """,
    "plugins/other/MigrateVolume.py": """
        class MigrateVolume(cloudstackTestCase):
            def test_by_name_only(self): pass
        """,
    "plugins/filer/__init__.py": "",
    "plugins/filer/filer_base.py": """
        class FilerCase(cloudstackTestCase):
            @attr(tags=["filer"])
            def test_of_base(self): pass
        """,
    "plugins/filer/nfs/__init__.py": "",
    "plugins/filer/nfs/pool/__init__.py": "",
    "plugins/filer/nfs/pool/test_pool.py": """
        from filer_base import FilerCase


        class TestPool(FilerCase):
            @attr(tags=["filer", "advanced"], required_hardware="false")
            def test_pool(self): pass
        """,
    "plugins/filer/iscsi/__init__.py": "",
    "plugins/filer/iscsi/test_pool.py": """
        import filer_base


        class TestPool(filer_base.FilerCase):
            @attr(tags=["filer"])
            def test_iscsi(self): pass
        """,
}
"""Suites below test/integration; Marvin's imports are put before each that is not empty."""

BROKEN = frozenset({"smoke/test_does_not_parse.py", "smoke/test_lacks_a_module.py", "smoke/test_raises.py"})
EXECUTABLE = "component/test_volumes.py"


def write_checkout(top: Path) -> Path:
    """Write the checkout into the folder ``top`` and return it."""
    java_tree.write_tree(top)
    for path, text in MARVIN.items():
        java_tree.write(top / "tools/marvin/marvin" / path, textwrap.dedent(text))
    for path, text in SUITES.items():
        body = textwrap.dedent(text)
        java_tree.write(
            top / "test/integration" / path, f"{_IMPORTS}\n\n{body}" if body and "_util" not in path else body
        )
    (top / "test/integration" / EXECUTABLE).chmod(0o755)
    return top
