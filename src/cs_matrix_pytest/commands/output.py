"""Where a command's report goes: standard output, or the file of ``--output``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--output``."""
    parser.add_argument("--output", type=Path, metavar="F", help="write there instead of to standard output")


def write(content: bytes, output: Path | None) -> None:
    """Writes a whole report. Raises UserError where the file cannot be written."""
    if output is not None:
        from cs_matrix_pytest.reports import write_atomically

        write_atomically(output, content)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)


def drawn(render: Callable[[int, bool, str], str], output: Path | None) -> bytes:
    """What ``render(width, color, encoding)`` gives for the terminal, or for the file, that it is to be written to."""
    to_screen = output is None and sys.stdout.isatty()
    encoding = "utf-8" if output else sys.stdout.encoding or "utf-8"
    text = render(shutil.get_terminal_size().columns, to_screen and "NO_COLOR" not in os.environ, encoding)
    return text.encode(encoding)
