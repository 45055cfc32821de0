"""The run record: written line by line, readable after a kill, merged by union."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.environments.model import Context, Hypervisor
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.lines import SCHEMA_FILE
from cs_matrix_pytest.outcomes.model import (
    Attempt,
    AttemptOutcome,
    Reason,
    ReasonCode,
    RecordedRun,
    Run,
    RunEnvironment,
    Untested,
)
from cs_matrix_pytest.outcomes.record import (
    RecordWriter,
    instant,
    merge,
    new_run_id,
    prepare_folder,
    read_folder,
    read_record,
    read_records,
    record_path,
)

CONTEXT = Context(Hypervisor("kvm", "ubuntu24")).as_dict()
RUN = Run(
    run="20260101T000000Z-00000001",
    started="2026-01-01T00:00:00.000Z",
    lab="local",
    environments={"kvm-adv": RunEnvironment(CONTEXT, "4.22.0.0", None)},
    tools={"pytest": "9.0"},
    selection={"-m": "quick_test"},
)
PASSED = Attempt("smoke/test_x.py::TestX::test_a", "kvm-adv", AttemptOutcome.PASSED, "2026-01-01T00:00:01Z", 0.5)
FAILED = Attempt(
    "smoke/test_x.py::TestX::test_b",
    "kvm-adv",
    AttemptOutcome.FAILED,
    "2026-01-01T00:00:02Z",
    1.5,
    phase="setup-class",
    signature="AssertionError: no [12345678]",
    message="AssertionError: žádný \u2028 \udc80 \x1b[31m",
)
UNTESTED = Untested("smoke/test_x.py", "kvm-adv", Reason(ReasonCode.NOT_COLLECTED, "ImportError: x"), level="module")


def write(path: Path, run: Run = RUN, *lines: Attempt | Untested, end: bool = True) -> Path:
    with RecordWriter(path, run) as writer:
        for line in lines:
            (writer.attempt if isinstance(line, Attempt) else writer.untested)(line)
        if end:
            writer.end(1, finished="2026-01-01T00:00:09.000Z")
    return path


@pytest.fixture
def record(tmp_path):
    return write(record_path(tmp_path, RUN.run), RUN, PASSED, FAILED, UNTESTED)


def test_what_is_written_is_read(record):
    assert read_record(record) == RecordedRun(
        RUN, (PASSED, FAILED), (UNTESTED,), ended=True, finished="2026-01-01T00:00:09.000Z", exit=1
    )


def test_every_line_is_as_the_schema_has_it(record):
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    validator.check_schema(validator.schema)
    lines = [json.loads(line) for line in record.read_text(encoding="ascii").splitlines()]
    assert [line["kind"] for line in lines] == ["run", "attempt", "attempt", "untested", "end"]
    for line in lines:
        validator.validate(line)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**lines[1], "outcome": "xpassed"})


def test_a_line_is_there_as_soon_as_its_attempt_is_recorded(tmp_path):
    path = tmp_path / "run-x.jsonl"
    with RecordWriter(path, RUN) as writer:
        assert len(path.read_bytes().splitlines()) == 1
        writer.attempt(PASSED)
        assert read_record(path).attempts == (PASSED,)
        assert not read_record(path).ended


def test_readable_after_being_cut_at_any_byte(record, tmp_path):
    whole = record.read_bytes()
    complete = whole.index(b"\n") + 1
    copy = tmp_path / "cut.jsonl"
    seen = []
    for size in range(complete, len(whole) + 1):
        copy.write_bytes(whole[:size])
        read = read_record(copy)
        assert read.warnings == ()
        seen.append(len(read.attempts) + len(read.untested) + read.ended)
    assert seen == sorted(seen)
    assert set(seen) == {0, 1, 2, 3, 4}


def test_kill_9_loses_nothing_that_was_recorded(tmp_path):
    program = f"""
