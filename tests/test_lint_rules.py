"""What ``cs-matrix lint`` finds, and what it leaves alone."""

from __future__ import annotations

import importlib
import sys
import unittest
import warnings
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.lint.findings import RULES, SEVERITIES
from cs_matrix_pytest.lint.run import lint_paths
from cs_matrix_pytest.lint.run_rules import never_runs
from cs_matrix_pytest.lint.spelling import distance, likely_meant
from cs_matrix_pytest.marvin_bridge.removed_python import REMOVED_METHODS, REMOVED_MODULES, REMOVED_NAMES
from cs_matrix_pytest.selection.applicability import parse_rules

PAGE = Path(__file__).parent.parent / "docs" / "lint.md"
HEAD = "from nose.plugins.attrib import attr\nfrom marvin.cloudstackTestCase import cloudstackTestCase\n"


@pytest.fixture
def lint(tmp_path):
    """Lint a module of this source; gives (code, line, message) of each finding, CS108 left out."""

    def run(source: str, ignore: frozenset[str] = frozenset({"CS108"})) -> list[tuple[str, int, str]]:
        file = tmp_path / "test_suite.py"
        file.write_text(HEAD + dedent(source), encoding="utf-8")
        return [(each.code, each.line, each.message) for each in lint_paths([file], ignore).findings]

    return run


def method(decorator: str, name: str = "test_a") -> str:
    return f"class TestX(cloudstackTestCase):\n    {decorator}\n    def {name}(self): pass\n"


@pytest.mark.parametrize(
    ("decorator", "code", "says"),
    [
        ('@attr(tags=["advanced"], required_hrdware="true")', "CS101", "'required_hardware' is likely meant"),
        ('@attr("simulator_onyl", tags=["advanced"])', "CS101", "'simulator_only' is likely meant"),
        ('@attr(tag=["advanced"])', "CS102", "tags=advanced does not select it"),
        ('@attr(mode=["basic"])', "CS102", "the attribute 'mode' holds basic"),
        ('@attr("smoke")', "CS102", "tags=smoke does not select"),
        ('@attr(tags=["adeancedsg"])', "CS103", "likely 'advancedsg'"),
        ('@attr(tags=["provisioining"])', "CS103", "likely 'provisioning'"),
        ('@attr(tags=["smokes"])', "CS103", "likely 'smoke'"),
        ('@attr(tags=["advnaced"])', "CS103", "likely 'advanced'"),
        ('@attr(tags=["Simulator"])', "CS103", "'simulator' elsewhere: -m simulator does not"),
        ('@attr(tags=["advanced, basic"])', "CS104", "tags=advanced and tags=basic does not"),
        ('@attr(tags="advanced,basic")', "CS104", "'advanced,basic' is one tag"),
        ('@attr(tags=[" smoke"])', "CS104", "' smoke' is one tag"),
        ('@attr(tags="advanced")', "CS105", "tags is the text 'advanced'"),
        ('@attr(tags={"advanced"})', "CS105", "a set, which nose does not take"),
        ('@attr(tags=["smoke"], required_hardware="no")', "CS106", "neither true nor false"),
        ('@attr(tags=["smoke"], required_hardware=["true"])', "CS106", "neither true nor false"),
        ('@attr(tags=["smoke"], disruptive="False")', "CS106", "'False' counts as true"),
        ('@attr("simulator_only", tags=["advanced"], required_hardware="true")', "CS201", "needs real hardware"),
        ('@attr(tags=["advanced", "eip"], hypervisor="baremetal", simulator_only=True)', None, ""),
        ('@attr(tags=["advanced", "basic", "vpc", "xx", "isonw"], required_hardware="false")', None, ""),
        ('@attr(tags=["advanced"], required_hardware=True, BugId="CS-1", speed="slow")', None, ""),
        ('@attr(tags=["advanced"], required_hardware="simulator only")', None, ""),
        ('@attr(configuration="network.gc", tags=("advanced", "basic"))', None, ""),
        ("@attr(tags=TAGS, required_hardware=needs())", None, ""),
        ('@attr(tags=["tag1", "tag22"])', None, ""),
        ('@other(tags=["adeancedsg"])', None, ""),
    ],
)
def test_attributes(lint, decorator, code, says):
    found = lint(method(decorator))
    assert [each[0] for each in found] == [code] * (code is not None)
    if code:
        assert says in found[0][2]


def test_words_of_the_tree_are_known(tmp_path):
    """A tag that a project uses often is no slip, and a rare one beside it is; however the files are ordered."""
    often = "".join(f"@attr(tags=['sitetosite'])\ndef test_{number}(): pass\n" for number in range(5))
    (tmp_path / "test_b.py").write_text(HEAD + often, encoding="utf-8")
    (tmp_path / "test_a.py").write_text(HEAD + "@attr(tags=['sitetosit'])\ndef test_a(): pass\n", encoding="utf-8")
    found = lint_paths([tmp_path]).findings
    assert [(Path(each.file).name, each.code) for each in found] == [("test_a.py", "CS103")]


