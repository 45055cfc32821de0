"""Generated histories: run records with whatever a record may carry, close enough together to collide."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies as st

from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
from cs_matrix_pytest.outcomes.model import (
    Attempt,
    AttemptOutcome,
    Counts,
    Reason,
    ReasonCode,
    RecordedRun,
    Run,
    RunEnvironment,
    Untested,
)
from cs_matrix_pytest.outcomes.record import RecordWriter, record_path

CONTEXTS = [
    Context(Hypervisor("kvm", "el9"), storage=Storage(protocol="nfs")).as_dict(),
    Context(Hypervisor("vmware"), networking="basic").as_dict(),
    Context(Hypervisor("xén"), extras=("nicira",)).as_dict(),
]
TESTS = [
    "smoke/test_vm_life_cycle.py::TestVMLifeCycle::test_01_stop_vm",
    "smoke/test_vm_life_cycle.py::TestVMLifeCycle::test_02[a-ž]",
    "smoke/test_volumes.py::TestVolumes::test_attach",
    "own/test_\U0001f600.py::T::test_x",
    "smoke/test_volumes.py",
]
USUAL_MOMENTS = [
    "2026-01-01T00:00:00.999Z",
    "2026-01-01T00:00:01Z",
    "2026-01-01T00:00:01.000Z",
    "2026-01-01T00:00:01.001Z",
    "2026-01-02T00:00:00Z",
]
MOMENTS = [
    *USUAL_MOMENTS[1:],
    "2026-01-01T00:00:01.5Z",
    "2026-01-03T00:00:00.25Z",
    "1969-12-31T23:59:59.999Z",
    "2026-13-41T25:61:61Z",
]
TEXTS = ["", "E: no capacity", 'a "quoted" \\N \\ text', "tab\tand\nline\x00\x1b[31m", "žluť \u2028 \U0001f600 \ud800"]

_text = st.none() | st.sampled_from(TEXTS)
_level = st.sampled_from(["test", "test", "test", "class", "mödule"])


@st.composite
def runs(draw, number, narrow=(), moments=MOMENTS):
    """One record; ``number`` makes its id. ``narrow``: all about one test in one context, which gives these."""
    contexts, tests, levels = (CONTEXTS[:1], TESTS[:1], st.just("test")) if narrow else (CONTEXTS, TESTS, _level)
    versions = ["4.22.0.0"] if narrow else ["4.22.0.0", "4.23.0.0", None]
    commits = [None, "a", "b", "c"] if narrow else [None, None, "", "abcdef0123456789", "commit-ž"]
    outcomes = narrow or list(AttemptOutcome)
    environments = draw(
        st.dictionaries(
            st.sampled_from(["kvm-adv", "e/x", "émile"]),
            st.builds(
                RunEnvironment,
                st.sampled_from(contexts),
                st.sampled_from(versions),
                st.sampled_from(commits),
            ),
            min_size=1,
        )
    )
    name = st.sampled_from(sorted(environments))
    attempts = st.builds(
        Attempt,
        test=st.sampled_from(tests),
        environment=name,
        outcome=st.sampled_from(outcomes),
        started=st.sampled_from(moments),
        seconds=st.sampled_from([0.0, 1.5, 0.1, 1e300]),
        phase=st.sampled_from(["call", "setup-class", "ž"]),
        signature=_text,
        message=_text,
        level=levels,
    )
    untested = st.builds(
        Untested,
        test=st.sampled_from(tests),
        environment=name,
        reason=st.builds(Reason, st.sampled_from(ReasonCode), st.sampled_from(TEXTS)),
        level=levels,
    )
    counts = st.builds(Counts, environment=name, ok=st.none() | st.integers(0, 9), suite=_text)
    run = Run(
        run=draw(st.sampled_from([f"run-{number}", f"r/{number} ž"])),
        started=draw(st.sampled_from(MOMENTS[:-1])),
        lab=draw(st.sampled_from(["local", "läb"])),
        environments=environments,
        tools={"pytest": "9"},
        selection={"-k": draw(st.sampled_from(TEXTS))},
    )
    ended = draw(st.booleans())
    return RecordedRun(
        run,
        tuple(draw(st.lists(attempts, max_size=3 if narrow else 14))),
        tuple(draw(st.lists(untested, max_size=4))),
        tuple(draw(st.lists(counts, max_size=2))),
        ended=ended,
        finished="2026-01-09T00:00:00Z" if ended else None,
        exit=1 if ended else None,
    )


@st.composite
def histories(draw, at_most=5):
    """Several records of different runs; half of the time such that the outcome of one test is hard to tell."""
    executed = (AttemptOutcome.PASSED, AttemptOutcome.FAILED)
    narrow = draw(st.sampled_from([(), (), executed, executed, (AttemptOutcome.SKIPPED, AttemptOutcome.BLOCKED)]))
    moments = draw(st.sampled_from([USUAL_MOMENTS, USUAL_MOMENTS, MOMENTS]))
    return [draw(runs(number, narrow, moments)) for number in range(draw(st.integers(1, at_most)))]


# Lines that a record may have and its writer never writes.
ODD_LINES = [
    b"",
    b"{nonsense",
    b"\xff\xfe \x00 \r",
    b'{"kind": "weather", "sun": true}',
    b'{"kind": "attempt", "test": "gone", "environment": "nowhere", "outcome": "passed", "started": "2026-01-01T00:00:00Z"}',
    b'{"kind": "end", "exit": "no", "finished": 3}',
    b"  ",
]


def odd_attempt(environment):
    """An attempt as another writer may write it: keys in another order, one that nobody knows, a whole second."""
    line = {
        "seconds": 1,
        "mood": "gut",
        "outcome": "failed",
        "started": MOMENTS[0],
        "test": TESTS[0],
        "kind": "attempt",
    }
    return json.dumps({**line, "environment": environment}, ensure_ascii=False).encode()


def write_record(folder: Path, record: RecordedRun, name: str | None = None) -> Path:
    """The record as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl" if name else record_path(folder, record.run.run)
    with RecordWriter(path, record.run) as writer:
        for attempt in record.attempts:
            writer.attempt(attempt)
        for untested in record.untested:
            writer.untested(untested)
        for counts in record.counts:
            writer.counts(counts)
        if record.ended:
            writer.end(record.exit, record.finished)
    return path


def write_history(folder: Path, records: list[RecordedRun]) -> list[Path]:
    """The records as files of a folder."""
    return [write_record(folder, record, f"run-{number}") for number, record in enumerate(records)]
