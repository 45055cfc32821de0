"""`cs-matrix merge` and `compact`: a union of runs that keeps every byte, whoever else is at work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.history import lines
from cs_matrix_pytest.history.collection import find, opened, read_records
from cs_matrix_pytest.history.compacting import compact
from cs_matrix_pytest.history.merging import merge
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, RecordedRun, Run, RunEnvironment
from cs_matrix_pytest.outcomes.record import read_record
from cs_matrix_pytest.reports import matrix_json
from histories import CONTEXTS, ODD_LINES, TESTS, histories, odd_attempt, runs, write_history, write_record

CATALOGUE = load_catalogue()
LATER = datetime(2028, 1, 1, tzinfo=timezone.utc)
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def cs_matrix(*words, cwd=None, **more):
    return subprocess.run(
        [sys.executable, "-m", "cs_matrix_pytest", *map(str, words)],
        cwd=cwd, capture_output=True, encoding="utf-8", check=False, **more,
    )  # fmt: skip


def matrix_of(*places):
    """matrix.json, from what any of the files say."""
    records = read_records([str(place) for place in places])
    return matrix_json.render(compute_matrix(records, CATALOGUE, generated="2026-02-01T00:00:00Z"))


def stored(place):
    """Run → the digest of its lines, of the copies that count."""
    with opened(find([str(place)])) as collection:
        return {run: copy.digest for run, copy in collection.kept.items()}


@pytest.fixture(scope="module")
def some_records():
    """Four runs that ended, always the same."""
    names = ["smoke/test_a.py::A::test_a", "smoke/test_b.py::B::test_b"]
    return [
        RecordedRun(
            Run(f"2026010{day + 1}T000000Z-00000000", f"2026-01-0{day + 1}T00:00:00Z", "local", {"e": RunEnvironment({})}),
            tuple(Attempt(name, "e", AttemptOutcome.PASSED, f"2026-01-0{day + 1}T00:00:01Z", 1.0) for name in names),
            ended=True, finished=f"2026-01-0{day + 1}T00:00:02Z", exit=0,
        )
        for day in range(4)
    ]  # fmt: skip


# Lines to rows and back


@SLOW
@given(runs(1), st.lists(st.sampled_from(ODD_LINES), max_size=4), st.booleans(), st.integers(0, 60), st.data())
def test_a_record_comes_back_to_the_byte(record, odd, newline, cut, data):
    with tempfile.TemporaryDirectory() as folder:
        path = write_record(Path(folder), record, "run-1")
        written = path.read_bytes().split(b"\n")
        odd = [*odd, odd_attempt(next(iter(record.run.environments)))]
        for line in odd:
            written.insert(data.draw(st.integers(1, len(written))), line)
        raw = b"\n".join(written) + (b"\n" if newline else b"")
        raw = raw[: max(len(written[0]), len(raw) - cut)]
        path.write_bytes(raw)
        before = read_record(path)
        assert lines.record_bytes(lines.rows(raw, path, path.name)) == raw
        compact(folder, now=LATER)
        assert not path.exists()
        with opened(find([folder])) as collection:
            (copy,) = collection.kept.values()
            assert collection.raw(copy) == raw
            assert collection.records() == (before,)


# Merging


def place(folder, records, has):
    """A folder with a part of the records."""
    folder.mkdir()
    for number, (record, how) in enumerate(zip(records, has)):
        if how != "none":
            path = write_record(folder, record, f"run-{number}")
            if how == "cut":
                raw = path.read_bytes()
                # A record has its first line whole from the beginning.
                path.write_bytes(raw[: max(raw.index(b"\n") + 1, len(raw) - 3)])
    return folder


@SLOW
@given(
    histories(at_most=3),
    *[st.lists(st.sampled_from(["none", "whole", "cut"]), min_size=3, max_size=3)] * 2,
    st.booleans(),
)
def test_merging_is_a_union(records, in_a, in_b, compacted):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        a, b = place(root / "a", records, in_a), place(root / "b", records, in_b)
        union = read_records([str(a), str(b)])
        if compacted:
            compact(str(a), now=LATER)
        before = {file.name: file.read_bytes() for file in (*a.iterdir(), *b.iterdir())}

        for name, sources in {"ab": [a, b], "ba": [b, a], "one by one": [b], "twice": [a, b, a]}.items():
            merge([str(source) for source in sources], str(root / name))
        merge([str(a)], str(root / "one by one"))
        first = {name: stored(root / name) for name in ("ab", "ba", "one by one", "twice")}
        assert {tuple(each.items()) for each in first.values()} == {tuple(first["ab"].items())}, "any order"
        assert [each.run for each in read_records([str(root / "ab")])] == [each.run for each in union]
        assert matrix_of(root / "ab") == matrix_of(a, b)

        there = sorted((root / "ab").iterdir())
        merge([str(a), str(b), str(root / "ba")], str(root / "ab"))
        assert sorted((root / "ab").iterdir()) == there, "idempotent"
        assert {file.name: file.read_bytes() for file in (*a.iterdir(), *b.iterdir())} == before, "sources stay"


def test_of_two_copies_the_fuller_counts_whichever_came_first(tmp_path, some_records):
    whole = write_record(tmp_path / "whole", some_records[0])
    cut = write_record(tmp_path / "cut", some_records[0])
    cut.write_bytes(cut.read_bytes()[:-30])
    for first, second in ((whole, cut), (cut, whole)):
        destination = tmp_path / f"{first.parent.name} first"
        for source in (first, second):
            assert cs_matrix("merge", source, destination).returncode == 0
        assert read_records([str(destination)]) == (some_records[0],)


def test_what_cannot_be_read_is_named_and_the_rest_is_merged(tmp_path, some_records):
    source = tmp_path / "source"
    write_history(source, some_records[:2])
    (source / "run-newer.jsonl").write_text('{"schema": "cs-run/2"}\n', encoding="utf-8")
    (source / "run-broken.jsonl").write_bytes(b"\xff\x00<html>")
    (source / "runs-broken.parquet").write_bytes(b"PAR1 and no more PAR1")
    result = cs_matrix("merge", source, tmp_path / "all")
    assert (result.returncode, result.stdout) == (1, f"{tmp_path / 'all'}: 2 runs added, 0 there already\n")
    for said in ("run-newer.jsonl:1: schema: the record has schema cs-run/2", "run-broken.jsonl:1: this is not a run record",
                 "runs-broken.parquet: this is not a Parquet file of run records"):  # fmt: skip
        assert f"cs-matrix: left out: {source}/{said}" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(read_records([str(tmp_path / "all")])) == 2

    result = cs_matrix("compact", source)
    assert result.returncode == 1
    assert sorted(path.name for path in source.iterdir())[:2] == ["run-broken.jsonl", "run-newer.jsonl"]
    assert cs_matrix("report", source).returncode == 2, "a report is never silently of a part"


def test_a_run_id_makes_no_path(tmp_path):
    for number, run in enumerate(("../../evil", "a/b", "x" * 300, "-rf", ".hidden", "ž")):
        line = {
            "schema": "cs-run/1",
            "kind": "run",
            "run": run,
            "started": "2026-01-01T00:00:00Z",
            "lab": "l",
            "environments": {},
        }
        (tmp_path / f"run-{number}.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    result = cs_matrix("merge", tmp_path, tmp_path / "all" / "of")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(list((tmp_path / "all" / "of").glob("run-*.jsonl"))) == 6
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["of"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("merge", "nowhere", "all"), "nowhere: the run record cannot be read: No such file"),
        (("compact", "nowhere"), "nowhere: there is no such folder"),
        (("merge", ".", "file/in"), "file/in: this folder cannot be made: Not a directory"),
        (
            ("merge", "nosuch://x/y", "all"),
            "nosuch://x/y: this object store cannot be used: Protocol not known: nosuch",
        ),
    ],
)
def test_wrong_use(tmp_path, words, message):
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = cs_matrix(*words, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


# Compacting


def test_times_are_timestamps_for_questions_of_ones_own(tmp_path):
    written = ["2026-01-01T00:00:01.500Z", "2026-01-01T00:00:02Z", "2026-13-41T25:61:61Z"]
    environments = {"kvm-adv": RunEnvironment(CONTEXTS[0], "4.22.0.0", None)}
    attempts = [
        Attempt(TESTS[0], "kvm-adv", AttemptOutcome.PASSED, started, 1.0, "call", None, None) for started in written
    ]
    record = RecordedRun(
        Run("one", written[0], "local", environments), tuple(attempts), ended=True, finished=written[0], exit=0
    )
    write_record(tmp_path, record, "run-1")
    file = tmp_path / compact(str(tmp_path), now=LATER).name
    asked = f"SELECT started::VARCHAR, started_text FROM '{file}' WHERE kind = 'attempt' ORDER BY line"
    assert duckdb.sql(asked).fetchall() == [
        ("2026-01-01 00:00:01.5", None),
        ("2026-01-01 00:00:02", written[1]),
        (None, written[2]),
    ]


@SLOW
@given(histories(), st.integers(0, 5))
def test_compacting_changes_no_answer(records, first):
    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder), records[:first])
        # In two steps: what was compacted before is compacted again.
        compact(folder, now=LATER)
        for number, record in enumerate(records[first:], start=first):
            write_record(Path(folder), record, f"run-{number}")
        before, digests, read = matrix_of(folder), stored(folder), read_records([folder])
        done = compact(folder, now=LATER)
        assert done.runs == len(records)
        assert matrix_of(folder) == before
        assert stored(folder) == digests
        assert [replaced(each) for each in read_records([folder])] == [replaced(each) for each in read]
        assert [path.suffix for path in Path(folder).iterdir()] == [".parquet"]
        assert compact(folder, now=LATER).name is None


def replaced(record):
    return record.run, record.attempts, record.untested, record.counts, record.ended, record.finished, record.exit


def test_a_run_that_may_be_going_on_is_left(tmp_path, some_records):
    write_history(tmp_path, some_records[:2])
    going = tmp_path / "run-1.jsonl"
    going.write_bytes(b"".join(going.read_bytes().splitlines(keepends=True)[:-1]))
    now = datetime(2026, 1, 3, tzinfo=timezone.utc)
    done = compact(str(tmp_path), now=now)
    assert (done.runs, done.removed, done.going_on) == (1, ("run-0.jsonl",), 1)
    assert going.exists()
    assert compact(str(tmp_path), now=LATER).runs == 2
    assert not going.exists()


def test_a_record_that_grows_while_it_is_compacted_is_not_lost(tmp_path, some_records):
    """A copy in Parquet that is older than the file that is still written."""
    path = write_record(tmp_path, some_records[0])
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    compact(str(tmp_path), now=LATER)
    path.write_bytes(whole)
    assert read_records([str(tmp_path)]) == (some_records[0],)
    compact(str(tmp_path), now=LATER)
    assert read_records([str(tmp_path)]) == (some_records[0],)
    assert [each.suffix for each in tmp_path.iterdir()] == [".parquet"]


KILLED = """
import os, signal, sys
from cs_matrix_pytest.history import parquet, stores
from cs_matrix_pytest.history.compacting import compact
fatal = int(sys.argv[2])
steps = 0
def step(event, _):
    global steps
    if event in ("open", "os.link", "os.remove", "os.rename", "os.listdir", "os.scandir", "shutil.rmtree"):
        steps += 1
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
with parquet.connection():
    pass
