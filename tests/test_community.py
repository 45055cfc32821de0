"""examples/community: the commands of the workflows and of the Jenkinsfile, run against repositories on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from cs_matrix_pytest.outcomes.record import read_folder
from record_files import recorded, write

EXAMPLES = Path(__file__).parents[1] / "examples" / "community"
WORKFLOWS = ("lab.yml", "site.yml")
A, B = "smoke/test_a.py::TestA::test_a", "smoke/test_b.py::TestB::test_b"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def workflow(name):
    # BaseLoader: `on` stays a word.
    return yaml.load((EXAMPLES / name).read_text(encoding="utf-8"), yaml.BaseLoader)


def steps(name):
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def commands(name, step):
    """What a step of a workflow runs."""
    [found] = [each["run"] for each in steps(name) if each.get("name") == step]
    return found


def jenkins(stage):
    """What a stage of the Jenkinsfile runs."""
    text = (EXAMPLES / "Jenkinsfile").read_text(encoding="utf-8")
    [script] = re.findall(rf"stage\('{stage}'\).*?sh '''\n(.*?)'''", text, re.DOTALL)
    return dedent(script)


def environment(home, **more):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    return {**clean, "PATH": path, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "PYTHONIOENCODING": "utf-8", **more}


def start(script, cwd, shell=("bash", "-e"), **more):
    """A step as its runner starts it: GitHub's default is ``bash -e``, that of Jenkins ``sh -xe``."""
    return subprocess.Popen(
        [*shell, "-c", script],
        cwd=cwd,
        env=environment(cwd, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def finish(process):
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def run(script, cwd, **more):
    return finish(start(script, cwd, **more))


@pytest.fixture
def repository(tmp_path):
    """A repository for records as a host has it: bare, with a first commit."""
    bare = tmp_path / "records.git"
    run(f"git init --quiet --bare --initial-branch main '{bare}'", tmp_path)
    run(
        f"git clone --quiet '{bare}' first && cd first && git checkout --quiet -b main && echo Records > README.md && git add . "
        "&& git -c user.name=t -c user.email=t@example.org commit --quiet -m First && git push --quiet origin main",
        tmp_path,
    )
    return bare


def lab(folder, name, *results):
    """A lab's folder after its tests ran."""
    write(folder / "cs-report", *(recorded(f"{name}-{n}", each, lab=name) for n, each in enumerate(results)))
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return folder


def checked_out(repository, folder):
    """What actions/checkout does: a clone with one commit."""
    run(f"git clone --quiet --depth 1 'file://{repository}' published", folder)


def published(repository, tmp_path):
    run(f"git clone --quiet '{repository}' seen", tmp_path)
    return sorted(record.run.run for record in read_folder(tmp_path / "seen" / "records"))


PUBLISH = "Publish the records"
START = {
    "workflow": lambda folder, repository, name: start(commands("lab.yml", PUBLISH), folder, LAB=name),
    "jenkins": lambda folder, repository, name: start(
        f"sleep() {{ :; }}\n{jenkins(PUBLISH)}", folder, ("sh", "-xe"), LAB=name, RECORDS=f"file://{repository}"
    ),
}


@pytest.mark.parametrize("runner", START)
def test_two_labs_publish_at_once(runner, repository, tmp_path):
    names = ("alpha", "beta")
    folders = [lab(tmp_path / name, name, {f"{A}@kvm": "P"}, {f"{A}@kvm": "F"}) for name in names]
    if runner == "workflow":
        # Before either pushes: the second to push is then behind, whoever it is.
        for folder in folders:
            checked_out(repository, folder)
    else:
        # The clone is part of the stage: a hook holds the first push until the other has cloned.
        hook = repository / "hooks" / "pre-receive"
        hook.write_text(
            f"#!/bin/sh\nfor n in $(seq 600); do [ -d '{folders[0]}/published/records' ] && "
            f"[ -d '{folders[1]}/published/records' ] && exit 0; sleep 0.05; done\n",
            encoding="utf-8",
        )
        hook.chmod(0o755)
    outputs = [finish(each) for each in [START[runner](*each) for each in zip(folders, [repository] * 2, names)]]
    assert any("rejected" in output or "failed to push" in output for output in outputs)
    assert published(repository, tmp_path) == ["alpha-0", "alpha-1", "beta-0", "beta-1"]


def test_publishing_again_adds_nothing(repository, tmp_path):
    folder = lab(tmp_path / "alpha", "alpha", {f"{A}@kvm": "P"})
    checked_out(repository, folder)
    for _ in range(2):
        run(commands("lab.yml", PUBLISH), folder, LAB="alpha")
    log = run(f"git --git-dir '{repository}' log --format=%s main", tmp_path)
    assert log.splitlines() == ["Results of alpha", "First"]


def test_what_cannot_be_pushed_fails_the_step(repository, tmp_path):
    folder = lab(tmp_path / "alpha", "alpha", {f"{A}@kvm": "P"})
    checked_out(repository, folder)
    shutil.rmtree(repository)
    process = start(f"sleep() {{ :; }}\n{commands('lab.yml', PUBLISH)}", folder, LAB="alpha")
    output, _ = process.communicate(timeout=120)
    assert (process.returncode, output.splitlines()[-1]) == (1, "the records could not be pushed")


def test_both_runners_publish_with_the_same_commands():
    def plain(script):
        return [line.strip().removeprefix(".venv/bin/") for line in script.splitlines() if line.strip()]

    assert plain(jenkins(PUBLISH))[1:] == plain(commands("lab.yml", PUBLISH))


@pytest.fixture
def site(repository, tmp_path):
    """The site's folder, with the records of a git repository and of a folder (where a bucket would be)."""
    alpha = lab(tmp_path / "alpha", "alpha", {f"{A}@kvm": "P"})
    checked_out(repository, alpha)
    run(commands("lab.yml", PUBLISH), alpha, LAB="alpha")
    bucket = write(tmp_path / "bucket", recorded("beta-0", {f"{B}@xen": "F"}, lab="beta"))
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "labs.txt").write_text(
        f"# labs\n\nalpha {repository}\ngone {tmp_path}/gone.git\nmissing {tmp_path}/nowhere\nbeta {bucket}\n",
        encoding="utf-8",
    )
    return folder


def test_the_site_collects_what_can_be_read(site):
    output = run(commands("site.yml", "Collect the records"), site)
    assert "::warning::gone: its repository cannot be read" in output
    assert "::warning::missing: not all of its records can be read" in output
    assert [record.run.run for record in read_folder(site / "records")] == ["alpha-0", "beta-0"]


def test_the_site_writes_its_pages(site):
    pytest.importorskip("jinja2")
    run(commands("site.yml", "Collect the records"), site)
    run(commands("site.yml", "Write the pages"), site)
    matrix = json.loads((site / "_site" / "matrix.json").read_text(encoding="utf-8"))
    assert [*matrix["environments"]] == ["alpha/kvm", "beta/xen"]
    assert "<html" in (site / "_site" / "index.html").read_text(encoding="utf-8")[:200].lower()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_are_well_formed(name):
    loaded = workflow(name)
    assert {"name", "on", "permissions", "jobs"} <= loaded.keys()
    for job in loaded["jobs"].values():
        assert "runs-on" in job
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in steps(name) if "uses" in step)


