"""Upstream's suites (``CS_SOURCE``) give under this plugin, test by test, what they give under nose with Marvin's plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from checkout_selection import SUITES, marvin_of
from cs_matrix_pytest.environments.marvin_config import INTEGRATION_PORT
from cs_matrix_pytest.outcomes.record import read_folder
from cs_matrix_pytest.simulator import Simulator
from pynose import nose_path

pytestmark = pytest.mark.upstream

API_PORT = 8080
"""Where Marvin looks for the API once it has keys, whatever its configuration says."""

NAMES = (
    "component/test_acl_sharednetwork_deployVM-impersonation",
    "component/test_organization_states",
    "component/test_project_configs",
    "component/test_project_limits",
    "smoke/test_accounts",
    "smoke/test_affinity_groups",
    "smoke/test_disk_offerings",
    "smoke/test_dynamicroles",
    "smoke/test_global_settings",
    "smoke/test_list_ids_parameter",
    "smoke/test_service_offerings",
    "smoke/test_webhook_lifecycle",
)
SELECTION = "tags=advanced,required_hardware=false"

# Marvin registers its plugin under nose's old entry point, and is wrapped for it.
NOSE_WITH_MARVIN = """\
import nose
from marvin.marvinPlugin import MarvinPlugin
from nose.plugins.manager import ZeroNinePlugin
nose.main(addplugins=[ZeroNinePlugin(MarvinPlugin())])
"""

Results = dict[str, str]
"""``TestX::test_a``, or ``TestX`` where the set-up of a class speaks for its tests, and its outcome."""


def test_every_result_is_that_of_nose(cs_source: Path, tmp_path: Path) -> None:
    tree = cs_source
    suites = [str(tree / SUITES / f"{name}.py") for name in NAMES if (tree / SUITES / f"{name}.py").exists()]
    assert len(suites) >= len(NAMES) - 2, "most of the suites are in every release"
    (tmp_path / "nose").mkdir()
    (tmp_path / "ours").mkdir()

    theirs = under_nose(tree, suites, tmp_path / "nose")
    ours = under_pytest(tree, suites, tmp_path / "ours")

    set_ups = {name: outcome for name, outcome in theirs.items() if "::" not in name}
    stood_for = {test: set_ups[test.partition("::")[0]] for test in ours if test.partition("::")[0] in set_ups}
    expected = {name: outcome for name, outcome in theirs.items() if "::" in name} | stood_for
    assert len(expected) > 80
    assert set(expected.values()) >= {"passed", "skipped"}
    assert ours == expected


def under_nose(tree: Path, suites: list[str], folder: Path) -> Results:
    program = folder / "nose_with_marvin.py"
    program.write_text(NOSE_WITH_MARVIN)
    report = folder / "nose.xml"
    options = ["-a", SELECTION, "--with-xunit", f"--xunit-file={report}"]
    with server(folder) as marvin:
        on_path = [nose_path(), marvin_of(tree, folder / "path")]
        run([sys.executable, str(program), *marvin, *options, *suites], folder, *on_path)
    results: Results = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name, result = (
            case.get("name", ""),
            next((OUTCOMES[each.tag] for each in case if each.tag in OUTCOMES), "passed"),
        )
        if name.startswith("ContextSuite"):
            results[name.partition("context=")[2].partition(">")[0]] = result
        else:
            results[f"{case.get('classname', '').rpartition('.')[2]}::{name}"] = result
    return results


OUTCOMES = {"failure": "failed", "error": "errored", "skipped": "skipped"}


def under_pytest(tree: Path, suites: list[str], folder: Path) -> Results:
    with server(folder) as marvin:
        options = [f"--cs-source={tree}", f"--attr={SELECTION}", "-p", "no:cacheprovider", "-q"]
        run([sys.executable, "-m", "pytest", *options, *marvin, *suites], folder)
    (record,) = read_folder(folder / "cs-report")
    executed = {each.test.partition("::")[2]: each.outcome.value for each in record.attempts}
    return executed | {each.test.partition("::")[2]: each.reason.code.value for each in record.untested}


@contextmanager
def server(folder: Path) -> Iterator[list[str]]:
    """A fresh CloudStack, and the options that name it, the same for nose and for pytest."""
    simulator = Simulator(hypervisor="simulator", integration_port=INTEGRATION_PORT, api_port=API_PORT)
    try:
        simulator.start()
    except OSError as error:
        pytest.skip(f"needs ports {INTEGRATION_PORT} and {API_PORT}: {error}")
    try:
        config = folder / "lab.cfg"
        config.write_text(json.dumps(simulator.marvin_config()))
        yield ["--with-marvin", f"--marvin-config={config}", "--hypervisor=simulator", f"--log-folder-path={folder}"]
    finally:
        simulator.stop()


def run(command: list[str], folder: Path, *on_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, on_path)),
        "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1200
    )
    # Either way a test that fails makes it 1.
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
