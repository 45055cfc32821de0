"""Writing what an importer read as a run record: whole or not at all, and once, whoever imports it how often."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from cs_matrix_pytest import __version__
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers.stated import UNKNOWN
from cs_matrix_pytest.outcomes.lines import attempt_line, counts_line, run_line, untested_line
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Counts, Line, Run, RunEnvironment, Untested
from cs_matrix_pytest.outcomes.record import publish, record_path

_AT_ONCE = 1000
"""Lines that are written together."""
_IN_MEMORY = 8 * 1024 * 1024
_WENT_WRONG = frozenset({AttemptOutcome.FAILED, AttemptOutcome.ERRORED, AttemptOutcome.BLOCKED})

_AS_LINES: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    Attempt: attempt_line,
    Untested: untested_line,
    Counts: counts_line,
}
_COUNTED_AS: Mapping[type, str] = {Untested: "untested", Counts: "counted"}


_encode = json.JSONEncoder(default=str).encode


class Unwritable(UserError):
    """The folder cannot take records."""


class NotASource(UserError):
    """The file is something else than what its importer reads."""


@dataclass
class ImportedRun:
    """One report of somebody else's, as a run.

    ``lines`` may be a generator that reads the source as it goes, however large that is; what it learns only then
    (``environments``, ``identity``, ``selection``, ``warnings``, ``complete``) it sets here before it ends. It raises UserError where
    nothing of the source can be used.

    ``identity`` is what makes the source itself (a digest of its bytes, a comment's address and text): equal for equal
    sources wherever they lie, without anything that depends on the machine or the moment. ``started`` is ISO 8601 UTC
    with a Z and no part of it. ``complete`` is False where the source is cut off: its record then has no end.
    ``found`` is True for a file that was found in a folder: that it may be no source (`NotASource`) is no mistake.
    """

    kind: str
    source: str
    started: str
    lines: Iterable[Line]
    identity: bytes = b""
    environments: dict[str, RunEnvironment] = field(default_factory=dict)
    lab: str = UNKNOWN
    selection: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    complete: bool = True
    found: bool = False


class Stored(NamedTuple):
    """What became of an imported run: its record, whether this call wrote it, how many lines it has of which outcome."""

    path: Path
    new: bool
    counts: Counter[str]


class Destination:
    """A folder of run records that imported runs are added to. Raises Unwritable where it cannot be one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = "it is a file" if folder.is_file() else error.strerror or error
            raise Unwritable(
                f"records cannot be written there: {what}",
                file=folder,
                hint="The last word of cs-matrix import KIND SRC… DEST is the folder that the records go to.",
            ) from None

    def add(self, run: ImportedRun) -> Stored | None:
        """Writes the run's record unless it is there already; None where it has no line that is worth one.

        Raises UserError where the source cannot be used, and Unwritable.

        The record's name follows from what was imported (kind, identity, lab and environments), so two writers of the
        same make the same file, and the second finds the first's.
        """
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(self.folder)) as body:
            try:
                counts = _write_lines(run, body)
                if not counts:
                    return None
                head = _head(run)
                path = record_path(self.folder, head.run)
                if path.exists():
                    return Stored(path, False, counts)
                body.seek(0)
                return Stored(path, self._publish(path, head, body), counts)
            except OSError as error:
                raise Unwritable(f"the record cannot be written: {error.strerror or error}", file=self.folder) from None

    def _publish(self, path: Path, head: Run, body: Any) -> bool:
        """True where this call gave the record its name, False where another writer just did."""
        draft = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            with draft.open("xb") as file:
                file.write(_as_bytes([_encode(run_line(head))]))
                shutil.copyfileobj(body, file, 1024 * 1024)
            return publish(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def _write_lines(run: ImportedRun, body: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    waiting: list[str] = []
    for line in run.lines:
        waiting.append(_encode(_AS_LINES[type(line)](line)))
        if len(waiting) == _AT_ONCE:
            body.write(_as_bytes(waiting))
            waiting.clear()
        counts[line.outcome.value if isinstance(line, Attempt) else _COUNTED_AS[type(line)]] += 1
    body.write(_as_bytes(waiting))
    if counts and run.complete:
        went_wrong = any(counts[outcome.value] for outcome in _WENT_WRONG)
        end = {"kind": "end", "finished": run.started, "exit": int(went_wrong)}
        body.write(_as_bytes([_encode(end)]))
    return counts


def _head(run: ImportedRun) -> Run:
    head = Run(
        run=run.kind,
        started=run.started,
        lab=run.lab,
        environments=run.environments,
        tools={"cs-matrix-pytest": __version__},
        selection={"imported": run.kind, "source": Path(run.source).name, **run.selection},
    )
    line = run_line(head)
    facts = json.dumps([run.kind, line["lab"], line["environments"]], default=str, sort_keys=True)
    digest = hashlib.sha256(facts.encode("ascii") + run.identity).hexdigest()
    return replace(head, run=f"{run.kind}-{digest[:16]}")


def _as_bytes(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("ascii")
