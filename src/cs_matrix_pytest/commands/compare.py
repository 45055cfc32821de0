"""``cs-matrix compare``: what is news between two versions, commits, runs, environments, contexts or labs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime, timezone

from cs_matrix_pytest.commands import choosing, known_failures, output
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history.sides import read_sides
from cs_matrix_pytest.outcomes.classify import SETTLE, WINDOW
from cs_matrix_pytest.outcomes.compare import GATES, Comparison, News, compare
from cs_matrix_pytest.outcomes.known import mark, remarks
from cs_matrix_pytest.outcomes.record import instant
from cs_matrix_pytest.outcomes.sides import KINDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix compare``."""
    ways = ", ".join(f"{kind}:…" for kind in KINDS)
    parser.add_argument("before", metavar="A", help=f"a side: a name that the records have, or {ways}; globs may stand")
    parser.add_argument("after", metavar="B", help="the other side, of the same kind; run:newest is the newest run")
    parser.add_argument("--format", choices=tuple(_FORMATS), default="terminal", help="default: %(default)s")
    output.add_arguments(parser)
    parser.add_argument(
        "--fail-on",
        action="append",
        metavar="NEWS",
        help=f"exit with 1 where there is some of {', '.join(gate.value for gate in GATES)}, or none to never do; "
        f"default: {News.NEWLY_FAILING.value}",
    )
    parser.add_argument("--window", type=int, default=WINDOW, help="how many newest attempts decide (%(default)s)")
    parser.add_argument("--settle", type=int, default=SETTLE, help="how many must agree after a change (%(default)s)")
    known_failures.add_arguments(parser)
    choosing.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show or write what is news; 1 where there is some that ``--fail-on`` names. Raises UserError."""
    gates = _gates(args.fail_on)
    now = datetime.now(timezone.utc)
    known = known_failures.known_failures_of(args)
    catalogue = choosing.catalogue_of(args)
    found = read_sides(
        choosing.places_of(args),
        args.before,
        args.after,
        catalogue,
        choosing.choice_of(args),
        generated=instant(now),
        window=args.window,
        settle=args.settle,
    )
    if found is None:
        raise choosing.no_records(args)
    matrices = [mark(matrix, known, now.date()) for matrix in found.matrices]
    notes = remarks(known, matrices[1], now.date(), whole=False)
    names = str(found.sides[0]), str(found.sides[1])
    comparison = compare(*matrices, same=found.same, names=names, settle=args.settle, notes=notes)
    output.write(_FORMATS[args.format](comparison, args), args.output)
    return int(comparison.counts(gates) > 0)


def _gates(given: list[str] | None) -> frozenset[News]:
    words = [word.strip() for text in given or [News.NEWLY_FAILING.value] for word in text.split(",") if word.strip()]
    known = [gate.value for gate in GATES]
    if words == ["none"]:
        return frozenset()
    for word in words:
        if word not in known:
            raise UserError(f"--fail-on: {word} is not one of {', '.join(known)}", hint="Or none, to never fail.")
    return frozenset(map(News, words))


def _terminal(comparison: Comparison, args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports.comparison import terminal

    return output.drawn(
        lambda width, color, encoding: terminal(comparison, width, color, encoding=encoding), args.output
    )


def _json(comparison: Comparison, _args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports.comparison import render_json

    return render_json(comparison).encode("ascii")


def _markdown(comparison: Comparison, _args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports.comparison import markdown

    return markdown(comparison).encode("utf-8")


_FORMATS: dict[str, Callable[[Comparison, argparse.Namespace], bytes]] = {
    "terminal": _terminal,
    "json": _json,
    "markdown": _markdown,
}
