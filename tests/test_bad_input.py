"""Mistakes of users: one message that says what, where and what next; never a traceback, never a secret."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conftest import Labs

SUITE = "class TestX(cloudstackTestCase):\n    def test_a(self): pass\n"


def refused(labs: Labs, *args: str) -> str:
    """The message of a session that pytest refuses to begin."""
    result = labs.run(*args)
    output = result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR, output
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    assert not labs.report.exists() or not list(labs.report.glob("run-*.jsonl"))
    errors = result.stderr.str()
    assert errors.startswith("ERROR: ")
    return errors


def environments_file(labs: Labs, text: str) -> Path:
    file = labs.pytester.path / "cs-environments.yaml"
    file.write_text(text)
    return file


def marvin_config(labs: Labs, text: str) -> None:
    labs.entry("kvm-adv", "marvin_config: kvm-adv.cfg")
    (labs.pytester.path / "kvm-adv.cfg").write_text(text)


def test_unknown_environment_with_near_matches(two: Labs) -> None:
    message = refused(two, "--cs-env=kvm-advv")
    assert "kvm-advv" in message
    assert "kvm-adv" in message.replace("kvm-advv", "")
    assert "cs-environments.yaml" in message


def test_a_glob_that_matches_nothing(two: Labs) -> None:
    assert "no environment matches 'vmware-*'" in refused(two, "--cs-env=vmware-*")


@pytest.mark.parametrize("nothing", ["", ",", " "])
def test_no_name_at_all(two: Labs, nothing: str) -> None:
    """A script with an empty variable must not pass with every test skipped."""
    assert "--cs-env names no environment" in refused(two, f"--cs-env={nothing}")


def test_no_environments_file(labs: Labs) -> None:
    message = refused(labs, "--cs-env=kvm-adv")
    assert "no environments file" in message
    assert "cs-matrix env init" in message


def test_suites_may_lie_outside_the_labs_folder(two: Labs, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The rootdir is the suites' then; the environments file is that of the folder pytest is started in."""
    elsewhere = tmp_path_factory.mktemp("suites")
    (elsewhere / "pytest.ini").write_text("[pytest]\n")
    (elsewhere / "test_far.py").write_text("def test_far(cs_env):\n    assert cs_env.name == 'kvm-adv'\n")
    two.run("--cs-env=kvm-adv", str(elsewhere)).assert_outcomes(passed=1)


def test_the_environments_file_named_is_not_there(labs: Labs) -> None:
    assert "labs.yaml" in refused(labs, "--cs-env=kvm-adv", "--cs-env-file=labs.yaml")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("version: 1\nenvironments:\n  kvm-adv: {simulator: embedded\n", 4, ""),
        (
            "version: 1\nenvironments:\n  kvm-adv:\n    simulater: embedded\n    hypervisor: {type: kvm}\n",
            4,
            "simulater",
        ),
        (
            "version: 1\nenvironments:\n  kvm-adv: {simulator: embedded, hypervisor: {type: kvm}, capacity: two}\n",
            3,
            "capacity",
        ),
    ],
    ids=["does not parse", "unknown key", "wrong type"],
)
def test_a_wrong_environments_file_is_named_with_its_line(labs: Labs, text: str, line: int, said: str) -> None:
    environments_file(labs, text)
    message = refused(labs, "--cs-env=kvm-adv")
    assert f"cs-environments.yaml:{line}" in message
    assert said in message


def test_an_unset_variable(two: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_PASSWORD", raising=False)
    (two.pytester.path / "third.cfg").write_text((two.pytester.path / "kvm-adv.cfg").read_text())
    two.entry("third", "marvin_config: third.cfg", "secrets: {mgtSvr.0.passwd: '${NO_SUCH_PASSWORD}'}")
    message = refused(two, "--cs-env=third")
    assert "NO_SUCH_PASSWORD is not set" in message
    assert "secrets.mgtSvr.0.passwd" in message
    two.suite(test_x=SUITE)
    two.run("--cs-env=kvm-adv").assert_outcomes(passed=1)  # a run without that environment does not need it


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "does not exist"),
        ('{"zones": [,]}', "not JSON"),
        ('{"zones": []}', "mgtSvr"),
        ('{"mgtSvr": []}', "mgtSvr"),
    ],
    ids=["missing", "not JSON", "without mgtSvr", "empty mgtSvr"],
)
def test_a_marvin_config_that_cannot_be_used(labs: Labs, config: str | None, said: str) -> None:
    marvin_config(labs, config or "")
    if config is None:
        (labs.pytester.path / "kvm-adv.cfg").unlink()
    message = refused(labs, "--cs-env=kvm-adv")
    assert said in message
    assert "kvm-adv.cfg" in message


@pytest.mark.parametrize(
    ("option", "expression"),
    [("--attr", ","), ("--attr", "=x"), ("--eval-attr", "tags and"), ("--eval-attr", "tags = 1")],
)
def test_an_expression_that_does_not_parse(two: Labs, option: str, expression: str) -> None:
    two.suite(test_x=SUITE)
    for args in ([f"{option}={expression}"], ["--cs-env=kvm-adv", f"{option}={expression}"]):
        assert option in refused(two, *args)


