"""Tables for terminals and pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

_PIPE_WIDTH = 240
"""A pipe has no width to fit; this one keeps a row on one line for grep and the like."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under column headings: as wide as the terminal, without colours where stdout is none."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    in_pipe = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = Console(width=_PIPE_WIDTH if in_pipe else None, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Text, because a cell in square brackets would be markup otherwise.
        table.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(table)
    # Written by print, so that a closed pipe is the program's to handle and not rich's.
    print("\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n"))
