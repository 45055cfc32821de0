"""Marvin classes as pytest sees them: one per environment, selected and shown as a pytest user expects."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import QUIET, Labs

BOTH = "--cs-env=kvm-adv,kvm-two"

SUITE = """
    class TestX(cloudstackTestCase):
        @attr(tags=["advanced", "quick-test"], required_hardware="false")
        def test_a(self):
            print("output of a")

        @attr(tags=["advanced"], required_hardware="true")
        def test_b(self):
            pass
"""


def test_a_class_is_collected_once_per_environment(two: Labs) -> None:
    two.suite(test_x=SUITE)
    assert two.collected(BOTH) == [
        f"test_x.py::TestX::test_{name}[{environment}]" for environment in ("kvm-adv", "kvm-two") for name in "ab"
    ]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["test_x.py::TestX::test_a[kvm-two]"], ["test_a[kvm-two]"]),
        (["test_x.py::TestX::test_a"], ["test_a[kvm-adv]", "test_a[kvm-two]"]),
        (["test_x.py::TestX", "-k", "kvm-two"], ["test_a[kvm-two]", "test_b[kvm-two]"]),
        (["-m", "quick_test", "--strict-markers"], ["test_a[kvm-adv]", "test_a[kvm-two]"]),
        (["-m", "attr(required_hardware='true')"], ["test_b[kvm-adv]", "test_b[kvm-two]"]),
        (["-m", "attr(tags='quick-test')", "-k", "kvm-adv"], ["test_a[kvm-adv]"]),
        (["--attr", "required_hardware=false", "-k", "kvm-adv"], ["test_a[kvm-adv]"]),
        (
            ["--attr", "tags=quick-test", "--attr", "required_hardware=true", "-k", "two"],
            ["test_a[kvm-two]", "test_b[kvm-two]"],
        ),
        (["--eval-attr", "'quick-test' in tags", "-k", "kvm-adv"], ["test_a[kvm-adv]"]),
        (["--deselect", "test_x.py::TestX::test_a[kvm-two]", "-k", "test_a"], ["test_a[kvm-adv]"]),
    ],
)
def test_selection(two: Labs, args: list[str], expected: list[str]) -> None:
    two.suite(test_x=SUITE)
    assert [line.rpartition("::")[2] for line in two.collected(BOTH, *args)] == expected


def test_environments_by_glob_list_and_repetition(two: Labs, server: object) -> None:
    two.lab("vmware-80", server, "hypervisor: {type: vmware}")  # type: ignore[arg-type]
    two.suite(test_x=SUITE)
    ids = two.collected("--cs-env=kvm-t*", "--cs-env", "vmware-80,kvm-two", "-k", "test_a")
    assert ids == ["test_x.py::TestX::test_a[kvm-two]", "test_x.py::TestX::test_a[vmware-80]"]


def test_environments_from_the_ini_file(two: Labs) -> None:
    two.pytester.makeini("[pytest]\ncs_env = kvm-two\ncs_report = out\n")
    two.suite(test_x=SUITE)
    two.run("-k", "test_a").assert_outcomes(passed=1)
    assert (two.pytester.path / "out" / "matrix.json").exists()


def test_class_state_stays_in_its_environment(two: Labs) -> None:
    two.suite(
        test_x="""
        class Base(cloudstackTestCase):
            made = []

        class TestX(Base):
            account = None
            services = {"zone": {"id": None}, "sizes": [1]}

            @classmethod
            def setUpClass(cls):
                assert cls is not TestX and cls.__name__ == "TestX" and cls.__qualname__ == "TestX"
                assert TestX.account is None and not hasattr(TestX, "extra")
                assert TestX.services == {"zone": {"id": None}, "sizes": [1]}
                assert Base.made == []
                super(TestX, cls).setUpClass()
                cls.own = "own"
                TestX.account = TestX.extra = "kept by name"
                TestX.services["zone"]["id"] = 1
                cls.services["sizes"].append(2)
                Base.made.append("vm")

            def setUp(self):
                super(TestX, self).setUp()

            def test_a(self):
                assert (self.own, self.account, self.extra) == ("own", "kept by name", "kept by name")
                assert TestX.own == "own"
                assert self.services == {"zone": {"id": 1}, "sizes": [1, 2]}
                assert isinstance(self, TestX)

            @classmethod
            def tearDownClass(cls):
                assert TestX.extra == "kept by name"
        """
    )
    two.run(BOTH).assert_outcomes(passed=2)


def test_set_up_class_runs_once_per_class_and_environment(two: Labs) -> None:
    two.suite(
        test_x="""
        calls = []

        class TestX(cloudstackTestCase):
            @classmethod
            def setUpClass(cls):
                calls.append("up")

            @classmethod
            def tearDownClass(cls):
                calls.append("down")

            def test_a(self):
                assert calls.count("up") == calls.count("down") + 1

            def test_b(self):
                pass

        def test_calls():
            assert calls == ["up", "down"] * 2
        """
    )
    two.run(BOTH).assert_outcomes(passed=5)


def test_what_is_injected(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            @classmethod
            def setUpClass(cls):
                cls.apiclient = cls.testClient.getApiClient()
                assert cls.clstestclient is cls.testClient is super(TestX, cls).getClsTestClient()

            def test_a(self):
                self.assertEqual(self.testClient.identifier, "TestX-test_a")
                self.assertEqual(self.config.mgtSvr[0].mgtSvrIp, "127.0.0.1")
                self.assertEqual(self._testMethodName, "test_a")
                for say in (self.debug, self.info, self.warn, self.error):
                    say("hello")
        """
    )
    two.run("--cs-env=kvm-adv").assert_outcomes(passed=1)