def test_a_features_file_that_is_wrong(two: Labs) -> None:
    (two.pytester.path / "features.yaml").write_text("version: 1\nfeatures: {vm: {titel: VM}}\n")
    assert "features.yaml:2" in refused(two, "--cs-env=kvm-adv", "--cs-features=features.yaml")


@pytest.mark.parametrize(
    ("ini", "said"),
    [("cs_window = ten", "cs_window"), ("cs_settle = 0", "cs_settle"), ("cs_window = 2\ncs_settle = 3", "cs_settle")],
)
def test_wrong_numbers_in_the_ini_file(two: Labs, ini: str, said: str) -> None:
    two.pytester.makeini(f"[pytest]\n{ini}\n")
    assert said in refused(two, "--cs-env=kvm-adv")


def test_a_report_folder_that_cannot_be_written_is_said_before_the_first_test(two: Labs) -> None:
    two.suite(test_x=SUITE)
    (two.pytester.path / "taken").write_text("a file")
    message = refused(two, "--cs-env=kvm-adv", "--cs-report=taken/reports")
    assert "report folder cannot be written" in message
    assert "--cs-report" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_report_folder_without_permission(two: Labs) -> None:
    locked = two.pytester.mkdir("locked")
    locked.chmod(0o500)
    assert "Permission denied" in refused(two, "--cs-env=kvm-adv", "--cs-report=locked/reports")


def test_no_cloudstack_tree_at_the_source_given(two: Labs) -> None:
    assert "--cs-source" in refused(two, "--cs-env=kvm-adv", "--cs-source=nowhere")


def test_the_file_lists_of_environments_says_what_is_wrong(labs: Labs) -> None:
    environments_file(labs, "version: 1\nenvironments: [a]\n")
    assert "cs-environments.yaml:2" in refused(labs, "--cs-list-envs")


def test_help_works_whatever_is_wrong(labs: Labs) -> None:
    labs.pytester.makeini("[pytest]\ncs_env = nowhere\n")
    result = labs.run("--help")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["CloudStack matrix:", "*--cs-env=NAME*"])


def test_a_module_that_does_not_import_is_untested_and_the_rest_runs(two: Labs) -> None:
    two.suite(test_x=SUITE, test_broken="import no_such_library\n" + SUITE, test_syntax="def test_a(:\n")
    result = two.run("--cs-env=kvm-adv,kvm-two")
    result.assert_outcomes(passed=2, errors=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    untested = two.untested()
    assert set(untested) == {
        (module, environment)
        for module in ("test_broken.py", "test_syntax.py")
        for environment in ("kvm-adv", "kvm-two")
    }
    reason = untested["test_broken.py", "kvm-adv"]
    assert reason["code"] == "not-collected"
    assert "no_such_library" in reason["text"]
    assert "SyntaxError" in untested["test_syntax.py", "kvm-two"]["text"]
    assert {line["level"] for line in two.lines() if line["kind"] == "untested"} == {"module"}


def test_a_marvin_config_never_shows_its_secrets(labs: Labs) -> None:
    config = {"mgtSvr": [{"mgtSvrIp": "127.0.0.1", "port": "8096", "passwd": "hunter2-hunter2"}]}
    marvin_config(labs, json.dumps(config))
    assert "hunter2" not in refused(labs, "--cs-env=kvm-adv")


@pytest.fixture
def unrelated(labs: Labs) -> Labs:
    """PyPI has an unrelated project called marvin; here it comes first on the path."""
    package = labs.pytester.mkpydir("marvin")
    (package / "__init__.py").write_text("__version__ = '3.0'\n")
    labs.pytester.syspathinsert()
    return labs


def test_the_wrong_marvin(unrelated: Labs) -> None:
    unrelated.entry("demo", "simulator: embedded")
    message = refused(unrelated, "--cs-env=demo")
    assert "not CloudStack's Marvin" in message
    assert "pip install" in message


def test_the_wrong_marvin_in_a_session_without_environments(unrelated: Labs) -> None:
    unrelated.suite(test_x=SUITE)
    unrelated.pytester.makepyfile(test_plain="import marvin\ndef test_p(): assert marvin.__version__ == '3.0'")
    result = unrelated.run("--continue-on-collection-errors")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*not CloudStack's Marvin*"])


def test_a_report_folder_with_a_file_that_is_no_record(two: Labs) -> None:
    two.suite(test_x=SUITE)
    two.report.mkdir()
    (two.report / "run-broken.jsonl").write_text("not a record\n")
    result = two.run("--cs-env=kvm-adv")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["no reports: *run-broken.jsonl:1: this is not a run record*"])
    assert "Traceback" not in result.stdout.str()
    assert len(list(two.report.glob("run-2*.jsonl"))) == 1
