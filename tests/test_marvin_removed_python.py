"""What Python has removed: there for suites, for nobody else, and each use told once."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Labs
from cs_matrix_pytest.marvin_bridge.missing_modules import command_for, in_extra, mend_of, with_mend
from cs_matrix_pytest.marvin_bridge.removed_python import (
    REMOVED_METHODS,
    REMOVED_MODULES,
    REMOVED_NAMES,
    removed_module,
)
from cs_matrix_pytest.marvin_bridge.removed_python_finder import (
    has_marvin_in_sight,
    install_removed_python,
    mentions_removed,
    uninstall_removed_python,
)
from cs_matrix_pytest.marvin_bridge.removed_python_shim import removed_methods, take_uses
from cs_matrix_pytest.marvin_bridge.removed_python_stand_ins import MODULES, getargspec, load_source, strtobool

BASE = "from marvin.cloudstackTestCase import cloudstackTestCase\n"
SUITE = """\
from marvin.cloudstackTestCase import cloudstackTestCase
import collections
import helper_of_suites
from distutils.util import strtobool
import imp


class TestX(cloudstackTestCase):
    @classmethod
    def setUpClass(cls):
        assert issubclass(dict, collections.Mapping)

    def test_a(self):
        self.assertItemsEqual([1, 2], [2, 1])
        self.assertEquals(helper_of_suites.arguments(), ["first", "second"])
        self.assertTrue(strtobool("On"))

    def test_b(self):
        with self.assertRaises(AttributeError):
            collections.Marvin
        self.assert_(imp.new_module("x").__name__ == "x")
"""
HELPER = """\
import inspect
from collections import Callable as Called


def arguments():
    def function(first, second=Called): ...

    return inspect.getargspec(function).args
"""
NATIVE = """\
import builtins
import collections
import inspect
import sys
import unittest

import pytest


def test_modules(cs_env):
    assert collections is sys.modules["collections"]
    with pytest.raises(AttributeError):
        collections.Mapping
    with pytest.raises(ImportError):
        from collections import Mapping
    if sys.version_info >= (3, 11):
        with pytest.raises(AttributeError):
            inspect.getargspec
    assert __import__ is builtins.__import__
    if sys.version_info >= (3, 12):
        with pytest.raises(ModuleNotFoundError):
            import imp


class TestNative(unittest.TestCase):
    def test_methods(self):
        with self.assertRaises(AttributeError):
            self.assertItemsEqual([], [])
