"""Run records for tests, in few words: who ran what when, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
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
from cs_matrix_pytest.outcomes.record import RecordWriter, record_path
from cs_matrix_pytest.outcomes.signature import signature

KVM = Context(Hypervisor("kvm", "el9"), storage=Storage(protocol="nfs"))
XEN = Context(Hypervisor("xenserver", "8.4"))
CONTEXTS: Mapping[str, Context] = {"kvm": KVM, "kvm2": KVM, "xen": XEN}

_OUTCOMES = {
    "P": AttemptOutcome.PASSED,
    "F": AttemptOutcome.FAILED,
    "E": AttemptOutcome.ERRORED,
    "S": AttemptOutcome.SKIPPED,
    "B": AttemptOutcome.BLOCKED,
}


def recorded(
    run: str,
    results: Mapping[str, str],
    *,
    day: int = 1,
    version: str | None = "4.22.0.0",
    commit: str | None = None,
    lab: str = "local",
    messages: Mapping[str, str] | None = None,
    untested: Mapping[str, str] | None = None,
    contexts: Mapping[str, Context] = CONTEXTS,
) -> RecordedRun:
    """A run of one day. ``results``: ``"test@environment"`` → a letter for each attempt, as in ``"PPF"``.

    ``messages``: what the failures of a test say (``E: no capacity`` unless told); ``untested``: as ``results``, with
    the reason's text.
    """
    attempts = []
    for index, (key, letters) in enumerate(results.items()):
        test, _, environment = key.rpartition("@")
        for number, letter in enumerate(letters):
            said = (messages or {}).get(test, "no capacity") if letter in "FE" else None
            started = f"2026-01-{day:02}T00:{number:02}:{index % 60:02}Z"
            outcome = _OUTCOMES[letter]
            attempts.append(
                Attempt(
                    test,
                    environment,
                    outcome,
                    started,
                    1.0,
                    signature=said and signature("E", said),
                    message=said and f"E: {said}",
                )
            )
    skipped = tuple(
        Untested(key.rpartition("@")[0], key.rpartition("@")[2], Reason(ReasonCode.NOT_APPLICABLE, text))
        for key, text in (untested or {}).items()
    )
    names = {key.rpartition("@")[2] for key in (*results, *(untested or {}))}
    environments = {name: RunEnvironment(contexts[name].as_dict(), version, commit) for name in sorted(names)}
    started = f"2026-01-{day:02}T00:00:00Z"
    return RecordedRun(Run(run, started, lab, environments), tuple(attempts), skipped, ended=True, exit=0)


def write(folder: Path, *records: RecordedRun) -> Path:
    """Each record as its file in the folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        with RecordWriter(record_path(folder, record.run.run), record.run) as writer:
            for attempt in record.attempts:
                writer.attempt(attempt)
            for untested in record.untested:
                writer.untested(untested)
            writer.end(record.exit or 0)
    return folder
