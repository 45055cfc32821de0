"""examples/: as many tests and environments as promised, and the demo's four outcomes where the README shows them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from console_page import commands, shows
from cs_matrix_pytest.environments.file import load_environments

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
WITH_REPORT = ("-p", "no:cacheprovider", "-q")


def pytest_over_examples(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """A pytest run as a user would start it, its report in ``folder``."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", str(EXAMPLES), *WITH_REPORT, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def matrix(folder: Path) -> dict[str, dict[str, str]]:
    """Feature → environment → outcome."""
    cells = json.loads((folder / "matrix.json").read_text(encoding="utf-8"))["cells"]
    found: dict[str, dict[str, str]] = {}
    for cell in cells:
        for environment, outcome in cell["by_environment"].items():
            found.setdefault(cell["feature"], {})[environment.partition("/")[2]] = outcome
    return found


@pytest.fixture
def environments():
    return load_environments(EXAMPLES / "cs-environments.yaml").select(["*"])


def test_environments_are_as_many_and_as_different_as_promised(environments):
    assert len(environments) >= 6
    assert len({each.context.hypervisor.type for each in environments}) >= 4
    assert {"basic", "advanced"} <= {each.context.networking for each in environments}
    assert len({each.context for each in environments}) == len(environments)
    assert any(fault.fail for each in environments for fault in each.faults.values())
    assert any(fault.fail_every for each in environments for fault in each.faults.values())
    assert not all(each.embedded for each in environments)


def test_suites_are_as_many_as_promised(tmp_path):
    done = pytest_over_examples(tmp_path, "--co")
    tests = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(tests) >= 25
    assert len({test.partition("::")[0] for test in tests}) >= 7


def test_suites_are_tagged_as_promised(tmp_path):
    done = pytest_over_examples(tmp_path, "--cs-list-tags")
    for tag in ("advanced", "basic", "smoke", "quick-test", "deploy-vm", "vmware", "simulator_only"):
        assert re.search(rf"^ +\d+  {tag} ", done.stdout, re.MULTILINE), tag
    for value in ("true", "false"):
        assert re.search(rf"^ +\d+  required_hardware +'{value}'$", done.stdout, re.MULTILINE), value


WAITING = """
from cs_matrix_pytest.simulator.clock import Clock

waited = []
advance = Clock.advance

def counted(clock, seconds):
    waited.append(seconds)
    advance(clock, seconds)

Clock.advance = counted

def pytest_terminal_summary(terminalreporter):
    terminalreporter.line(f"simulated waiting: {sum(waited):.0f} s")
"""


def test_all_pass_where_nothing_is_wrong_and_wait_for_free(tmp_path, monkeypatch):
    (tmp_path / "waiting.py").write_text(WAITING, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    began = time.monotonic()
    done = pytest_over_examples(tmp_path, "--cs-env=kvm-advanced,kvm-basic,vmware-advanced", "-p", "waiting")
    took = time.monotonic() - began
    assert done.returncode == 0, done.stdout
    outcomes = Counter(outcome for row in matrix(tmp_path / "cs-report").values() for outcome in row.values())
    assert outcomes.keys() <= {"compatible", "untested"}, done.stdout
    waited = int(re.search(r"^simulated waiting: (\d+) s$", done.stdout, re.MULTILINE)[1])
    assert waited >= 60
    assert took < waited


def test_demo_shows_what_the_readme_shows(tmp_path):
    report = tmp_path / "cs-report"
    done = subprocess.run(
        [sys.executable, "examples/demo.py", "--report", str(report)],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [picture] = [each.output for each in commands(ROOT / "README.md") if each.text.endswith("tox run -e demo")]
    assert shows(picture, done.stdout.replace(str(report), "cs-report")), done.stdout

    found = matrix(report)
    assert found["snapshots"]["xenserver-advanced"] == "failing"
    assert found["volumes"]["hyperv-advanced"] == "unstable"
    assert found["snapshots"]["hyperv-advanced"] == "untested"
    assert {row["kvm-lab"] for row in found.values()} == {"untested"}
    assert {row["kvm-advanced"] for row in found.values()} == {"compatible"}
    assert {"matrix.json", "matrix.xml"} < {file.name for file in report.iterdir()}
    assert len(list(report.glob("run-*.jsonl"))) == 2
