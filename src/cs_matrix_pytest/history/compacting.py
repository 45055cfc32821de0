"""Compacting: many run records become one Parquet file that gives the same answers, and their lines back to the byte.

Killed at any point, and with others reading, merging and compacting at the same time, no run is lost and none counts
twice: a file is removed only after all that was read of it lies in the new one, and readers count a run once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history import lines, parquet
from cs_matrix_pytest.history.collection import Collection, Copy, files_of, opened, settled
from cs_matrix_pytest.history.merging import compacted_name
from cs_matrix_pytest.history.stores import Store, Vanished, drafted, store_of
from cs_matrix_pytest.outcomes.record import instant

SILENT = timedelta(days=7)
"""A run without an end line may be going on; one that recorded nothing for so long was killed."""


@dataclass(frozen=True)
class Compacted:
    """How many runs the Parquet file ``name`` holds, which files went into it, and which could not be read.

    ``name`` is None where there was nothing to do; ``going_on`` counts the runs that may be going on, left as they are.
    """

    name: str | None
    runs: int
    removed: tuple[str, ...]
    going_on: int
    left_out: tuple[UserError, ...]


def compact(place: str, *, now: datetime | None = None) -> Compacted:
    """Compacts a folder or an object-store prefix. Raises UserError; needs DuckDB."""
    store = store_of(place)
    silent_since = instant((now or datetime.now(timezone.utc)) - SILENT)
    return settled(lambda: _compact(store, silent_since))


def _compact(store: Store, silent_since: str) -> Compacted:
    store.tidy()
    with opened(files_of(store), strict=False) as collection:
        single = [copy for copy in collection.copies if not copy.file.compacted]
        over = [copy for copy in single if _over(collection, copy, silent_since)]
        stored = list(collection.fullest([copy for copy in collection.copies if copy.file.compacted] + over).values())
        name = compacted_name(stored)
        read = dict.fromkeys(copy.file for copy in collection.copies if copy.file.compacted or copy in over)
        replaced = [file for file in read if file.name != name]
        result = Compacted(
            name=name if replaced else None,
            runs=len(stored),
            removed=tuple(file.name for file in replaced),
            going_on=len(single) - len(over),
            left_out=tuple(collection.left_out),
        )
        if not replaced:
            return result
        with drafted(store) as draft:
            parquet.write(collection.database, f"SELECT * FROM {collection.source(stored)}", draft)
            _prove(collection, draft, stored)
            store.add(name, draft)
        changed = {copy.file for copy in over if not _unchanged(store, copy)}
        for file in replaced:
            if file not in changed:
                store.remove(file.name)
        return result


def _over(collection: Collection, copy: Copy, silent_since: str) -> bool:
    """Whether the run has ended, or was killed long ago."""
    return lines.ended(collection.raw(copy), copy.file.path) or (
        max(row.started or "" for row in collection.rows(copy)) < silent_since
    )


def _prove(collection: Collection, draft: Path, stored: Sequence[Copy]) -> None:
    """That the new file can be read and has every run, before anything is removed."""
    written = parquet.headers(collection.database, parquet.source([draft]))
    if sorted((run, digest) for run, digest, _ in written) != sorted((copy.run, copy.digest) for copy in stored):
        raise UserError("the history was not written as it should be", file=draft, hint="Nothing was removed.")


def _unchanged(store: Store, copy: Copy) -> bool:
    try:
        return lines.digest(store.read(copy.file.name)) == copy.digest
    except Vanished:
        return True
