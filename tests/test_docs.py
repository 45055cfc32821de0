"""README and docs/: every command gives what the page shows, every link leads somewhere, the examples in it are good."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from console_page import blocks, commands, run_page, shows
from cs_matrix_pytest.environments.file import load_environments
from cs_matrix_pytest.environments.validation import shipped_schema

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ENVIRONMENTS = ROOT / "docs" / "environments.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

EXCEPTED = re.compile(r"python3 -m venv |pip install |tox run\b")
"""How the commands begin that are not run here, for they install or run everything; what they name is checked instead."""

TOX = "python3 -m venv .venv && .venv/bin/python -m pip install -q tox && .venv/bin/python -m tox run"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name)
def test_commands_give_what_is_shown(page, tmp_path):
    for command, exit_code, output in run_page(page, tmp_path, EXCEPTED):
        said = f"$ {command.text}\n{output}\n(exit code {exit_code})"
        assert exit_code == command.exit_code, said
        assert shows(command.output, output), said


def test_what_is_not_run_exists():
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini")
    extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    excepted = [each.text for page in PAGES for each in commands(page) if EXCEPTED.match(each.text)]
    assert {TOX, f"{TOX} -e demo"} <= set(excepted)
    for text in excepted:
        for environment in re.findall(r"tox run -e (\w+)", text):
            assert tox.has_section(f"testenv:{environment}"), text
        for extra in re.findall(r"cs-matrix-pytest\[(\w+)\]", text):
            assert extra in extras, text


def test_ci_runs_the_test_command():
    assert " && ".join((ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-3:]) == TOX


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings], anchor


def test_environments_example_is_a_good_file(tmp_path):
    [example] = blocks(ENVIRONMENTS, "yaml")
    file = tmp_path / "cs-environments.yaml"
    file.write_text(example, encoding="utf-8")
    assert [each.name for each in load_environments(file).select(["*"])] == ["kvm-adv", "demo-kvm"]


@pytest.mark.parametrize("section", ["file", "environment", "fault"])
def test_every_environments_key_is_described(section):
    schema = shipped_schema("cs-environments.schema.json")
    keys = schema["properties"] if section == "file" else schema["$defs"][section]["properties"]
    page = ENVIRONMENTS.read_text(encoding="utf-8")
    assert [key for key in keys if not re.search(rf"^\| `{key}[`.:]", page, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("shown", "output", "right"),
    [
        ("a\n", "a\n", True),
        ("a\n", "b\n", False),
        ("a\n", "a\nb\n", False),
        ("", "a\n", False),
        ("a … c\n", "a b c\n", True),
        ("a …\n", "a b\nc\n", False),
        ("…\nc\n", "a\nb\nc\n", True),
        ("…\nc\n", "a\nb\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_what_a_page_shows_is_compared_word_for_word(shown, output, right):
    assert shows(shown, output) is right


def test_a_page_is_run_as_a_reader_would(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```text title=hello.txt\nhello\n```\n"
        "```console\n$ (sleep 0.1; echo ready; sleep 60) &\nready\n$ x=1\n$ cat hello.txt; echo $x\n$ kill %1\n```\n"
        "```console\n$ pip install nothing\n$ exit_with() { return $1; }; exit_with \\\n> 3   # exit code 3\n```\n",
        encoding="utf-8",
    )
    ran = [(exit_code, output, command.exit_code) for command, exit_code, output in run_page(page, tmp_path, EXCEPTED)]
    assert ran == [(0, "ready\n", 0), (0, "", 0), (0, "hello\n1\n", 0), (0, "", 0), (3, "", 3)]
