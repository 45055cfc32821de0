"""``cs-matrix compact``: many run records into one Parquet file."""

from __future__ import annotations

import argparse

from cs_matrix_pytest.commands.merge import runs, say_left_out
from cs_matrix_pytest.history.compacting import compact


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix compact``."""
    parser.add_argument("folder", metavar="FOLDER", help="a folder of run records, or an object-store prefix (s3://…)")


def run(args: argparse.Namespace) -> int:
    """Compact, and say what was done; 1 where a file was left out. Raises UserError."""
    done = compact(args.folder)
    going_on = f"; {runs(done.going_on)} without an end left as they are" if done.going_on else ""
    if done.name is None:
        print(f"{args.folder}: nothing to compact{going_on}")
    else:
        print(f"{args.folder}: {runs(done.runs)} in {done.name}, instead of {len(done.removed)} files{going_on}")
    return say_left_out(done.left_out)