"""
USES = {
    ("helper_of_suites.py", 2): ("collections.Callable", REMOVED_NAMES["collections.Callable"]),
    ("helper_of_suites.py", 8): ("inspect.getargspec", REMOVED_NAMES["inspect.getargspec"]),
    ("test_suite.py", 4): ("the module distutils.util", REMOVED_MODULES["distutils.util"]),
    ("test_suite.py", 5): ("the module imp", REMOVED_MODULES["imp"]),
    ("test_suite.py", 11): ("collections.Mapping", REMOVED_NAMES["collections.Mapping"]),
    ("test_suite.py", 14): (".assertItemsEqual()", REMOVED_METHODS["assertItemsEqual"]),
    ("test_suite.py", 15): (".assertEquals()", REMOVED_METHODS["assertEquals"]),
    ("test_suite.py", 21): (".assert_()", REMOVED_METHODS["assert_"]),
}


def told(result: pytest.RunResult) -> list[str]:
    """The warnings of uses, without the folder that the file is in."""
    return [line.rpartition("/")[2] for line in result.outlines if "CsMatrixWarning" in line]


@pytest.fixture
def mixed(two: Labs, monkeypatch: pytest.MonkeyPatch) -> Labs:
    """A suite with its helper, and a native test beside them; setuptools lends its distutils to nobody."""
    monkeypatch.setenv("SETUPTOOLS_USE_DISTUTILS", "stdlib")
    two.pytester.makepyfile(test_suite=SUITE, helper_of_suites=HELPER, test_native=NATIVE)
    return two


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-n", "2"),
        ("--import-mode=append",),
        ("--import-mode=importlib",),
        ("--assert=plain",),
    ],
    ids=lambda arguments: " ".join(arguments) or "alone",
)
def test_suites_go_on_and_nobody_else_sees_it(mixed: Labs, arguments: tuple[str, ...]) -> None:
    if "-n" in arguments:
        pytest.importorskip("xdist")
    if arguments == ("--import-mode=importlib",):
        mixed.pytester.syspathinsert()  # for the helper, as that mode wants it
    result = mixed.run_apart("--cs-env=kvm-adv,kvm-two", *arguments)
    result.assert_outcomes(passed=7, warnings=None)  # type: ignore[arg-type]
    expected = [
        f"{file}:{line}: CsMatrixWarning: {what} is not in Python {removal.python} and newer: use {removal.instead}"
        for (file, line), (what, removal) in USES.items()
        if removal.is_gone
    ]
    assert told(result) == expected


def test_a_session_that_wants_no_warning_fails(mixed: Labs) -> None:
    strict = "error::cs_matrix_pytest.matrix.plan.CsMatrixWarning"
    result = mixed.run_apart("--cs-env=kvm-adv", "-W", strict)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*test_suite.py:11: error: collections.Mapping is not in Python 3.10 and newer: use *"]
    )
    assert set(mixed.outcomes().values()) == {"passed"}
    quiet = mixed.run_apart("--cs-env=kvm-adv", "-W", "ignore::cs_matrix_pytest.matrix.plan.CsMatrixWarning")
    assert (quiet.ret, told(quiet)) == (0, [])


def test_suites_whose_base_class_is_the_projects_own(two: Labs) -> None:
    two.pytester.makepyfile(
        our_base=BASE + "class OurTestCase(cloudstackTestCase): pass\n",
        test_x="""
        import inspect
        from our_base import OurTestCase

        class TestX(OurTestCase):
            def test_a(self):
                self.assertItemsEqual(inspect.getargspec(lambda a: a).args, ["a"])
        """,
    )
    result = two.run("--cs-env=kvm-adv", "-W", "default")
    result.assert_outcomes(passed=1, warnings=2)


def test_a_failure_shows_the_line_of_the_suite(two: Labs) -> None:
    two.pytester.makepyfile(
        test_x=BASE
        + "class TestX(cloudstackTestCase):\n    def test_a(self):\n        self.assertItemsEqual([1], [2])\n"
    )
    result = two.run("--cs-env=kvm-adv", "--tb=short", "-W", "default")
    result.assert_outcomes(failed=1, warnings=1)
    result.stdout.fnmatch_lines(["test_x.py:4: in test_a", "    self.assertItemsEqual([[]1[]], [[]2[]])"])
    result.stdout.no_fnmatch_line("*removed_python*")


def test_a_module_that_nobody_brings_back(two: Labs) -> None:
    name = next((name for name in ("telnetlib", "asyncore") if importlib.util.find_spec(name) is None), None)
    if name is None:
        pytest.skip("this Python has telnetlib and asyncore, or a package brings them")
    two.pytester.makepyfile(
        test_x=f"import {name}\n{BASE}", test_y=BASE + "class TestY(cloudstackTestCase):\n    def test_a(self): pass\n"
    )
    result = two.run("--cs-env=kvm-adv")
    result.assert_outcomes(passed=1, errors=1)
    [(module, reason)] = two.untested().items()
    removal = REMOVED_MODULES[name]
    assert module == ("test_x.py", "kvm-adv")
    assert reason["text"].startswith(
        f"ModuleNotFoundError: No module named '{name}': Python {removal.python} removed it"
    )
    assert reason["text"].count("pip install") == 1
    result.stdout.no_fnmatch_line("*removed_python*")


def test_a_module_that_is_not_installed(two: Labs) -> None:
    two.pytester.makepyfile(
        test_x=f"import XenAPI\n{BASE}",
        test_y=f"import no_such_library\n{BASE}",
        test_z=f"import marvin.no_such_part\n{BASE}",
    )
    result = two.run("--cs-env=kvm-adv")
    result.assert_outcomes(errors=3)
    said = {test: reason["text"] for (test, _), reason in two.untested().items()}
    assert said["test_x.py"] == "ModuleNotFoundError: No module named 'XenAPI': pip install XenAPI"
    assert said["test_y.py"].endswith(
        ": a file that the suite should have beside it, or a package: pip install no_such_library"
    )
    assert said["test_z.py"] == "ModuleNotFoundError: No module named 'marvin.no_such_part'"
    result.stdout.fnmatch_lines(["*- to do -*", "pip install XenAPI"])


@pytest.fixture
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Write files, install the finder for them, and import one by name: (files, name, collected, **folders)."""
    before = set(sys.modules)

    def run(files: dict[str, str], name: str, *collected: str, **folders: Path) -> ModuleType:
        for file, text in files.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(dedent(text), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        finder = install_removed_python(**folders)
        for file in collected:
            finder.collect(tmp_path / file)
        return importlib.import_module(name)

    yield run
    uninstall_removed_python()
    for name in set(sys.modules) - before:
        del sys.modules[name]


GETS = "import collections\nvalue = getattr(collections, 'Mapping', None)\n"
SEES = f"if False:\n    {BASE}"


WARNS = "import warnings\nwarnings.warn('of another time', DeprecationWarning, stacklevel=2)\nvalue = 1\n"


@pytest.mark.parametrize(
    ("files", "name", "collected", "module"),
    [
        ({"test_x.py": SEES + GETS}, "test_x", ["test_x.py"], "test_x"),
        ({"test_x.py": SEES + "import aid", "aid.py": GETS}, "test_x", ["test_x.py"], "aid"),
        ({"test_x.py": SEES + "import aid", "aid.py": "import more", "more.py": GETS}, "test_x", ["test_x.py"], "more"),
        ({"test_x.py": SEES + "from lib import aid", "lib/aid.py": GETS}, "test_x", ["test_x.py"], "lib.aid"),
        (
            {"p/__init__.py": "", "p/q/__init__.py": "", "p/q/test_x.py": SEES + "import p.aid", "p/aid.py": GETS},
            "p.q.test_x",
            ["p/q/test_x.py"],
            "p.aid",
        ),
        ({"test_x.py": "def f(): import aid\n" + SEES + "f()", "aid.py": GETS}, "test_x", ["test_x.py"], "aid"),
    ],
)
def test_what_belongs_to_suites(imports: Any, files: Any, name: str, collected: Any, module: str) -> None:
    imports(files, name, *collected)
    assert sys.modules[module].value is not None
    assert [use.message for use in take_uses()] == [
        "collections.Mapping is not in Python 3.10 and newer: use collections.abc.Mapping"
    ]


@pytest.mark.parametrize(
    ("files", "name", "collected", "module"),
    [
        ({"test_x.py": GETS}, "test_x", ["test_x.py"], "test_x"),
        ({"test_x.py": f"if False:\n    import marvin.cloudstackAPI\n{GETS}"}, "test_x", ["test_x.py"], "test_x"),
        ({"test_x.py": SEES + GETS}, "test_x", [], "test_x"),
        ({"test_x.py": "import aid", "aid.py": GETS}, "test_x", ["test_x.py"], "aid"),
        (
            {"test_x.py": SEES + "import sub.conftest", "sub/conftest.py": GETS},
            "test_x",
            ["test_x.py"],
            "sub.conftest",
        ),
        (
            {
                "test_x.py": SEES + "import sys; sys.path.insert(0, __file__[:-9] + 'site-packages'); import lib",
                "site-packages/lib.py": GETS,
            },
            "test_x",
            ["test_x.py"],
            "lib",
        ),
        ({"suites/test_x.py": SEES + "import app", "app.py": GETS}, "suites.test_x", ["suites/test_x.py"], "app"),
    ],
)
def test_what_does_not(imports: Any, files: Any, name: str, collected: Any, module: str) -> None:
    imports(files, name, *collected)
    assert sys.modules[module].value is None
    assert take_uses() == []


def test_a_trees_tests_and_marvin_itself(imports: Any, tmp_path: Path) -> None:
    files = {
        "suites/one/test_x.py": "import sys; sys.path.insert(0, __file__[:-14] + '/two'); import aid",
        "suites/two/aid.py": GETS,
        "tools/lib.py": "import collections\nvalue = collections.Mapping\n",
        "tools/other.py": "value = 1",
    }
    folders = {"tests": tmp_path / "suites", "marvin": tmp_path / "tools"}
    imports(files, "suites.one.test_x", "suites/one/test_x.py", **folders)
    assert sys.modules["aid"].value is not None
    lib, other = importlib.import_module("tools.lib"), importlib.import_module("tools.other")
    assert lib.value is not None
    assert "__import__" in vars(lib)["__builtins__"]
    assert vars(other)["__builtins__"] in (
        vars(importlib.import_module("builtins")),
        importlib.import_module("builtins"),
    )


def test_a_suites_module_is_as_any_other(imports: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SEES + (
        "import unittest.mock, collections.abc, os.path, inspect as look\n"
        "from collections import *\n"
        "class Base:\n    pass\n"
        "def shout(): return open('x')\n"
        "def miss(): return no_such_name\n"
        "def late():\n    import decimal\n    return decimal\n"
    )
    module = imports({"test_x.py": source}, "test_x", "test_x.py")
    assert module.__loader__ is module.__spec__.loader
    assert type(module.__loader__).__module__ == "_pytest.assertion.rewrite"
    with pytest.raises(NameError, match="no_such_name"):
        module.miss()
    assert module.late() is sys.modules["decimal"]
    assert module.OrderedDict is importlib.import_module("collections").OrderedDict
    assert module.look.getsource(module.Base).startswith("class Base")
    monkeypatch.setattr("builtins.open", lambda name: f"patched {name}")
    assert module.shout() == "patched x"
    module.collections.marked = True
    assert importlib.import_module("collections").marked is True  # type: ignore[attr-defined]
    del module.collections.marked
    assert not hasattr(importlib.import_module("collections"), "marked")
    assert "OrderedDict" in dir(module.collections)
    assert take_uses() == []


def test_a_module_of_the_suites_own_is_not_pythons(imports: Any) -> None:
    files = {
        "test_x.py": SEES + "import commands\nfrom urlparse import value",
        "commands.py": GETS,
        "urlparse.py": GETS,
    }
    assert imports(files, "test_x", "test_x.py").value is not None
    assert {Path(use.file).name for use in take_uses()} == {"commands.py", "urlparse.py"}


def test_an_installed_package_that_brings_one_back_is_noted(imports: Any, tmp_path: Path) -> None:
    source = SEES + f"import sys; sys.path.insert(0, {str(tmp_path / 'site-packages')!r})\nimport urlparse"
    module = imports({"test_x.py": source, "site-packages/urlparse.py": WARNS}, "test_x", "test_x.py")
    assert module.urlparse.value == 1
    [use] = take_uses()
    assert (use.file, use.line) == (module.__file__, 4)
    assert use.message == "the module urlparse is not in Python 3.0 and newer: use urllib.parse"


def test_an_import_that_fails_for_another_reason_says_so(imports: Any) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'no_such_library'$"):
        imports({"test_x.py": SEES + "import no_such_library"}, "test_x", "test_x.py")
    assert "test_x" not in sys.modules


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from marvin.cloudstackTestCase import cloudstackTestCase", True),
        ("from marvin.cloudstackTestCase import *", True),
        ("import marvin.cloudstackTestCase as base", True),
        ("from marvin import cloudstackTestCase", True),
        ("if True:\n    from marvin.cloudstackTestCase import cloudstackTestCase", True),
        ("import base", True),
        ("from .base import Base", True),
        ("import far.near", True),
        ("from marvin.cloudstackAPI import listZones", False),
        ("# from marvin.cloudstackTestCase import cloudstackTestCase", False),
        ("import base_of_others", False),
        ("import test_it", False),
        ("from .. import base", False),
        ("", False),
    ],
)
def test_marvin_in_sight(tmp_path: Path, source: str, expected: bool) -> None:
    (tmp_path / "base.py").write_text(BASE)
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "near.py").write_text("from .next import x")
    (tmp_path / "far" / "next.py").write_text(BASE)
    file = tmp_path / "test_it.py"
    file.write_text(source)
    assert has_marvin_in_sight(str(file)) is expected
    assert has_marvin_in_sight(str(tmp_path / "nothing.py")) is False


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import collections\nx = collections.Mapping", True),
        ("from collections import OrderedDict, Mapping", True),
        ("import urllib2", True),
        ("import os, urllib2 as u", True),
        ("import collections\nx = collections.OrderedDict", False),
        ("import collections  # Mapping", False),
        ("from collections.abc import Mapping", False),
        ("Mapping = 1", False),
        ("", False),
    ],
)
def test_what_of_marvin_is_a_suites(source: str, expected: bool) -> None:
    assert mentions_removed(source) is expected


