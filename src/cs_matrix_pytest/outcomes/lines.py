"""The lines of a run record: plain data as JSON has it, and back, whatever a file may hold."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.errors import UserError
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

SCHEMA = "cs-run/1"
SCHEMA_FILE = Path(__file__).with_name("cs-run.schema.json")
"""JSON Schema of one line of a run record."""

_WARNINGS_PER_FILE = 5
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")


# Writing


def run_line(run: Run) -> dict[str, Any]:
    """The line of a record, as JSON has it, for a `model.Run`."""
    environments = {
        name: {
            "context": dict(environment.context),
            "acs_version": environment.acs_version,
            "acs_commit": environment.acs_commit,
        }
        for name, environment in run.environments.items()
    }
    return {
        "schema": SCHEMA,
        "kind": "run",
        "run": run.run,
        "started": run.started,
        "lab": run.lab,
        "environments": environments,
        "tools": dict(run.tools),
        "selection": dict(run.selection),
    }


def attempt_line(attempt: Attempt) -> dict[str, Any]:
    """The line of a record, as JSON has it, for a `model.Attempt`."""
    line = {
        "kind": "attempt",
        "test": attempt.test,
        "environment": attempt.environment,
        "outcome": attempt.outcome.value,
        "started": attempt.started,
        "seconds": round(attempt.seconds, 3),
        "phase": attempt.phase,
    }
    optional = {"signature": attempt.signature, "message": attempt.message, "level": _wider(attempt.level)}
    return line | {key: value for key, value in optional.items() if value is not None}


def untested_line(untested: Untested) -> dict[str, Any]:
    """The line of a record, as JSON has it, for a `model.Untested`."""
    line = {
        "kind": "untested",
        "test": untested.test,
        "environment": untested.environment,
        "reason": {"code": untested.reason.code.value, "text": untested.reason.text},
    }
    level = _wider(untested.level)
    return line | {"level": level} if level else line


def counts_line(counts: Counts) -> dict[str, Any]:
    """The line of a record, as JSON has it, for a `model.Counts`."""
    line = {"kind": "counts", "environment": counts.environment, "level": counts.level}
    optional = {key: getattr(counts, key) for key in ("ok", "failed", "did_not_run", "suite", "seconds")}
    return line | {key: value for key, value in optional.items() if value is not None}


def _wider(level: str) -> str | None:
    return None if level == "test" else level


# Reading


def parse_record(raw: bytes, path: Path) -> RecordedRun:
    """A record from its bytes; `path` is for messages.

    A torn last line, unknown kinds and unknown keys are passed over; lines that make no sense are left out with a
    warning. Raises UserError (file and line) where this is no run record, or one of a newer schema.
    """
    first, _, rest = raw.partition(b"\n")
    reader = _LineReader(read_run(first, path))
    lines = rest.split(b"\n")
    for number, line in enumerate(lines, start=2):
        if line.strip():
            reader.read(number, line, last=number == len(lines) + 1)
    return reader.result(path)


class MalformedError(ValueError):
    """A value that a record cannot have; the text names its key."""


def read_run(line: bytes, path: Path) -> Run:
    """The first line of a record. Raises UserError where it is none, or one of a newer schema."""
    try:
        data = read_object(line)
    except MalformedError:
        raise UserError(
            "this is not a run record: its first line is not a JSON object",
            file=path,
            line=1,
            hint=f'A run record begins with {{"schema": "{SCHEMA}", …}}. Move the file away if it is none.',
        ) from None
    _check_schema(data.get("schema"), path)
    try:
        environments = {name: _run_environment(name, value) for name, value in _mapping(data, "environments").items()}
        return Run(
            run=_text(data, "run"),
            started=_moment(data, "started"),
            lab=_text(data, "lab"),
            environments=environments,
            tools={key: str(value) for key, value in _mapping(data, "tools", {}).items()},
            selection=_mapping(data, "selection", {}),
        )
    except MalformedError as error:
        raise UserError(f"the run's first line is not as {SCHEMA} has it: {error}", file=path, line=1) from None


def _check_schema(schema: object, path: Path) -> None:
    if schema == SCHEMA:
        return
    if isinstance(schema, str) and re.fullmatch(r"cs-run/\d{1,9}", schema):
        raise UserError(
            f"the record has schema {schema}; this version of cs-matrix-pytest reads {SCHEMA}",
            file=path,
            line=1,
            key="schema",
            hint="A newer cs-matrix-pytest wrote it: pip install --upgrade cs-matrix-pytest",
        )
    raise UserError(f"this is not a run record: its schema is not {SCHEMA}", file=path, line=1, key="schema")


def _run_environment(name: str, value: object) -> RunEnvironment:
    key = f"environments.{name}"
    if not isinstance(value, dict):
        raise MalformedError(f"{key} is not an object")
    context = _mapping(value, "context", {})
    try:
        context_read = Context.from_dict(context)
        hash((context_read, context_read.key))
    except (AttributeError, TypeError, ValueError):
        raise MalformedError(f"{key}.context has not the shape of a context") from None
    return RunEnvironment(context, _optional_text(value, "acs_version"), _optional_text(value, "acs_commit"))


class _LineReader:
    """Takes the lines after the first, one at a time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._attempts: list[Attempt] = []
        self._untested: list[Untested] = []
        self._counts: list[Counts] = []
        self._end: tuple[str | None, int | None] | None = None
        self._warnings: list[tuple[int, str]] = []
        self._kinds: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "attempt": lambda data: self._attempts.append(read_attempt(data, self._run)),
            "untested": lambda data: self._untested.append(read_untested(data, self._run)),
            "counts": lambda data: self._counts.append(read_counts(data, self._run)),
            "end": lambda data: setattr(self, "_end", read_end(data)),
        }

    def read(self, number: int, line: bytes, *, last: bool) -> None:
        try:
            data = read_object(line)
        except MalformedError as error:
            # `last` means no newline followed: the writer was cut off in this line, and that it was says `ended`.
            if not last:
                self._warnings.append((number, str(error)))
            return
        kind = data.get("kind")
        read = self._kinds.get(kind) if isinstance(kind, str) else None
        if read is None:
            return
        try:
            read(data)
        except MalformedError as error:
            self._warnings.append((number, f"{kind}: {error}"))

    def result(self, path: Path) -> RecordedRun:
        warnings = [f"{path}:{number}: left out: {why}" for number, why in self._warnings[:_WARNINGS_PER_FILE]]
        more = len(self._warnings) - len(warnings)
        if more:
            warnings.append(f"{path}: and {more} more lines left out")
        finished, exit = self._end or (None, None)
        return RecordedRun(
            run=self._run,
            attempts=tuple(self._attempts),
            untested=tuple(self._untested),
            counts=tuple(self._counts),
            ended=self._end is not None,
            finished=finished,
            exit=exit,
            warnings=tuple(warnings),
        )


