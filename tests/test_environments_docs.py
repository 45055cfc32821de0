"""docs/environments.md: its commands give what it shows, its example is a good file, and it leaves no key out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cs_matrix_pytest.environments.file import load_environments
from cs_matrix_pytest.environments.validation import shipped_schema

PAGE = Path(__file__).parents[1] / "docs" / "environments.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_commands_give_what_is_shown(tmp_path):
    clean = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "FORCE_COLOR")}
    clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    clean["PYTHONIOENCODING"] = "utf-8"
    for block in blocks("console"):
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                cwd=tmp_path,
                env=clean,
                capture_output=True,
                text=True,
                encoding="utf-8",
                check=False,
            )
            assert (done.returncode, done.stdout) == (0, expected), f"{command}\n{done.stderr}"


def test_the_example_is_a_good_file(tmp_path):
    [example] = blocks("yaml")
    file = tmp_path / "cs-environments.yaml"
    file.write_text(example, encoding="utf-8")
    assert [each.name for each in load_environments(file).select(["*"])] == ["kvm-adv", "demo-kvm"]


@pytest.mark.parametrize("section", ["file", "environment", "fault"])
def test_every_key_is_described(section):
    schema = shipped_schema("cs-environments.schema.json")
    keys = schema["properties"] if section == "file" else schema["$defs"][section]["properties"]
    page = PAGE.read_text(encoding="utf-8")
    assert [key for key in keys if not re.search(rf"^\| `{key}[`.:]", page, re.MULTILINE)] == []
