"""The outcome rules: one pure function. The table of examples in docs/outcomes.md is its test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Outcome, Reason, ReasonCode

WINDOW = 10
"""How many of the newest executed attempts the verdict looks at, unless told."""

SETTLE = 3
"""How many of the newest attempts must agree before one change of the answer is believed, unless told."""

EXECUTED = frozenset({AttemptOutcome.PASSED, AttemptOutcome.FAILED, AttemptOutcome.ERRORED})
"""The attempts that say something about the product: neither skipped nor blocked."""

NEVER_SELECTED = Reason(ReasonCode.NOT_SELECTED, "never selected in this context")

REASON_OF_ATTEMPT: Mapping[AttemptOutcome, tuple[ReasonCode, str]] = {
    AttemptOutcome.SKIPPED: (ReasonCode.SKIPPED, "the test skipped itself"),
    AttemptOutcome.BLOCKED: (ReasonCode.BLOCKED, "the environment could not be used"),
}

# What a reader should mend first comes last.
REASON_RANK = {
    code: rank
    for rank, code in enumerate(
        (
            ReasonCode.NOT_SELECTED,
            ReasonCode.NOT_APPLICABLE,
            ReasonCode.SKIPPED,
            ReasonCode.NOT_COLLECTED,
            ReasonCode.BLOCKED,
        )
    )
}

PRECEDENCE = (Outcome.FAILING, Outcome.UNSTABLE, Outcome.COMPATIBLE, Outcome.UNTESTED)
"""Of several outcomes the first of these speaks for all, and is shown first."""

NOT_COMPATIBLE = frozenset({Outcome.FAILING, Outcome.UNSTABLE})
"""The outcomes that somebody should look into."""


class Observation(NamedTuple):
    """An attempt and what product it met.

    ``source`` names the run and the environment: within one source the product is one commit, known or not.
    ``commit`` is the product's commit where it is known; an unknown commit equals no other.
    """

    attempt: Attempt
    source: str
    commit: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What the attempts of one test in one context at one ACS version say, and why.

    ``passed`` and ``failed`` count the attempts the verdict looked at (at most the window). ``why`` is one sentence
    without any text of the test's. ``newest_failure`` is set where one of those attempts failed, ``reason`` where none
    was executed.
    """

    outcome: Outcome
    why: str
    passed: int = 0
    failed: int = 0
    newest_failure: Attempt | None = None
    reason: Reason | None = None


def classify(
    observations: Iterable[Observation],
    reasons: Iterable[Reason] = (),
    *,
    window: int = WINDOW,
    settle: int = SETTLE,
) -> Verdict:
    """The verdict on one test in one context at one ACS version (rules 1 to 4 of docs/outcomes.md).

    ``observations`` may come in any order; ``reasons`` say, oldest first, why the test was not executed in the runs
    that did not. Only the newest ``window`` executed attempts count.
    """
    by_age = sorted(observations, key=_age)
    executed = [seen for seen in by_age if seen.attempt.outcome in EXECUTED][-window:]
    if not executed:
        return _untested(by_age, reasons)

    answers = [seen.attempt.outcome is AttemptOutcome.PASSED for seen in executed]
    passed = sum(answers)
    failed = len(answers) - passed
    if not failed:
        return Verdict(Outcome.COMPATIBLE, f"passed {passed} of {passed}", passed, failed)

    newest_failure = next(
        seen.attempt for seen in reversed(executed) if seen.attempt.outcome is not AttemptOutcome.PASSED
    )
    outcome, why = (
        (Outcome.FAILING, f"failed {failed} of {failed}") if not passed else _mixed(executed, answers, settle)
    )
    return Verdict(outcome, why, passed, failed, newest_failure)


def feature_outcome(counts: Mapping[Outcome, int]) -> Outcome:
    """A feature's verdict from its tests' by count: failing, else unstable, else compatible, else untested."""
    return next((outcome for outcome in PRECEDENCE if counts.get(outcome)), Outcome.UNTESTED)


def _mixed(executed: Sequence[Observation], answers: Sequence[bool], settle: int) -> tuple[Outcome, str]:
    """Rule 4: some attempts passed and some did not."""
    at_commit: dict[tuple[str, bool], list[bool]] = {}
    for seen, answer in zip(executed, answers, strict=True):
        at_commit.setdefault(_product(seen), []).append(answer)
    for (name, known), given in reversed(at_commit.items()):
        if len(set(given)) > 1:
            where = f"at commit {_short(name)}" if known else "in one run"
            return Outcome.UNSTABLE, f"passed {sum(given)} of {len(given)} {where}"

    flips = [index for index, (before, after) in enumerate(pairwise(answers), start=1) if before is not after]
    if len(flips) > 1:
        return Outcome.UNSTABLE, f"the answer changed {len(flips)} times in {len(answers)} attempts"

    (flip,) = flips
    newest = len(answers) - flip
    since = executed[flip].attempt.started[:10]
    commit = executed[flip].commit
    at = f" (commit {_short(commit)})" if commit else ""
    verb, state, before = ("passed", "fixed", "failed") if answers[-1] else ("failed", "broken", "passed")
    if newest < settle:
        return Outcome.UNSTABLE, f"{verb} since {since}{at}, {before} before; {newest} of the {settle} that settle it"
    outcome = Outcome.COMPATIBLE if answers[-1] else Outcome.FAILING
    return outcome, f"{state} since {since}{at}: the newest {newest} {verb}, the {flip} before {before}"


def _untested(by_age: Iterable[Observation], reasons: Iterable[Reason]) -> Verdict:
    """Rule 1: of several reasons the one that most needs mending, and of equal ones the newest."""
    given = list(reasons)
    for seen in by_age:
        code, text = REASON_OF_ATTEMPT[seen.attempt.outcome]
        given.append(Reason(code, seen.attempt.message or text))
    chosen = NEVER_SELECTED
    for reason in given:
        if REASON_RANK[reason.code] >= REASON_RANK[chosen.code]:
            chosen = reason
    return Verdict(Outcome.UNTESTED, chosen.code.value.replace("-", " "), reason=chosen)


def _age(seen: Observation) -> tuple[str, str]:
    # Without its Z an instant with a fraction sorts after the same second without one.
    return seen.attempt.started.rstrip("Z"), seen.source


def _product(seen: Observation) -> tuple[str, bool]:
    return (seen.commit, True) if seen.commit else (seen.source, False)


def _short(commit: str) -> str:
    return commit[:12]
