"""The run records of several places as one collection: each run once, whatever files it is in."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history import lines, parquet
from cs_matrix_pytest.history.stores import Folder, Store, Vanished, is_url, store_of
from cs_matrix_pytest.outcomes.lines import parse_record, read_run
from cs_matrix_pytest.outcomes.model import RecordedRun
from cs_matrix_pytest.outcomes.record import merge

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_Answer = TypeVar("_Answer")
_TRIES = 20


@dataclass(frozen=True)
class File:
    """A run record or a compacted file."""

    store: Store = field(compare=False)
    name: str
    label: str

    @property
    def compacted(self) -> bool:
        """Whether it holds many records, in Parquet."""
        return self.name.endswith(".parquet")

    @property
    def path(self) -> Path:
        """What messages call it. A URL stays as it is, which as a real path it would not."""
        return cast(Path, self.label)


@dataclass(frozen=True)
class Copy:
    """One copy of a run: its id (escaped), the SHA-256 of its lines, and the file that it is in.

    ``size`` is how many bytes of a file of its own were read: a run that is going on grows.
    """

    run: str
    digest: str
    file: File
    size: int | None = None


def files_of(store: Store) -> list[File]:
    """All files of a store, by name."""
    return [File(store, name, store.label(name)) for name in sorted(store.names())]


def find(places: Iterable[str]) -> list[File]:
    """The files of folders, object-store prefixes, and files by name. Raises UserError for one that does not exist."""
    found: list[File] = []
    for place in places:
        path = Path(place)
        if is_url(place):
            if place.endswith((".jsonl", ".parquet")):
                prefix, _, name = place.rpartition("/")
                store = store_of(prefix)
                found.append(File(store, name, store.label(name)))
            else:
                found += files_of(store_of(place))
        elif path.is_dir():
            found += files_of(Folder(path))
        elif path.exists():
            found.append(File(Folder(path.parent), path.name, place))
        else:
            raise UserError("the run record cannot be read: No such file or directory", file=place)
    return found


def settled(ask: Callable[[], _Answer]) -> _Answer:
    """The answer of ``ask``, which lists files and reads them: again where others compacted them in between."""
    for _ in range(_TRIES):
        try:
            return ask()
        except Vanished:
            continue
    raise UserError("the run records change faster than they can be read", hint="Try again when nobody compacts them.")


def read_records(places: Sequence[str]) -> tuple[RecordedRun, ...]:
    """All runs in these places, as `record.read_records`; compacted ones need DuckDB. Raises UserError."""
    return settled(lambda: read_files(find(places)))


def read_files(files: Sequence[File]) -> tuple[RecordedRun, ...]:
    """All runs in these files, each once. Raises UserError, and Vanished."""
    if not any(file.compacted for file in files):
        return merge(parse_record(file.store.read(file.name), file.path) for file in files)
    with opened(files) as collection:
        return merge(collection.records())


class Collection:
    """Files, opened. ``kept`` has of each run (by its escaped id) the fullest copy, as `record.merge` has it.

    ``copies`` are all there are; ``left_out`` says which files could not be read and why.
    """

    def __init__(self, files: Iterable[File], scratch: Path, stack: ExitStack, *, strict: bool) -> None:
        self._scratch = scratch
        self._stack = stack
        self._database: DuckDBPyConnection | None = None
        self._local: dict[File, Path] = {}
        self.left_out: list[UserError] = []
        self.copies: list[Copy] = []
        for file in files:
            try:
                self.copies += self._compacted(file) if file.compacted else [self._single(file)]
            except Vanished:
                raise
            except UserError as error:
                if strict:
                    raise
                self.left_out.append(error)
        self.kept: Mapping[str, Copy] = self.fullest(self.copies)

    @property
    def database(self) -> DuckDBPyConnection:
        """The database, made when first asked for. Raises UserError where DuckDB is not installed."""
        if self._database is None:
            self._database = self._stack.enter_context(parquet.connection())
        return self._database

    @property
    def scratch(self) -> Path:
        """A folder for what is needed only now."""
        return self._scratch

    def local(self, file: File) -> Path:
        """Where a compacted file can be read."""
        return self._local[file]

    def raw(self, copy: Copy) -> bytes:
        """The lines of a copy, to the byte. Raises Vanished."""
        return self._raw([copy])[copy]

    def records(self) -> tuple[RecordedRun, ...]:
        """The runs that are kept; messages name the files that they were in before they were compacted."""
        return tuple(parse_record(raw, path) for _, raw, path in self._each(self.kept.values()))

    def source(self, kept: Iterable[Copy] | None = None) -> str:
        """A table expression with the rows (`lines.COLUMNS`) of copies; default: those that are kept."""
        copies = set(self.kept.values() if kept is None else kept)
        files = list(self._local.values())
        single = [copy for copy in copies if not copy.file.compacted]
        if single or not files:
            # Not a table: DuckDB sorts one scan of files in little memory, and a union of two in much.
            files.append(self._scratch / "gathered.parquet")
            parquet.gather(self.database, (row for copy in single for row in self.rows(copy)), files[-1])
        unwanted = [
            (str(self._local[copy.file]), copy.run)
            for copy in self.copies
            if copy.file.compacted and copy not in copies
        ]
        if not unwanted:
            return parquet.source(files)
        self.database.execute(
            "CREATE OR REPLACE TEMP TABLE unwanted AS SELECT unnest($1) AS filename, unnest($2) AS run",
            [[file for file, _ in unwanted], [run for _, run in unwanted]],
        )
        named = parquet.source(files, "filename = true")
        return f"(SELECT * EXCLUDE (filename) FROM {named} ANTI JOIN unwanted USING (filename, run))"

    def fullest(self, copies: Iterable[Copy]) -> dict[str, Copy]:
        """Of each run among ``copies`` the fullest, as `record.merge` has it."""
        by_run: dict[str, dict[str, Copy]] = defaultdict(dict)
        # Of equal copies the one that is compacted already.
        for copy in sorted(copies, key=lambda copy: (not copy.file.compacted, copy.file.label)):
            by_run[copy.run].setdefault(copy.digest, copy)
        kept = {run: next(iter(same.values())) for run, same in by_run.items()}
        rivals = {run: tuple(same.values()) for run, same in by_run.items() if len(same) > 1}
        raws = self._raw(copy for some in rivals.values() for copy in some)
        for run, some in rivals.items():
            # Read under one name, for where a copy lies makes it no fuller.
            read = [(parse_record(raws[copy], Path("run")), copy) for copy in some]
            (fullest,) = merge(record for record, _ in read)
            kept[run] = next(copy for record, copy in read if record is fullest)
        return dict(sorted(kept.items()))

    def was_in(self, copy: Copy, rows: Iterable[lines.Row]) -> Path:
        """The file that a copy was in before it was compacted, for messages; ``rows`` are some of its rows."""
        (name,) = (row.file for row in rows if row.kind == "run")
        return cast(Path, copy.file.label.removesuffix(copy.file.name) + lines.unescaped(name or ""))

    def rows(self, copy: Copy) -> Iterator[lines.Row]:
        """The rows of a copy that is a file of its own."""
        yield from lines.rows(self._read(copy), copy.file.path, copy.file.name)

    def _single(self, file: File) -> Copy:
        raw = file.store.read(file.name)
        return Copy(lines.escaped(read_run(raw.partition(b"\n")[0], file.path).run), lines.digest(raw), file, len(raw))

    def _compacted(self, file: File) -> Iterator[Copy]:
        there = file.store.fetch(file.name, self._scratch)
        # A plain name: DuckDB takes brackets and stars in a path for a pattern.
        local = self._scratch / f"{len(self._local)}.parquet"
        local.symlink_to(there.resolve())
        try:
            parquet.check(self.database, local, file.label)
        except parquet.Broken:
            if local.exists():
                raise
            raise Vanished(file.name) from None
        self._local[file] = local
        for run, digest, _ in parquet.headers(self.database, parquet.source([local])):
            yield Copy(run, digest, file)

    def _raw(self, copies: Iterable[Copy]) -> dict[Copy, bytes]:
        return {copy: raw for copy, raw, _ in self._each(copies)}

    def _each(self, copies: Iterable[Copy]) -> Iterator[tuple[Copy, bytes, Path]]:
        in_file: dict[File, list[Copy]] = defaultdict(list)
        for copy in copies:
            if copy.file.compacted:
                in_file[copy.file].append(copy)
            else:
                yield copy, self._read(copy), copy.file.path
        for file, some in in_file.items():
            by_run = {copy.run: copy for copy in some}
            for run, rows in parquet.records(self.database, parquet.source([self._local[file]]), list(by_run)):
                yield by_run[run], lines.record_bytes(rows), self.was_in(by_run[run], rows)

    def _read(self, copy: Copy) -> bytes:
        raw = copy.file.store.read(copy.file.name)[: copy.size]
        if lines.digest(raw) != copy.digest:
            raise Vanished(copy.file.name)
        return raw


@contextmanager
def opened(files: Iterable[File], *, strict: bool = True) -> Iterator[Collection]:
    """Opens files. ``strict`` raises UserError for one that cannot be read; else it is left out. Raises Vanished."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cs-matrix-")))
        collection = None
        try:
            collection = Collection(files, scratch, stack, strict=strict)
            yield collection
        except Exception as error:
            of_files = isinstance(error, parquet.Unwritable) or type(error).__module__.endswith("duckdb")
            if of_files and _gone(scratch):
                raise Vanished(str(error)) from None
            raise


def _gone(scratch: Path) -> bool:
    return any(link.is_symlink() and not link.exists() for link in scratch.iterdir())
