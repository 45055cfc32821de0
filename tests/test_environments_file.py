"""The environments file: what it means, and what is said of a bad one."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from cs_matrix_pytest.environments.file import find_environments_file, load_environments, open_environments
from cs_matrix_pytest.environments.model import Context, Fault, Hypervisor, Storage
from cs_matrix_pytest.environments.validation import shipped_schema
from cs_matrix_pytest.errors import UserError

GOOD = """\
version: 1
lab: berlin
defaults:
  hypervisor: {type: KVM}
  storage: {scope: shared, protocol: nfs}
  secrets: {mgtSvr.0.passwd: "${LAB_PASSWORD}"}
environments:
  kvm-adv:
    marvin_config: labs/kvm-adv.cfg
    zone: zone1
    hypervisor: {version: ubuntu24}
    management_os: ubuntu24
    extras: [tungsten, sdn/nicira]
    capacity: 2
  vmware-80u3:
    marvin_config: labs/vmware.yaml
    hypervisor: {type: vmware, version: 8.0}
    networking: advanced-sg
    storage: {protocol: vmfs}
    secrets: {mgtSvr.0.securityKey: "${KEY}"}
  demo-kvm:
    simulator: embedded
    faults:
      attachVolume: {fail_every: 3}
      createSnapshot: {fail: yes, error: [530, no space]}
      startVirtualMachine: {delay: 2}
applicability:
  - when: {tags: [nicira]}
    needs: {extras: [sdn/nicira]}
    text: needs NSX
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        file = tmp_path / "cs-environments.yaml"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    return write


def error_of(file: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load_environments(file)
    return caught.value


def test_a_file_means_what_it_says(write, tmp_path):
    file = load_environments(write(GOOD))
    assert file.lab == "berlin"
    assert list(file.environments) == ["kvm-adv", "vmware-80u3", "demo-kvm"]
    kvm = file.environments["kvm-adv"]
    assert kvm.context == Context(
        Hypervisor("kvm", "ubuntu24"), "advanced", Storage("shared", "nfs"), "ubuntu24", ("tungsten", "sdn/nicira")
    )
    assert kvm.marvin_config == tmp_path / "labs" / "kvm-adv.cfg"
    assert (kvm.zone, kvm.capacity, kvm.embedded, kvm.line) == ("zone1", 2, False, 8)
    demo = file.environments["demo-kvm"]
    assert demo.embedded
    assert demo.faults == {
        "attachVolume": Fault(fail_every=3),
        "createSnapshot": Fault(fail=True, error=(530, "no space")),
        "startVirtualMachine": Fault(delay=2),
    }
    assert file.applicability == (
        {"when": {"tags": ["nicira"]}, "needs": {"extras": ["sdn/nicira"]}, "text": "needs NSX"},
    )


def test_defaults_merge_deeply(write):
    vmware = load_environments(write(GOOD)).environments["vmware-80u3"]
    assert vmware.context.storage == Storage("shared", "vmfs")
    assert vmware.secrets == {"mgtSvr.0.passwd": "${LAB_PASSWORD}", "mgtSvr.0.securityKey": "${KEY}"}
    assert vmware.lines["secrets.mgtSvr.0.passwd"] == 6
    assert vmware.lines["secrets.mgtSvr.0.securityKey"] == 20


@pytest.mark.parametrize("version", ["8.0", "7.10", "24", "1e3", "no", "on", "2024-01-02", "0x10", "1_000"])
def test_a_version_stays_as_it_was_written(write, version):
    file = load_environments(
        write(
            f"version: 1\nenvironments:\n  on: {{simulator: embedded, hypervisor: {{type: kvm, version: {version}}}}}"
        )
    )
    assert file.environments["on"].context.hypervisor.version == version


def test_defaults_of_what_a_file_leaves_out(write):
    file = load_environments(write("version: 1\nenvironments: {a: {simulator: embedded, hypervisor: {type: kvm}}}"))
    a = file.environments["a"]
    assert (file.lab, file.applicability, a.capacity, a.zone) == ("local", (), None, None)
    assert a.context.key == "kvm/advanced/shared"


def test_merge_keys_and_aliases(write):
    file = load_environments(
        write("""\
        version: 1
        defaults: &base {hypervisor: {type: kvm}, simulator: embedded, zone: z1}
        environments:
          a: {<<: *base, zone: z2}
          b: *base
        """)
    )
    assert [each.zone for each in file.environments.values()] == ["z2", "z1"]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["kvm-adv"], ["kvm-adv"]),
        (["demo-kvm", "kvm-adv"], ["kvm-adv", "demo-kvm"]),
        (["*kvm*"], ["kvm-adv", "demo-kvm"]),
        (["demo-kvm, vmware-80u3", "*kvm*"], ["kvm-adv", "vmware-80u3", "demo-kvm"]),
        (["[kv]*"], ["kvm-adv", "vmware-80u3"]),
        ([], []),
    ],
)
def test_selecting(write, patterns, names):
    assert [each.name for each in load_environments(write(GOOD)).select(patterns)] == names