def test_every_stand_in_is_there() -> None:
    for name, removal in {**REMOVED_NAMES, **REMOVED_METHODS}.items():
        if isinstance(removal.stand_in, str) and ":" in removal.stand_in:
            module, _, attribute = removal.stand_in.partition(":")
            assert hasattr(importlib.import_module(module), attribute), name
        elif removal.stand_in:
            assert hasattr(unittest.TestCase, str(removal.stand_in)), name
    assert {name for name, removal in REMOVED_MODULES.items() if removal.stand_in} <= MODULES.keys()
    assert all(removed_module(name) for name in MODULES)


def test_methods_do_as_they_did() -> None:
    class Case(unittest.TestCase):
        pass

    assert removed_methods(type("Done", (Case,), {"assertItemsEqual": None})).keys() == removed_methods(Case).keys() - {
        "assertItemsEqual"
    }
    methods = {name: removal for name, removal in REMOVED_METHODS.items() if removal.stand_in}
    assert removed_methods(object).keys() == methods.keys()
    old = type("Old", (Case,), removed_methods(object))()
    good: dict[str, tuple[Any, ...]] = {
        "assertAlmostEquals": (1.0, 1.0),
        "assertDictContainsSubset": ({1: 2}, {1: 2, 3: 4}),
        "assertEquals": (1, 1),
        "assertItemsEqual": ([1, 2], [2, 1]),
        "assertNotAlmostEquals": (1, 2),
        "assertNotEquals": (1, 2),
        "assertNotRegexpMatches": ("a", "b"),
        "assertRaisesRegexp": (ValueError, "invalid", int, "x"),
        "assertRegexpMatches": ("a", "a"),
        "assert_": (1,),
        "failIf": (0,),
        "failIfAlmostEqual": (1, 2),
        "failIfEqual": (1, 2),
        "failUnless": (1,),
        "failUnlessAlmostEqual": (1.0, 1.0),
        "failUnlessEqual": (1, 1),
        "failUnlessRaises": (ValueError, int, "x"),
    }
    bad: dict[str, tuple[Any, ...]] = {
        "assertAlmostEquals": (1, 2),
        "assertDictContainsSubset": ({1: 3}, {1: 2}),
        "assertEquals": (1, 2),
        "assertItemsEqual": ([1], [1, 1]),
        "assertNotAlmostEquals": (1.0, 1.0),
        "assertNotEquals": (1, 1),
        "assertNotRegexpMatches": ("a", "a"),
        "assertRaisesRegexp": (ValueError, "invalid", int, "1"),
        "assertRegexpMatches": ("a", "b"),
        "assert_": (0, "words"),
        "failIf": (1,),
        "failIfAlmostEqual": (1.0, 1.0),
        "failIfEqual": (1, 1),
        "failUnless": (0,),
        "failUnlessAlmostEqual": (1, 2),
        "failUnlessEqual": (1, 2),
        "failUnlessRaises": (ValueError, int, "1"),
    }
    assert good.keys() == bad.keys() == methods.keys()
    for name in methods:
        getattr(old, name)(*good[name])
        with pytest.raises(AssertionError):
            getattr(old, name)(*bad[name])
    with pytest.raises(AssertionError, match="words"):
        old.assert_(False, msg="words")
    take_uses()


