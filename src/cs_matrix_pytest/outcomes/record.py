"""The run record: JSON Lines, appended as attempts finish, readable after `kill -9` at any point, merged by union."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.model import (
    Attempt,
    AttemptOutcome,
    Counts,
    Reason,
    ReasonCode,
    Run,
    RunEnvironment,
    Untested,
)

SCHEMA = "cs-run/1"
SCHEMA_FILE = Path(__file__).with_name("cs-run.schema.json")
"""JSON Schema of one line of a run record."""

_WARNINGS_PER_FILE = 5
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")


@dataclass(frozen=True)
class RecordedRun:
    """A run record as read. ``ended`` is False where the run was killed, or is still going on.

    ``warnings`` name lines that were left out because they could not be understood.
    """

    run: Run
    attempts: tuple[Attempt, ...] = ()
    untested: tuple[Untested, ...] = ()
    counts: tuple[Counts, ...] = ()
    ended: bool = False
    finished: str | None = None
    exit: int | None = None
    warnings: tuple[str, ...] = ()


def instant(when: datetime) -> str:
    """A moment as records carry it: ISO 8601 in UTC with milliseconds and a Z."""
    return when.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_run_id(when: datetime) -> str:
    """An id that sorts by time and is unique across labs: ``20261120T101112Z-9f3ac2d1``."""
    return f"{when.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def record_path(folder: Path, run_id: str) -> Path:
    """Where the record of a run lives in a report folder."""
    return folder / f"run-{run_id}.jsonl"


def prepare_folder(folder: Path) -> Path:
    """Makes the report folder and proves that it can be written; raises UserError if not. For before the first test."""
    probe = folder / f".cs-report-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("", encoding="utf-8")
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"the report folder cannot be written: {error.strerror or error}",
            file=folder,
            hint="Name another with --cs-report=DIR, or mend its permissions.",
        ) from None
    return folder


class RecordWriter:
    """Appends a run's lines to ``path`` as they happen, each with one write, so a kill leaves at most one torn line.

    The file appears under its name only with its first line complete. Raises UserError where it cannot be written.
    """

    def __init__(self, path: Path, run: Run) -> None:
        self.path = path
        self._torn = False
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._file: int | None = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        except OSError as error:
            raise self._unwritable(error) from None
        self._append(run_line(run))
        try:
            # A link, unlike a rename, refuses to replace the record of another run.
            os.link(draft, path)
        except FileExistsError:
            self.close()
            raise UserError("there is a record of this run already", file=path) from None
        except OSError:
            # File systems without hard links (some network and FUSE mounts).
            draft.rename(path)
            return
        finally:
            draft.unlink(missing_ok=True)

    def attempt(self, attempt: Attempt) -> None:
        """Records one execution of one test."""
        self._append(attempt_line(attempt))

    def untested(self, untested: Untested) -> None:
        """Records that a test was not executed, and why."""
        self._append(untested_line(untested))

    def counts(self, counts: Counts) -> None:
        """Records what a report only counts."""
        self._append(counts_line(counts))

    def end(self, exit: int, finished: str | None = None) -> None:
        """Writes the last line and closes the file; ``finished`` is now unless told."""
        self._append({"kind": "end", "finished": finished or instant(datetime.now(timezone.utc)), "exit": int(exit)})
        self.close()

    def close(self) -> None:
        """Closes the file without an end line: the run counts as cut short."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            raise ValueError(f"{self.path}: the record is closed")
        # ASCII: no lone surrogate of a file name can stop a line, no U+2028 can split one.
        data = json.dumps(line, default=str).encode("ascii") + b"\n"
        if self._torn:
            data = b"\n" + data
        try:
            written = os.write(self._file, data)
            while written < len(data):
                self._torn = True
                written += os.write(self._file, data[written:])
        except OSError as error:
            raise self._unwritable(error) from None
        self._torn = False

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"the run record cannot be written: {error.strerror or error}", file=self.path)


