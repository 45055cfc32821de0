"""Where the project keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache folder of this project; it need not be there. ``XDG_CACHE_HOME`` moves it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    folder = Path(base) if os.path.isabs(base) else Path.home() / ".cache"  # noqa: PTH117
    return folder / "cs-matrix-pytest"
