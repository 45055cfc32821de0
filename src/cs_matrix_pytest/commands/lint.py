"""``cs-matrix lint``: mistakes in the attributes of test suites."""

from __future__ import annotations

import argparse
from pathlib import Path

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.lint.findings import RULES
from cs_matrix_pytest.lint.formats import FORMATS, shown
from cs_matrix_pytest.lint.run import lint_paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix lint``."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="test files, and folders of them")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text", help="default: %(default)s")
    parser.add_argument(
        "--strict", action="store_true", help="notices, which are only counted otherwise, are shown and matter, too"
    )
    parser.add_argument("--ignore", default="", metavar="CODES", help="leave out these, with commas: CS105,CS203")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 where there are any to mend. Raises UserError: no such path, no such code."""
    ignore = frozenset(filter(None, args.ignore.replace(" ", "").split(",")))
    for code in sorted(ignore - RULES.keys()):
        raise UserError(f"there is no rule {code}", key="--ignore", hint=f"rules: {', '.join(RULES)}")
    linted = lint_paths(args.paths, ignore)
    print(FORMATS[args.format](linted, args.strict))
    return 1 if shown(linted, args.strict) else 0