def test_ddt_and_inherited_tests(two: Labs) -> None:
    pytest.importorskip("ddt")
    two.pytester.makepyfile(
        shared="""
        from marvin.cloudstackTestCase import cloudstackTestCase

        class SharedBase(cloudstackTestCase):
            def test_inherited(self):
                assert self.where == "here"
        """
    )
    two.suite(
        test_x="""
        from ddt import data, ddt
        from shared import SharedBase

        @ddt
        class TestX(SharedBase):
            where = "here"

            @data("one", "two")
            def test_each(self, value):
                assert value in ("one", "two")

        del SharedBase
        """
    )
    result = two.run("--cs-env=kvm-adv", "-v")
    result.assert_outcomes(passed=3)
    assert {test for test, _ in two.outcomes()} == {"test_each_1_one", "test_each_2_two", "test_inherited"}


def test_skips_and_expected_failures(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestA(cloudstackTestCase):
            @classmethod
            def setUpClass(cls):
                raise unittest.SkipTest("no GPU here")

            def test_a(self):
                raise Exception("not reached")

        class TestB(cloudstackTestCase):
            def setUp(self):
                self.skipTest("not on Mondays")

            def test_b(self):
                raise Exception("not reached")

        class TestC(cloudstackTestCase):
            @unittest.expectedFailure
            def test_c(self):
                assert False

            @unittest.expectedFailure
            def test_d(self):
                pass

        @unittest.skip("broken suite")
        class TestE(cloudstackTestCase):
            @classmethod
            def setUpClass(cls):
                raise Exception("not reached")

            def test_e(self):
                pass
        """
    )
    two.run("--cs-env=kvm-adv").assert_outcomes(skipped=3, xfailed=1, failed=1)
    attempts = {test: (line["outcome"], line.get("message")) for (test, _), line in two.attempts().items()}
    assert attempts == {
        "test_a": ("skipped", "no GPU here"),
        "test_b": ("skipped", "not on Mondays"),
        "test_c": ("skipped", "expected to fail"),
        "test_d": ("failed", "Unexpected success"),
        "test_e": ("skipped", "broken suite"),
    }


def test_what_is_a_test(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            @attr(tags=["advanced"])
            def login_test_saml_user(self):
                pass

            def do_vpc_test(self):
                raise Exception("a helper")

            def test_a(self):
                pass

        class Hidden(cloudstackTestCase):
            __test__ = False

            def test_hidden(self):
                raise Exception("not a test")

        class Plain(unittest.TestCase):
            def test_plain(self):
                pass
        """
    )
    assert two.collected("--cs-env=kvm-adv") == [
        "test_x.py::TestX::test_a[kvm-adv]",
        "test_x.py::TestX::login_test_saml_user[kvm-adv]",
        "test_x.py::Plain::test_plain",
    ]
    two.run("--cs-env=kvm-adv").assert_outcomes(passed=3)
    assert set(two.outcomes()) == {("test_a", "kvm-adv"), ("login_test_saml_user", "kvm-adv")}


