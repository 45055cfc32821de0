"""The option ``--known-failures`` of the commands that tell news from what has an issue already."""

from __future__ import annotations

import argparse
from pathlib import Path

from cs_matrix_pytest.outcomes.known import FILE_NAME, KnownFailures, find_known_failures, load_known_failures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the option."""
    parser.add_argument(
        "--known-failures",
        type=Path,
        metavar="F",
        help=f"failures that have an issue; default: {FILE_NAME} here or in a folder above, if there is one",
    )


def known_failures_of(args: argparse.Namespace) -> KnownFailures:
    """The entries of the file that the option names, else of the nearest; none where there is no file.

    Raises UserError, with file, line and key, for whatever is wrong in it.
    """
    return load_known_failures(args.known_failures or find_known_failures(Path.cwd()))
