"""The outcome rules: the table of examples in docs/outcomes.md, and what must hold of any attempts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.outcomes.classify import Observation, classify, feature_outcome
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Outcome, Reason, ReasonCode

DOCS = Path(__file__).parents[1] / "docs" / "outcomes.md"
LETTERS = {"P": "passed", "F": "failed", "E": "errored", "S": "skipped", "B": "blocked"}
TEST = "smoke/test_x.py::TestX::test_y"


def examples():
    table = re.search(r"<!-- examples -->\n(.*?)<!-- end of examples -->", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    rows = table.group(1).strip().splitlines()[2:]
    for row in rows:
        attempts, outcome, why = (part.strip() for part in row.strip("|").split("|"))
        yield pytest.param(attempts.replace("`", "").split(), outcome, why, id=attempts.replace("`", "") or "nothing")


def observation(outcome: str, product: str, day: int, message: str | None = None) -> Observation:
    started = f"2026-01-{day:02}T00:00:00Z"
    attempt = Attempt(TEST, "kvm", AttemptOutcome(outcome), started, 1.0, message=message)
    known = not product.startswith("?")
    return Observation(attempt, source=f"run-{day}/kvm" if known else product, commit=product if known else None)


def parse(words):
    observations, reasons = [], []
    for day, word in enumerate(words, start=1):
        letter, at, product = word.partition("@")
        if at:
            observations.append(observation(LETTERS[letter], product, day))
        else:
            reasons.append(Reason(ReasonCode(word), "because"))
    return observations, reasons


@pytest.mark.parametrize(("words", "outcome", "why"), list(examples()))
def test_example_of_the_docs(words, outcome, why):
    verdict = classify(*parse(words))
    assert (verdict.outcome.value, verdict.why) == (outcome, why)


def test_the_docs_have_examples_of_every_outcome():
    assert {example.values[1] for example in examples()} == {outcome.value for outcome in Outcome}


def test_two_unknown_commits_of_one_day_are_two():
    observations = [observation("passed", "?1", 1), observation("failed", "?2", 1), observation("failed", "?3", 2)]
    assert "in one run" not in classify(observations).why


def test_a_fraction_of_a_second_is_later_than_the_second():
    first = observation("passed", "a", 1)
    later = Observation(
        Attempt(TEST, "kvm", AttemptOutcome.FAILED, "2026-01-01T00:00:00.5Z", 1.0), source="another/kvm", commit="b"
    )
    assert classify([later, first], settle=1).why.startswith("broken since 2026-01-01 (commit b)")


def test_window_and_settle_can_be_told():
    observations, _ = parse(["P@a", "F@b", "P@c", "P@d"])
    assert classify(observations, window=3, settle=2).outcome is Outcome.COMPATIBLE
    assert classify(observations, window=2).why == "passed 2 of 2"
    assert classify(observations).outcome is Outcome.UNSTABLE


def test_the_reason_is_that_of_the_newest_attempt_of_its_kind():
    observations = [observation("blocked", "a", 1, "refused"), observation("blocked", "a", 2, "timed out")]
    assert classify(observations).reason == Reason(ReasonCode.BLOCKED, "timed out")


def test_the_newest_failure_is_kept_as_evidence():
    observations = [
        observation("failed", "a", 1, "old"),
        observation("failed", "b", 2, "new"),
        observation("passed", "c", 3),
    ]
    assert classify(observations).newest_failure.message == "new"


def test_a_long_commit_is_shortened():
    observations, _ = parse(["P@" + "a1" * 20, "F@" + "a1" * 20])
    assert classify(observations).why == "passed 1 of 2 at commit a1a1a1a1a1a1"


words = st.lists(st.tuples(st.sampled_from("PFESB"), st.sampled_from(["a", "b", "?1", "?2"])), max_size=14)


@given(words, st.randoms())
def test_the_order_of_arrival_does_not_matter(words, random):
    observations, _ = parse([f"{letter}@{product}" for letter, product in words])
    shuffled = random.sample(observations, len(observations))
    assert classify(shuffled) == classify(observations)


@given(words)
def test_blocked_and_skipped_attempts_are_no_evidence(words):
    observations, _ = parse([f"{letter}@{product}" for letter, product in words])
    executed = [each for each in observations if each.attempt.outcome.value in ("passed", "failed", "errored")]
    verdict, without = classify(observations), classify(executed)
    assert verdict.outcome is without.outcome
    if executed:
        assert verdict == without
    assert verdict.passed + verdict.failed == min(len(executed), 10)


@given(words)
def test_the_verdict_agrees_with_its_counts(words):
    observations, _ = parse([f"{letter}@{product}" for letter, product in words])
    verdict = classify(observations)
    executed = verdict.passed + verdict.failed
    assert (verdict.outcome is Outcome.UNTESTED) == (executed == 0) == (verdict.reason is not None)
    if executed and not verdict.failed:
        assert verdict.outcome is Outcome.COMPATIBLE
    if executed and not verdict.passed:
        assert verdict.outcome is Outcome.FAILING
    assert (verdict.newest_failure is not None) == (verdict.failed > 0)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({Outcome.FAILING: 1, Outcome.UNSTABLE: 3, Outcome.COMPATIBLE: 9}, Outcome.FAILING),
        ({Outcome.UNSTABLE: 1, Outcome.COMPATIBLE: 9, Outcome.UNTESTED: 2}, Outcome.UNSTABLE),
        ({Outcome.COMPATIBLE: 2, Outcome.UNTESTED: 12, Outcome.FAILING: 0}, Outcome.COMPATIBLE),
        ({Outcome.UNTESTED: 4}, Outcome.UNTESTED),
        ({}, Outcome.UNTESTED),
    ],
)
def test_a_feature_from_its_tests(counts, expected):
    assert feature_outcome(counts) is expected
