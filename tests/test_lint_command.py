"""``cs-matrix lint``: what it prints, in each format, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cs_matrix_pytest.cli import main

HOOKS = Path(__file__).parent.parent / ".pre-commit-hooks.yaml"
SUITE = """\
from nose.plugins.attrib import attr


class TestX:
    @attr(tags=["smokes"], required_hardware="false")
    def test_a(self):
        self.assertEquals(1, 1)
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_x.py").write_text(SUITE, encoding="utf-8")


@pytest.mark.usefixtures("suite")
def test_text(capsys):
    assert main(["lint", "test_x.py"]) == 1
    assert capsys.readouterr().out == (
        "test_x.py:5:17: CS103 the tag 'smokes' is likely 'smoke': tags=smoke does not select this test\n"
        "    rename it to 'smoke', or keep it with: # noqa: CS103\n"
        "test_x.py:7:9: CS301 .assertEquals() is not in Python 3.12 and newer\n"
        "    use assertEqual\n"
        "1 file: 1 error, 1 warning\n"
    )


@pytest.mark.usefixtures("suite")
def test_json(capsys):
    assert main(["lint", ".", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["files"]) == ("cs-lint/1", 1)
    assert document["findings"][1] == {
        "file": "test_x.py",
        "line": 7,
        "column": 9,
        "code": "CS301",
        "severity": "error",
        "rule": "name that Python has removed",
        "message": ".assertEquals() is not in Python 3.12 and newer",
        "hint": "use assertEqual",
    }


def test_github(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a,b:c%.py"
    file.write_text(SUITE.replace("smokes", "50%\\n smoke"), encoding="utf-8")
    assert main(["lint", file.name, "--format=github", "--ignore=CS301"]) == 1
    [command, summary] = capsys.readouterr().out.splitlines()
    assert command.startswith(
        "::error file=a%2Cb%3Ac%25.py,line=5,col=17,title=CS104 several tags in one text::'50%25\\n smoke' is one tag"
    )
    assert summary == "1 file: 1 error"


@pytest.mark.usefixtures("suite")
def test_nothing_found(capsys):
    assert main(["lint", "test_x.py", "--ignore", "CS103, CS301"]) == 0
    assert capsys.readouterr().out == "1 file: nothing found\n"


NOTICED = """\
from nose.plugins.attrib import attr


class TestX:
    @attr(tags=["smoke"])
    def test_a(self):
        pass
"""


@pytest.mark.parametrize("form", ["text", "github"])
def test_notices_are_counted_and_matter_to_who_asks_for_them(tmp_path, monkeypatch, capsys, form):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_x.py").write_text(NOTICED, encoding="utf-8")
    assert main(["lint", "test_x.py", "--format", form]) == 0
    assert capsys.readouterr().out == "1 file: 1 notice (--strict lists them)\n"
    assert main(["lint", "test_x.py", "--format", form, "--strict"]) == 1
    *listed, summary = capsys.readouterr().out.splitlines()
    assert "CS108" in listed[0]
    assert summary == "1 file: 1 notice"


def test_a_document_has_notices_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_x.py").write_text(NOTICED, encoding="utf-8")
    for words, code in (([], 0), (["--strict"], 1)):
        assert main(["lint", "test_x.py", "--format", "json", *words]) == code
        assert [each["severity"] for each in json.loads(capsys.readouterr().out)["findings"]] == ["notice"]


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lint", "nowhere"], "nowhere: there is no such file or folder"),
        (["lint", "--ignore", "CS999", "."], "--ignore: there is no rule CS999"),
    ],
)
def test_wrong_use(capsys, words, says):
    assert main(words) == 2
    assert says in capsys.readouterr().err


def test_a_path_is_needed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["lint"])
    assert ended.value.code == 2
    assert "PATH" in capsys.readouterr().err


@pytest.mark.usefixtures("suite")
def test_suites_are_not_imported(tmp_path):
    (tmp_path / "test_x.py").write_text(SUITE + "\nraise SystemExit('imported')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "cs_matrix_pytest", "lint", "."], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_as_a_pre_commit_hook(tmp_path):
    """What pre-commit runs: the hook's entry with the names of the files that changed."""
    [hook] = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    assert hook["language"] == "python"
    (tmp_path / "test_x.py").write_text(SUITE, encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [*hook["entry"].split(), "test_x.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "CS103" in done.stdout


@pytest.mark.upstream
def test_a_real_tree(capsys, cs_source):
    assert main(["lint", f"{cs_source}/test/integration", "--format=json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    said = "\n".join(f"{each['code']} {each['message']}" for each in findings)
    for slip in ("required_hrdware", "adeancedsg", "provisioining", "smokes"):
        assert f"'{slip}'" in said
    assert "the attribute 'mode' holds basic" in said
    assert sum(each["code"] == "CS001" for each in findings) == 3
    # More would not be read.
    assert sum(each["severity"] != "notice" for each in findings) < 100