@pytest.mark.parametrize("pattern", ["kvm-avd", "kvm-avd*", "kvm-adv,kvm-avd", "KVM-ADV,kvm-avd"])
def test_selecting_what_is_not_there_names_near_matches_and_all(write, pattern):
    file = load_environments(write(GOOD))
    with pytest.raises(UserError) as caught:
        file.select([pattern])
    assert caught.value.exit_code == 2
    assert "there are: kvm-adv, vmware-80u3, demo-kvm" in str(caught.value)
    if "KVM-ADV" not in pattern:
        assert "did you mean kvm-adv" in str(caught.value)


def test_found_upward(tmp_path, write):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_environments_file(below) is None
    file = write(GOOD)
    assert find_environments_file(below) == file
    assert open_environments(None, below).path == file


def test_no_file_says_how_to_write_one(tmp_path):
    with pytest.raises(UserError, match=r"(?s)no cs-environments|has a cs-environments.yaml.*cs-matrix env init"):
        open_environments(None, tmp_path)
    with pytest.raises(UserError, match=r"labs\.yaml: this environments file does not exist"):
        open_environments(tmp_path / "labs.yaml", tmp_path)
    with pytest.raises(UserError, match="is a folder"):
        open_environments(tmp_path, tmp_path)


ONE = "version: 1\nenvironments:\n  kvm:\n    simulator: embedded\n    hypervisor: {type: kvm}\n"