FLAKY = """
    import pathlib

    class TestX(cloudstackTestCase):
        def test_a(self):
            pass

        def test_b(self):
            assert pathlib.Path("mended").exists() or self.__class__.__name__ != "TestX"

        def test_c(self):
            pass
"""


def test_last_failed_and_failed_first(two: Labs) -> None:
    two.suite(test_x=FLAKY)
    two.run(BOTH).assert_outcomes(passed=4, failed=2)
    (two.pytester.path / "mended").touch()
    first = two.run(BOTH, "--ff", "-v")
    first.assert_outcomes(passed=6)
    order = [line.split()[0] for line in first.outlines if "PASSED" in line]
    assert order[:2] == ["test_x.py::TestX::test_b[kvm-adv]", "test_x.py::TestX::test_b[kvm-two]"]


def test_only_last_failed(two: Labs) -> None:
    two.suite(test_x=FLAKY)
    two.run(BOTH).assert_outcomes(passed=4, failed=2)
    (two.pytester.path / "mended").touch()
    two.run(BOTH, "--lf").assert_outcomes(passed=2, deselected=4)


def test_exit_first_and_stepwise(two: Labs) -> None:
    two.suite(test_x=FLAKY)
    two.run(BOTH, "-x").assert_outcomes(passed=1, failed=1)
    two.run(BOTH, "--sw").assert_outcomes(passed=1, failed=1)
    (two.pytester.path / "mended").touch()
    two.run(BOTH, "--sw").assert_outcomes(passed=5, deselected=1)


def test_output_of_tests(two: Labs) -> None:
    two.suite(test_x=SUITE)
    result = two.run("--cs-env=kvm-adv", "-s", "-k", "test_a", "--durations=5", "-vv")
    result.stdout.fnmatch_lines(["*output of a*", "*slowest*", "*setup*test_x.py::TestX::test_a[[]kvm-adv[]]"])


def test_junit_xml(two: Labs) -> None:
    two.suite(test_x=SUITE)
    two.run(BOTH, "-k", "test_a", "--junitxml=j.xml")
    cases = ElementTree.parse(two.pytester.path / "j.xml").iter("testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [
        ("test_x.TestX", "test_a[kvm-adv]"),
        ("test_x.TestX", "test_a[kvm-two]"),
    ]


def test_without_the_plugin_a_marvin_class_is_a_plain_test_case(two: Labs) -> None:
    two.pytester.makepyfile("import unittest\nclass TestP(unittest.TestCase):\n    def test_p(self): pass\n")
    result = two.run_apart("-p", "no:cs_matrix")
    result.assert_outcomes(passed=1)