sys.addaudithook(step)
compact(sys.argv[1])
print(steps)
"""


def test_killed_at_any_point_no_run_is_lost_and_none_counts_twice(tmp_path, some_records):
    """The process dies at its n-th touch of the file system, for each n."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def die_at(number):
        folder = tmp_path / str(number)
        write_history(folder, some_records[:2])
        compact(str(folder))
        for index, record in enumerate(some_records[2:], start=2):
            write_record(folder, record, f"run-{index}")
        before = matrix_of(folder)
        result = subprocess.run(
            [sys.executable, "-c", KILLED, str(folder), str(number)],
            # Who is killed leaves temporary files.
            env={**os.environ, "TMPDIR": str(scratch)},
            capture_output=True,
            check=False,
        )
        assert matrix_of(folder) == before
        return folder, before, result

    _, _, whole = die_at(0)
    assert whole.returncode == 0
    steps = int(whole.stdout)
    assert steps > 20
    seen = set()
    for number in range(1, steps + 1, 3):
        folder, before, result = die_at(number)
        assert result.returncode == -signal.SIGKILL
        seen.add(frozenset(path.suffix for path in folder.iterdir() if not path.name.startswith(".")))
        compact(str(folder))
        assert matrix_of(folder) == before
        assert len(list(folder.glob("run*"))) == 1
    assert len(seen) > 1, "before the new file was there, and after"


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path, some_records):
    write_history(tmp_path, some_records[:1])
    fresh, stale = tmp_path / ".draft-1-x", tmp_path / ".draft-2-x"
    for path in (fresh, stale):
        path.write_bytes(b"x")
    os.utime(stale, (time.time() - 90_000,) * 2)
    compact(str(tmp_path))
    assert (fresh.exists(), stale.exists()) == (True, False)