BAD = {
    "empty": ("", 1, None, "this file is empty"),
    "only comments": ("# nothing\n", 1, None, "this file is empty"),
    "a list": ("- a\n", 1, None, "must be a mapping, is a list"),
    "does not parse": ("version: 1\nenvironments: [a\n", 3, None, "not YAML"),
    "tab": ("version: 1\nenvironments:\n\tkvm: {}\n", 3, None, "not YAML"),
    "two documents": (ONE + "---\na: b\n", 6, None, "not YAML"),
    "object tag": ("version: 1\nlab: !!python/object:os.system x\nenvironments: {}\n", 2, None, "not YAML"),
    "no version": (ONE.removeprefix("version: 1\n"), 1, "version", "missing"),
    "other version": (ONE.replace("version: 1", "version: 2"), 1, "version", "must be 1"),
    "no environments": ("version: 1\n", 1, "environments", "missing"),
    "none in it": ("version: 1\nenvironments: {}\n", 2, "environments", "is empty"),
    "unknown top key": (ONE + "labb: x\n", 6, "labb", "unknown key"),
    "unknown key": (ONE + "    networkng: basic\n", 6, "environments.kvm.networkng", "unknown key"),
    "unknown deep key": (
        ONE + "    storage: {scop: local}\n",
        6,
        "environments.kvm.storage.scop",
        "unknown key",
    ),
    "wrong type": (ONE + "    capacity: two\n", 6, "environments.kvm.capacity", "must be a whole number, is text"),
    "wrong bool": (ONE + "    capacity: true\n", 6, "environments.kvm.capacity", "must be a whole number, is true or"),
    "too small": (ONE + "    capacity: 0\n", 6, "environments.kvm.capacity", "must be at least 1"),
    "text for mapping": (ONE + "    storage: nfs\n", 6, "environments.kvm.storage", "must be a mapping, is text"),
    "null": (ONE + "    zone:\n", 6, "environments.kvm.zone", "must be text, is empty"),
    "not in enum": (ONE + "    networking: advance\n", 6, "environments.kvm.networking", "'advance' is none of basic,"),
    "twice": (ONE + "    simulator: embedded\n", 6, "environments.kvm.simulator", "given twice, first in line 4"),
    "environment twice": (ONE + "  kvm: {}\n", 6, "environments.kvm", "given twice, first in line 3"),
    "item twice": (ONE + "    extras: [a, a]\n", 6, "environments.kvm.extras", "an item is given twice"),
    "name with bracket": (ONE + "  'a[b]': {simulator: embedded}\n", 6, "environments.a[b]", "cannot be a name"),
    "name with space": (ONE + "  a b: {simulator: embedded}\n", 6, "environments.a b", "cannot be a name"),
    "name with glob": (ONE + "  kvm*: {simulator: embedded}\n", 6, "environments.kvm*", "cannot be a name"),
    "lab with slash": (ONE + "lab: a/b\n", 6, "lab", "cannot be a name"),
    "complex key": (ONE + "? [a]\n: b\n", 6, None, "a key must be"),
    "error length": (
        ONE + "    faults:\n      x: {error: [530]}\n",
        7,
        "environments.kvm.faults.x.error",
        "must have 2 items",
    ),
    "error type": (
        ONE + "    faults:\n      x: {error: [no, 5]}\n",
        7,
        "environments.kvm.faults.x.error.0",
        "must be a whole number, is true or false",
    ),
    "secret as list": (
        ONE + "    secrets:\n      a.b: [hunter2]\n",
        7,
        "environments.kvm.secrets.a.b",
        "must be text, is a list",
    ),
    "no hypervisor": (
        "version: 1\nenvironments:\n  a: {simulator: embedded}\n",
        3,
        "environments.a.hypervisor.type",
        "missing",
    ),
    "unreachable": (
        "version: 1\nenvironments:\n  a: {hypervisor: {type: kvm}}\n",
        3,
        "environments.a.marvin_config",
        "missing",
    ),
    "faults in a lab": (
        "version: 1\nenvironments:\n  a:\n    hypervisor: {type: kvm}\n    marvin_config: x\n    faults: {b: {fail: true}}\n",
        6,
        "environments.a.faults",
        "only the embedded simulator has faults",
    ),
    "fault of no command": (
        ONE + "    faults:\n      attachVolum: {fail: true}\n",
        7,
        "environments.kvm.faults.attachVolum",
        "the API has no such command",
    ),
    "recursive": (ONE + "    faults: &a {b: *a}\n", 6, "environments.kvm.faults.b", "refers to what it is part of"),
    "rule without needs": (ONE + "applicability:\n  - when: {tags: [a]}\n", 7, "applicability.0.needs", "missing"),
    "rule with a mapping": (
        ONE + "applicability:\n  - {when: {tags: [a]}, needs: {networking: {a: b}}}\n",
        7,
        "applicability.0.needs.networking",
        "must be text or true or false or a number or a list, is a mapping",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_an_error_names_file_line_and_key(write, case):
    text, line, key, what = BAD[case]
    error = error_of(write(text))
    assert (error.line, error.key) == (line, key)
    assert what in error.what
    assert str(error).startswith(f"{error.file}:{line}: ")
    assert error.exit_code == 2
    assert "hunter2" not in str(error)


def test_a_fault_of_no_command_has_near_matches(write):
    error = error_of(write(ONE + "    faults: {AttachVolume: {fail: true}}\n"))
    assert "did you mean attachVolume" in error.hint


def test_an_unknown_key_has_near_matches_or_all_there_are(write):
    assert "did you mean networking?" in str(error_of(write(ONE + "    networkng: basic\n")))
    assert "known here: scope, protocol" in str(error_of(write(ONE + "    storage: {xyz: 1}\n")))


def test_the_first_error_is_told_in_full_and_the_others_briefly(write):
    error = error_of(write(ONE + "    zzz: 1\n    capacity: x\n"))
    assert error.key == "environments.kvm.zzz"
    assert "also line 7: environments.kvm.capacity: must be a whole number, is text" in str(error)


def test_not_text(tmp_path):
    file = tmp_path / "cs-environments.yaml"
    file.write_bytes(b"version: 1\n\xff\xfe")
    assert "not UTF-8" in str(error_of(file))


def test_the_schema_is_a_schema_and_describes_each_key():
    from jsonschema import Draft202012Validator

    schema = shipped_schema("cs-environments.schema.json")
    Draft202012Validator.check_schema(schema)
    keys = {**schema["properties"], **schema["$defs"]["environment"]["properties"]}
    assert [key for key, value in keys.items() if "description" not in value] == []
