"""The files of an archive of Marvin results, a zip or a folder: read in place, never unpacked, within bounds."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers.destination import NotASource
from cs_matrix_pytest.outcomes.record import instant

_MOST_BYTES = 2 * 1024**3
"""Bytes that are read of one archive, unpacked: far more than the logs of the longest run."""
_LARGEST_DIRECTORY = 8 * 1024**2
"""Bytes of a zip's table of contents, which is held in memory whole."""

_UNREADABLE = (OSError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError)
"""What reading a member raises: damaged, encrypted, cut off."""


@dataclass(frozen=True)
class Member:
    """A file of an archive: where it stands in it, when it was written (a record's time), and how to open it."""

    path: PurePosixPath
    written: str
    open: Callable[[], BinaryIO]


class Archive:
    """A zip or a folder of results. Raises UserError where it is neither or cannot be read.

    Links in a folder are passed over, so nothing outside of it is read; names in a zip are only looked at.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._left = _MOST_BYTES
        self._stack = ExitStack()
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            return
        try:
            with path.open("rb") as stream:
                _check_directory(stream, path)
            self._zip = self._stack.enter_context(zipfile.ZipFile(path))
        except _UNREADABLE as error:
            if isinstance(error, OSError) and error.strerror:
                raise UserError(f"cannot be read: {error.strerror}", file=path) from None
            raise NotASource("this is no zip file, or it is cut off", file=path) from None

    def close(self) -> None:
        """Closes the zip."""
        self._stack.close()

    def members(self) -> Iterator[Member]:
        """Its files, in the order of their names."""
        if self._zip is None:
            yield from self._of_folder()
            return
        for info in sorted(self._zip.infolist(), key=lambda each: each.filename):
            if not info.is_dir():
                yield Member(PurePosixPath(info.filename.replace("\\", "/")), _written(info), partial(self._open, info))

    def _of_folder(self) -> Iterator[Member]:
        for file in sorted(self.path.rglob("*")):
            if not file.is_symlink() and file.is_file():
                when = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
                path = PurePosixPath(file.relative_to(self.path).as_posix())
                yield Member(path, instant(when), partial(self._open_file, file))

    def _open(self, info: zipfile.ZipInfo) -> BinaryIO:
        assert self._zip is not None
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise OSError(0, "its compression is not one of zip's usual two")
        try:
            return self._bounded(self._zip.open(info))
        except _UNREADABLE as error:
            raise OSError(0, f"damaged: {error}") from None

    def _open_file(self, file: Path) -> BinaryIO:
        return self._bounded(file.open("rb"))

    def _bounded(self, stream: object) -> BinaryIO:
        # It has what readers here use of a stream: read and close.
        return cast(BinaryIO, _Bounded(cast(BinaryIO, stream), self))

    @property
    def exhausted(self) -> bool:
        """Whether it had more bytes than an archive may have."""
        return self._left < 0

    def take(self, size: int) -> None:
        """Counts bytes read. Raises UserError beyond what an archive may have."""
        self._left -= size
        if self._left < 0:
            raise UserError(
                f"it unpacks to more than {_MOST_BYTES >> 30} GiB of results: this is no archive of a test run",
                file=self.path,
            )


class _Bounded:
    """A stream whose bytes count for its archive, and whose damage is an OSError."""

    def __init__(self, stream: BinaryIO, archive: Archive) -> None:
        self._stream = stream
        self._archive = archive

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except _UNREADABLE as error:
            raise OSError(0, f"damaged: {error}") from None
        self._archive.take(len(data))
        return data

    def close(self) -> None:
        self._stream.close()


def _written(info: zipfile.ZipInfo) -> str:
    try:
        return instant(datetime(*info.date_time, tzinfo=timezone.utc))
    except ValueError:
        return instant(datetime(1980, 1, 1, tzinfo=timezone.utc))


def _check_directory(stream: BinaryIO, path: Path) -> None:
    """Refuses a table of contents that would fill the memory (APPNOTE.TXT 4.3.14 to 4.3.16)."""
    size = stream.seek(0, 2)
    tail_size = min(size, 22 + 0xFFFF + 20 + 56)
    stream.seek(size - tail_size)
    tail = stream.read(tail_size)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise zipfile.BadZipFile
    (directory,) = struct.unpack_from("<L", tail, end + 12)
    large = tail.rfind(b"PK\x06\x06", 0, end)
    if large >= 0 and len(tail) >= large + 48:
        directory = max(directory if directory != 0xFFFFFFFF else 0, *struct.unpack_from("<Q", tail, large + 40))
    if directory != 0xFFFFFFFF and directory > _LARGEST_DIRECTORY:
        raise UserError("its table of contents is too large for an archive of a test run", file=path)
