"""``cs-matrix import trillian``: archives of Marvin's logs, zipped or not, whole or damaged."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.cli import main
from cs_matrix_pytest.importers import trillian_archive
from cs_matrix_pytest.importers.trillian_results import read_results
from cs_matrix_pytest.outcomes.model import RecordedRun
from cs_matrix_pytest.outcomes.record import read_folder

XUNIT = (
    '<?xml version="1.0" encoding="UTF-8"?><testsuite name="nosetests">'
    '<testcase classname="integration.smoke.{module}.TestX" name="test_1" time="2.5"/>'
    '<testcase classname="integration.smoke.{module}.TestX" name="test_2" time="1">'
    '<failure type="builtins.AssertionError" message="1 != 2"/></testcase></testsuite>'
)

RESULTS = """\
The first line of a docstring ... === TestName: test_01_doc | Status : SUCCESS ===
ok
test_02 (integration.smoke.test_new.TestA) ... === TestName: test_02 | Status : FAILED ===
FAIL
test_03 (integration.smoke.test_new.TestA.test_03) ... === TestName: test_03 | Status : EXCEPTION ===
ERROR
test_04 (integration.smoke.test_new.TestA.test_04) ... SKIP: no host here
=== TestName: test_04 | Status : EXCEPTION ===
ERROR
test_05 (integration.smoke.test_new.TestA.test_05) ... ok
Another docstring ... === TestName: test_06_doc | Status : EXCEPTION ===
ERROR
=== TestName: test_06_doc | Status : EXCEPTION ===
SKIP: a class that is skipped

======================================================================
FAIL: test_02 (integration.smoke.test_new.TestA)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/marvin/tests/smoke/test_new.py", line 27, in test_02
    self.assertEqual(1, 2, "not the same")
AssertionError: 1 != 2 : not the same
-------------------- >> begin captured logging << --------------------
CSLog: DEBUG: Payload

======================================================================
ERROR: test suite for <class 'integration.smoke.test_new.TestB'>
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/usr/lib/python3.6/site-packages/nose/suite.py", line 268, in setupContext
    try_run(context, names)
Exception: nothing can be set up

======================================================================
ERROR: Another docstring
----------------------------------------------------------------------
Traceback (most recent call last):
KeyError: 'x'

----------------------------------------------------------------------
Ran 6 tests in 8.100s

FAILED (SKIP=2, errors=3, failures=1)
"""

RUNINFO = "2026-03-01 10:00:00,250 - DEBUG - Parsing Test data successful\n2026-03-01 10:00:09,000 - DEBUG - x\n"

SUMMARY = """\
Smoke tests completed. 1 look OK, 1 have errors, 1 did not run
Only failed and skipped tests results shown below:

