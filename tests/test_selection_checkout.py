"""A checkout in which every peculiarity of CloudStack's suites occurs: found, imported and selected as nose does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

import checkout_selection as selection
from checkout_tree import BROKEN, write_checkout

pytest.importorskip("ddt")

MODES = ("prepend", "append", "importlib")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkout(tmp_path_factory.mktemp("tree") / "cloudstack")


@pytest.fixture
def suites(tree: Path) -> Path:
    return tree / selection.SUITES


@pytest.fixture
def folders(suites: Path) -> list[Path]:
    return [suites / name for name in ("smoke", "component", "plugins")]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))


@pytest.fixture
def nose(tree: Path, suites: Path, tmp_path: Path) -> Callable[..., selection.Answer]:
    """nose's answer for paths and expressions; the filer's suites find their own folder only by PYTHONPATH there."""
    marvin = selection.marvin_of(tree, tmp_path / "marvin")
    return lambda paths, expressions, **more: selection.nose_answer(
        tree, paths, expressions, marvin, suites / "plugins/filer", scratch=tmp_path, **more
    )


@pytest.fixture
def ours(tree: Path, tmp_path: Path) -> Callable[..., selection.Answer]:
    return functools.partial(selection.our_answer, tree, scratch=tmp_path)


@pytest.mark.parametrize("mode", MODES)
def test_selects_as_nose(nose, ours, folders, mode) -> None:
    expressions = selection.expressions_over(nose(folders, []).vocabulary)
    expected = nose(folders, expressions)
    assert (len(expressions), len(expected.tests)) > (500, 50)
    assert expected.failures == BROKEN
    found = ours(folders, expressions, f"--import-mode={mode}")
    assert selection.differences(expected, found, expressions) == []


EXPRESSIONS = [
    ["-a", "tags=advanced,required_hardware=false"],
    ["-a", "tags=ADVANCED"],
    ["-a", "tags=basic", "-a", "simulator_only"],
    ["-a", "!required_hardware"],
    ["-a", "required_hardware"],
    ["-a", "required_hardware=simulator only"],
    ["-a", "tags=advanced, required_hardware=true"],
    ["-a", "!tags=advanced"],
    ["-a", "hypervisor=kvm,!disruptive"],
    ["-a", "BugId=42"],
    ["-A", "tags and 'advanced' in tags and speed != 'slow'"],
    ["-A", "not tags or required_hardware in ('false', False)"],
    ["-a", "tags=filer", "-A", "disruptive and not simulator_only"],
]


def test_the_reference_is_what_nose_itself_collects(nose, folders) -> None:
    asked, run = nose(folders, EXPRESSIONS), nose(folders, EXPRESSIONS, run=True)
    assert selection.differences(asked, run, EXPRESSIONS) == []
    assert len({frozenset(run.selected(number)) for number in range(len(EXPRESSIONS))}) > 8


@pytest.fixture
def collected(tree: Path, pytester: pytest.Pytester) -> Callable[..., list[str]]:
    """The ids of what pytest collects with these arguments, in one environment unless others are named."""
    selection.make_lab(pytester.path, ("demo", "other"))

    def collect(*args: str | Path, environments: str = "demo") -> list[str]:
        lab = selection.in_lab(tree, pytester.path, environments)
        result = pytester.runpytest_inprocess(*lab, "--co", "-q", *args)
        return [line for line in result.outlines if "::" in line and not line.startswith(" ")]

    return collect


@pytest.mark.parametrize("options", EXPRESSIONS, ids=" ".join)
def test_command_lines(nose, collected, folders, options) -> None:
    names = {"-a": "--attr", "-A": "--eval-attr"}
    lines = collected(*(names.get(word, word) for word in options), *folders)
    assert len(lines) == len(set(lines))
    assert {line.replace("::Imported::", "::TestOfClass::") for line in lines} == {
        f"{file}::{method}" if cls is None else f"{file}::{cls}::{method}{'' if cls == 'TestPlain' else '[demo]'}"
        for file, cls, method in nose(folders, [options]).selected(0)
    }


@pytest.mark.parametrize("file", ["component/find_hosts.py", "plugins/other/MigrateVolume.py", "smoke/test_volumes.py"])
def test_a_file_that_is_named_need_not_be_named_as_a_test(nose, ours, suites, file) -> None:
    expected = nose([suites / file], [])
    assert len(expected.tests) > 0
    assert ours([suites / file], []).tests == expected.tests


def test_files_that_only_nose_looks_into_have_ids_as_all_others(collected, suites) -> None:
    volumes = "plugins/other/TestVolumes.py::TestVolumes::test_of_other"
    both = {f"{volumes}[{environment}]" for environment in ("demo", "other")}
    everything = functools.partial(collected, environments="demo,other")
    assert set(everything(f"{suites}/{volumes}")) == both
    assert set(everything(suites, "-k", "test_of_other")) == both
    assert everything(f"{suites}/{volumes}[other]") == [f"{volumes}[other]"]
    assert everything(suites / "plugins", "--deselect", f"{volumes}[demo]", "-k", "test_of_other") == [
        f"{volumes}[other]"
    ]


def test_listings_see_the_same_files(tree, suites, pytester) -> None:
    selection.make_lab(pytester.path)
    lab = selection.in_lab(tree, pytester.path)
    without = [word for word in lab if not word.startswith("--cs-env=")]
    for options in (lab, without):
        tags = pytester.runpytest_inprocess(*options, "--cs-list-tags", suites / "plugins")
        tags.stdout.fnmatch_lines(["3 tags in 7 tests", "*5  filer *", "*2  advanced *", "*1  basic *"])
        features = pytester.runpytest_inprocess(*options, "--cs-list-features", suites / "component")
        features.stdout.fnmatch_lines(["*11 tests", "*  1  testpath_disable_zone *", "*  1  upgrade-test-path *"])
