"""Which part of the records a question is about: the pure function, and the options of `cs-matrix report`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.choose import Choice, choose
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, RecordedRun, Run, RunEnvironment
from histories import write_history

CATALOGUE = load_catalogue()
VM, VOLUME = "smoke/test_vm_life_cycle.py::T::test_a", "smoke/test_volumes.py::T::test_b"
KVM = Context(Hypervisor("kvm", "el9"), storage=Storage(protocol="nfs"), management_os="el9").as_dict()
VMWARE = Context(Hypervisor("vmware", "80u3"), networking="basic", extras=("nicira", "veeam")).as_dict()


def record(number, **environments):
    """A run of day ``number`` that tries both tests everywhere; environments: name → (context, version)."""
    started = f"2026-01-{number:02}T08:00:00.500Z"
    run = Run(
        f"run-{number}",
        started,
        "local" if number < 3 else "other",
        {name: RunEnvironment(context, version) for name, (context, version) in environments.items()},
    )
    attempts = [
        Attempt(test, name, AttemptOutcome.PASSED, started, 1.0) for name in environments for test in (VM, VOLUME)
    ]
    return RecordedRun(run, tuple(attempts), ended=True, exit=0, finished=started)


RECORDS = [
    record(1, kvm=(KVM, "4.22.0.0"), vmware=(VMWARE, "4.22.0.0")),
    record(2, kvm=(KVM, "4.23.0.0")),
    record(3, kvm=(KVM, None), vmware=(VMWARE, "4.23.0.0")),
]
ALL = {(1, "kvm"), (1, "vmware"), (2, "kvm"), (3, "kvm"), (3, "vmware")}

CHOICES = {
    "nothing asked": ([], ALL),
    "a version": (["--acs-version=4.22.0.0"], {(1, "kvm"), (1, "vmware")}),
    "versions are alternatives": (["--acs-version=4.22.0.0", "--acs-version=unknown"], {(1, "kvm"), (1, "vmware"), (3, "kvm")}),
    "a glob of versions": (["--acs-version=4.2?.*"], ALL - {(3, "kvm")}),
    "an environment": (["--environment=KVM"], {(1, "kvm"), (2, "kvm"), (3, "kvm")}),
    "an environment of a lab": (["--environment=other/*"], {(3, "kvm"), (3, "vmware")}),
    "hypervisor": (["--context=hypervisor=vmware"], {(1, "vmware"), (3, "vmware")}),
    "hypervisor version": (["--context=hypervisor.version=el*"], {(1, "kvm"), (2, "kvm"), (3, "kvm")}),
    "networking": (["--context=networking=basic"], {(1, "vmware"), (3, "vmware")}),
    "storage": (["--context=storage.protocol=nfs", "--context=storage.scope=shared"], {(1, "kvm"), (2, "kvm"), (3, "kvm")}),
    "management OS": (["--context=management_os=el9"], {(1, "kvm"), (2, "kvm"), (3, "kvm")}),
    "one of the extras": (["--context=extras=veeam"], {(1, "vmware"), (3, "vmware")}),
    "the key": (["--context=key=kvm-el9/advanced/nfs/mgmt-el9"], {(1, "kvm"), (2, "kvm"), (3, "kvm")}),
    "values of an axis are alternatives": (["--context=hypervisor=kvm", "--context=hypervisor=vmware"], ALL),
    "options all hold": (["--context=hypervisor=kvm", "--acs-version=4.23.0.0"], {(2, "kvm")}),
    "since a day": (["--since=2026-01-02"], {(2, "kvm"), (3, "kvm"), (3, "vmware")}),
    "since a second": (["--since=2026-01-02T08:00:01Z"], {(3, "kvm"), (3, "vmware")}),
    "until a day, which counts": (["--until=2026-01-02"], {(1, "kvm"), (1, "vmware"), (2, "kvm")}),
    "between": (["--since=2026-01-02", "--until=2026-01-02T09:00"], {(2, "kvm")}),
    "a run": (["--run=run-3"], {(3, "kvm"), (3, "vmware")}),
    "runs": (["--run=run-[12]"], {(1, "kvm"), (1, "vmware"), (2, "kvm")}),
}  # fmt: skip


def report(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "cs_matrix_pytest", *arguments],
        cwd=cwd, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


def choice_of(words):
    import argparse

    from cs_matrix_pytest.commands import choosing

    parser = argparse.ArgumentParser()
    choosing.add_arguments(parser)
    return choosing.choice_of(parser.parse_args(words))


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_asked_for_is_left(name):
    words, expected = CHOICES[name]
    chosen = choose(RECORDS, choice_of(words), CATALOGUE)
    assert {
        (int(each.run.run[4:]), environment) for each in chosen for environment in each.run.environments
    } == expected
    assert {(int(each.run.run[4:]), line.environment) for each in chosen for line in each.attempts} == expected


def test_a_feature_leaves_its_tests():
    chosen = choose(RECORDS, Choice(features=("vm-life*",)), CATALOGUE)
    assert {line.test for each in chosen for line in each.attempts} == {VM}
    assert [each.run for each in chosen] == [each.run for each in RECORDS]


WRONG = {
    "--acs-version=4.22": "--acs-version: nothing in the records is called 4.22\n  Did you mean 4.22.0.0",
    "--environment=vmwear": "Did you mean vmware? There is kvm, vmware.",
    "--context=hypervisor=xenserver": "--context hypervisor: nothing in the records is called xenserver\n  There is kvm, vmware.",
    "--context=hypervisor": "--context hypervisor: this is not AXIS=VALUE\n  AXIS is one of hypervisor,",
    "--context=weather=rain": "--context weather=rain: this is not AXIS=VALUE",
    "--feature=vm-lifecicle": "Did you mean vm-lifecycle?",
    "--run=nightly": "There is run-1, run-2, run-3.",
    "--since=yesterday": "--since: yesterday is not a date\n  Write 2026-01-31",
    "--until=2026-02-31": "--until: 2026-02-31 is not a date",
    "--since=2027-01-01": "no run record fits all of these options together",
}


@pytest.mark.parametrize("compacted", [False, True])
def test_wrong_values_say_what_there_is(tmp_path, compacted):
    write_history(tmp_path / "cs-report", RECORDS)
    if compacted:
        assert report("compact", "cs-report", cwd=tmp_path).returncode == 0
    for word, message in WRONG.items():
        result = report("report", word, cwd=tmp_path)
        assert (result.returncode, result.stdout) == (2, ""), word
        assert message in result.stderr


@pytest.mark.parametrize("compacted", [False, True])
def test_the_report_is_of_what_is_asked_for(tmp_path, compacted):
    write_history(tmp_path / "cs-report", RECORDS)
    if compacted:
        assert report("compact", "cs-report", cwd=tmp_path).returncode == 0
    words = ("--format=json", "--context=hypervisor=kvm", "--feature=vm-lifecycle", "--since=2026-01-02")
    matrix = json.loads(report("report", *words, cwd=tmp_path).stdout)
    assert [run["run"] for run in matrix["runs"]] == ["run-2", "run-3"]
    assert list(matrix["environments"]) == ["local/kvm", "other/kvm"]
    assert [(cell["acs_version"], cell["feature"]) for cell in matrix["cells"]] == [
        ("4.23.0.0", "vm-lifecycle"),
        ("unknown", "vm-lifecycle"),
    ]


def test_a_choice_of_nothing_is_everything():
    assert not Choice()
    assert choose(RECORDS, Choice(), CATALOGUE) == tuple(RECORDS)
    with pytest.raises(UserError, match="fits all"):
        choose(RECORDS, Choice(runs=("run-2",), environments=("vmware",)), CATALOGUE)
