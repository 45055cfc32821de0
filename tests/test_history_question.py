"""Questions to compacted records: the answers are those of compute_matrix, whatever the records are."""

from __future__ import annotations

import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history import matrix_json as streamed
from cs_matrix_pytest.history.answers import answered
from cs_matrix_pytest.history.collection import find, opened, read_records
from cs_matrix_pytest.history.compacting import compact
from cs_matrix_pytest.history.question import Question
from cs_matrix_pytest.outcomes.choose import Choice, choose
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.reports import matrix_json
from histories import histories, write_history

CATALOGUE = load_catalogue()
NOW = "2026-02-01T00:00:00Z"
LATER = datetime(2028, 1, 1, tzinfo=timezone.utc)
EVERYTHING = Choice()
HEADER = '{"schema": "cs-run/1", "kind": "run", "run": "one", "started": "2026-01-01T00:00:00Z", "lab": "l", "environments": {}}\n'

windows = st.sampled_from([(10, 3), (10, 3), (2, 1), (3, 3), (5, 2), (1, 1)])


def some(*values):
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


choices = st.builds(
    Choice,
    acs_versions=some("4.22.0.0", "4.2?.0.0", "unknown"),
    environments=some("kvm-adv", "local/*", "*"),
    contexts=some(("hypervisor", "kvm"), ("hypervisor", "*"), ("networking", "advanced"), ("extras", "nicira")),
    features=some("vm-lifecycle", "vol*", "*"),
    runs=some("run-0", "run-*", "*"),
    since=st.none() | st.sampled_from(["2026-01-01", "2026-01-02T00:00:00Z"]),
    until=st.none() | st.sampled_from(["2026-01-01", "2026-01-01T00:00:01Z"]),
)


def asked(folder, choice=EVERYTHING, window=10, settle=3):
    """The matrix, its JSON and the outcomes in it, all by DuckDB."""
    with opened(find([str(folder)])) as collection:
        question = Question(collection, CATALOGUE, choice, generated=NOW, window=window, settle=settle)
        outcomes = set()
        text = b"".join(streamed.pieces(question, outcomes)).decode()
        return question.matrix(), text, outcomes


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), windows, st.booleans())
def test_it_gives_the_matrix_that_the_rules_give(records, numbers, in_parquet):
    window, settle = numbers
    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder), records)
        expected = compute_matrix(read_records([folder]), CATALOGUE, generated=NOW, window=window, settle=settle)
        if in_parquet:
            compact(folder, now=LATER)
        matrix, text, outcomes = asked(folder, window=window, settle=settle)
    assert matrix == expected
    assert text == matrix_json.render(expected)
    assert outcomes == {cell.total.outcome for cell in expected.cells}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), choices)
def test_a_part_of_the_records_gives_the_matrix_of_that_part(records, choice):
    def answer(ask):
        try:
            return ask()
        except UserError as error:
            return str(error)

    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder), records)

        def expected():
            return compute_matrix(choose(read_records([folder]), choice, CATALOGUE), CATALOGUE, generated=NOW)

        by_rules = answer(expected)
        compact(folder, now=LATER)
        assert answer(lambda: asked(folder, choice)[0]) == by_rules


def test_a_window_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "run-1.jsonl").write_text(HEADER, encoding="utf-8")
    compact(str(tmp_path), now=LATER)
    with pytest.raises(UserError, match="a window of 2 attempts with 3 to settle cannot be"):
        asked(tmp_path, window=2, settle=3)


def test_a_run_without_attempts_is_in_the_matrix(tmp_path):
    (tmp_path / "run-1.jsonl").write_text(HEADER, encoding="utf-8")
    compact(str(tmp_path), now=LATER)
    matrix, text, outcomes = asked(tmp_path)
    assert [run.run for run in matrix.runs] == ["one"]
    assert (matrix.cells, outcomes) == ((), set())
    assert text == matrix_json.render(matrix)


def test_where_nothing_is_compacted_the_answer_is_a_matrix(tmp_path):
    (tmp_path / "run-1.jsonl").write_text(HEADER, encoding="utf-8")
    with answered([str(tmp_path)], CATALOGUE, EVERYTHING, generated=NOW) as answer:
        assert answer == compute_matrix(read_records([str(tmp_path)]), CATALOGUE, generated=NOW)
    with answered([str(tmp_path / "run-1.jsonl")], CATALOGUE, EVERYTHING, generated=NOW) as answer:
        assert [run.run for run in answer.runs] == ["one"]
