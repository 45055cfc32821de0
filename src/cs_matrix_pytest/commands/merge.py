"""``cs-matrix merge``: run records of several places into one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history.merging import merge

LEFT_OUT = 1
"""The exit code where files were left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix merge``."""
    parser.add_argument(
        "sources", nargs="+", metavar="SRC", help="folders of run records, object-store prefixes (s3://…), files"
    )
    parser.add_argument("destination", metavar="DEST", help="the folder or prefix that they are added to")


def run(args: argparse.Namespace) -> int:
    """Merge, and say what was done; 1 where a file was left out. Raises UserError."""
    merged = merge(args.sources, args.destination)
    print(f"{args.destination}: {runs(merged.added)} added, {merged.present} there already")
    return say_left_out(merged.left_out)


def runs(count: int) -> str:
    """So many runs, in words."""
    return f"{count} run" if count == 1 else f"{count} runs"


def say_left_out(errors: Iterable[UserError]) -> int:
    """Name the files that were left out on standard error; the exit code."""
    code = 0
    for error in errors:
        print(f"cs-matrix: left out: {error}", file=sys.stderr)
        code = LEFT_OUT
    return code
