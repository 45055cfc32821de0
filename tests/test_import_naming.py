"""The classes of tests that reports name without them: those of CloudStack's own suites, where only one can be meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cs_matrix_pytest import cli
from cs_matrix_pytest.importers.naming import place_of_test
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.record import read_folder
from test_import_comments import SAMPLES

CATALOGUE = load_catalogue()

COMMENT = """\
<b>[SF] Trillian test result (tid-12)</b>
Environment: kvm-ol9 (x2), zone: Advanced Networking with Mgmt server ol9
Smoke tests completed. 147 look OK, 2 have errors, 0 did not run

Test | Result | Time (s) | Test File
--- | --- | --- | ---
test_01_secure_vm_migration | `Error` | 61.20 | test_vm_life_cycle.py
"""

XUNIT = """\
<testsuite name="nosetests">
<testcase classname="integration.smoke.test_vm_life_cycle.TestSecuredVmMigration" name="test_01_secure_vm_migration" time="3.0"/>
</testsuite>
"""

RESULTS = """\
Tests that a secured VM migrates ... === TestName: test_01_secure_vm_migration | Status : SUCCESS ===
ok
"""

SECURED = "smoke/test_vm_life_cycle.py::TestSecuredVmMigration::test_01_secure_vm_migration"


@pytest.mark.parametrize(
    ("module", "test", "found"),
    [
        ("smoke/test_vm_life_cycle.py", "test_01_secure_vm_migration", "TestSecuredVmMigration"),
        ("smoke/test_vpc_vpn.py", "test_01_vpc_remote_access_vpn", "TestVpcRemoteAccessVpn"),
        ("smoke/test_login.py", "login_test_saml_user", "TestLogin"),
        ("smoke/test_network.py", "test_network_rules_acquired_public_ip_2_nat_rule", "TestRouterRules"),
        ("smoke/test_network.py", "test_network_rules_acquired_public_ip_04", "TestRouterRules"),
        ("smoke/test_network.py", "test_network_rules_acquired_public_ip_", None),
        # ddt makes nothing of it.
        ("smoke/test_vm_life_cycle.py", "test_01_secure_vm_migration_1", None),
        # Two classes of the module have a test of this name.
        ("smoke/test_network.py", "test_01_deployVMInSharedNetwork", None),
        # It stands beside the classes.
        ("component/test_assign_vm.py", "log_test_exceptions", None),
        ("smoke/test_vm_life_cycle.py", "test_that_is_gone", None),
        ("smoke/test_of_somebody.py", "test_01_secure_vm_migration", None),
        ("unknown", "test_01_secure_vm_migration", None),
        ("", "", None),
        # Two suites have such a file, and one has such a test in it.
        ("test_templates.py", "test_09_copy_delete_template", "smoke::TestCopyAndDeleteTemplatesAcrossZones"),
        ("test_templates.py", "test_that_is_gone", None),
    ],
)
def test_the_only_class_that_can_be_meant(module, test, found):
    folder, _, name = (found or "").rpartition("::")
    expected = f"{folder}/{module}::{name}" if folder else f"{module}::{name}" if name else module
    assert place_of_test(module, test).id == expected


def test_a_comment_results_txt_and_xunit_tell_of_one_test(tmp_path):
    """And in the feature that its class is evidence for, which is not that of its module."""
    (tmp_path / "comment.md").write_text(COMMENT, encoding="utf-8")
    (tmp_path / "nosetests.xml").write_text(XUNIT, encoding="utf-8")
    folder = tmp_path / "pr815-t13-kvm-ol9" / "test_vm_life_cycle_A1B2C3"
    folder.mkdir(parents=True)
    (folder / "results.txt").write_text(RESULTS, encoding="utf-8")
    facts = (
        "--context",
        "hypervisor.type=kvm",
        "--context",
        "hypervisor.version=ol9",
        "--context",
        "networking=advanced",
    )
    more = ("--environment", "kvm-ol9", "--acs-version", "4.22.0.0", "--context", "management_os=ol9", *facts)
    for kind, source in (("comments", "comment.md"), ("xunit", "nosetests.xml"), ("trillian", folder.parent.name)):
        assert cli.main(["import", kind, str(tmp_path / source), str(tmp_path / "out"), *more, "--lab=one"]) == 0
    [cell] = compute_matrix(read_folder(tmp_path / "out"), CATALOGUE, generated="2026-01-01T00:00:00Z").cells
    assert (cell.feature, cell.total.attempts) == ("vm-live-migration", 3)
    assert [(each.test, each.passed, each.failed) for each in cell.total.evidence] == [(SECURED, 2, 1)]
    assert sum(cell.total.tests.values()) == 1


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not part of the project")
def test_every_test_that_the_samples_name_is_found(tmp_path):
    assert cli.main(["import", "comments", str(SAMPLES), str(tmp_path)]) == 0
    attempts = [attempt for record in read_folder(tmp_path) for attempt in record.attempts]
    tests = {attempt.test for attempt in attempts if attempt.level == "test"}
    assert len(tests) > 20
    assert sorted(test for test in tests if test.count("::") != 2) == [
        # In two classes; in no class of this module any more.
        "smoke/test_network.py::test_01_deployVMInSharedNetwork",
        "smoke/test_safe_shutdown.py::test_02_trigger_shutdown",
        "smoke/test_ssvm.py::test_11_ss_nfs_version_on_ssvm",
    ]


@pytest.mark.upstream
def test_the_list_has_the_tests_of_the_tree(cs_source):
    root = cs_source / "test" / "integration"
    found = [(module, name, test) for file in root.rglob("*.py") for module, name, test in _tests(file, root)]
    assert len(found) > 2000
    places = [(place_of_test(module, test).id, f"{module}::{name}", module) for module, name, test in found]
    assert [each for each in places if each[0] not in each[1:]] == []
    assert sum(found == module for found, _, module in places) < len(places) / 50


def _tests(file: Path, root: Path) -> Iterator[tuple[str, str, str]]:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError:
        return
    for node in tree.body:
        for each in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(each, ast.FunctionDef) and re.match(r"[Tt]est", each.name):
                yield file.relative_to(root).as_posix(), node.name, each.name