# Several at once

BUSY = """
import sys
from cs_matrix_pytest.history.compacting import compact
from cs_matrix_pytest.history.merging import merge
kind, source, destination = sys.argv[1:]
for _ in range(8):
    if kind == "merge":
        merge([source], destination)
    else:
        compact(destination)
"""


def test_writers_compacters_and_readers_at_once(tmp_path, some_records):
    """Two processes merge the same and other runs into one folder, two compact it, and a reader sees each run once."""
    everything = tmp_path / "everything"
    write_history(everything, some_records)
    for name, part in (("a", some_records[:3]), ("b", some_records[1:])):
        write_history(tmp_path / name, part)
    cut = tmp_path / "a" / "run-2.jsonl"
    cut.write_bytes(cut.read_bytes()[:-30])
    destination = tmp_path / "all"
    merge([str(tmp_path / "a")], str(destination))
    work = [("merge", "a"), ("merge", "b"), ("compact", ""), ("compact", "")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUSY, kind, str(tmp_path / source), str(destination)], stderr=subprocess.PIPE
        )
        for kind, source in work
    ]
    at_first = {record.run.run for record in read_records([str(destination)])}
    while any(process.poll() is None for process in processes):
        seen = [record.run.run for record in read_records([str(destination)])]
        assert at_first <= set(seen)
        assert len(seen) == len(set(seen))
        at_first = set(seen)
    for process in processes:
        said = process.stderr.read().decode()
        assert process.wait() == 0, said
        process.stderr.close()
    compact(str(destination))
    assert matrix_of(destination) == matrix_of(everything)
    assert len(list(destination.iterdir())) == 1


