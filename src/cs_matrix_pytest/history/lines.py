"""The lines of a run record as rows of a table, and back to the byte.

A row has the facts of a line in columns (`COLUMNS`), its texts as JSON writes them: ASCII, with escapes. What the columns
cannot give back to the byte, they have in ``raw`` too; so no key, kind or broken line that is not understood is lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.outcomes.lines import (
    MalformedError,
    attempt_line,
    parse_record,
    read_attempt,
    read_counts,
    read_end,
    read_object,
    read_run,
    read_untested,
    untested_line,
)
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Reason, ReasonCode, RecordedRun, Run, Untested

COLUMNS: Mapping[str, str] = {
    "kind": "VARCHAR",
    "acs_version": "VARCHAR",
    "context": "VARCHAR",
    "test": "VARCHAR",
    "level": "VARCHAR",
    "started": "VARCHAR",
    "lab": "VARCHAR",
    "environment": "VARCHAR",
    "run": "VARCHAR",
    "line": "INTEGER",
    "outcome": "VARCHAR",
    "seconds": "DOUBLE",
    "phase": "VARCHAR",
    "signature": "VARCHAR",
    "message": "VARCHAR",
    "reason": "VARCHAR",
    "raw": "VARCHAR",
    "lines": "INTEGER",
    "digest": "VARCHAR",
    "file": "VARCHAR",
}
"""Columns and their DuckDB types. ``kind`` is run, attempt, untested, counts, end, other (not known) or left-out.

