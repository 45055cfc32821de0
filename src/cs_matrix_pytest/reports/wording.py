"""How a verdict is said in one line, the same in every report."""

from __future__ import annotations

import re

from cs_matrix_pytest.outcomes.classify import REASON_RANK
from cs_matrix_pytest.outcomes.matrix import Evidence, Share
from cs_matrix_pytest.outcomes.model import Outcome

_MARVIN_SAYS = (
    (
        r"\w*APIException: Execute cmd: asyncquery failed, due to: \{errorcode : (\d+), errortext : .(.*?).\}.*",
        r"job failed with \1: \2",
    ),
    (r"Exception: Job failed: \{.*errorcode : (\d+), errortext : .(.*?).\}.*", r"job failed with \1: \2"),
    (
        r"\w*APIException: Execute cmd: (\w+) failed, due to: errorCode: (\d+), errorText: *(.*)",
        r"\1 failed with \2: \3",
    ),
)
"""How the Marvins word a refused command and a failed job, and how it is said here: what the server said comes first."""


def tested(share: Share) -> str:
    """How much stands behind a verdict: ``12/14`` (compatible of all tests), or ``1 class`` where no test is named."""
    total = sum(share.tests.values())
    if total:
        return f"{share.tests.get(Outcome.COMPATIBLE, 0)}/{total}"
    levels = sorted({evidence.level for evidence in share.evidence})
    return ", ".join(f"{sum(each.level == level for each in share.evidence)} {level}" for level in levels)


def strongest(share: Share) -> Evidence:
    """The evidence that decides the verdict; of an untested feature, the one whose reason most needs mending.

    A failure that is known decides only where no other does.
    """
    deciding = [evidence for evidence in share.evidence if evidence.outcome is share.outcome]
    return max(deciding, key=lambda each: (each.known is None, REASON_RANK[each.reason.code] if each.reason else 0))


def because(evidence: Evidence) -> str:
    """Why a test has its outcome, with what the test or the environment said. Not escaped."""
    if evidence.reason:
        # What is wrong, and on a line of its own a hint.
        text = evidence.reason.text.replace("\n  ", "; ")
        return f"{evidence.why}: {text}" if text else evidence.why
    if evidence.outcome is Outcome.COMPATIBLE:
        return evidence.why
    where = f" in {evidence.phase}" if evidence.phase not in (None, "call") else ""
    said = message_of(evidence)
    return f"{evidence.why}{where}: {said}" if said else f"{evidence.why}{where}"


def marked(evidence: Evidence) -> str:
    """`because`, with the issue of a known failure before it. Not escaped."""
    return f"known ({evidence.known}): {because(evidence)}" if evidence.known else because(evidence)


def message_of(evidence: Evidence) -> str:
    """What the newest failure said, in as few words as it can be; empty where it said nothing. Not escaped."""
    said = evidence.message or evidence.signature or ""
    for pattern, wording in _MARVIN_SAYS:
        if found := re.fullmatch(pattern, said, re.DOTALL):
            return found.expand(wording)
    return said


def decisive(share: Share) -> str:
    """The strongest evidence in a line: which test, why, and how many more there are like it. Not escaped."""
    evidence = strongest(share)
    more = sum(each.outcome is share.outcome for each in share.evidence) - 1
    also = f" (and {more} more {share.outcome.value})" if more else ""
    return f"{evidence.test}{also}: {marked(evidence)}"
