"""The matrix from run records: what adds to one cell, what never does, and what stays visible."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.environments.model import Context, Hypervisor
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import (
    Attempt,
    AttemptOutcome,
    Outcome,
    Reason,
    ReasonCode,
    RecordedRun,
    Run,
    RunEnvironment,
    Untested,
)
from cs_matrix_pytest.outcomes.record import read_record
from cs_matrix_pytest.reports import matrix_json

DOCS = Path(__file__).parents[1] / "docs" / "outcomes.md"
CATALOGUE = load_catalogue()
NOW = "2026-02-01T00:00:00Z"
KVM, VMWARE = Context(Hypervisor("kvm")), Context(Hypervisor("vmware"))
A, B = "smoke/test_vm.py::TestVM::test_a", "smoke/test_vm.py::TestVM::test_b"


def run(number, environments, *lines, lab="local"):
    """A recorded run of day ``number``; environments: name → (context, version, commit)."""
    return RecordedRun(
        Run(
            run=f"run-{number}",
            started=f"2026-01-{number:02}T00:00:00Z",
            lab=lab,
            environments={name: RunEnvironment(c.as_dict(), v, k) for name, (c, v, k) in environments.items()},
        ),
        attempts=tuple(line for line in lines if isinstance(line, Attempt)),
        untested=tuple(line for line in lines if isinstance(line, Untested)),
        ended=True,
    )


def attempt(test, environment, outcome, day=1, **more):
    return Attempt(test, environment, AttemptOutcome(outcome), f"2026-01-{day:02}T00:00:01Z", 1.0, **more)


def matrix_of(*records, **more):
    return compute_matrix(records, CATALOGUE, generated=NOW, **more)


def test_equal_contexts_of_different_labs_add_to_one_cell():
    matrix = matrix_of(
        run(1, {"kvm-adv": (KVM, "4.22", "abc")}, attempt(A, "kvm-adv", "passed"), lab="one"),
        run(2, {"my-kvm": (KVM, "4.22", "abc")}, attempt(A, "my-kvm", "failed", 2), lab="two"),
    )
    (cell,) = matrix.cells
    assert (cell.total.outcome, cell.total.attempts) == (Outcome.UNSTABLE, 2)
    assert cell.total.evidence[0].why == "passed 1 of 2 at commit abc"
    assert {name: share.outcome for name, share in cell.by_environment.items()} == {
        "one/kvm-adv": Outcome.COMPATIBLE,
        "two/my-kvm": Outcome.FAILING,
    }


def test_two_versions_and_two_contexts_never_add():
    matrix = matrix_of(
        run(1, {"e": (KVM, "4.22", None)}, attempt(A, "e", "passed")),
        run(2, {"e": (KVM, "4.23", None)}, attempt(A, "e", "failed", 2)),
        run(3, {"e": (VMWARE, None, None)}, attempt(A, "e", "passed", 3)),
    )
    assert [(cell.acs_version, cell.context, cell.total.outcome.value) for cell in matrix.cells] == [
        ("4.22", KVM.key, "compatible"),
        ("4.23", KVM.key, "failing"),
        ("unknown", VMWARE.key, "compatible"),
    ]
    assert matrix.environments["local/e"].context == VMWARE.key, "the newest run says it"


def test_a_second_run_adds_evidence():
    first = run(1, {"e": (KVM, "4.22", None)}, attempt(A, "e", "passed"))
    second = run(2, {"e": (KVM, "4.22", None)}, attempt(A, "e", "passed", 2), attempt(A, "e", "failed", 2))
    (cell,) = matrix_of(first, second).cells
    assert (cell.total.attempts, cell.total.evidence[0].why) == (3, "passed 1 of 2 in one run")


def test_untested_tests_stay_visible_with_their_reasons():
    not_applicable = Untested(A, "basic", Reason(ReasonCode.NOT_APPLICABLE, "needs hypervisor vmware"))
    matrix = matrix_of(
        run(1, {"basic": (KVM, "4.22", None)}, not_applicable, attempt(B, "basic", "skipped", message="no host tag"))
    )
    (cell,) = matrix.cells
    assert cell.total.outcome is Outcome.UNTESTED
    assert cell.total.tests == {Outcome.UNTESTED: 2}
    assert [(e.test, e.reason) for e in cell.total.evidence] == [
        (A, not_applicable.reason),
        (B, Reason(ReasonCode.SKIPPED, "no host tag")),
    ]


def test_a_test_that_only_another_context_names_counts_as_untested_here():
    matrix = matrix_of(
        run(1, {"k": (KVM, "4.22", None), "v": (VMWARE, "4.22", None)}, attempt(A, "k", "passed"),
            attempt(A, "v", "passed"), attempt(B, "v", "passed"),
            attempt("smoke/test_other.py::T::test_x", "v", "passed")),
        run(2, {"k": (KVM, "4.21", None)}, attempt("smoke/test_vm.py::TestVM::test_old", "k", "passed", 2)),
    )  # fmt: skip
    cells = {(cell.acs_version, cell.feature, cell.context): cell.total for cell in matrix.cells}
    assert cells["4.22", "vm", KVM.key].tests == {Outcome.COMPATIBLE: 1, Outcome.UNTESTED: 1}
    assert cells["4.22", "vm", KVM.key].evidence[0].reason.code is ReasonCode.NOT_SELECTED
    assert cells["4.22", "vm", VMWARE.key].tests == {Outcome.COMPATIBLE: 2}
    assert cells["4.21", "vm", KVM.key].tests == {Outcome.COMPATIBLE: 1}
    assert ("4.22", "other", KVM.key) not in cells, "nothing named it there"


def test_blocked_attempts_never_count_as_evidence():
    record = run(
        1,
        {"e": (KVM, "4.22", None)},
        attempt(A, "e", "passed"),
        attempt(A, "e", "blocked", 2, message="connection refused"),
        attempt(B, "e", "blocked", 2, message="connection refused"),
    )
    (cell,) = matrix_of(record).cells
    assert (cell.total.outcome, cell.total.attempts, cell.total.blocked) == (Outcome.COMPATIBLE, 1, 2)
    assert cell.total.tests == {Outcome.COMPATIBLE: 1, Outcome.UNTESTED: 1}


def test_a_class_set_up_that_failed_counts_once_per_test_with_one_signature():
    broken = {"phase": "setup-class", "signature": "E: no zone [00000000]", "message": "E: no zone"}
    record = run(
        1, {"e": (KVM, "4.22", None)}, attempt(A, "e", "errored", **broken), attempt(B, "e", "errored", **broken)
    )
    (cell,) = matrix_of(record).cells
    assert cell.total.tests == {Outcome.FAILING: 2}
    assert {(e.failed, e.signature, e.phase) for e in cell.total.evidence} == {
        (1, "E: no zone [00000000]", "setup-class")
    }


def test_evidence_that_names_a_class_is_kept_there_and_not_spread():
    record = run(
        1,
        {"e": (KVM, "4.22", None)},
        attempt(A, "e", "passed"),
        attempt("smoke/test_vm.py::TestVM", "e", "errored", level="class"),
        Untested("smoke/test_gone.py", "e", Reason(ReasonCode.NOT_COLLECTED, "ImportError"), level="module"),
    )
    gone, vm = matrix_of(record).cells
    assert (vm.total.outcome, vm.total.tests) == (Outcome.FAILING, {Outcome.COMPATIBLE: 1})
    assert [(e.test, e.level) for e in vm.total.evidence] == [("smoke/test_vm.py::TestVM", "class"), (A, "test")]
    assert (gone.feature, gone.total.outcome, gone.total.tests) == ("gone", Outcome.UNTESTED, {})


def test_window_and_settle_must_make_sense():
    for window, settle in ((0, 1), (3, 4), (5, 0)):
        with pytest.raises(UserError, match="1 <= settle <= window"):
            matrix_of(window=window, settle=settle)


def test_nothing_gives_an_empty_matrix():
    assert matrix_of().cells == ()


outcomes = st.sampled_from([outcome.value for outcome in AttemptOutcome])
lines = st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from("kv"), outcomes, st.integers(1, 28)), max_size=8)
commits = st.sampled_from([None, "abc", "def"])


@given(st.lists(st.tuples(lines, commits), max_size=5), st.randoms())
@settings(max_examples=60)
def test_order_and_repetition_of_records_do_not_matter(runs, random):
    records = [
        run(
            number,
            {"k": (KVM, "4.22", commit), "v": (VMWARE, "4.22", None)},
            *(attempt(test, environment, outcome, day) for test, environment, outcome, day in lines),
        )
        for number, (lines, commit) in enumerate(runs, start=1)
    ]
    again = random.sample(records, len(records)) + random.sample(records, len(records) // 2)
    assert matrix_of(*again) == matrix_of(*records)


@given(lines)
def test_every_test_that_is_named_is_counted_once(lines):
    matrix = matrix_of(
        run(
            1,
            {"k": (KVM, "4.22", None), "v": (VMWARE, "4.22", None)},
            *(attempt(test, environment, outcome, day) for test, environment, outcome, day in lines),
        )
    )
    named = {test for test, *_ in lines}
    for cell in matrix.cells:
        assert sum(cell.total.tests.values()) == len(named)
        for share in cell.by_environment.values():
            assert sum(share.tests.values()) == len(named)
    executed = [line for line in lines if line[2] in ("passed", "failed", "errored")]
    assert sum(cell.total.attempts for cell in matrix.cells) == len(executed)


def test_the_files_of_the_docs_belong_together(tmp_path):
    """The run record shown in docs/outcomes.md gives the matrix.json shown there."""
    text = DOCS.read_text(encoding="utf-8")
    record = tmp_path / "run-docs.jsonl"
    record.write_text(
        "".join(f"{line}\n" for line in re.findall(r'^    (\{.*"kind": .*)', text, re.M)), encoding="utf-8"
    )
    shown = json.loads(re.search(r'^    \{"schema": "cs-matrix/1"(?:.*\n)+?\n', text, re.M).group())
    features = tmp_path / "cs-features.yaml"
    features.write_text(re.search(r"^    version: 1\n(?:    .*\n)+", text, re.M).group(), encoding="utf-8")
    read = read_record(record)
    assert (read.ended, read.warnings) == (True, ())
    matrix = compute_matrix([read], load_catalogue(features), generated=shown["generated"])
    assert matrix_json.as_dict(matrix) == shown
