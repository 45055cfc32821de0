"""``cs-matrix translate``: the pytest line for a nose line, or for every nose line of a script."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from cs_matrix_pytest.environments.yaml_source import read_text
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.selection.nose_command import Translation, is_nose_command, translate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix translate``."""
    parser.add_argument("--file", type=Path, metavar="F", help="translate every nose line of a script or a CI file")
    parser.add_argument(
        "nose",
        nargs=argparse.REMAINDER,
        metavar="NOSE",
        help="the nose line, in quotes as one word (so that the shell leaves it alone), or as it stands",
    )


def run(args: argparse.Namespace) -> int:
    """Print the pytest line, and on stderr what has no equivalent. Raises UserError: no nose line to translate."""
    if args.file is None:
        if not args.nose:
            raise UserError("nothing to translate", hint='write it as: cs-matrix translate "nosetests -a tags=smoke …"')
        _show(translate(args.nose[0] if len(args.nose) == 1 else shlex.join(args.nose)))
        return 0
    if args.nose:
        raise UserError("either a nose line or --file, not both")
    lines = list(_nose_lines(read_text(args.file, "file")))
    if not lines:
        raise UserError("no line of it runs nose", file=args.file)
    for number, line in lines:
        print(f"# {args.file}:{number}")
        _show(translate(line), f"{args.file}:{number}: ")
    return 0


def _show(translation: Translation, place: str = "") -> None:
    print(translation.command, flush=True)
    for warning in translation.warnings:
        print(f"cs-matrix: warning: {place}{warning}", file=sys.stderr, flush=True)


def _nose_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that run nose with their numbers; one that ends in a backslash goes on in the next."""
    for found in re.finditer(r"(?:[^\n]*\\\n)*[^\n]*\n?", text):
        if not found[0].lstrip().startswith("#") and is_nose_command(found[0]):
            yield text.count("\n", 0, found.start()) + 1, found[0].strip()
