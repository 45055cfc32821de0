"""What a failure in somebody else's report says: the exception, the message, where the test ended, a signature."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from cs_matrix_pytest.environments.masking import Masker
from cs_matrix_pytest.importers.xunit_cases import Result
from cs_matrix_pytest.outcomes.messages import short
from cs_matrix_pytest.outcomes.model import AttemptOutcome
from cs_matrix_pytest.outcomes.signature import signature

_READ_LIMIT = 4000
"""Characters of a message that are looked at."""
_LONGEST_NAME = 100
_ASSERTIONS = frozenset({"AssertionError", "Failed"})
"""What a test's own assertion raises: unittest's, and that of ``pytest.fail``."""

_EXCEPTION = re.compile(
    r"(?P<name>(?:[A-Za-z_]\w*\.)*\w*(?:Error|Exception|Failed|Failure|Exit|Timeout|Interrupt|Skipped|SkipTest|Warning))"
    r"(?::\s(?P<said>.*))?\Z",
    re.DOTALL,
)
# pytest's reports of what fails before or after the test itself.
_AROUND = re.compile(r'failed on (?P<phase>setup|teardown) with "(?P<said>.*)"\Z', re.DOTALL)
# Newer pytest cuts long messages.
_CUT = re.compile(r"\.{3}\n\[truncated; full report in element text\]\Z")
# nose appends what the test logged to the text of the failure.
_CAPTURED = re.compile(r"^-+ >> begin captured", re.MULTILINE)

# By a function that a traceback went through: unittest's, and nose's for classes and modules.
_PHASES = {
    "_callSetUp": "setup",
    "_callTearDown": "teardown",
    "_callCleanup": "teardown",
    "doCleanups": "teardown",
    "setupContext": "setup-class",
    "teardownContext": "teardown",
    "self.setUp": "setup",
    "self.tearDown": "teardown",
}
_FRAME = re.compile(
    r", in (?P<function>_callSetUp|_callTearDown|_callCleanup|doCleanups|setupContext|teardownContext)$"
    # Before Python 3.8.
    r"|[/\\]unittest2?[/\\]case\.py\", line \d+, in run\n +(?P<call>self\.(?:setUp|tearDown))\(\)",
    re.MULTILINE,
)

_masker = Masker()


class Failure(NamedTuple):
    """A failure, as an attempt has it. ``exception`` is the type's bare name, None where nothing names it."""

    outcome: AttemptOutcome
    phase: str
    exception: str | None
    message: str
    signature: str


def read_failure(test: str, result: Result, phase: str = "call") -> Failure:
    """A failure from an xunit element, in words that equal failures of this project's own runs have.

    ``phase`` is the attempt's unless the message or the traceback says another.
    """
    said = _CUT.sub("…", result.message[:_READ_LIMIT].strip()) or told(result.text)
    around = _AROUND.match(said)
    frame = _FRAME.search(result.text)
    if around:
        phase, said = around["phase"], around["said"]
    elif frame:
        phase = _PHASES[frame["function"] or frame["call"]]
    exception = result.kind.rpartition(".")[2][:_LONGEST_NAME] or None
    named = _EXCEPTION.match(said)
    if named and exception in (None, named["name"].rpartition(".")[2]):
        exception = named["name"].rpartition(".")[2]
        said = named["said"] or ""
    said = _masker.mask(said)
    errored = result.tag.lower().endswith("error")
    if not errored and not result.kind and exception is not None:
        # pytest calls whatever ends a test a failure, and does not say its type.
        errored = exception not in _ASSERTIONS
    # A clean-up asserts nothing about the product.
    errored = errored or phase == "teardown"
    outcome = AttemptOutcome.ERRORED if errored else AttemptOutcome.FAILED
    shown = short(f"{exception}: {said}" if exception and said else said or exception or "no message")
    return Failure(outcome, phase, exception, shown, signature(exception or "Failed", said, test))


def told(text: str) -> str:
    """The line of a failure's text that says what was wrong: a Python traceback's last, else the first."""
    lines = [line.strip() for line in _CAPTURED.split(text, maxsplit=1)[0].splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1 if lines[0].startswith("Traceback ") else 0][:_READ_LIMIT]


def masked(message: str) -> str:
    """A message as a record has it: without secrets, and short."""
    return _masked(message[:_READ_LIMIT])


@lru_cache(maxsize=1024)
def _masked(message: str) -> str:
    # Many tests are skipped for one reason.
    return short(_masker.mask(message))
