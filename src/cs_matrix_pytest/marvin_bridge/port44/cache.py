"""The ported package as compiled code, kept in the user's cache so that it is ported once.

One file holds the whole package: its name is a digest of everything that the code depends on, so a file is either right or
not there. It is written whole or not at all; one that cannot be written or read only costs the time to port again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from cs_matrix_pytest.marvin_bridge.user_cache import cache_folder

from .patches import PATCHES
from .rules import RULES
from .translate import compiled, translated


class Source(NamedTuple):
    """A module's file, as bytes."""

    file: str
    content: bytes


def ported_package(package: Path) -> dict[str, CodeType]:
    """Module name (``marvin.integration.lib.base``) → code, for all modules below ``package``.

    Raises `UserError` where a source is not that of 4.4.0.
    """
    sources = _sources(package)
    path = cache_folder() / f"marvin-4.4.0-{_digest(sources)}.bin"
    codes = _read(path)
    if codes is None:
        codes = _ported(sources)
        _write(path, codes)
    return codes


def _sources(package: Path) -> dict[str, Source]:
    sources = {}
    root = str(package)
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        parts = ["marvin", *Path(folder).relative_to(package).parts]
        for file in sorted(files):
            if not file.endswith(".py"):
                continue
            name = ".".join(parts if file == "__init__.py" else [*parts, file[:-3]])
            path = f"{folder}{os.sep}{file}"
            with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - 460 files on every start: Path costs twice
                sources[name] = Source(path, stream.readall())
    return sources


def _digest(sources: dict[str, Source]) -> str:
    digest = hashlib.sha256(importlib.util.MAGIC_NUMBER)
    digest.update(repr((RULES, PATCHES)).encode())
    for source in sources.values():
        digest.update(b"%d %s " % (len(source.content), os.fsencode(source.file)))
        digest.update(source.content)
    return digest.hexdigest()[:32]


def _ported(sources: dict[str, Source]) -> dict[str, CodeType]:
    siblings: dict[str, set[str]] = {}
    for name in sources:
        parent, _, last = name.rpartition(".")
        siblings.setdefault(parent, set()).add(last)
    codes = {}
    for name, source in sources.items():
        package = name if source.file.endswith("__init__.py") else name.rpartition(".")[0]
        text = source.content.decode("utf-8", errors="replace").replace("\r\n", "\n")
        text = translated(name.partition(".")[2], text, siblings.get(package, ()), source.file)
        codes[name] = compiled(text, source.file)
    return codes


def _read(path: Path) -> dict[str, CodeType] | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    checksum, payload = content[:32], content[32:]
    if hashlib.sha256(payload).digest() != checksum:  # marshal may crash on what it did not write
        return None
    codes: dict[str, CodeType] = marshal.loads(payload)
    return codes


def _write(path: Path, codes: dict[str, CodeType]) -> None:
    payload = marshal.dumps(codes)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(hashlib.sha256(payload).digest() + payload)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