def test_each_script_is_shell():
    scripts = [step["run"] for name in WORKFLOWS for step in steps(name) if "run" in step]
    scripts += [jenkins(stage) for stage in ("Install", "Test", PUBLISH)]
    for script in scripts:
        subprocess.run(["bash", "-n", "-c", script], check=True)
        subprocess.run(["sh", "-n", "-c", script], check=True)


def test_the_extras_that_are_installed_exist():
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    there = re.findall(r"^(\w+) = \[", project.partition("[project.optional-dependencies]")[2], re.MULTILINE)
    for name in (*WORKFLOWS, "Jenkinsfile"):
        [extras] = re.findall(r"cs-matrix-pytest\[([^\]]+)\]", (EXAMPLES / name).read_text(encoding="utf-8"))
        assert set(extras.split(",")) <= set(there), name


def test_the_options_of_the_labs_are_those_of_the_plugin(tmp_path):
    help_text = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    ).stdout
    used = set(re.findall(r"--cs-[a-z-]+", commands("lab.yml", "Run the tests") + jenkins("Test")))
    assert used == {"--cs-source", "--cs-env", "--cs-lab", "--cs-commit"}
    assert [option for option in used if option not in help_text] == []


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="needs actionlint")
@pytest.mark.parametrize("name", WORKFLOWS)
def test_actionlint(name, tmp_path):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    shutil.copy(EXAMPLES / name, folder)
    (tmp_path / ".github" / "actionlint.yaml").write_text(
        "self-hosted-runner: {labels: [cloudstack-lab]}\n", encoding="utf-8"
    )
    run("git init --quiet . && actionlint", tmp_path)