def read_end(data: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """When the run of an end line finished, and pytest's exit code. Raises MalformedError."""
    exit = data.get("exit")
    return _optional_text(data, "finished"), exit if isinstance(exit, int) else None


def read_attempt(data: Mapping[str, Any], run: Run) -> Attempt:
    """The attempt of a line. Raises MalformedError."""
    outcome = _text(data, "outcome")
    seconds = data.get("seconds", 0.0)
    if outcome not in _ATTEMPT_OUTCOMES:
        raise MalformedError(f"outcome is not one of {', '.join(_ATTEMPT_OUTCOMES)}")
    if not isinstance(seconds, (int, float)):
        raise MalformedError("seconds is not a number")
    return Attempt(
        test=_text(data, "test"),
        environment=_environment(data, run),
        outcome=_ATTEMPT_OUTCOMES[outcome],
        started=_moment(data, "started"),
        seconds=seconds,
        phase=_optional_text(data, "phase") or "call",
        signature=_optional_text(data, "signature"),
        message=_optional_text(data, "message"),
        level=_optional_text(data, "level") or "test",
    )


def read_untested(data: Mapping[str, Any], run: Run) -> Untested:
    """The untested test of a line. Raises MalformedError."""
    reason = _mapping(data, "reason")
    code = _text(reason, "code")
    if code not in _REASON_CODES:
        raise MalformedError(f"reason.code is not one of {', '.join(_REASON_CODES)}")
    return Untested(
        test=_text(data, "test"),
        environment=_environment(data, run),
        reason=Reason(_REASON_CODES[code], _optional_text(reason, "text") or ""),
        level=_optional_text(data, "level") or "test",
    )


def read_counts(data: Mapping[str, Any], run: Run) -> Counts:
    """The counts of a line. Raises MalformedError."""
    seconds = data.get("seconds")
    if seconds is not None and not (type(seconds) in (int, float) and math.isfinite(seconds)):
        raise MalformedError("seconds is not a number")
    return Counts(
        environment=_environment(data, run),
        ok=_optional_count(data, "ok"),
        failed=_optional_count(data, "failed"),
        did_not_run=_optional_count(data, "did_not_run"),
        level=_optional_text(data, "level") or "module",
        suite=_optional_text(data, "suite"),
        seconds=seconds,
    )


_ATTEMPT_OUTCOMES = {outcome.value: outcome for outcome in AttemptOutcome}
_REASON_CODES = {code.value: code for code in ReasonCode}


def read_object(line: bytes) -> dict[str, Any]:
    """A line as JSON has it. Raises MalformedError."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise MalformedError("the line is not JSON") from None
    if not isinstance(data, dict):
        raise MalformedError("the line is not a JSON object")
    return data


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{key} is not a text")
    return value


def _optional_text(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise MalformedError(f"{key} is not a text")
    return value


def _optional_count(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise MalformedError(f"{key} is not a count")
    return value


def _mapping(data: Mapping[str, Any], key: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
    value = data.get(key, default)
    if not isinstance(value, dict):
        raise MalformedError(f"{key} is not an object")
    return value


def _moment(data: Mapping[str, Any], key: str) -> str:
    value = _text(data, key)
    if not _INSTANT.match(value):
        raise MalformedError(f"{key} is not a time like 2026-01-31T08:00:00Z")
    return value


def _environment(data: Mapping[str, Any], run: Run) -> str:
    name = _text(data, "environment")
    if name not in run.environments:
        raise MalformedError("environment is not one of the run's")
    return name