def test_without_an_environment_marvin_classes_are_skipped(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            @classmethod
            def setUpClass(cls):
                raise Exception("not reached")

            @attr(tags=["quick-test"])
            def test_a(self):
                pass

        def test_native(cs_env):
            pass
        """
    )
    result = two.run("-rs", "-m", "quick_test or not attr", "--strict-markers")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*needs an environment: --cs-env=NAME, of cs-environments.yaml: kvm-adv, kvm-two"])
    assert not two.report.exists()


def test_without_an_environments_file_the_skip_says_how_to_make_one(labs: Labs) -> None:
    labs.suite(test_x=SUITE)
    result = labs.run("-rs", "--strict-markers")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*there is no environments file: make one with `cs-matrix env init`"])


def test_attr_selects_in_a_session_without_environments(labs: Labs) -> None:
    labs.suite(test_x=SUITE + "\n    def test_plain():\n        pass\n")
    labs.run("--attr", "tags=quick-test").assert_outcomes(skipped=1, deselected=2)


def test_native_tests_join(two: Labs) -> None:
    two.suite(
        test_native="""
        import pytest

        @pytest.mark.parametrize("size", [1, 2])
        def test_sizes(cs_env, size):
            assert cs_env.name.startswith("kvm") and cs_env.context.networking == "advanced"

        def test_client(cs_api_client, cs_env):
            from marvin.cloudstackAPI import listZones
            assert cs_api_client.listZones(listZones.listZonesCmd())[0].name == "zone1"

        @pytest.mark.basic
        def test_basic(cs_test_client):
            raise Exception("not reached")

        def test_apart():
            pass
        """
    )
    two.pytester.makeini("[pytest]\nmarkers = basic\n")
    result = two.run(BOTH, "-v")
    result.assert_outcomes(passed=7, skipped=2)
    assert set(two.outcomes()) == {
        (test, environment)
        for test in ("test_sizes[1]", "test_sizes[2]", "test_client")
        for environment in ("kvm-adv", "kvm-two")
    }
    assert {reason["code"] for reason in two.untested().values()} == {"not-applicable"}
    assert len(two.untested()) == 2


def test_what_does_not_fit_is_skipped_without_set_up(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            @classmethod
            def setUpClass(cls):
                raise Exception("not reached")

            @attr(tags=["basic"])
            def test_basic(self):
                pass

            @attr(tags=["advanced"], hypervisor="vmware")
            def test_vmware(self):
                pass
        """
    )
    result = two.run("--cs-env=kvm-adv", "-rs")
    result.assert_outcomes(skipped=2)
    assert two.untested() == {
        ("test_basic", "kvm-adv"): {
            "code": "not-applicable",
            "text": "needs a basic zone, kvm-adv has networking advanced",
        },
        ("test_vmware", "kvm-adv"): {"code": "not-applicable", "text": "needs hypervisor vmware, kvm-adv has kvm"},
    }


def test_rules_of_the_environments_file(two: Labs) -> None:
    with (two.pytester.path / "cs-environments.yaml").open("a") as file:
        file.write("applicability:\n  - {when: {tags: [nicira]}, needs: {extras: [nicira]}, text: needs Nicira}\n")
    two.suite(test_x='class TestX(cloudstackTestCase):\n    @attr(tags=["nicira"])\n    def test_a(self): pass\n')
    two.run("--cs-env=kvm-adv").assert_outcomes(skipped=1)
    assert two.untested()["test_a", "kvm-adv"]["text"] == "needs Nicira, kvm-adv has no extras"


