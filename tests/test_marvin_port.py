"""Marvin 4.4.0, Python 2 source, imported on this Python: the rules and patches, the cache, what the library does."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.marvin_bridge import deactivate
from cs_matrix_pytest.marvin_bridge.finder import install_finder, uninstall
from cs_matrix_pytest.marvin_bridge.locate import Marvin, locate
from cs_matrix_pytest.marvin_bridge.port44.cache import ported_package
from cs_matrix_pytest.marvin_bridge.port44.patches import PATCHES
from cs_matrix_pytest.marvin_bridge.port44.translate import compiled, translated


def marvin_44() -> Marvin | None:
    try:
        found = locate()
    except UserError:
        return None
    return found if found.kind == "4.4.0" else None


only_44 = pytest.mark.skipif(marvin_44() is None, reason='needs Marvin 4.4.0: pip install "cs-matrix-pytest[marvin]"')


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Marvin]:
    """Marvin 4.4.0 and a cache folder of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = marvin_44()
    assert found is not None
    yield found
    uninstall()


@pytest.mark.parametrize(
    ("python2", "python3"),
    [
        ("import codes\n", "from . import codes\n"),
        ("import codes # all of them\n", "from . import codes# all of them\n"),
        ("    from codes import *\n", "    from .codes import *\n"),
        ("import codesearch\n", "import codesearch\n"),
        ("from marvin.codes import *\n", "from marvin.codes import *\n"),
        ("except Exception, e:\n", "except Exception as e:\n"),
        ("except socket.error, e:\n", "except socket.error as e:\n"),
        ("except (A, B):\n", "except (A, B):\n"),
        ('    print "a", b\n', '    print("a", b)\n'),
        ('print"a"\n', 'print("a")\n'),
        ("print(a)\n", "print(a)\n"),
        ("printer = 1\n", "printer = 1\n"),
        ("for k, v in d.iteritems():\n", "for k, v in d.items():\n"),
        ("import Queue\n", "import queue as Queue\n"),
        ("self.async = x\n", "self.is_async = x\n"),
        ("if async:\n", "if is_async:\n"),
        ('"""the latest async job"""\n', '"""the latest async job"""\n'),
    ],
)
def test_rules(python2: str, python3: str) -> None:
    assert translated("some.module", python2, ["codes"], "file.py") == python3


def test_a_patch_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(UserError) as caught:
        translated("sshClient", "nothing that the patch knows\n", [], "/site/marvin/sshClient.py")
    text = str(caught.value)
    assert "/site/marvin/sshClient.py" in text
    assert "None has no order" in text
    assert "fits 0 places instead of 1" in text
    assert "pip install --force-reinstall" in text


def test_source_that_stays_python_2_is_an_error_with_its_line() -> None:
    with pytest.raises(UserError) as caught:
        compiled("a = 1\nexec 'x' in y\n", "marvin/odd.py")
    assert str(caught.value).startswith("marvin/odd.py:2: ")


@only_44
def test_ported_code_has_the_lines_of_its_file(installed: Marvin) -> None:
    for name in {patch.module for patch in PATCHES}:
        file = installed.path / f"{name.replace('.', '/')}.py"
        source = file.read_text(encoding="utf-8")
        ported = translated(name, source, ["cloudstackAPI"], str(file))
        assert len(ported.splitlines()) == len(source.splitlines()), name


