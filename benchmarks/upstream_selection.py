"""Upstream's simulator CI on the embedded simulator: the suites that a tree's ``ci.yml`` names, in one pytest process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cs_matrix_pytest.outcomes.record import read_folder

ROOT = Path(__file__).parent.parent
WORKFLOW = Path(".github/workflows/ci.yml")
CONFIG = Path("setup/dev/advdualzone.cfg")
SUITES = Path("test/integration")
ATTRIBUTES = "tags=advanced,required_hardware=false"
ENVIRONMENT = {"simulator": "embedded", "zone": "zim1", "hypervisor": {"type": "simulator"}}
KIB_PER_RSS = 1024 if sys.platform == "darwin" else 1


@dataclass(frozen=True)
class Result:
    """What became of a test: ``passed``, ``failed``, ``errored``, ``skipped`` or ``blocked``; where, and what it said."""

    outcome: str
    phase: str = "call"
    message: str = ""


@dataclass(frozen=True)
class Session:
    """A pytest session over the selection. Tests are named ``smoke/test_a.py::TestA::test_b``; ``memory`` is in MiB."""

    results: Mapping[str, Result]
    seconds: float
    memory: float
    tools: Mapping[str, str]
    version: str


def suites(workflow: str) -> tuple[str, ...]:
    """The suites that a workflow's jobs name in ``strategy.matrix.tests``, each once, in the order of the file.

    ValueError where there are none.
    """
    parsed = yaml.safe_load(workflow)
    jobs = parsed.get("jobs") if isinstance(parsed, dict) else None
    named: dict[str, None] = {}
    for job in jobs.values() if isinstance(jobs, dict) else ():
        groups = _within(job, "strategy", "matrix", "tests")
        for group in groups if isinstance(groups, list) else ():
            named.update(dict.fromkeys(str(group).split()))
    if not named:
        raise ValueError("no job of the workflow has suites in strategy.matrix.tests")
    return tuple(named)


def _within(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def selected(tree: Path) -> list[str]:
    """The suites of a tree's workflow that the tree has: ``smoke/test_a.py``. Raises ValueError where it names none."""
    names = suites((tree / WORKFLOW).read_text(encoding="utf-8"))
    return [f"{name}.py" for name in names if (tree / SUITES / f"{name}.py").exists()]


def run(
    tree: Path,
    folder: Path,
    *options: str,
    files: Sequence[str] | None = None,
    python: str = sys.executable,
    calls: Path | None = None,
) -> Session:
    """Run the selection of ``tree``, or only some ``files`` of it, in ``folder``, which is made.

    ``calls`` is where every HTTP call is recorded, ``options`` are more of pytest's. Raises RuntimeError where pytest did
    not get to its end.
    """
    folder.mkdir(parents=True)
    paths = [tree / SUITES / name for name in (selected(tree) if files is None else files)]
    environment = {**ENVIRONMENT, "marvin_config": str(tree / CONFIG)}
    described = yaml.safe_dump({"version": 1, "environments": {"upstream": environment}})
    (folder / "cs-environments.yaml").write_text(described, encoding="utf-8")
    recorder = ("-p", "benchmarks.recorder") if calls else ()
    command = [
        *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *recorder),
        *("--cs-env=upstream", f"--cs-source={tree}", "--attr", ATTRIBUTES, *options, *map(str, paths)),
    ]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "CS_RECORD_TO": str(calls)}
    started = time.perf_counter()
    with (folder / "pytest.log").open("wb") as log:
        child = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    records = read_folder(folder / "cs-report")
    if child.returncode not in (0, 1) or not records:
        said = (folder / "pytest.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"pytest ended with {child.returncode}:\n{said[-3000:]}")
    record = records[-1]
    results = {each.test: Result("skipped", "setup", each.reason.text) for each in record.untested}
    for each in record.attempts:
        results[each.test] = Result(each.outcome.value, each.phase, each.message or "")
    version = record.run.environments["upstream"].acs_version or "unknown"
    memory = usage.ru_maxrss / 1024 / KIB_PER_RSS
    return Session(results, seconds, memory, record.run.tools, version)
