"""`cs-matrix report`, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from cs_matrix_pytest.outcomes.record import RecordWriter, record_path
from report_example import example_records


def report(*arguments, cwd, **environ):
    return subprocess.run(
        [sys.executable, "-m", "cs_matrix_pytest", "report", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100", **environ},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "cs-report"
    folder.mkdir()
    for record in example_records():
        with RecordWriter(record_path(folder, record.run.run), record.run) as writer:
            for attempt in record.attempts:
                writer.attempt(attempt)
            for untested in record.untested:
                writer.untested(untested)
            writer.end(1)
    return tmp_path


def test_the_default_folder_as_a_table(project):
    result = report(cwd=project)
    assert (result.returncode, result.stderr) == (0, "")
    assert "✗ failing 1/2" in result.stdout
    assert "\x1b" not in result.stdout


def test_one_file_of_records(project):
    (first, _) = sorted((project / "cs-report").glob("run-*.jsonl"))
    result = report(first, "--format", "json", cwd=project)
    assert [run["run"] for run in json.loads(result.stdout)["runs"]] == ["20260101T000000Z-00000000"]


def test_formats_to_a_file(project):
    for name, parse in (("m.json", json.loads), ("m.xml", lambda text: ET.fromstring(text.encode()))):
        kind = {"m.json": "json", "m.xml": "xunit"}[name]
        result = report("--format", kind, "--output", name, cwd=project)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        parse((project / name).read_text(encoding="utf-8"))


def test_explain_says_why_of_every_cell(project):
    text = report("--explain", cwd=project, COLUMNS="200").stdout
    for line in (
        "✓ smoke/test_vm.py::TestVM::test_stop: passed 2 of 2",
        "✗ smoke/test_acl.py::TestAcl::test_deny: failed 2 of 2: AssertionError: rule is still there",
        "· smoke/test_acl.py::TestAcl::test_allow: not applicable: tagged advanced; this environment is basic",
        "· smoke/test_vm.py::TestVM::test_start: not selected: never selected in this context",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 0),
        (("--fail-on", "failing"), 1),
        (("--fail-on", "failing,unstable"), 1),
        (("--fail-on", "unstable", "--settle", "1"), 0),
        (("--fail-on", "unstable"), 1),
        (("--fail-on", "failing", "--settle", "1", "--window", "1", "--fail-on=compatible"), 1),
    ],
)
def test_fail_on(project, arguments, code):
    assert report(*arguments, cwd=project).returncode == code


@pytest.mark.parametrize("kind", ["json", "terminal"])
@pytest.mark.parametrize(("outcomes", "code"), [("failing", 1), ("unstable", 1), ("compatible", 1), ("", 0)])
def test_fail_on_of_compacted_records(project, kind, outcomes, code):
    command = [sys.executable, "-m", "cs_matrix_pytest", "compact", "cs-report"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    assert report("--fail-on", outcomes, "--format", kind, cwd=project).returncode == code


def test_known_failures_of_compacted_records(project):
    (project / "cs-known-failures.yaml").write_text(
        "version: 1\nfailures: [{test: smoke/test_acl.py, issue: 'https://example.org/1', expires: 2999-01-01}]\n",
        encoding="utf-8",
    )
    plain = report("--format", "json", "--fail-on", "failing", cwd=project)
    command = [sys.executable, "-m", "cs_matrix_pytest", "compact", "cs-report"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    compacted = report("--format", "json", "--fail-on", "failing", cwd=project)
    assert (plain.returncode, compacted.returncode) == (0, 0)
    assert json.loads(compacted.stdout)["cells"] == json.loads(plain.stdout)["cells"]
    assert "https://example.org/1" in compacted.stdout


def test_features_file(project):
    (project / "cs-features.yaml").write_text(
        "version: 1\nfeatures: {vm: {title: Virtual machines, tests: [smoke/test_vm.py]}}\n", encoding="utf-8"
    )
    assert "Virtual machines" in report(cwd=project).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fail-on", "broken"), "--fail-on: broken is not an outcome\n  The outcomes: compatible, failing"),
        (("--explain", "--format", "json"), "--explain does not go with --format json"),
        (("nowhere.jsonl",), "nowhere.jsonl: the run record cannot be read: No such file"),
        (("--features", "none.yaml"), "none.yaml: this features file does not exist"),
        (("--window", "0"), "1 <= settle <= window"),
        (("--output", "no/where/m.txt"), "m.txt: the report cannot be written: No such file"),
    ],
)
def test_wrong_use_is_one_message_and_exit_2(project, arguments, message):
    result = report(*arguments, cwd=project)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_without_records_it_says_what_to_do(tmp_path):
    result = report(cwd=tmp_path)
    assert result.returncode == 2
    assert "cs-report: there are no run records" in result.stderr
    assert "pytest --cs-env=NAME" in result.stderr


def test_an_output_that_takes_ascii_only(project):
    result = report(cwd=project, PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "x failing 1/2" in result.stdout
