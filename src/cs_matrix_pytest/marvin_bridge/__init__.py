"""The bridge to Marvin, CloudStack's own test library, in any of its forms; Marvin itself is never changed on disk.

`locate` finds a Marvin, `generated_api` makes what a source tree's lacks, `finder` makes it importable (4.4.0 through
`port44`), `nose_shim` stands in for nose, `connect` gives one face to both Marvins, `trace` records what Marvin did.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .locate import Marvin


def activate(source: Path | None = None) -> Marvin:
    """Find Marvin (of the CloudStack tree ``source`` if given) and let ``marvin`` and ``nose`` be imported.

    Nothing of either is imported yet. Raises `UserError` where there is no Marvin that can be used.
    """
    from .finder import install_finder
    from .generated_api import completed
    from .locate import locate
    from .nose_shim import install_shim

    marvin = completed(locate(source), say=print_progress)
    install_finder(marvin)
    install_shim()
    return marvin


def print_progress(line: str) -> None:
    """Tell a waiting user what is going on: on stderr, so that it is no part of any output."""
    print(f"cs-matrix: {line}", file=sys.stderr, flush=True)


def deactivate() -> None:
    """Undo `activate`: imports find what they found before; modules that came through the bridge are forgotten."""
    from .finder import uninstall
    from .nose_shim import uninstall_shim

    uninstall()
    uninstall_shim()