Test | Result | Time (s) | Test File
--- | --- | --- | ---
test_2 | `Failure` | 1.00 | test_vpc_vpn.py
all_test_gone | `Skipped` | --- | test_gone.py
Intermittent failure detected: /marvin/tests/smoke/test_ssvm.py
"""

FILES = {
    "MarvinLogs/test_vpc_vpn.py.xml": XUNIT.format(module="test_vpc_vpn"),
    "MarvinLogs/test_vpc_vpn_A1B2C3/results.txt": RESULTS.replace("test_new", "test_vpc_vpn"),
    "MarvinLogs/test_vpc_vpn_A1B2C3/runinfo.txt": RUNINFO,
    "MarvinLogs/test_new_D4E5F6/results.txt": RESULTS,
    "MarvinLogs/test_new_D4E5F6/runinfo.txt": RUNINFO.replace("10:00", "11:00"),
    "MarvinLogs/test_new_D4E5F6/failed_plus_exceptions.txt": "not read",
    "smoketests-summary.txt": SUMMARY,
}


def zipped(path: Path, files: dict[str, str | bytes] | dict[str, str], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unzipped(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "records"


def only_record(dest: Path) -> RecordedRun:
    (record,) = read_folder(dest)
    return record


def said(record: RecordedRun) -> set[tuple[str, ...]]:
    attempts = {(line.level, line.test, line.outcome.value, line.phase, line.message or "") for line in record.attempts}
    return attempts | {
        (line.level, line.test, line.reason.code.value, "", line.reason.text) for line in record.untested
    }


NEW, VPN = "smoke/test_new.py", "smoke/test_vpc_vpn.py"

EXPECTED = {
    ("test", f"{VPN}::TestX::test_1", "passed", "call", ""),
    ("test", f"{VPN}::TestX::test_2", "failed", "call", "AssertionError: 1 != 2"),
    ("test", f"{NEW}::test_01_doc", "passed", "call", ""),
    ("test", f"{NEW}::TestA::test_02", "failed", "call", "AssertionError: 1 != 2 : not the same"),
    ("test", f"{NEW}::TestA::test_03", "errored", "call", "no message"),
    ("test", f"{NEW}::TestA::test_04", "skipped", "", "no host here"),
    ("test", f"{NEW}::TestA::test_05", "passed", "call", ""),
    ("test", f"{NEW}::test_06_doc", "errored", "call", "KeyError: 'x'"),
    ("class", f"{NEW}::TestB", "errored", "setup-class", "Exception: nothing can be set up"),
    ("module", "smoke/test_ssvm.py", "failed", "call", "Intermittent failure detected"),
    ("module", "smoke/test_ssvm.py", "passed", "call", ""),
    ("module", "smoke/test_gone.py", "blocked", "call", "did not run"),
}


def test_a_zip_and_its_folder_are_one_run(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Only results.txt names the module: in a test's class, for the folder's name says nothing of it.
    archive = zipped(tmp_path / "pr1234-t567-kvm-ol8.zip", FILES)
    folder = unzipped(tmp_path / "pr1234-t567-kvm-ol8", FILES)
    assert main(["import", "trillian", str(archive), str(dest)]) == 0
    assert main(["import", "trillian", str(folder), str(dest)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1] == f"0 records written to {dest} (1 there already)"
    record = only_record(dest)
    assert said(record) == EXPECTED
    assert record.run.lab == "trillian"
    assert (record.run.selection["pull_request"], record.run.selection["trillian"]) == (1234, 567)
    environment = record.run.environments["kvm-ol8"]
    assert environment.context["hypervisor"] == {"type": "kvm", "version": "ol8"}
    assert environment.context["networking"] == "unknown"
    assert record.run.started == "2026-03-01T10:00:00.250Z"
    times = {line.test: line.started for line in record.attempts}
    assert times[f"{VPN}::TestX::test_2"] == "2026-03-01T10:00:02.750Z"
    assert times[f"{NEW}::TestA::test_05"] == "2026-03-01T11:00:00.250Z"
    assert [(each.ok, each.failed, each.did_not_run, each.suite) for each in record.counts] == [(1, 1, 1, "smoke")]
    assert record.ended


@pytest.mark.parametrize(
    ("name", "environment", "hypervisor"),
    [
        ("pr1234-t567-vmware-80u3.zip", "vmware-80u3", ("vmware", "80u3")),
        ("t99-xenserver-84.zip", "xenserver-84", ("xenserver", "84")),
        ("xcpng82.zip", "xcpng82", ("xenserver", "xcpng82")),
        ("kvm-ubuntu24-logs.zip", "kvm-ubuntu24", ("kvm", "ubuntu24")),
        ("xs84.zip", "xs84", ("xenserver", "84")),
        ("pr1-t2-suse15.zip", "suse15", ("kvm", "suse15")),
        ("pr1-t2-newvisor-3-logs.zip", "newvisor-3", ("newvisor", "3")),
        ("artifacts.zip", "unknown", ("unknown", None)),
        ("pr5.zip", "unknown", ("unknown", None)),
    ],
)
def test_the_name_says_the_environment(
    name: str, environment: str, hypervisor: tuple[str, str | None], tmp_path: Path, dest: Path
) -> None:
    archive = zipped(tmp_path / name, {"test_vpc_vpn.py.xml": FILES["MarvinLogs/test_vpc_vpn.py.xml"]})
    assert main(["import", "trillian", str(archive), str(dest)]) == 0
    ((found, facts),) = only_record(dest).run.environments.items()
    assert found == environment
    assert facts.context["hypervisor"] == dict(zip(("type", "version"), hypervisor, strict=True))


def test_facts_that_the_archive_does_not_say(tmp_path: Path, dest: Path) -> None:
    archive = zipped(
        tmp_path / "pr1-t2-kvm-ol8.zip", FILES | {"additional_test_data.json": '{"base_cloudstack_version": "4.22.1"}'}
    )
    words = ["--acs-version=4.20", "--lab=ours", "--context=networking=advanced", "--context=hypervisor.type=vmware"]
    assert main(["import", "trillian", str(archive), str(dest), *words, "--started=2026-05-05"]) == 0
    record = only_record(dest)
    facts = record.run.environments["kvm-ol8"]
    assert (record.run.lab, record.run.started, facts.acs_version) == ("ours", "2026-05-05T00:00:00.000Z", "4.22.1")
    assert (facts.context["hypervisor"]["type"], facts.context["networking"]) == ("kvm", "advanced")


def test_every_try_of_a_module_counts(tmp_path: Path, dest: Path) -> None:
    tries = {
        f"MarvinLogs/test_vpc_vpn.py_{number}.xml": XUNIT.format(module="test_vpc_vpn") + " " * number
        for number in (0, 1)
    }
    assert main(["import", "trillian", str(zipped(tmp_path / "a.zip", tries)), str(dest)]) == 0
    assert [line.test.rpartition("_")[2] for line in only_record(dest).attempts] == ["1", "2", "1", "2"]


def test_a_folder_of_zips(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    for hypervisor in ("kvm-ol8", "vmware-80u3"):
        zipped(folder / f"pr1-t2-{hypervisor}.zip", FILES)
    (folder / "pr1-t3-kvm-ol9.zip").write_bytes(b"Not Found")
    zipped(folder / "other.zip", {"README": "x"})
    assert main(["import", "trillian", str(folder), str(dest)]) == 0
    assert {name for record in read_folder(dest) for name in record.run.environments} == {"kvm-ol8", "vmware-80u3"}
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"cs-matrix: left out: {folder}/other.zip: there are no results in it: neither xunit files (*.xml) nor Marvin's "
        "results.txt",
        f"cs-matrix: left out: {folder}/pr1-t3-kvm-ol9.zip: this is no zip file, or it is cut off",
    ]


def test_results_of_python_2(tmp_path: Path) -> None:
    told = list(read_results(RESULTS))
    assert [(each.name, each.place.id, each.result and each.result.tag) for each in told] == [
        ("test_01_doc", "", None),
        ("test_02", f"{NEW}::TestA", "failure"),
        ("test_03", f"{NEW}::TestA", "error"),
        ("test_04", f"{NEW}::TestA", "skipped"),
        ("test_05", f"{NEW}::TestA", None),
        ("test_06_doc", "", "error"),
        ("", f"{NEW}::TestB", "error"),
    ]


@pytest.mark.parametrize("size", range(0, len(RESULTS), 97))
def test_results_cut_off_anywhere(size: int) -> None:
    """Whoever was told before the cut is told the same."""
    whole = [(each.name, each.result and each.result.tag) for each in read_results(RESULTS) if each.name]
    cut = [(each.name, each.result and each.result.tag) for each in read_results(RESULTS[:size]) if each.name]
    assert cut == whole[: len(cut)]


# Bad input


def refused(path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["import", "trillian", str(path), str(dest)]) == 2
    assert list(dest.glob("*")) == []
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_what_is_no_archive(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = zipped(tmp_path / "a.zip", FILES)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(archive.read_bytes()[:-60])
    assert "this is no zip file, or it is cut off" in refused(cut, dest, capsys)
    assert "this is no zip file" in refused(Path(__file__), dest, capsys)
    assert "cannot be read: No such file" in refused(tmp_path / "missing.zip", dest, capsys)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "there are no results in it" in refused(empty, dest, capsys)


def test_a_damaged_member_costs_only_itself(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"MarvinLogs/{name}.py.xml": XUNIT.format(module=name) for name in ("test_vpc_vpn", "test_ssvm")}
    archive = zipped(tmp_path / "a.zip", files, zipfile.ZIP_STORED)
    data = archive.read_bytes()
    archive.write_bytes(data.replace(b"test_ssvm.TestX", b"test_ssvm.TestY", 1))
    assert main(["import", "trillian", str(archive), str(dest)]) == 0
    assert {line.test.partition("::")[0] for line in only_record(dest).attempts} == {VPN}
    assert "a.zip: MarvinLogs/test_ssvm.py.xml: cannot be read: damaged: Bad CRC-32" in capsys.readouterr().err


def test_what_stands_before_a_mistake_is_kept(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = XUNIT.format(module="test_ssvm").replace("</testsuite>", " " * 300_000 + "<a>" * 300)
    files = {"test_ssvm.py.xml": deep, "test_vpc_vpn.py.xml": XUNIT.format(module="test_vpc_vpn")}
    assert main(["import", "trillian", str(zipped(tmp_path / "a.zip", files)), str(dest)]) == 0
    record = only_record(dest)
    assert record.warnings == ()
    assert {line.test.partition("::")[0] for line in record.attempts} == {VPN, "smoke/test_ssvm.py"}
    assert "a.zip: test_ssvm.py.xml: elements 200 deep in each other" in capsys.readouterr().err


def test_another_summary_is_another_archive(tmp_path: Path, dest: Path) -> None:
    for number, summary in enumerate((SUMMARY, SUMMARY.replace("1 look OK", "2 look OK"), SUMMARY)):
        archive = zipped(tmp_path / f"{number}.zip", FILES | {"smoketests-summary.txt": summary})
        assert main(["import", "trillian", str(archive), str(dest)]) == 0
    assert len(read_folder(dest)) == 2


def test_a_member_that_cannot_be_opened(tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = zipped(tmp_path / "a.zip", FILES)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_LZMA) as more:
        more.writestr("MarvinLogs/test_ssvm.py.xml", XUNIT.format(module="test_ssvm"))
    assert main(["import", "trillian", str(archive), str(dest)]) == 0
    assert "left out: its compression is not one of zip's usual two" in capsys.readouterr().err
    assert len(only_record(dest).attempts) >= 8


def test_names_of_members_lead_nowhere(tmp_path: Path, dest: Path) -> None:
    xunit = XUNIT.format(module="test_vpc_vpn")
    names = ["../../outside.xml", "/etc/outside.xml", "C:\\outside.xml", "a\x1b[31m/<b>.xml", "x" * 5000 + ".xml"]
    archive = zipped(tmp_path / "a.zip", dict.fromkeys(names, xunit))
    assert main(["import", "trillian", str(archive), str(dest)]) == 0
    assert len(only_record(dest).attempts) == 2 * len(names)
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "records"}
    assert not list(tmp_path.parent.glob("outside.xml"))


def test_links_out_of_a_folder_are_passed_over(tmp_path: Path, dest: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.xml").write_text(XUNIT.format(module="test_ssvm"))
    folder = unzipped(tmp_path / "folder", {"test_vpc_vpn.py.xml": XUNIT.format(module="test_vpc_vpn")})
    (folder / "link.xml").symlink_to(outside / "secret.xml")
    (folder / "folder").symlink_to(outside)
    assert main(["import", "trillian", str(folder), str(dest)]) == 0
    assert {line.test.partition("::")[0] for line in only_record(dest).attempts} == {VPN}


def test_a_zip_bomb_is_refused(
    tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trillian_archive, "_MOST_BYTES", 8 * 1024 * 1024)
    bomb = "<testsuite><system-out>" + " " * 20_000_000
    archive = zipped(tmp_path / "a.zip", {"a.xml": bomb})
    assert archive.stat().st_size < 100_000
    assert "this is no archive of a test run" in refused(archive, dest, capsys)


@pytest.mark.parametrize("zip64", [False, True])
def test_a_table_of_contents_that_fills_the_memory(
    zip64: bool, tmp_path: Path, dest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.zip"
    size = 200 * 1024 * 1024
    with path.open("wb") as stream:
        stream.truncate(size)
        stream.seek(size)
        if zip64:
            stream.write(struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, size, 0))
            stream.write(struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1))
        field = 0xFFFFFFFF if zip64 else size
        stream.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, field, 0, 0))
    assert "its table of contents is too large" in refused(path, dest, capsys)


@given(st.binary(max_size=400))
@settings(max_examples=50, deadline=None)
def test_a_damaged_zip_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    from cs_matrix_pytest.errors import UserError
    from cs_matrix_pytest.importers.stated import Stated
    from cs_matrix_pytest.importers.trillian import imported

    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with io.BytesIO(zipped(path, FILES).read_bytes()) as stream:
        data = bytearray(stream.read())
    at = sum(noise) % len(data)
    data[at : at + len(noise) // 4] = noise[: len(noise) // 4]
    path.write_bytes(bytes(data))
    try:
        lines = list(imported(path, Stated()).lines)
    except UserError:
        return
    assert len(lines) <= 30


@given(st.text(max_size=300), st.integers(0, len(RESULTS)))
@settings(deadline=None)
def test_any_results_are_read(noise: str, at: int) -> None:
    assert len(list(read_results(RESULTS[:at] + noise + RESULTS[at:]))) <= 30 + noise.count(" ... ")