# Object stores


def test_an_object_store_is_a_place_like_any_other(tmp_path, some_records):
    fsspec = pytest.importorskip("fsspec")
    url = f"memory://bucket/{tmp_path.name}"
    write_history(tmp_path / "a", some_records)
    assert merge([str(tmp_path / "a")], url).added == 4
    assert merge([str(tmp_path / "a")], url).added == 0
    before = matrix_of(tmp_path / "a")
    assert matrix_of(url) == before
    done = compact(url)
    assert (done.runs, len(done.removed)) == (4, 4)
    assert [Path(name).name for name in fsspec.filesystem("memory").ls(f"/bucket/{tmp_path.name}", detail=False)] == [
        done.name
    ]
    assert matrix_of(url) == before
    assert matrix_of(f"{url}/{done.name}") == before
    assert merge([url], str(tmp_path / "back")).added == 4
    assert matrix_of(tmp_path / "back") == before


# Without what is optional


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("duckdb", ("compact", "{}"), "this needs DuckDB\n  pip install 'cs-matrix-pytest[history]'"),
        ("duckdb", ("report", "{}"), "this needs DuckDB\n  pip install 'cs-matrix-pytest[history]'"),
        (
            "fsspec",
            ("report", "s3://bucket/x"),
            "reading an object store needs fsspec\n  pip install 'cs-matrix-pytest[history]'",
        ),
    ],
)
def test_a_missing_extra_is_one_sentence(tmp_path, some_records, module, words, said):
    folder = tmp_path / "records"
    write_history(folder, some_records[:1])
    compact(str(folder))
    write_record(folder, some_records[1])
    missing = tmp_path / "site"
    missing.mkdir()
    (missing / f"{module}.py").write_text(
        f"raise ModuleNotFoundError('No module named {module}', name={module!r})", encoding="utf-8"
    )
    result = cs_matrix(*(word.format(folder) for word in words), env={**os.environ, "PYTHONPATH": str(missing)})
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.startswith("cs-matrix: ")
    assert "Traceback" not in result.stderr


def test_without_duckdb_plain_records_are_merged_and_reported(tmp_path, some_records):
    write_history(tmp_path / "a", some_records)
    (tmp_path / "duckdb.py").write_text("raise ModuleNotFoundError('none')", encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert cs_matrix("merge", tmp_path / "a", tmp_path / "b", env=environ).returncode == 0
    assert cs_matrix("report", tmp_path / "b", "--format", "json", env=environ).returncode == 0
