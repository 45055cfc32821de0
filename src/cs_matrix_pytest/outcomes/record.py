"""The run record: JSON Lines, appended as attempts finish, readable after `kill -9` at any point, merged by union."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.lines import attempt_line, counts_line, parse_record, run_line, untested_line
from cs_matrix_pytest.outcomes.model import Attempt, Counts, RecordedRun, Run, Untested


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


def publish(draft: Path, path: Path) -> bool:
    """Give a finished file its name; False, and the draft is gone, where the name is taken. Raises OSError."""
    try:
        # A link, unlike a rename, never replaces a file.
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:
        # File systems without hard links (some network and FUSE mounts).
        if path.exists():
            return False
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return True


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
        if not publish(draft, path):
            self.close()
            raise UserError("there is a record of this run already", file=path)

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

    As `lines.parse_record`; raises UserError also where the file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"the run record cannot be read: {error.strerror or error}", file=path) from None
    return parse_record(raw, path)


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
