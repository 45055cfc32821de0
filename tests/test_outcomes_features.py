"""Which feature a test is evidence for."""

from __future__ import annotations

import pytest

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.features import SCHEMA_FILE, SHIPPED, Feature, find_catalogue, load_catalogue

CATALOGUE = """\
version: 1
features:
  vm-lifecycle:
    title: VM lifecycle
    area: compute
    tests: [smoke/test_vm_life_cycle.py, "smoke/test_x.py::TestX::test_y"]
  migration:
    tests:
      - smoke/test_vm_life_cycle.py::TestMigrateVM
      - "smoke/test_vm_life_cycle.py::TestVM::test_09_migrate"
  vpc: {title: VPC, tests: [test/integration/component/vpc/, "smoke/test_vpc_*.py"]}
  vpn: {title: VPN, tests: ["smoke/test_vpc_vpn*.py"]}
  smoke-rest: {tests: [smoke]}
"""


@pytest.fixture
def catalogue(tmp_path):
    path = tmp_path / "cs-features.yaml"
    path.write_text(CATALOGUE, encoding="utf-8")
    return load_catalogue(path)


@pytest.mark.parametrize(
    ("test", "feature"),
    [
        ("smoke/test_vm_life_cycle.py::TestVM::test_01", "vm-lifecycle"),
        ("smoke/test_vm_life_cycle.py::TestMigrateVM::test_01", "migration"),
        ("smoke/test_vm_life_cycle.py::TestVM::test_09_migrate", "migration"),
        ("smoke/test_vm_life_cycle.py::TestVM::test_09_migrate[param::x]", "migration"),
        ("smoke/test_vm_life_cycle.py::TestMigrateVM", "migration"),
        ("smoke/test_vm_life_cycle.py", "vm-lifecycle"),
        ("smoke/test_x.py::TestX::test_y", "vm-lifecycle"),
        ("smoke/test_x.py::TestX::test_z", "smoke-rest"),
        ("component/vpc/deep/test_a.py::T::test_a", "vpc"),
        ("smoke/test_vpc_routers.py::T::test_a", "vpc"),
        ("smoke/test_vpc_vpn.py::T::test_a", "vpn"),
        ("component/test_of_our_own.py::T::test_a", "of_our_own"),
        ("deploy.py::test_a", "deploy"),
        ("strange", "strange"),
    ],
)
def test_the_most_specific_match_wins(catalogue, test, feature):
    assert catalogue.feature_of(test).id == feature


def test_titles_and_areas(catalogue):
    assert catalogue.feature_of("smoke/test_vm_life_cycle.py") == Feature("vm-lifecycle", "VM lifecycle", "compute")
    assert catalogue.features["migration"] == Feature("migration", "Migration", None)
    assert catalogue.feature_of("a/test_list_ids-2.py") == Feature("list_ids-2", "List ids 2", None)


def test_without_a_file_the_module_says_it():
    assert load_catalogue().feature_of("smoke/test_of_our_own.py::T::test_a").id == "of_our_own"


def test_the_shipped_catalogue_is_as_its_schema_has_it():
    import json

    import jsonschema
    import yaml

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")), schema)


def test_the_nearest_file_is_found(tmp_path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "cs-features.yaml").write_text(CATALOGUE, encoding="utf-8")
    assert find_catalogue(below) == tmp_path / "cs-features.yaml"


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("version: 1\nfeatures: {\n", 3, None, "not YAML"),
        ("version: 2\nfeatures: {}\n", 1, "version", "1"),
        ("version: 1\nfeatures: []\n", 2, "features", "mapping"),
        ("version: 1\nfeatures:\n  a:\n    titel: A\n", 4, "features.a.titel", "title"),
        ("version: 1\nfeatures:\n  a:\n    tests: x.py\n", 4, "features.a.tests", "list"),
        ("version: 1\nfeatures:\n  a: {}\n  a: {}\n", 4, "features.a", "twice"),
        ("version: 1\nfeatures:\n  a: {tests: [x.py]}\n  b:\n    tests:\n      - x.py\n", 6, "features.b.tests.0", "a"),
        ("", 1, None, ""),
    ],
)
def test_a_bad_file_is_named_with_line_and_key(tmp_path, text, line, key, message):
    path = tmp_path / "cs-features.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_catalogue(path)
    error = caught.value
    assert (error.file, error.line) == (path, line)
    assert key is None or error.key == key
    assert message in str(error)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        load_catalogue(tmp_path / "none.yaml")