@only_44
@pytest.mark.usefixtures("installed")
def test_every_module_imports_without_a_warning() -> None:
    program = dedent("""
        import importlib, warnings
        from cs_matrix_pytest.marvin_bridge import activate
        from cs_matrix_pytest.marvin_bridge.port44.cache import ported_package
        import paramiko, requests, mysql.connector  # what they warn of is theirs
        warnings.simplefilter("error")
        marvin = activate()
        for name in ported_package(marvin.path):
            if name.rpartition(".")[2] not in ("marvinPlugin",):
                importlib.import_module(name)
        print("all")
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert (done.stdout, done.stderr) == ("all\n", "")


@only_44
def test_no_file_of_marvin_is_touched(installed: Marvin) -> None:
    def state() -> dict[str, str]:
        files = (file for file in installed.path.rglob("*.py"))
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    before = state()
    install_finder(installed)
    import marvin.cloudstackTestCase  # noqa: F401

    assert state() == before


@only_44
def test_the_cache_is_used_and_follows_the_source(installed: Marvin, tmp_path: Path) -> None:
    copy = tmp_path / "site" / "marvin"
    shutil.copytree(installed.path, copy, ignore=shutil.ignore_patterns("__pycache__"))
    first = ported_package(copy)
    (kept,) = (tmp_path / "cache" / "cs-matrix-pytest").iterdir()
    written = kept.stat().st_mtime_ns
    assert ported_package(copy).keys() == first.keys()
    assert kept.stat().st_mtime_ns == written
    codes = copy / "codes.py"
    codes.write_text(codes.read_text() + "\nNEW = 1\n")
    assert "NEW" in ported_package(copy)["marvin.codes"].co_names
    assert len(list(kept.parent.iterdir())) == 2


@only_44
@pytest.mark.parametrize("content", [b"", b"nonsense" * 10, None])
def test_a_corrupt_cache_is_ignored_and_mended(installed: Marvin, tmp_path: Path, content: bytes | None) -> None:
    codes = ported_package(installed.path)
    (kept,) = (tmp_path / "cache" / "cs-matrix-pytest").iterdir()
    good = kept.read_bytes()
    kept.write_bytes(good[: len(good) // 2] if content is None else content)
    assert ported_package(installed.path).keys() == codes.keys()
    mended = kept.read_bytes()
    assert hashlib.sha256(mended[32:]).digest() == mended[:32]


@only_44
def test_a_cache_that_cannot_be_written_is_no_error(installed: Marvin, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert "marvin.cloudstackTestCase" in ported_package(installed.path)


@only_44
def test_uninstalling_forgets_the_ported_modules(installed: Marvin) -> None:
    install_finder(installed)
    install_finder(installed)
    import marvin.codes

    assert sys.modules["marvin.codes"] is marvin.codes
    deactivate()
    assert "marvin.codes" not in sys.modules
    assert "marvin" not in sys.modules


@only_44
def test_a_changed_marvin_is_named_at_import(installed: Marvin, tmp_path: Path) -> None:
    copy = tmp_path / "site" / "marvin"
    shutil.copytree(installed.path, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "marvinLog.py").write_text("class MarvinLog:\n    pass\n")
    install_finder(Marvin("4.4.0", "4.4.0", copy, "importable"))
    with pytest.raises(UserError, match=r"marvinLog\.py.*cannot port this Marvin"):
        import marvin.marvinInit  # noqa: F401


@only_44
def test_the_test_case_of_44_cleans_up_as_todays(installed: Marvin) -> None:
    install_finder(installed)
    from marvin.cloudstackTestCase import cloudstackTestCase
    from marvin.integration.lib.base import VirtualMachine

    deleted: list[object] = []

    class Resource:
        def __init__(self, name: str) -> None:
            self.name = name

        def delete(self, client: object) -> None:
            deleted.append((client, self.name))

    class Machine(VirtualMachine):  # type: ignore[misc]
        def __init__(self) -> None: ...

        def delete(self, client: object, **how: object) -> None:
            deleted.append((client, how))

    class TestIt(cloudstackTestCase):  # type: ignore[misc]
        apiclient = "client"

        def test_it(self) -> None: ...

    TestIt._cleanup = [Resource("first"), Machine()]
    TestIt.tearDownClass()
    assert deleted == [("client", {"expunge": True}), ("client", "first")]
    case = TestIt("test_it")
    case.assertElementInList([1, 2], 1)
    with pytest.raises(AssertionError):
        case.assertElementInList([], 3)