def read_record(path: Path) -> RecordedRun:
    """Reads one run record.

    A torn last line, unknown kinds and unknown keys are passed over; lines that make no sense are left out with a
    warning.
    Raises UserError (file and line) where the file is no run record or one of a newer schema.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"the run record cannot be read: {error.strerror or error}", file=path) from None
    first, _, rest = raw.partition(b"\n")
    run = _read_run(first, path)
    reader = _LineReader(run)
    lines = rest.split(b"\n")
    for number, line in enumerate(lines, start=2):
        if line.strip():
            reader.read(number, line, last=number == len(lines) + 1)
    return reader.result(path)


def read_records(paths: Iterable[Path]) -> tuple[RecordedRun, ...]:
    """Reads files, and the ``run-*.jsonl`` of folders, merged. Raises UserError for a path that does not exist."""
    files: list[Path] = []
    for path in paths:
        files.extend(sorted(path.glob("run-*.jsonl")) if path.is_dir() else [path])
    return merge(read_record(file) for file in files)


def read_folder(folder: Path) -> tuple[RecordedRun, ...]:
    """All run records of a report folder, each run once, ordered by run id; empty where there are none."""
    return read_records([folder]) if folder.exists() else ()


def merge(*collections: Iterable[RecordedRun]) -> tuple[RecordedRun, ...]:
    """The union of run records by run id, ordered by it: commutative, associative and idempotent.

    Of two copies of one run (one taken while it was going on) the fuller one is kept.
    """
    kept: dict[str, RecordedRun] = {}
    for collection in collections:
        for record in collection:
            other = kept.get(record.run.run)
            if other is None or (other != record and _fullness(other) < _fullness(record)):
                kept[record.run.run] = record
    return tuple(kept[run] for run in sorted(kept))


def _fullness(record: RecordedRun) -> tuple[bool, int, str]:
    """A total order, so that it never matters which copy came first."""
    lines = [
        run_line(record.run),
        *map(attempt_line, record.attempts),
        *map(untested_line, record.untested),
        *map(counts_line, record.counts),
        {"finished": record.finished, "exit": record.exit, "warnings": record.warnings},
    ]
    return record.ended, len(lines), json.dumps(lines, sort_keys=True, default=str)


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


class _MalformedError(ValueError):
    """A value that a record cannot have; the text names its key."""


def _read_run(line: bytes, path: Path) -> Run:
    try:
        data = _object(line)
    except _MalformedError:
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
    except _MalformedError as error:
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
        raise _MalformedError(f"{key} is not an object")
    context = _mapping(value, "context", {})
    try:
        context_read = Context.from_dict(context)
        hash((context_read, context_read.key))
    except (AttributeError, TypeError, ValueError):
        raise _MalformedError(f"{key}.context has not the shape of a context") from None
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
            "attempt": lambda data: self._attempts.append(_attempt(data, self._run)),
            "untested": lambda data: self._untested.append(_untested(data, self._run)),
            "counts": lambda data: self._counts.append(_counts(data, self._run)),
            "end": self._read_end,
        }

    def read(self, number: int, line: bytes, *, last: bool) -> None:
        try:
            data = _object(line)
        except _MalformedError as error:
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
        except _MalformedError as error:
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

    def _read_end(self, data: Mapping[str, Any]) -> None:
        exit = data.get("exit")
        self._end = (_optional_text(data, "finished"), exit if isinstance(exit, int) else None)


def _attempt(data: Mapping[str, Any], run: Run) -> Attempt:
    outcome = _text(data, "outcome")
    seconds = data.get("seconds", 0.0)
    if outcome not in _ATTEMPT_OUTCOMES:
        raise _MalformedError(f"outcome is not one of {', '.join(_ATTEMPT_OUTCOMES)}")
    if not isinstance(seconds, (int, float)):
        raise _MalformedError("seconds is not a number")
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


def _untested(data: Mapping[str, Any], run: Run) -> Untested:
    reason = _mapping(data, "reason")
    code = _text(reason, "code")
    if code not in _REASON_CODES:
        raise _MalformedError(f"reason.code is not one of {', '.join(_REASON_CODES)}")
    return Untested(
        test=_text(data, "test"),
        environment=_environment(data, run),
        reason=Reason(_REASON_CODES[code], _optional_text(reason, "text") or ""),
        level=_optional_text(data, "level") or "test",
    )


def _counts(data: Mapping[str, Any], run: Run) -> Counts:
    seconds = data.get("seconds")
    if seconds is not None and not (type(seconds) in (int, float) and math.isfinite(seconds)):
        raise _MalformedError("seconds is not a number")
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


def _object(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise _MalformedError("the line is not JSON") from None
    if not isinstance(data, dict):
        raise _MalformedError("the line is not a JSON object")
    return data


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise _MalformedError(f"{key} is not a text")
    return value


def _optional_text(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise _MalformedError(f"{key} is not a text")
    return value


def _optional_count(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise _MalformedError(f"{key} is not a count")
    return value


def _mapping(data: Mapping[str, Any], key: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
    value = data.get(key, default)
    if not isinstance(value, dict):
        raise _MalformedError(f"{key} is not an object")
    return value


def _moment(data: Mapping[str, Any], key: str) -> str:
    value = _text(data, key)
    if not _INSTANT.match(value):
        raise _MalformedError(f"{key} is not a time like 2026-01-31T08:00:00Z")
    return value


def _environment(data: Mapping[str, Any], run: Run) -> str:
    name = _text(data, "environment")
    if name not in run.environments:
        raise _MalformedError("environment is not one of the run's")
    return name
