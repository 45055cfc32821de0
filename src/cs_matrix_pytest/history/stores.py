"""Where run records live: a folder, or a prefix of an object store. Files are added and removed, never changed."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.record import publish

RECORDS = "run-*.jsonl"
COMPACTED = "runs-*.parquet"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRAFT = ".draft-"
_DRAFT_IS_STALE = 24 * 3600
"""Seconds after which a draft is taken for one that a killed process left."""
_LISTINGS = 100


class Vanished(Exception):
    """A file that was listed is gone: it was compacted meanwhile. Listing again finds its runs elsewhere."""


class Store(Protocol):
    """Files by name, in one place."""

    def names(self) -> frozenset[str]:
        """The names of all run records and compacted files. Raises UserError where the place cannot be listed."""

    def read(self, name: str) -> bytes:
        """Raises Vanished, or UserError where it cannot be read."""

    def fetch(self, name: str, folder: Path) -> Path:
        """A local file with this content: itself, or a copy in ``folder``. Raises as `read`."""

    exclusive: bool
    """Whether `add` can tell that somebody else took the name first; else a name must stand for its content."""

    def add(self, name: str, draft: Path) -> bool:
        """Moves a draft there, at once or not at all; False where the name is taken. Raises UserError."""

    def remove(self, name: str) -> None:
        """Removes a file; one that is gone already is no error. Raises UserError."""

    drafts: Path | None
    """The folder that drafts must be in for `add` to move them; None: any."""

    def tidy(self) -> None:
        """Removes what killed processes left."""

    def label(self, name: str) -> str:
        """The file as messages name it."""


def is_url(place: str) -> bool:
    """Whether a place is an object-store prefix rather than a folder."""
    return bool(_URL.match(place)) and not place.startswith("file://")


def store_of(place: str, *, create: bool = False) -> Store:
    """The store at a folder or URL. Raises UserError: no such folder, or fsspec (or what it needs) is missing."""
    if is_url(place):
        return Prefix(place)
    folder = Path(place.removeprefix("file://"))
    if create:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"this folder cannot be made: {error.strerror or error}", file=folder) from None
    elif not folder.is_dir():
        raise UserError("there is no such folder", file=folder)
    return Folder(folder)


class Folder:
    """A folder of the file system."""

    exclusive = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drafts: Path | None = folder

    def names(self) -> frozenset[str]:
        # A compaction that runs meanwhile adds a file and removes others; one pass over the folder may see neither.
        before = self._names()
        for _ in range(_LISTINGS):
            after = self._names()
            if after == before:
                break
            before = after
        return before

    def read(self, name: str) -> bytes:
        with _readable(self.folder / name) as path:
            return path.read_bytes()

    def fetch(self, name: str, folder: Path) -> Path:  # noqa: ARG002
        path = self.folder / name
        if not path.exists():
            raise Vanished(name)
        return path

    def add(self, name: str, draft: Path) -> bool:
        path = self.folder / name
        try:
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            added = publish(draft, path)
            self._sync()
        except OSError as error:
            raise UserError(f"the file cannot be written: {error.strerror or error}", file=path) from None
        return added

    def remove(self, name: str) -> None:
        path = self.folder / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"the file cannot be removed: {error.strerror or error}", file=path) from None

    def tidy(self) -> None:
        for path in self.folder.glob(f"{_DRAFT}*"):
            try:
                if time.time() - path.stat().st_mtime > _DRAFT_IS_STALE:
                    path.unlink()
            except OSError:
                continue

    def label(self, name: str) -> str:
        return str(self.folder / name)

    def _names(self) -> frozenset[str]:
        try:
            return frozenset(path.name for path in self.folder.iterdir() if _counts(path.name))
        except OSError as error:
            raise UserError(f"the folder cannot be read: {error.strerror or error}", file=self.folder) from None

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Prefix:
    """A prefix of an object store, by fsspec: ``s3://bucket/records``."""

    exclusive = False

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.drafts: Path | None = None
        try:
            import fsspec
        except ModuleNotFoundError:
            raise UserError(
                "reading an object store needs fsspec", file=url, hint="pip install 'cs-matrix-pytest[history]'"
            ) from None
        try:
            # Without a cache of listings: others write there too.
            self._files, self._path = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise UserError(f"this object store cannot be used: {error}", file=url) from None

    def names(self) -> frozenset[str]:
        with self._talking(self.url):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._path, detail=False)
            except FileNotFoundError:
                return frozenset()
        return frozenset(filter(_counts, (path.rstrip("/").rpartition("/")[2] for path in found)))

    def read(self, name: str) -> bytes:
        with self._talking(self.label(name)):
            try:
                return bytes(self._files.cat_file(f"{self._path}/{name}"))
            except FileNotFoundError:
                raise Vanished(name) from None

    def fetch(self, name: str, folder: Path) -> Path:
        path = folder / f"{secrets.token_hex(4)}-{name}"
        with self._talking(self.label(name)):
            try:
                self._files.get_file(f"{self._path}/{name}", str(path))
            except FileNotFoundError:
                raise Vanished(name) from None
        return path

    def add(self, name: str, draft: Path) -> bool:
        with self._talking(self.label(name)):
            self._files.makedirs(self._path, exist_ok=True)
            # An object appears whole. Who writes the same name writes the same content.
            self._files.put_file(str(draft), f"{self._path}/{name}")
        draft.unlink()
        return True

    def remove(self, name: str) -> None:
        with self._talking(self.label(name)):
            try:
                self._files.rm_file(f"{self._path}/{name}")
            except FileNotFoundError:
                return

    def tidy(self) -> None:
        """Nothing: an object appears whole or not at all."""

    def label(self, name: str) -> str:
        return f"{self.url}/{name}"

    @contextmanager
    def _talking(self, url: str) -> Iterator[None]:
        try:
            yield
        except (UserError, Vanished):
            raise
        except Exception as error:
            # Each store has exceptions of its own; that one failed is all they have in common.
            what = str(error).strip() or type(error).__name__
            raise UserError(f"the object store refuses: {what}", file=url) from None


@contextmanager
def drafted(store: Store) -> Iterator[Path]:
    """The path of a file to write and then `Store.add`; nobody reads it, and it is gone afterwards. Raises UserError."""
    with tempfile.TemporaryDirectory(prefix="cs-matrix-") as scratch:
        draft = (store.drafts or Path(scratch)) / f"{_DRAFT}{os.getpid()}-{secrets.token_hex(8)}"
        try:
            yield draft
        except OSError as error:
            raise UserError(f"the file cannot be written: {error.strerror or error}", file=draft) from None
        finally:
            draft.unlink(missing_ok=True)


def _counts(name: str) -> bool:
    return fnmatchcase(name, RECORDS) or fnmatchcase(name, COMPACTED)


@contextmanager
def _readable(path: Path) -> Iterator[Path]:
    try:
        yield path
    except FileNotFoundError:
        raise Vanished(path.name) from None
    except OSError as error:
        raise UserError(f"the run record cannot be read: {error.strerror or error}", file=path) from None
