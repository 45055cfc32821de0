"""Which Marvin there is, and what is said where there is none that can be used: on real folders and a real sys.path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.marvin_bridge.finder import install_finder, uninstall
from cs_matrix_pytest.marvin_bridge.locate import Marvin, locate

BASE = (
    "__init__.py",
    "cloudstackTestCase.py",
    "cloudstackConnection.py",
    "cloudstackTestClient.py",
    "configGenerator.py",
    "marvinInit.py",
)
GENERATED = "cloudstackAPI/cloudstackAPIClient.py"
OLD_LIBRARY = "integration/lib/base.py"
NEW_LIBRARY = "lib/base.py"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A site-packages that is the only place where a Marvin could be."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    elsewhere = [path for path in sys.path if not (Path(path) / "marvin").exists()]
    monkeypatch.setattr(sys, "path", [str(folder), *elsewhere])
    for name in [name for name in sys.modules if name.partition(".")[0] == "marvin"]:
        monkeypatch.delitem(sys.modules, name)
    yield folder
    uninstall()


def package(folder: Path, *files: str) -> Path:
    for name in files:
        file = folder / "marvin" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("", encoding="utf-8")
    return folder / "marvin"


def tree(top: Path, *files: str) -> Path:
    package(top / "tools" / "marvin", *files)
    (top / "tools/marvin/setup.py").write_text('VERSION = "4.23.0.0"\n')
    return top


def trouble(source: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        locate(source)
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.usefixtures("site")
def test_nothing_is_installed() -> None:
    text = trouble()
    assert "no Marvin is installed" in text
    assert 'pip install "cs-matrix-pytest[marvin]"' in text
    assert "--cs-source" in text


def test_a_folder_of_that_name_is_no_marvin(site: Path) -> None:
    (site / "marvin").mkdir()
    assert "no Marvin is installed" in trouble()


def test_marvin_44_as_pip_installs_it(site: Path) -> None:
    folder = package(site, *BASE, OLD_LIBRARY, GENERATED)
    assert locate() == Marvin("4.4.0", "4.4.0", folder, "importable")
    assert "marvin" not in sys.modules


def test_a_modern_marvin_as_pip_installs_it(site: Path) -> None:
    folder = package(site, *BASE, NEW_LIBRARY, GENERATED)
    (site / "Marvin-4.22.0.0.dist-info").mkdir()
    assert locate() == Marvin("modern", "4.22.0.0", folder, "importable")


def test_the_tree_wins_over_what_is_installed(site: Path, tmp_path: Path) -> None:
    package(site, *BASE, OLD_LIBRARY, GENERATED)
    source = tree(tmp_path / "cloudstack", *BASE, NEW_LIBRARY, GENERATED)
    expected = Marvin("modern", "4.23.0.0", source / "tools/marvin/marvin", "source tree")
    assert locate(source) == expected
    install_finder(expected)
    import marvin

    assert Path(marvin.__file__ or "").parent == expected.path
    assert locate() == Marvin("modern", "4.23.0.0", expected.path, "importable")


def test_the_unrelated_project_called_marvin(site: Path) -> None:
    package(site, "__init__.py", "ai/agents.py")
    (site / "marvin-3.1.2.dist-info").mkdir()
    text = trouble()
    assert "not CloudStack's Marvin (marvin 3.1.2" in text
    assert 'pip uninstall -y marvin && pip install "cs-matrix-pytest[marvin]"' in text


def test_two_marvins_over_each_other(site: Path) -> None:
    package(site, *BASE, OLD_LIBRARY, NEW_LIBRARY, GENERATED)
    (site / "Marvin-4.22.0.0.dist-info").mkdir()
    (site / "cloudstack_marvin-4.4.0.dist-info").mkdir()
    text = trouble()
    assert "installed over each other" in text
    assert "(Marvin 4.22.0.0 and cloudstack-marvin 4.4.0)" in text
    assert "pip uninstall -y cloudstack-marvin Marvin" in text


@pytest.mark.parametrize("left", [(*BASE[:2], NEW_LIBRARY), (*BASE, GENERATED), ("__init__.py", OLD_LIBRARY)])
def test_half_a_marvin(site: Path, left: tuple[str, ...]) -> None:
    package(site, *left)
    assert "only a part of Marvin is there" in trouble()


@pytest.mark.parametrize("left", ["cloudstackAPI/__init__.py", None])
def test_a_tree_without_its_generated_api(tmp_path: Path, left: str | None) -> None:
    source = tree(tmp_path, *BASE, NEW_LIBRARY, *([left] if left else []))
    assert not locate(source).complete


def test_a_marvin_of_python_2(tmp_path: Path) -> None:
    source = tree(tmp_path, *BASE, NEW_LIBRARY, GENERATED)
    (source / "tools/marvin/marvin/marvinInit.py").write_text("try:\n    pass\nexcept Exception, e:\n    print 'no'\n")
    assert "Marvin 4.23.0.0 is written for Python 2" in trouble(source)


def test_a_tree_that_is_none(tmp_path: Path) -> None:
    assert "not a CloudStack source tree" in trouble(tmp_path)
    assert "git clone" in trouble(tmp_path)
    assert "does not exist" in trouble(tmp_path / "nowhere")


def test_a_folder_within_the_tree(tmp_path: Path) -> None:
    source = tree(tmp_path / "cloudstack", *BASE, NEW_LIBRARY, GENERATED)
    assert f"--cs-source={source}" in trouble(source / "tools" / "marvin")


@pytest.mark.upstream
def test_a_real_cloudstack_tree(cs_source: Path) -> None:
    assert locate(cs_source).kind == "modern"
    assert locate(cs_source).complete == (cs_source / "tools/marvin/marvin" / GENERATED).exists()
