"""The shipped catalogue of features, over the modules of CloudStack's own suites."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cs_matrix_pytest.matrix.listing import list_features
from cs_matrix_pytest.outcomes.features import SHIPPED, load_catalogue

pytest_plugins = ["pytester"]

MODULES = [
    line
    for line in Path(__file__).with_name("upstream-modules.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
AREAS = {"compute", "network", "storage", "images", "accounts", "infrastructure", "management", "integrations"}


def test_every_module_has_a_feature():
    catalogue = load_catalogue()
    names = [name for module in MODULES for name in (module, f"{module}::TestX::test_x")]
    assert [name for name in names if catalogue.feature_of(name).id not in catalogue.features] == []
    assert {catalogue.feature_of(name).area for name in names} == AREAS


def test_the_catalogue_names_no_module_that_is_not_there():
    written = yaml.load(SHIPPED.read_text(encoding="utf-8"), yaml.CSafeLoader)["features"]
    modules = {test.partition("::")[0] for feature in written.values() for test in feature["tests"]}
    folders = {module for module in modules if module.endswith("/")}
    assert modules - folders <= set(MODULES)
    assert all(any(module.startswith(folder) for module in MODULES) for folder in folders)


def test_titles_are_unlike():
    features = load_catalogue().features.values()
    assert len({feature.title for feature in features}) == len(features) >= 80


@pytest.mark.parametrize(
    ("test", "feature"),
    [
        ("smoke/test_vm_life_cycle.py::TestVMLifeCycle::test_01_stop_vm", "VM lifecycle"),
        ("smoke/test_vm_life_cycle.py::TestVMLifeCycle::test_08_migrate_vm", "VM live migration"),
        ("smoke/test_vm_life_cycle.py::TestMigrateVMwithVolume::test_04_migrate_detached_volume", "Storage migration"),
        ("smoke/test_vpc_vpn.py::TestVpcSite2SiteVpn::test_01_vpc_site2site_vpn", "VPC site-to-site VPN"),
        ("smoke/test_vpc_vpn.py::TestVpcRemoteAccessVpn::test_01_vpc_remote_access_vpn", "VPC remote access VPN"),
        ("smoke/test_network.py::TestL2Networks::test_l2network_restart", "L2 networks"),
        ("smoke/test_snapshots.py::TestSnapshotRootDisk::test_01_snapshot_root_disk", "Volume snapshots"),
        ("component/test_snapshots.py::TestSnapshotEvents::test_05_snapshot_events", "Events"),
        ("plugins/ontap/nfs3/pool/test_pool_lifecycle.py::T::test_01", "NetApp ONTAP storage"),
        ("plugins/ontap/zone_setup/test_setup_zone.py::T::test_01", "Zones, pods and clusters"),
    ],
)
def test_modules_with_several_features(test, feature):
    assert load_catalogue().feature_of(test).title == feature


def test_a_projects_own_file_comes_first(tmp_path):
    own = tmp_path / "cs-features.yaml"
    own.write_text(
        "version: 1\nfeatures:\n  ours: {title: Ours, area: compute, tests: [smoke/test_vm_schedule.py]}\n"
        "  volumes: {title: Disks}\n",
        encoding="utf-8",
    )
    catalogue = load_catalogue(own)
    assert catalogue.feature_of("smoke/test_vm_schedule.py::T::test_x").title == "Ours"
    assert catalogue.feature_of("smoke/test_volumes.py::T::test_x").title == "Disks"


def test_loading_is_cheap():
    load_catalogue()
    fastest = min(_seconds(load_catalogue) for _ in range(5))
    # 5 ms where PyYAML has libyaml (every wheel of it), 50 ms where not.
    assert fastest < (0.05 if hasattr(yaml, "CSafeLoader") else 0.5)


def _seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_listing_counts_by_area():
    lines = list_features(
        ["smoke/test_volumes.py::T::test_a", "smoke/test_volumes.py::T::test_b", "own/test_x.py::T::test_a"],
        load_catalogue(),
    )
    assert lines == [
        "2 features in 2 areas, 3 tests",
        "",
        "storage:",
        "      2  volumes  Volumes",
        "",
        "no area:",
        "      1  x        X",
    ]


def test_list_features_of_nothing(pytester):
    pytester.makeini("[pytest]")
    result = pytester.runpytest_subprocess("--cs-list-features")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*features in 8 areas, 0 tests", "compute:", "*0  vm-lifecycle *VM lifecycle"])


def test_list_features_of_native_tests_in_two_environments(pytester):
    pytester.makeini("[pytest]")
    pytester.path.joinpath("cs-environments.yaml").write_text(
        "version: 1\ndefaults: {simulator: embedded, hypervisor: {type: kvm}}\nenvironments: {a: {}, b: {}}\n",
        encoding="utf-8",
    )
    suites = pytester.mkdir("test") / "integration" / "smoke"
    suites.mkdir(parents=True)
    (suites / "test_volumes.py").write_text("def test_a(cs_env): raise AssertionError('must not run')\n")
    (suites / "test_plain.py").write_text("def test_a(): raise AssertionError('must not run')\n")
    result = pytester.runpytest_subprocess("--cs-list-features", "--cs-env=a,b")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["1 feature in 1 area, 1 test", "storage:", "*1  volumes  Volumes"])
    assert not (pytester.path / "cs-report").exists()


def test_list_features_with_a_wrong_file(pytester):
    pytester.makeini("[pytest]")
    pytester.path.joinpath("cs-features.yaml").write_text("version: 2\n", encoding="utf-8")
    result = pytester.runpytest_subprocess("--cs-list-features")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *cs-features.yaml:*"])


@pytest.mark.upstream
def test_nothing_of_a_real_tree_falls_through(cs_source):
    catalogue = load_catalogue()
    names = list(_tests(cs_source / "test" / "integration"))
    assert len(names) > 2000
    assert [name for name in names if catalogue.feature_of(name).id not in catalogue.features] == []


def _tests(suites: Path) -> Iterator[str]:
    for file in suites.rglob("[tT]est*.py"):
        module = file.relative_to(suites).as_posix()
        yield module
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except SyntaxError:
            continue
        for case in tree.body:
            for test in case.body if isinstance(case, ast.ClassDef) else ():
                if isinstance(test, ast.FunctionDef) and test.name.startswith("test"):
                    yield f"{module}::{case.name}::{test.name}"