import sys
from pathlib import Path
from cs_matrix_pytest.outcomes.model import *
from cs_matrix_pytest.outcomes.record import RecordWriter
run = Run("r", "2026-01-01T00:00:00Z", "local", {{"kvm": RunEnvironment({CONTEXT!r})}})
writer = RecordWriter(Path(sys.argv[1]), run)
for number in range(1_000_000):
    writer.attempt(Attempt(f"t.py::T::test_{{number}}", "kvm", AttemptOutcome.PASSED, "2026-01-01T00:00:00Z", 0.1))
    print(number, flush=True)
"""
    path = tmp_path / "run-r.jsonl"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(50):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        finished = 50 + len(process.stdout.read().splitlines())
    read = read_record(path)
    assert not read.ended
    assert finished <= len(read.attempts) <= finished + 1


def test_a_record_is_never_replaced(record):
    before = record.read_bytes()
    with pytest.raises(UserError, match="there is a record of this run already"):
        RecordWriter(record, RUN)
    assert record.read_bytes() == before
    assert [path.name for path in record.parent.iterdir()] == [record.name]


def test_unknown_kinds_and_keys_are_passed_over(record):
    with record.open("a", encoding="ascii") as file:
        file.write('{"kind": "weather", "sun": true}\n\n')
        file.write(json.dumps({"kind": "attempt", "test": "t", "environment": "kvm-adv", "outcome": "passed",
                               "started": "2026-01-01T00:00:03Z", "mood": "good"}) + "\n")  # fmt: skip
    read = read_record(record)
    assert read.warnings == ()
    assert read.attempts[-1].test == "t"


ATTEMPT = {"kind": "attempt", "test": "t", "environment": "kvm-adv", "outcome": "passed", "started": PASSED.started}
NONSENSE = {
    "not JSON": "{nonsense",
    "not a JSON object": "[1]",
    "deeply nested": "[" * 100_000,
    "not UTF-8": b"\xff\xfe",
    "outcome is not one of": {**ATTEMPT, "outcome": "xfailed"},
    "outcome is not a text": {**ATTEMPT, "outcome": []},
    "test is not a text": {**ATTEMPT, "test": None},
    "environment is not one of the run's": {**ATTEMPT, "environment": "elsewhere"},
    "started is not a time": {**ATTEMPT, "started": "yesterday"},
    "seconds is not a number": {**ATTEMPT, "seconds": "1"},
    "message is not a text": {**ATTEMPT, "message": {}},
    "reason is not an object": {"kind": "untested", "test": "t", "environment": "kvm-adv"},
    "reason.code is not one of": {"kind": "untested", "test": "t", "environment": "kvm-adv", "reason": {"code": "x"}},
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_line_without_sense_is_left_out_with_a_warning(record, name):
    line = NONSENSE[name]
    raw = line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
    with record.open("ab") as file:
        file.write(raw + b"\n" + json.dumps({**ATTEMPT, "test": "after"}).encode() + b"\n")
    read = read_record(record)
    (warning,) = read.warnings
    assert warning.startswith(f"{record}:6: left out: ")
    assert name in warning or name in ("deeply nested", "not UTF-8")
    assert read.attempts[-1].test == "after"


def test_warnings_are_bounded(record):
    with record.open("ab") as file:
        file.write(b"?\n" * 1000)
    warnings = read_record(record).warnings
    assert len(warnings) == 6
    assert warnings[-1].endswith("and 995 more lines left out")


def first_line(**changes):
    line = {"schema": "cs-run/1", "kind": "run", "run": "r", "started": "2026-01-01T00:00:00Z", "lab": "l",
            "environments": {"kvm": {"context": CONTEXT}}}  # fmt: skip
    return json.dumps({**line, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a run record"),
        ("<html>", "not a run record"),
        ('{"schema": "cs-matrix/1"}', "its schema is not cs-run/1"),
        (first_line(schema="cs-run/2"), "pip install --upgrade"),
        (first_line(run=""), "run is not a text"),
        (first_line(started="now"), "started is not a time"),
        (first_line(environments=[]), "environments is not an object"),
        (first_line(environments={"kvm": None}), "environments.kvm is not an object"),
        (first_line(environments={"kvm": {"context": {"hypervisor": "kvm"}}}), "environments.kvm.context"),
        (first_line(environments={"kvm": {"context": {"extras": [{}]}}}), "environments.kvm.context"),
    ],
)
def test_a_file_that_is_no_record_is_named(tmp_path, text, message):
    path = tmp_path / "run-r.jsonl"
    path.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_record(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:1: ")


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.jsonl: the run record cannot be read: No such file"):
        read_records([tmp_path / "nowhere.jsonl"])
    assert read_folder(tmp_path / "nowhere") == ()


def test_a_folder_gives_each_run_once_in_order(tmp_path):
    for name in ("2", "1", "3"):
        write(record_path(tmp_path, name), replace(RUN, run=name), PASSED)
    (tmp_path / "run-copy.jsonl").write_bytes(record_path(tmp_path, "2").read_bytes())
    (tmp_path / "matrix.json").write_text("{}", encoding="utf-8")
    assert [record.run.run for record in read_folder(tmp_path)] == ["1", "2", "3"]
    assert read_records([tmp_path, record_path(tmp_path, "1")]) == read_folder(tmp_path)


def test_of_two_copies_the_fuller_one_is_kept(record, tmp_path):
    lines = record.read_bytes().splitlines(keepends=True)
    (tmp_path / "run-early-copy.jsonl").write_bytes(b"".join(lines[:3]))
    (read,) = read_folder(tmp_path)
    assert read == read_record(record)


attempts = st.builds(
    Attempt,
    test=st.sampled_from(["a.py::A::test_a", "b.py::B::test_b"]),
    environment=st.just("kvm-adv"),
    outcome=st.sampled_from(AttemptOutcome),
    started=st.just("2026-01-01T00:00:00Z"),
    seconds=st.just(1.0),
)
recorded = st.builds(
    RecordedRun,
    run=st.builds(replace, st.just(RUN), run=st.sampled_from(["r1", "r2", "r3"])),
    attempts=st.lists(attempts, max_size=3).map(tuple),
    ended=st.booleans(),
    warnings=st.sampled_from([(), ("w",)]),
)
collections = st.lists(recorded, max_size=5)


@given(collections, collections, collections)
@settings(max_examples=60)
def test_merging_is_commutative_associative_and_idempotent(a, b, c):
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(merge(a, b), merge(a, b), a) == merge(a, b)


def test_run_ids_sort_by_time_and_differ():
    start = datetime(2026, 1, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=1)))
    ids = [new_run_id(start + timedelta(seconds=second)) for second in range(100)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260131T225959Z-")
    assert len({new_run_id(start) for _ in range(100)}) == 100
    assert instant(start) == "2026-01-31T22:59:59.000Z"


def test_the_folder_is_made(tmp_path):
    folder = tmp_path / "a" / "b"
    assert prepare_folder(folder) == folder
    assert prepare_folder(folder) == folder
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_before_the_first_test(tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("", encoding="utf-8")
    for folder in (in_the_way, in_the_way / "below"):
        with pytest.raises(UserError, match="the report folder cannot be written") as caught:
            prepare_folder(folder)
        assert str(folder) in str(caught.value)
        assert "--cs-report" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(UserError, match="Permission denied"):
        prepare_folder(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_error_and_the_next_line_starts_anew(tmp_path):
    path = tmp_path / "run-x.jsonl"
    with RecordWriter(path, RUN) as writer:
        disk = os.dup(writer._file)
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, writer._file)
        with pytest.raises(UserError, match="the run record cannot be written: No space left on device"):
            writer.attempt(PASSED)
        os.dup2(disk, writer._file)
        writer.attempt(FAILED)
        for descriptor in (disk, full):
            os.close(descriptor)
    assert read_record(path).attempts == (FAILED,)


def test_a_closed_record_takes_no_lines(tmp_path):
    writer = RecordWriter(tmp_path / "run-y.jsonl", RUN)
    writer.end(0)
    with pytest.raises(ValueError, match="the record is closed"):
        writer.attempt(PASSED)