def test_stacked_attributes_that_replace_each_other(lint):
    found = lint(
        method('@attr(tags=["advanced"])\n    @attr(required_hardware="false")\n    @attr(tags=["basic", "advanced"])')
    )
    assert [(code, line) for code, line, _ in found] == [("CS107", 6)]
    assert "tags=['basic', 'advanced'] is lost: the @attr of line 4" in found[0][2]
    assert lint(method('@attr(tags=["advanced", "basic"])\n    @attr(tags=["basic"])')) == []


def test_what_false_selects_too(lint):
    source = """
        @attr(required_hardware="false")
        class TestSaid(cloudstackTestCase):
            @attr(tags=["advanced"])
            def test_a(self): pass

        class TestSaidByItsBase(TestSaid):
            @attr(tags=["advanced"])
            def test_a(self): pass

        class TestUnsaid(cloudstackTestCase):
            @attr(tags=["advanced"])
            def test_a(self): pass
            @attr(tags=["advanced"], required_hardware="true")
            def test_b(self): pass
            def test_c(self): pass
        """
    assert [each[:2] for each in lint(source, frozenset())] == [("CS108", 13)]
    [(_, _, message)] = lint(source, frozenset())
    assert message.startswith("1 of 3 tests do not say required_hardware")
    assert message.endswith(": test_a")
    assert [each[0] for each in lint(method('@attr(tags=["smoke"], required_hrdware="x")'), frozenset())] == ["CS101"]


def test_tests_that_never_run(lint):
    found = lint(
        """
        class TestX(cloudstackTestCase):
            def test_a(self): pass
            def test_b(self): pass
            def test_a(self): pass

            @attr(tags=["advanced"])
            def setUp(self): pass

            @attr(tags=["advanced"])
            def login_test_saml_user(self): pass
        """
    )
    assert [each[:2] for each in found] == [("CS202", 5), ("CS203", 10)]
    assert "line 7 defines it again" in found[0][2]


def test_no_environment_by_other_rules():
    rules = parse_rules(
        [
            {"when": {"tags": "a"}, "needs": {"storage.scope": "local"}},
            {"when": {"tags": "b"}, "needs": {"storage.scope": "shared"}},
            {"when": {"tags": "c"}, "needs": {"extras": "nicira", "hypervisor.version": "8", "management_os": "alma9"}},
            {"when": {"tags": "d"}, "needs": {"extras": "tungsten", "storage.protocol": "iscsi"}},
        ]
    )
    assert never_runs({"tags": ["a", "b"]}, rules) == "needs storage.scope local and it needs storage.scope shared"
    assert never_runs({"tags": ["a", "c", "d"]}, rules) is None


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("self.assertEquals(1, 1)", "CS301", ".assertEquals() is not in Python 3.12"),
        ("self.assert_(True)", "CS301", "Python 3.12"),
        ("import inspect as i; i.getargspec(f)", "CS301", "inspect.getargspec is not in Python 3.11"),
        ("import collections; collections.Mapping", "CS301", "collections.Mapping is not in Python 3.10"),
        ("from collections import Mapping", "CS301", "collections.Mapping"),
        ("import telnetlib", "CS302", "the module telnetlib is not in Python 3.13"),
        ("from distutils.util import strtobool", "CS302", "the module distutils.util is not in Python 3.12"),
        ("import distutils.sysconfig", "CS302", "the module distutils.sysconfig"),
        ("import collections; collections.OrderedDict", None, ""),
        ("from collections.abc import Mapping", None, ""),
        ("from . import commands", None, ""),
        ("self.assertEqual(1, 1)", None, ""),
    ],
)
def test_what_python_removed(lint, line, code, says):
    found = lint(line)
    assert [each[0] for each in found] == [code] * (code is not None)
    if code:
        assert says in found[0][2]


def test_the_table_of_names_is_right_for_this_python():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = [
            name
            for name, removal in REMOVED_NAMES.items()
            if (find_spec(name.rpartition(".")[0]) is not None)
            and hasattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2]) is removal.is_gone
        ]
    assert wrong == []
    asserts = {name: removal for name, removal in REMOVED_METHODS.items() if name.startswith(("assert", "fail"))}
    assert [name for name, removal in asserts.items() if hasattr(unittest.TestCase, name) is removal.is_gone] == []


def test_the_table_of_modules_is_right_for_this_python():
    standard = {name: removal for name, removal in REMOVED_MODULES.items() if "." not in name}
    assert [name for name, removal in standard.items() if (name in sys.stdlib_module_names) is removal.is_gone] == []