Of an untested line ``message`` is the reason's text and ``reason`` its code. ``lines``, ``digest`` (SHA-256 of all
bytes) and ``file`` (the record's name) stand in the row of kind run, the first of each record.
"""

BULK = ("attempt", "untested")
"""The kinds of which there are many; all others are a few lines of each record."""

LEFT_OUT = "left-out"
_FEW: Mapping[str, Callable[[Mapping[str, Any], Run], object]] = {
    "counts": read_counts,
    "end": lambda data, _run: read_end(data),
}


class Row(NamedTuple):
    """One line, fields as in `COLUMNS`; texts are escaped."""

    kind: str
    acs_version: str | None = None
    context: str | None = None
    test: str | None = None
    level: str | None = None
    started: str | None = None
    lab: str | None = None
    environment: str | None = None
    run: str | None = None
    line: int = 1
    outcome: str | None = None
    seconds: float | None = None
    phase: str | None = None
    signature: str | None = None
    message: str | None = None
    reason: str | None = None
    raw: str | None = None
    lines: int | None = None
    digest: str | None = None
    file: str | None = None


def escaped(text: str) -> str:
    """A text as JSON has it between the quotes."""
    return json.dumps(text)[1:-1]


def unescaped(text: str) -> str:
    """The inverse of `escaped`."""
    return str(json.loads(f'"{text}"'))


def digest(raw: bytes) -> str:
    """What a copy of a record is known by."""
    return hashlib.sha256(raw).hexdigest()


def rows(raw: bytes, path: Path, name: str) -> Iterator[Row]:
    """The lines of a record, the run's first; ``name`` is its file's. Raises UserError as `read_run`."""
    lines = raw.split(b"\n")
    run = read_run(lines[0], path)
    run_id = escaped(run.run)
    yield Row(
        "run",
        started=escaped(run.started),
        lab=escaped(run.lab),
        run=run_id,
        raw=_escaped_bytes(lines[0]),
        lines=len(lines),
        digest=digest(raw),
        file=escaped(name),
    )
    # What is the same in every line of an environment is worked out once.
    places: dict[str, dict[str, Any]] = {
        environment: {
            "environment": escaped(environment),
            "acs_version": seen.acs_version and escaped(seen.acs_version),
            "context": escaped(Context.from_dict(seen.context).key),
            "lab": escaped(run.lab),
            "run": run_id,
        }
        for environment, seen in run.environments.items()
    }
    for number, line in enumerate(lines[1:], start=2):
        if line:
            yield _row(line, number, run, places)


def ended(raw: bytes, path: Path) -> bool:
    """Whether a record has its end line."""
    first, _, rest = raw.partition(b"\n")
    run = read_run(first, path)
    return any(b'"end"' in line and _row(line, 1, run, {}).kind == "end" for line in reversed(rest.split(b"\n")))


def record_bytes(found: Iterable[Row]) -> bytes:
    """The record that `rows` was made from, to the byte; ``found`` in any order."""
    lines: list[bytes] = []
    for row in sorted(found, key=lambda row: row.line):
        if row.lines is not None:
            lines = [b""] * row.lines
        lines[row.line - 1] = _line(row)
    return b"\n".join(lines)


def remainder(found: Iterable[Row], path: Path) -> RecordedRun:
    """The record without its lines of the kinds in `BULK`: its run, end, counts, and warnings."""
    some = sorted(found, key=lambda row: row.line)
    if any(row.kind == LEFT_OUT for row in some):
        return parse_record(record_bytes(some), path)
    # Only warnings tell line numbers: without any the gaps may go. A line that was cut off never comes this way.
    return parse_record(b"\n".join(map(_line, some)) + b"\n", path)


def _row(line: bytes, number: int, run: Run, places: Mapping[str, Mapping[str, Any]]) -> Row:
    try:
        data = read_object(line)
        kind = data.get("kind")
        if kind == "attempt":
            attempt = read_attempt(data, run)
            return Row(
                "attempt",
                test=escaped(attempt.test),
                level=escaped(attempt.level),
                line=number,
                outcome=attempt.outcome.value,
                started=escaped(attempt.started),
                seconds=_float(attempt.seconds),
                phase=escaped(attempt.phase),
                signature=_escaped(attempt.signature),
                message=_escaped(attempt.message),
                # An integer would come back as a float.
                raw=_unless(line, attempt_line(attempt) if isinstance(attempt.seconds, float) else {}),
                **places.get(attempt.environment, {}),
            )
        if kind == "untested":
            untested = read_untested(data, run)
            return Row(
                "untested",
                test=escaped(untested.test),
                level=escaped(untested.level),
                line=number,
                message=escaped(untested.reason.text),
                reason=untested.reason.code.value,
                raw=_unless(line, untested_line(untested)),
                **places.get(untested.environment, {}),
            )
        if isinstance(kind, str) and kind in _FEW:
            _FEW[kind](data, run)
            return Row(kind, run=escaped(run.run), line=number, raw=_escaped_bytes(line))
        return Row("other", run=escaped(run.run), line=number, raw=_escaped_bytes(line))
    except MalformedError:
        return Row(LEFT_OUT, run=escaped(run.run), line=number, raw=_escaped_bytes(line))


def _line(row: Row) -> bytes:
    if row.raw is not None:
        return unescaped(row.raw).encode("utf-8", "surrogateescape")
    data = attempt_line(_as_attempt(row)) if row.kind == "attempt" else untested_line(_as_untested(row))
    return _dumped(data)


def _as_attempt(row: Row) -> Attempt:
    return Attempt(
        test=unescaped(row.test or ""),
        environment=unescaped(row.environment or ""),
        outcome=AttemptOutcome(row.outcome),
        started=unescaped(row.started or ""),
        seconds=row.seconds or 0.0,
        phase=unescaped(row.phase or ""),
        signature=_unescaped(row.signature),
        message=_unescaped(row.message),
        level=unescaped(row.level or ""),
    )


def _as_untested(row: Row) -> Untested:
    return Untested(
        test=unescaped(row.test or ""),
        environment=unescaped(row.environment or ""),
        reason=Reason(ReasonCode(row.reason), unescaped(row.message or "")),
        level=unescaped(row.level or ""),
    )


def _unless(line: bytes, canonical: Mapping[str, Any]) -> str | None:
    return None if line == _dumped(canonical) else _escaped_bytes(line)


def _dumped(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode("ascii")


def _float(seconds: float) -> float:
    try:
        return float(seconds)
    except OverflowError:
        return float("inf")


def _escaped(text: str | None) -> str | None:
    return None if text is None else escaped(text)


def _unescaped(text: str | None) -> str | None:
    return None if text is None else unescaped(text)


def _escaped_bytes(line: bytes) -> str:
    return escaped(line.decode("utf-8", "surrogateescape"))
