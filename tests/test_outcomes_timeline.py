"""The history of cells: what each run says, whatever order and however often its record comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.cli import main
from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
from cs_matrix_pytest.history.timelines import read_timelines
from cs_matrix_pytest.outcomes.choose import Choice
from cs_matrix_pytest.outcomes.record import RecordWriter, record_path
from cs_matrix_pytest.outcomes.timeline import CellKey, Point, timelines
from report_example import CATALOGUE, example_records

RECORDS = example_records(days=4)
KVM = Context(Hypervisor("kvm", "el9"), storage=Storage(protocol="nfs")).key
XEN = Context(Hypervisor("xenserver", "8.4")).key
DOWN = Context(Hypervisor("vmware"), networking="basic").key


def test_attempts_are_counted_run_by_run_the_oldest_first():
    found = timelines(RECORDS, CATALOGUE)
    runs = [record.run.run for record in RECORDS]
    assert found[CellKey("4.22.0.0", "acl", KVM)] == tuple(Point(run, 1, 1, 0) for run in runs)
    assert found[CellKey("4.22.0.0", "vm", XEN)] == tuple(
        Point(run, *((2, 0, 0) if day % 2 else (1, 1, 0))) for day, run in enumerate(runs, start=1)
    )


def test_blocked_attempts_are_neither_passed_nor_failed():
    found = timelines(RECORDS, CATALOGUE)
    assert {point[1:] for point in found[CellKey("4.22.0.0", "vm", DOWN)]} == {(0, 0, 1)}


def test_only_the_newest_runs_are_told_of():
    found = timelines(RECORDS, CATALOGUE, newest=2)
    assert [point.run for point in found[CellKey("4.22.0.0", "vm", KVM)]] == [record.run.run for record in RECORDS[-2:]]


@given(st.lists(st.sampled_from(RECORDS), max_size=12))
def test_order_and_copies_do_not_matter(some):
    distinct = sorted({record.run.run: record for record in some}.values(), key=lambda record: record.run.run)
    assert timelines(some, CATALOGUE) == timelines(distinct, CATALOGUE)


def test_no_records_no_history():
    assert timelines([], CATALOGUE) == {}


@pytest.mark.parametrize(
    "choice", [Choice(), Choice(contexts=(("hypervisor", "xen*"),)), Choice(features=("vm",), until="2026-01-03")]
)
def test_compacted_records_have_the_same_history(tmp_path, choice):
    pytest.importorskip("duckdb", reason="needs the extra [history]")
    for record in RECORDS:
        with RecordWriter(record_path(tmp_path, record.run.run), record.run) as writer:
            for attempt in record.attempts:
                writer.attempt(attempt)
            writer.end(0)
    plain = read_timelines([str(tmp_path)], CATALOGUE, choice, newest=3)
    assert main(["compact", str(tmp_path)]) == 0
    assert list(tmp_path.glob("*.parquet"))
    assert not list(tmp_path.glob("*.jsonl"))
    assert read_timelines([str(tmp_path)], CATALOGUE, choice, newest=3) == plain
    assert plain
