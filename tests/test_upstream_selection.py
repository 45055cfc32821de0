"""CloudStack's own suites, of the cs_source that CS_SOURCE names: for every expression the tests that nose selects."""

from __future__ import annotations

from pathlib import Path

import pytest

import checkout_selection as selection

pytestmark = pytest.mark.upstream

FOLDERS = ("smoke", "component", "plugins", "testpaths", "broken")

NOT_ON_PYPI = {
    "XenAPI.py": "",
    "SignedAPICall.py": "",
    "dfs_sdk.py": "",
    "solidfire/__init__.py": "",
    "solidfire/factory.py": "",
    "solidfire/common.py": "",
    "storpool/__init__.py": "from . import spapi, sptypes, spconfig\n",
    "storpool/spapi.py": "",
    "storpool/sptypes.py": "",
    "storpool/spconfig.py": "",
}
"""Stand-ins for what vendors' suites import, so that both sides can load them."""
ANYTHING = "def __getattr__(name):\n    return type(name, (), {})\n"

EXPRESSIONS = [
    ["-a", "tags=advanced,required_hardware=false"],
    ["-a", "tags=advanced,required_hardware=true"],
    ["-a", "tags=smoke", "-a", "tags=selfservice"],
    ["-a", "!tags"],
    ["-a", "required_hardware"],
    ["-a", "tags=advanced, required_hardware=true"],
    ["-a", "tags=BASIC,!required_hardware"],
    ["-a", "simulator_only"],
    ["-A", "tags and ('advanced' in tags or 'sg' in tags) and not required_hardware"],
    ["-A", "required_hardware == 'simulator only'"],
    ["-A", "not tags or 'multihost' in tags"],
    ["-a", "tags=dvs", "-A", "speed == 'slow'"],
]


@pytest.fixture(scope="module")
def marvin(cs_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return selection.marvin_of(cs_source, tmp_path_factory.mktemp("marvin"))


@pytest.fixture
def vendors(tmp_path: Path) -> Path:
    for path, text in NOT_ON_PYPI.items():
        file = tmp_path / "vendors" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text or ANYTHING)
    return tmp_path / "vendors"


def folders_of(cs_source: Path, name: str) -> list[Path]:
    folder = cs_source / selection.SUITES / name
    if not folder.is_dir():
        pytest.skip(f"the tree has no {selection.SUITES / name}")
    return [folder]


def own_folders(paths: list[Path]) -> list[Path]:
    """Packages that are no part of another: nose finds what lies in one's folder only by PYTHONPATH."""
    packages = (file.parent for path in paths for file in path.rglob("__init__.py"))
    return [folder for folder in packages if not (folder.parent / "__init__.py").exists()]


@pytest.mark.parametrize("name", FOLDERS)
def test_selects_as_nose(cs_source: Path, marvin: Path, vendors: Path, tmp_path: Path, name: str) -> None:
    folders = folders_of(cs_source, name)
    path = [marvin, vendors, *own_folders(folders)]
    expressions = [
        *EXPRESSIONS,
        *selection.expressions_over(selection.nose_answer(cs_source, folders, [], *path, scratch=tmp_path).vocabulary),
    ]
    expected = selection.nose_answer(cs_source, folders, expressions, *path, scratch=tmp_path)
    found = selection.our_answer(cs_source, folders, expressions, scratch=tmp_path, on_path=[vendors])
    assert (len(expected.tests), len(expressions)) > (30, 200)
    differing = selection.differences(expected, found, expressions)
    figures = (len(expected.tests), len(expected.selected(0)), len(expressions), len(expected.failures), len(differing))
    print(
        f"{name}: {figures} are tests, selected by {EXPRESSIONS[0]}, expressions, files that do not load, differences"
    )
    assert differing == []


@pytest.mark.parametrize("name", FOLDERS[:3])
def test_the_reference_is_what_nose_itself_collects(
    cs_source: Path, marvin: Path, vendors: Path, tmp_path: Path, name: str
) -> None:
    folders = folders_of(cs_source, name)
    path = [marvin, vendors, *own_folders(folders)]
    asked = selection.nose_answer(cs_source, folders, EXPRESSIONS, *path, scratch=tmp_path)
    run = selection.nose_answer(cs_source, folders, EXPRESSIONS, *path, scratch=tmp_path, run=True)
    assert selection.differences(asked, run, EXPRESSIONS) == []


@pytest.mark.parametrize("options", EXPRESSIONS, ids=" ".join)
def test_command_lines(
    cs_source: Path, marvin: Path, pytester: pytest.Pytester, tmp_path: Path, options: selection.Expression
) -> None:
    folders = folders_of(cs_source, "component")
    expected = selection.nose_answer(cs_source, folders, [options], marvin, scratch=tmp_path).selected(0)
    selection.make_lab(pytester.path)
    words = [{"-a": "--attr", "-A": "--eval-attr"}.get(word, word) for word in options]
    result = pytester.runpytest_subprocess(
        *selection.in_lab(cs_source, pytester.path), "--co", "-q", "-W", "ignore", *words, *folders
    )
    lines = [line for line in result.outlines if line.endswith("[demo]")]
    assert {line.removesuffix("[demo]") for line in lines} == {"::".join(map(str, name)) for name in expected}
    assert len(lines) == len(expected)
