"""``cs-matrix flaky``: which tests are flaky, and how much."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from cs_matrix_pytest.commands import choosing, output
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history.flaky import read_flaky
from cs_matrix_pytest.outcomes.classify import SETTLE
from cs_matrix_pytest.outcomes.flaky import MINIMUM, FlakyTest

_TOP = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix flaky``."""
    parser.add_argument("--format", choices=tuple(_FORMATS), default="terminal", help="default: %(default)s")
    output.add_arguments(parser)
    parser.add_argument("--top", type=int, default=_TOP, metavar="N", help="show that many (%(default)s)")
    parser.add_argument(
        "--min-attempts", type=int, default=MINIMUM, metavar="N", help="leave out tests with fewer (%(default)s)"
    )
    parser.add_argument(
        "--settle", type=int, default=SETTLE, help="a change that as many attempts hold is the product's (%(default)s)"
    )
    choosing.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show or write the ranking. Raises UserError."""
    for option in ("top", "min_attempts", "settle"):
        if getattr(args, option) < 1:
            raise UserError(f"--{option.replace('_', '-')} must be at least 1")
    ranked = read_flaky(
        choosing.places_of(args),
        choosing.catalogue_of(args),
        choosing.choice_of(args),
        minimum=args.min_attempts,
        settle=args.settle,
    )
    if ranked is None:
        raise choosing.no_records(args)
    output.write(_FORMATS[args.format](ranked[: args.top], len(ranked), args), args.output)
    return 0


def _terminal(tests: Sequence[FlakyTest], count: int, args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports.flakiness import terminal

    return output.drawn(
        lambda width, color, encoding: terminal(tests, count, width, color, encoding=encoding), args.output
    )


def _json(tests: Sequence[FlakyTest], count: int, _args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports.flakiness import render_json

    return render_json(tests, count).encode("ascii")


_FORMATS: dict[str, Callable[[Sequence[FlakyTest], int, argparse.Namespace], bytes]] = {
    "terminal": _terminal,
    "json": _json,
}
