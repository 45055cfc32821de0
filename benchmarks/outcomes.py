"""From attempts to a matrix, and the texts that every failure goes through."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.figures import report
from cs_matrix_pytest.environments.masking import Masker
from cs_matrix_pytest.environments.model import Context, Hypervisor
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, RecordedRun, Run, RunEnvironment
from cs_matrix_pytest.outcomes.signature import normalise

RUNS, ENVIRONMENTS, TESTS = 10, 10, 1000
HOSTILE = ("-A", "a.", "0:", "/", "1", "a-", "f1", "=", "://a:", "password", " ")
"""Pieces that make a careless regular expression take for ever, when repeated."""


def measure() -> bool:
    records = [recorded(number) for number in range(RUNS)]
    catalogue = load_catalogue()
    seconds = timed(lambda: compute_matrix(records, catalogue, generated="2026-01-01T00:00:00Z"))
    good = report(f"a matrix of {RUNS * ENVIRONMENTS * TESTS:,} attempts", seconds, "s", at_most=3)
    hostile = [piece * 20_000 for piece in HOSTILE]
    good &= report(
        "signatures of hostile messages", timed(lambda: [normalise(text) for text in hostile]), "s", at_most=2
    )
    masker = Masker(["a-secret-of-some-length"])
    return (
        report("masking hostile text", timed(lambda: [masker.mask(text) for text in hostile]), "s", at_most=4) and good
    )


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def recorded(number: int) -> RecordedRun:
    """A run of all tests in all environments, some of which fail now and then."""
    started = f"2026-01-{number + 1:02}T00:00:00Z"
    environments = {
        f"e{each}": RunEnvironment(Context(Hypervisor("kvm", str(each % 8))).as_dict(), "4.22.0.0")
        for each in range(ENVIRONMENTS)
    }
    attempts = tuple(
        Attempt(
            test=f"smoke/test_{test % 100}.py::TestX::test_{test}",
            environment=f"e{each}",
            outcome=AttemptOutcome.FAILED if (test + number + each) % 7 == 0 else AttemptOutcome.PASSED,
            started=started,
            seconds=1.0,
        )
        for each in range(ENVIRONMENTS)
        for test in range(TESTS)
    )
    run = Run(run=f"run-{number}", started=started, lab="local", environments=environments)
    return RecordedRun(run=run, attempts=attempts, ended=True)