@pytest.mark.parametrize(
    ("source", "unused"),
    [
        ("import telnetlib", True),
        ("import telnetlib as t; telnetlib", True),
        ("from distutils.util import strtobool", True),
        ("import distutils.util; telnetlib.Telnet()", True),
        ("import telnetlib; telnetlib.Telnet()", False),
        ("import telnetlib as t; t.Telnet()", False),
        ("import distutils.util; distutils.util.strtobool('on')", False),
        ("from distutils.util import strtobool as truth; truth('on')", False),
        ("from distutils.util import *", False),
        ("from distutils.util import strtobool, convert_path; convert_path", False),
    ],
)
def test_an_import_that_nothing_uses_can_go(tmp_path, source, unused):
    (tmp_path / "test_x.py").write_text(source, encoding="utf-8")
    [finding] = lint_paths([tmp_path]).findings
    assert (finding.code, finding.hint.startswith("remove the import")) == ("CS302", unused)


def test_a_module_of_the_suites_own_is_not_pythons(tmp_path):
    (tmp_path / "telnetlib.py").touch()
    (tmp_path / "imp").mkdir()
    (tmp_path / "imp" / "__init__.py").touch()
    (tmp_path / "test_x.py").write_text("import telnetlib\nfrom imp import x\nimport asyncore\n", encoding="utf-8")
    assert [(each.code, each.line) for each in lint_paths([tmp_path]).findings] == [("CS302", 3)]


def test_an_import_that_is_tried_is_no_mistake(lint):
    assert lint("try:\n    import telnetlib\nexcept ImportError:\n    telnetlib = None\n") == []


def test_skip_test_on_the_class(lint):
    found = lint(
        """
        import unittest

        class TestX(cloudstackTestCase):
            @classmethod
            def setUpClass(cls):
                cls.skipTest("no host")
                cls.skipTest(reason="no host")
                cls.skipTest(cls, "no host")
                cls.skipTest(cls, reason="no host")
                raise unittest.SkipTest("no host")

            @classmethod
            def setUpClassToo(self):
                if True:
                    raise self.skipTest("no host")

            def setUp(cls):
                cls.skipTest("no host")

            def test_a(self):
                self.skipTest("no host")
        """
    )
    assert [each[:2] for each in found] == [("CS401", 9), ("CS401", 10), ("CS401", 18)]


def test_a_class_whose_skip_is_a_type_error():
    """The rule's reason, held against unittest itself."""

    class Case(unittest.TestCase):
        pass

    with pytest.raises(TypeError):
        Case.skipTest("no host")
    with pytest.raises(unittest.SkipTest):
        Case.skipTest(Case, "no host")


@pytest.mark.parametrize(
    "content", [b"def f(:\n", b"if True:\n\tx = 1\n        y = 2\n", b"x = 1\0\n", b"# coding: nonsense\n", b"\xff\xfe"]
)
def test_a_file_that_does_not_parse_is_one_finding(tmp_path, content):
    (tmp_path / "test_x.py").write_bytes(content)
    assert [each.code for each in lint_paths([tmp_path]).findings] == ["CS001"]


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        ("# noqa", []),
        ("# noqa: CS105", ["CS106"]),
        ("# noqa: CS105,CS106", []),
        ("#NOQA:cs105, cs106 because", []),
        ("# noqa: E501", ["CS105", "CS106"]),
        ("# a noqa of sorts", ["CS105", "CS106"]),
    ],
)
def test_suppression(lint, comment, codes):
    found = lint(method(f'@attr(tags="advanced", required_hardware="no")  {comment}'))
    assert [each[0] for each in found] == codes


def test_which_files(tmp_path):
    for name in ("a/test_x.py", "a/b.py", "a/.hidden/c.py", "a/notes.txt", "a/__pycache__/d.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert lint_paths([tmp_path / "a", tmp_path / "a" / "b.py", tmp_path / "a" / "notes.txt"]).files == 3
    with pytest.raises(UserError, match="no such file"):
        lint_paths([tmp_path / "nothing"])


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "abc", 3),
        ("same", "same", 0),
        ("smokes", "smoke", 1),
        ("advnaced", "advanced", 1),
        ("kitten", "sitting", 3),
    ],
)
def test_distance(left, right, expected):
    assert distance(left, right) == distance(right, left) == expected


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("smokes", {"smoke": 1}, "smoke"),
        ("tests", {"test": 99}, None),
        ("vpcv2", {"vpcv1": 99}, None),
        ("adeancedsg", {"advanced": 9, "advancedsg": 1}, "advancedsg"),
        ("networks", {"network": 2, "networkx": 9}, "networkx"),
    ],
)
def test_likely_meant(word, known, expected):
    assert likely_meant(word, known) == expected


def test_every_rule_is_described():
    page = PAGE.read_text(encoding="utf-8")
    assert [code for code in RULES if f"| `{code}` | {RULES[code].severity} |" not in page] == []
    assert {rule.severity for rule in RULES.values()} == set(SEVERITIES)
