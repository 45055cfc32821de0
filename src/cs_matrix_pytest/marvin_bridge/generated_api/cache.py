"""Generated packages in the user's cache: one folder per content, and for each tree a note of which is its.

A package's folder is named by a digest of the commands and of the generator, and is moved into place whole: it is either
right or not there. Of two runs that make the same one at once each makes its own, and one of them is kept. A tree's note
holds a digest of names, sizes and times of its Java sources, so that nothing is read where nothing was changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.marvin_bridge.user_cache import cache_folder

from .discovery import Api
from .generator import CLIENT, PACKAGE, generate

_UNUSED = 30 * 86400
"""Seconds after which a package that no run has used is removed."""
_PARTIAL = "making-"


def rules() -> bytes:
    """A digest of this package's own code, which decides what is generated from one and the same tree."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()


def known(tree: Path, stamp: str) -> Path | None:
    """The package that was made for this state of the tree, if it still is there."""
    try:
        noted = json.loads(_note(tree).read_text(encoding="utf-8"))
        package = _packages() / str(noted["package"]) / PACKAGE
        if noted["stamp"] != stamp or not (package / CLIENT).is_file():
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with suppress(OSError):
        os.utime(package.parent)
    return package


def remember(tree: Path, stamp: str, package: Path) -> None:
    """Note which package this state of the tree has."""
    note = _note(tree)
    content = json.dumps({"tree": str(tree), "stamp": stamp, "package": package.parent.name})
    with _writing(note):
        note.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=note.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content)
        Path(temporary).replace(note)


def made(generator: Path, apis: list[Api]) -> Path:
    """The package for these commands, from the cache or generated into it. Raises `UserError`."""
    digest = hashlib.sha256(rules())
    digest.update(generator.read_bytes())
    digest.update(json.dumps(sorted(apis, key=lambda api: str(api.get("name"))), sort_keys=True).encode())
    final = _packages() / digest.hexdigest()[:32]
    package = final / PACKAGE
    if (package / CLIENT).is_file():
        with suppress(OSError):
            os.utime(final)
        return package
    with _writing(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        _tidy(final.parent)
        partial = Path(tempfile.mkdtemp(dir=final.parent, prefix=_PARTIAL))
    try:
        generate(generator, apis, partial, final)
        with suppress(OSError):  # another run was first: its package is the same
            partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if not (package / CLIENT).is_file():
        raise UserError("the generated API cannot be put into the cache", file=final, hint=_HINT)
    return package


_HINT = (
    "The cache is below $XDG_CACHE_HOME, else ~/.cache: make it writable, or set XDG_CACHE_HOME to a folder that is."
)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"the cache cannot be written: {error.strerror}", file=path, hint=_HINT) from None


def _tidy(packages: Path) -> None:
    """Remove what no run has used for long, and what runs that were killed have left."""
    for folder in packages.iterdir():
        with suppress(OSError):
            age = time.time() - folder.stat().st_mtime
            if age > (86400 if folder.name.startswith(_PARTIAL) else _UNUSED):
                shutil.rmtree(folder)


def _packages() -> Path:
    return cache_folder() / "marvin-api"


def _note(tree: Path) -> Path:
    return cache_folder() / "marvin-trees" / f"{hashlib.sha256(os.fsencode(tree)).hexdigest()[:32]}.json"
