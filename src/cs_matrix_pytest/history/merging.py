"""Merging: the union of run records. Files are only ever added, so any number may merge into one place at once."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history import lines
from cs_matrix_pytest.history.collection import Collection, Copy, File, files_of, find, opened, settled
from cs_matrix_pytest.history.stores import Store, Vanished, drafted, store_of

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")
"""A run id that a file can be called after."""


@dataclass(frozen=True)
class Merged:
    """How many runs were added, how many were there already, and which files were left out and why."""

    added: int
    present: int
    left_out: tuple[UserError, ...]


def merge(sources: Sequence[str], destination: str) -> Merged:
    """Adds the runs of ``sources`` (folders, object-store prefixes, files) to ``destination``, which is made if need be.

    Idempotent, and in any order. Of two copies of a run the fuller one counts, as `record.merge` has it: the copy that
    is there stays where the new one is less, and beside it where the new one is more. A file that cannot be read is
    left out. Raises UserError for a source that does not exist and a destination that cannot be written.
    """
    store = store_of(destination, create=True)
    find(sources)
    return settled(lambda: _merge(sources, store))


def compacted_name(copies: Sequence[Copy]) -> str:
    """What a compacted file with these runs is called: equal for equal content."""
    content = "\n".join(sorted(f"{copy.run} {copy.digest}" for copy in copies))
    return f"runs-{hashlib.sha256(content.encode('ascii')).hexdigest()[:16]}.parquet"


def _merge(sources: Sequence[str], store: Store) -> Merged:
    there = files_of(store)
    labels = {file.label for file in there}
    new = [file for file in find(sources) if file.label not in labels]
    with opened([*there, *new], strict=False) as collection:
        offered = {copy.run for copy in collection.copies if copy.file in set(new)}
        held = {(copy.run, copy.digest) for copy in collection.copies if copy.file.label in labels}
        wanted = [
            copy for run, copy in collection.kept.items() if run in offered and (copy.run, copy.digest) not in held
        ]
        for copy in wanted:
            if not copy.file.compacted:
                _add(store, _name(copy, store), copy, collection.raw(copy))
        for file in dict.fromkeys(copy.file for copy in wanted if copy.file.compacted):
            _add_compacted(store, file, collection)
        return Merged(len(wanted), len(offered) - len(wanted), tuple(collection.left_out))


def _name(copy: Copy, store: Store) -> str:
    run = lines.unescaped(copy.run)
    if store.exclusive and _PLAIN.fullmatch(run):
        return f"run-{run}.jsonl"
    return _own_name(copy)


def _own_name(copy: Copy) -> str:
    run = lines.unescaped(copy.run)
    plain = run if _PLAIN.fullmatch(run) else hashlib.sha256(copy.run.encode("ascii")).hexdigest()[:16]
    return f"run-{plain}-{copy.digest[:12]}.jsonl"


def _add(store: Store, name: str, copy: Copy, raw: bytes) -> None:
    # Where the name is taken by another copy of the run, this one lies beside it: only readers decide between them.
    for free in (name, _own_name(copy)):
        with drafted(store) as draft:
            draft.write_bytes(raw)
            if store.add(free, draft) or _holds(store, free, copy.digest):
                return


def _holds(store: Store, name: str, digest: str) -> bool:
    try:
        return lines.digest(store.read(name)) == digest
    except Vanished:
        return False


def _add_compacted(store: Store, file: File, collection: Collection) -> None:
    name = compacted_name([copy for copy in collection.copies if copy.file == file])
    with drafted(store) as draft:
        shutil.copyfile(collection.local(file), draft)
        store.add(name, draft)
