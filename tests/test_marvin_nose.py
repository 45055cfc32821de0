"""nose's stand-in: there where nose does not import, and only there."""

from __future__ import annotations

import subprocess
import sys
import types
import unittest
from collections.abc import Iterator
from pathlib import Path

import pytest

from cs_matrix_pytest.marvin_bridge.nose_shim import attr, install_shim, uninstall_shim

IMPORTS = """
from cs_matrix_pytest.marvin_bridge.nose_shim import install_shim
install_shim()
from nose.plugins.attrib import attr
import nose, sys
print(nose.__spec__.loader.__class__.__name__, attr.__module__)
"""


def without_nose(monkeypatch: pytest.MonkeyPatch, *first: Path) -> None:
    elsewhere = [path for path in sys.path if not (Path(path) / "nose").exists()]
    monkeypatch.setattr(sys, "path", [*map(str, first), *elsewhere])
    for name in [name for name in sys.modules if name.partition(".")[0] == "nose"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Whatever nose a test leaves imported is no other test's."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "nose"}
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "nose"]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def shim(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand-in installed where no nose is."""
    without_nose(monkeypatch)
    install_shim()
    yield
    uninstall_shim()


def test_attr_stores_names_as_true_and_values_as_given() -> None:
    @attr("slow", "simulator_only", tags=["advanced", "smoke"], required_hardware="false", speed=3)
    def test_it() -> None: ...

    assert vars(test_it) == {
        "slow": True,
        "simulator_only": True,
        "tags": ["advanced", "smoke"],
        "required_hardware": "false",
        "speed": 3,
    }


def test_attr_on_classes_and_stacked() -> None:
    @attr(tags=["a"])
    class TestIt:
        @attr(tags=["outer"])
        @attr("bare", tags=["inner"])
        def test_it(self) -> None: ...

    assert TestIt.tags == ["a"]  # type: ignore[attr-defined]
    assert TestIt.test_it.tags == ["outer"]  # type: ignore[attr-defined]
    assert TestIt.test_it.bare is True  # type: ignore[attr-defined]


@pytest.mark.usefixtures("shim")
def test_what_suites_import_is_there() -> None:
    import nose
    from nose.plugins.attrib import attr as imported
    from nose.plugins.skip import SkipTest
    from nose.tools import assert_equal, assert_raises, eq_, nottest, ok_

    assert imported is attr
    assert SkipTest is nose.SkipTest is unittest.SkipTest
    assert nottest(lambda: None).__test__ is False
    ok_(1)
    eq_(1, 1)
    assert_equal([1], [1])
    with assert_raises(AssertionError):
        eq_(1, 2)


@pytest.mark.usefixtures("shim")
def test_what_it_has_not_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        import nose.core  # noqa: F401


def test_a_nose_that_works_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = tmp_path / "nose" / "plugins"
    plugins.mkdir(parents=True)
    (tmp_path / "nose" / "__init__.py").write_text("count = 1\n")
    (plugins / "__init__.py").write_text("")
    (plugins / "attrib.py").write_text("def attr(): 'the real one'\n")
    without_nose(monkeypatch, tmp_path)
    install_shim()
    try:
        import nose
        from nose.plugins.attrib import attr as imported

        assert imported.__doc__ == "the real one"
        assert nose.__spec__.origin == str(tmp_path / "nose" / "__init__.py")
    finally:
        uninstall_shim()
    assert sys.modules["nose"] is nose


@pytest.mark.parametrize("broken", ["raise AttributeError('no HTMLParser')", "import module_that_python_312_has_not"])
def test_a_nose_whose_import_fails_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    (tmp_path / "nose").mkdir()
    (tmp_path / "nose" / "__init__.py").write_text(broken)
    without_nose(monkeypatch, tmp_path)
    install_shim()
    try:
        from nose.plugins.attrib import attr as imported

        assert imported is attr
    finally:
        uninstall_shim()
    assert "nose" not in sys.modules


def test_the_nose_of_this_python_imports_or_is_replaced_without_a_warning() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", IMPORTS], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    real = done.stdout.split() == ["SourceFileLoader", "nose.plugins.attrib"]
    stand_in = done.stdout.split() == ["_StandIn", attr.__module__]
    assert real or stand_in


def test_what_a_failed_import_of_nose_leaves_behind_is_no_trouble(shim: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python takes the module that failed out of `sys.modules`, not the parts of it that it had imported."""
    left = types.ModuleType("nose.plugins")
    left.__path__ = []
    monkeypatch.setitem(sys.modules, "nose.plugins", left)
    from nose.plugins.attrib import attr as found  # type: ignore[import-untyped,unused-ignore]

    assert found is attr