@given(st.sampled_from(["y", "yes", "t", "true", "on", "1", "n", "no", "f", "false", "off", "0"]), st.data())
def test_truth_in_any_case(word: str, data: st.DataObject) -> None:
    spelt = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in word)
    assert strtobool(spelt) == strtobool(word) == (word in ("y", "yes", "t", "true", "on", "1"))


@given(st.text().filter(lambda text: text.lower() not in ("y", "yes", "t", "true", "on", "1")))
def test_what_is_no_truth(text: str) -> None:
    if text.lower() in ("n", "no", "f", "false", "off", "0"):
        assert strtobool(text) == 0
        return
    with pytest.raises(ValueError, match="invalid truth value"):
        strtobool(text)


def test_argument_specifications() -> None:
    def function(a: int, b: int = 1, *more: int, key: int = 2, **rest: int) -> None: ...

    arguments, varargs, keywords, defaults = getargspec(function)
    assert (arguments, varargs, keywords, defaults) == (["a", "b"], "more", "rest", (1,))
    assert getargspec(function).args == ["a", "b"]


def test_a_source_file_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some.py").write_text("value = 3")
    monkeypatch.setitem(sys.modules, "of_a_suite", ModuleType("before"))
    assert load_source("of_a_suite", str(tmp_path / "some.py")).value == 3
    assert sys.modules["of_a_suite"].value == 3
    with pytest.raises(ImportError, match="no Python source"):
        load_source("of_a_suite", str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("ModuleNotFoundError: No module named 'Crypto'", "pip install 'cs-matrix-pytest[upstream]'"),
        ("ModuleNotFoundError: No module named 'mysql'", "pip install 'cs-matrix-pytest[upstream]'"),
        ("ModuleNotFoundError: No module named 'ipmisim'", "pip install --no-deps ipmisim pycryptodome"),
        ("ModuleNotFoundError: No module named 'OpenSSL'", "pip install pyopenssl"),
        (
            "ModuleNotFoundError: No module named 'telnetlib'",
            "Python 3.13 removed it: pip install 'cs-matrix-pytest[upstream]', or use a socket, or telnetlib3 from PyPI",
        ),
        ("ModuleNotFoundError: No module named 'urllib2'", "Python 3.0 removed it: use urllib.request"),
        (
            "ImportError: cannot import name 'spapi' from 'storpool' (unknown location)",
            "pip install storpool",
        ),
        ("ModuleNotFoundError: No module named 'requests.nothing'", None),
        ("ModuleNotFoundError: No module named 'marvin'", None),
        ("ImportError: cannot import name 'x' from 'collections' (/lib/collections.py)", None),
        ("ImportError: attempted relative import with no known parent package", None),
        ("ModuleNotFoundError: No module named 'x': said already", None),
        ("", None),
    ],
)
def test_what_to_do_about_a_missing_module(cause: str, said: str | None) -> None:
    extra = {"pycryptodome", "mysql_connector_python", "Standard.Telnetlib", "setuptools"}
    assert with_mend(cause, extra) == (f"{cause}: {said}" if said else cause)


def test_the_extra_is_read_from_the_metadata() -> None:
    assert {"ddt", "mysql-connector-python", "setuptools"} <= in_extra()
    assert "pytest" not in in_extra()
    assert "cloudstack-marvin" not in in_extra()
    assert command_for("DDT") == "pip install 'cs-matrix-pytest[upstream]'"
    assert mend_of("distutils.core") == (
        "Python 3.12 removed it: pip install 'cs-matrix-pytest[upstream]', or use shutil and subprocess; "
        "setuptools has a distutils of its own"
    )