def test_an_expression_without_an_answer_is_that_tests_error(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            @attr(tags=["advanced"])
            def test_a(self):
                pass

            def test_b(self):
                raise Exception("not reached")
        """
    )
    result = two.run("--cs-env=kvm-adv", "--eval-attr", "'advanced' in tags")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*--eval-attr \"'advanced' in tags\" has no answer for this test*"])
    assert two.untested()["test_b", "kvm-adv"]["code"] == "not-selected"


def test_list_tags(two: Labs) -> None:
    two.suite(test_x=SUITE)
    result = two.run(BOTH, "--cs-list-tags")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["2 tags in 2 tests", "*2*advanced*", "*1*quick-test*quick_test"])
    assert not two.report.exists()


def test_list_environments(two: Labs) -> None:
    result = two.run("--cs-list-envs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["environments of *cs-environments.yaml (lab local):", "  kvm-adv*kvm/advanced/shared*kvm-adv.cfg"]
    )


def test_markers_are_those_of_pytest_too(two: Labs) -> None:
    two.suite(test_x=SUITE)
    result = two.run("--cs-env=kvm-adv", "-m", "quick_tset", "--strict-markers")
    assert result.ret != 0


def test_debugger(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            def test_a(self):
                account = "account of the test"
                assert not account, "look at me"

            def tearDown(self):
                print("torn down")
        """
    )
    command = (sys.executable, "-m", "pytest", *QUIET, "--cs-env=kvm-adv", "--pdb")
    result = two.pytester.run(*command, stdin=b"p account.upper()\nc\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*look at me*", "*ACCOUNT OF THE TEST*", "*compatibility matrix*"])
    assert two.outcomes() == {("test_a", "kvm-adv"): "failed"}


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest reports subtests of unittest from 9.0 on")
def test_subtests(two: Labs) -> None:
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            def test_a(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertNotEqual(number, 1)

            def test_b(self):
                for number in range(3):
                    with self.subTest(number=number):
                        pass
        """
    )
    two.run("--cs-env=kvm-adv")
    assert two.outcomes() == {("test_a", "kvm-adv"): "failed", ("test_b", "kvm-adv"): "passed"}


def test_native_tests_may_carry_attributes(two: Labs) -> None:
    two.suite(
        test_native="""
        import pytest

        @pytest.mark.attr(tags=["basic"], required_hardware="false")
        def test_basic(cs_env):
            raise Exception("not reached")

        @pytest.mark.attr(tags=["advanced"])
        def test_advanced(cs_env):
            pass
        """
    )
    result = two.run("--cs-env=kvm-adv", "--strict-markers", "--attr", "tags=advanced", "--attr", "tags=basic")
    result.assert_outcomes(passed=1, skipped=1)
    two.run("--cs-env=kvm-adv", "--strict-markers", "--attr", "tags=advanced").assert_outcomes(passed=1, deselected=1)


def test_markers_of_native_tests_are_known_with_and_without_an_environment(two: Labs) -> None:
    two.suite(test_native="import pytest\n@pytest.mark.advanced\ndef test_a(cs_env): pass\n")
    two.run("--strict-markers", "--cs-env=kvm-adv").assert_outcomes(passed=1)
    two.run("--strict-markers").assert_outcomes(skipped=1)


def test_an_expression_that_is_hardly_meant_is_a_warning(two: Labs) -> None:
    two.suite(test_x=SUITE)
    result = two.run("--cs-env=kvm-adv", "--attr", "!tags=advanced")
    result.assert_outcomes(warnings=1, deselected=2)
    result.stdout.fnmatch_lines(["*--attr: !tags=advanced does not negate*"])


IMPORTS = (
    "import unittest\nfrom marvin.cloudstackTestCase import cloudstackTestCase\nfrom nose.plugins.attrib import attr\n"
)
CASE = "class TestX(cloudstackTestCase):\n    @attr(tags=['a'])\n    def {}(self): pass\n"


@pytest.fixture
def suites(two: Labs) -> Labs:
    """Files that pytest alone would not look into, two of one name, and files that are no suites."""
    for folder, test in (("one", "test_one"), ("other", "test_other")):
        two.pytester.mkdir(folder).joinpath("TestVolumes.py").write_text(IMPORTS + CASE.format(test))
    two.pytester.path.joinpath("testpath_x.py").write_text(IMPORTS + CASE.format("test_path"))
    for name in ("load_test_data.py", "TestData.py", "conftest_test_x.py", "find_hosts.py"):
        two.pytester.path.joinpath(name).write_text("raise Exception('imported')\n")
    return two


SUITES = {"one/TestVolumes.py", "other/TestVolumes.py", "testpath_x.py"}


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_suites_that_only_nose_finds_run(suites: Labs, mode: str) -> None:
    suites.run_apart(BOTH, f"--import-mode={mode}").assert_outcomes(passed=6)
    assert {test for test, _ in suites.outcomes()} == {"test_one", "test_other", "test_path"}


def test_suites_that_only_nose_finds_run_on_workers(suites: Labs) -> None:
    suites.run_apart(BOTH, "-n", "2").assert_outcomes(passed=6)


def test_suites_that_only_nose_finds_run_again_where_they_failed(suites: Labs) -> None:
    file = suites.pytester.path / "other" / "TestVolumes.py"
    good = file.read_text()
    file.write_text(good.replace("pass", "self.fail()"))
    suites.run(BOTH).assert_outcomes(passed=4, failed=2)
    file.write_text(good)
    suites.run(BOTH, "--lf", "-v").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--cs-env=kvm-adv"], SUITES),
        (["--attr", "tags=a"], SUITES),
        (["--eval-attr", "tags"], SUITES),
        ([], set()),
        (["--cs-env=kvm-adv", "-o", "python_files=testpath_*.py"], {"testpath_x.py"}),
        (["--cs-env=kvm-adv", "--ignore=other", "--ignore-glob=*path_x*"], {"one/TestVolumes.py"}),
        (["--cs-env=kvm-adv", "one"], {"one/TestVolumes.py"}),
        (["--cs-env=kvm-adv", "one/TestVolumes.py", "one"], {"one/TestVolumes.py"}),
    ],
)
def test_where_files_are_looked_for_as_nose_does(suites: Labs, args: list[str], expected: set[str]) -> None:
    found = [line.partition("::")[0] for line in suites.collected(*args)]
    assert sorted(found) == sorted(expected)


def test_a_suite_that_ends_python_is_one_error(two: Labs) -> None:
    two.suite(test_x=SUITE, test_y="raise SystemExit('no lab here')")
    result = two.run("--cs-env=kvm-adv", "-k", "test_a")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*test_y.py ended Python as it was imported: sys.exit('no lab here')"])


def test_data_of_a_suite_raises_no_warning(two: Labs) -> None:
    data = "class TestData:\n    def __init__(self):\n        self.account = {}\n"
    two.suite(test_x=data + SUITE.replace("\n    ", "\n"))
    two.run("--cs-env=kvm-adv", "-k", "test_a").assert_outcomes(passed=1, deselected=1, warnings=0)


@pytest.mark.parametrize("marked", ["test_a", "test_b"])
def test_fixtures_of_a_class_and_of_one_of_its_tests(two: Labs, marked: str) -> None:
    two.suite(
        test_x=f"""
        import pytest

        @pytest.fixture
        def extra(request):
            request.node.extra = True

        @pytest.fixture(autouse=True)
        def look(request):
            yield
            assert hasattr(request.node, "extra") is (request.node.originalname == "{marked}")

        class TestX(cloudstackTestCase):
            @pytest.fixture(autouse=True)
            def always(self):
                self.always = True

            def test_a(self):
                assert self.always

            def test_b(self):
                assert self.always

        TestX.{marked} = pytest.mark.usefixtures("extra")(TestX.{marked})
        """
    )
    two.run(BOTH).assert_outcomes(passed=4)


def test_what_is_a_test_by_word_and_what_only_looks_like_one(two: Labs) -> None:
    two.suite(
        test_x="""
        class Services:
            pass

        class TestX(cloudstackTestCase):
            test_data = Services

            def said(self): pass
            said.__test__ = True

            def test_denied(self): raise Exception("not a test")
            test_denied.__test__ = False

            @attr(tags=["advanced"])
            def _test_private(self): raise Exception("not a test")

            @attr("simulator_only")
            def login_test(self): pass

            def Test_capital(self): pass

        class OnlyRunTest(cloudstackTestCase):
            def runTest(self): pass
        """
    )
    found = [line.partition("::")[2] for line in two.collected("--cs-env=kvm-adv")]
    names = ("TestX::Test_capital", "TestX::login_test", "TestX::said", "OnlyRunTest::runTest")
    assert found == [f"{name}[kvm-adv]" for name in names]
    two.run("--cs-env=kvm-adv").assert_outcomes(passed=3, skipped=1)
