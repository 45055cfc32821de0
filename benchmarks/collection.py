"""Collecting upstream's smoke and component suites (``CS_SOURCE``): against plain pytest, against nose with Marvin's plugin."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import report
from cs_matrix_pytest.marvin_bridge.generated_api import completed
from cs_matrix_pytest.marvin_bridge.locate import locate
from cs_matrix_pytest.simulator import Simulator

ROUNDS = 4
ENVIRONMENTS = 8
FOLDERS = ("smoke", "component")
NOSE_WITH_MARVIN = """\
import nose
from marvin.marvinPlugin import MarvinPlugin
from nose.plugins.manager import ZeroNinePlugin
nose.main(addplugins=[ZeroNinePlugin(MarvinPlugin())])
"""


class Cost(NamedTuple):
    """What a process took: seconds of wall time, greatest resident memory in MiB."""

    seconds: float
    memory: float


def measure() -> bool:
    if "CS_SOURCE" not in os.environ:
        print("     collection: skipped, CS_SOURCE names no CloudStack source tree")
        return True
    tree = Path(os.environ["CS_SOURCE"]).absolute()
    suites = [str(tree / "test/integration" / name) for name in FOLDERS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        importable = marvin_and_nose(tree, folder)
        environments = {f"e{n}": {"simulator": "embedded", "hypervisor": {"type": "simulator"}} for n in range(8)}
        (folder / "cs-environments.yaml").write_text(json.dumps({"version": 1, "environments": environments}))
        pytest = [sys.executable, "-m", "pytest", "-q", "--collect-only", "--continue-on-collection-errors"]
        ours = [*pytest, f"--cs-source={tree}", f"--cs-report={folder / 'report'}"]
        commands = {
            "plain": ([*pytest, "-p", "no:cs_matrix", *suites], importable),
            "one": ([*ours, "--cs-env=e0", *suites], ""),
            "all": ([*ours, "--cs-env=e*", *suites], ""),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for turn in range(ROUNDS + 1):
            for name, (command, path) in commands.items():
                cost = run(command, folder, path)
                # The first round leaves byte code behind, as any earlier run of a user's does.
                if turn:
                    costs[name].append(cost)
        nose = run_nose(suites, folder, importable)
    best = {name: min(each.seconds for each in found) for name, found in costs.items()}
    memory = {name: max(each.memory for each in found) for name, found in costs.items()}
    print(
        f"     plain pytest {best['plain']:.2f} s; one environment {best['one']:.2f} s, {memory['one']:.0f} MiB;",
        end=" ",
    )
    print(
        f"{ENVIRONMENTS} environments {best['all']:.2f} s, {memory['all']:.0f} MiB; nosetests --with-marvin {nose.seconds:.1f} s"
    )
    return all(
        [
            report("collecting for one environment, of plain pytest", best["one"] / best["plain"], "x", at_most=1.3),
            report("nosetests --with-marvin, of one environment", nose.seconds / best["one"], "x", at_least=25),
            report("eight environments, of one", best["all"] / best["one"], "x", at_most=2),
            report("memory for eight environments, of one", memory["all"] / memory["one"], "x", at_most=2),
        ]
    )


def marvin_and_nose(tree: Path, folder: Path) -> str:
    """A PYTHONPATH with the tree's Marvin, complete, and pynose, as a user of either has them."""
    marvin = completed(locate(tree), lambda _: None)
    package = folder / "importable" / "marvin"
    shutil.copytree(marvin.path, package, ignore=shutil.ignore_patterns("__pycache__"))
    if marvin.api is not None:
        shutil.copytree(marvin.api, package / "cloudstackAPI", dirs_exist_ok=True)
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(package.parent), "pynose"]
    subprocess.run(install, check=True)
    return str(package.parent)


def run_nose(suites: list[str], folder: Path, importable: str) -> Cost:
    """Marvin's plugin starts Marvin before it collects, so it gets a server to talk to."""
    program = folder / "nose_with_marvin.py"
    program.write_text(NOSE_WITH_MARVIN)
    config = folder / "datacenter.cfg"
    with Simulator() as simulator:
        config.write_text(json.dumps(simulator.marvin_config()))
        options = ["--with-marvin", f"--marvin-config={config}", f"--log-folder-path={folder}", "--collect-only"]
        return run([sys.executable, str(program), *options, *suites], folder, importable)


def run(command: list[str], folder: Path, importable: str) -> Cost:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    # Marvin's plugin runs each file by the name "python".
    environment |= {"PYTHONPATH": importable, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(time.perf_counter() - started, usage.ru_maxrss / 1024)
