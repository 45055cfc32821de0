"""``cs-matrix report``: the matrix from run records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from cs_matrix_pytest.commands import choosing, known_failures, output
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history.answers import answered
from cs_matrix_pytest.outcomes.classify import SETTLE, WINDOW
from cs_matrix_pytest.outcomes.known import account, is_news
from cs_matrix_pytest.outcomes.matrix import Matrix
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.outcomes.record import instant

if TYPE_CHECKING:
    from cs_matrix_pytest.history.question import Question


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix report``."""
    parser.add_argument("--format", choices=tuple(_FORMATS), default="terminal", help="default: %(default)s")
    output.add_arguments(parser)
    parser.add_argument("--explain", action="store_true", help="say of every cell why, test by test (terminal)")
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="OUTCOMES",
        help="exit with 1 where the matrix has one of these outcomes, as in failing,unstable",
    )
    parser.add_argument("--window", type=int, default=WINDOW, help="how many newest attempts decide (%(default)s)")
    parser.add_argument("--settle", type=int, default=SETTLE, help="how many must agree after a change (%(default)s)")
    parser.add_argument(
        "--xunit-unstable",
        choices=("passed", "failure"),
        default="passed",
        help="how xunit shows an unstable feature: passed with a flaky failure, or as a failure",
    )
    known_failures.add_arguments(parser)
    choosing.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show or write the matrix; 1 where it has what ``--fail-on`` names. Raises UserError."""
    failing_outcomes = _outcomes(args.fail_on)
    if args.explain and args.format != "terminal":
        raise UserError(
            f"--explain does not go with --format {args.format}",
            hint="json and xunit say why in any case; leave --explain out.",
        )
    known = known_failures.known_failures_of(args)
    with answered(
        choosing.places_of(args),
        choosing.catalogue_of(args),
        choosing.choice_of(args),
        generated=instant(datetime.now(timezone.utc)),
        window=args.window,
        settle=args.settle,
    ) as answer:
        if answer is None:
            raise choosing.no_records(args)
        if isinstance(answer, Matrix):
            matrix = answer
        elif args.format == "json" and not known.entries:
            return int(not failing_outcomes.isdisjoint(_stream(answer, args.output)))
        else:
            matrix = answer.matrix()
    matrix = account(matrix, known, datetime.now(timezone.utc).date(), whole=not choosing.choice_of(args))
    output.write(_FORMATS[args.format](matrix, args), args.output)
    return int(any(is_news(cell.total, failing_outcomes) for cell in matrix.cells))


def _stream(question: Question, file: Path | None) -> set[Outcome]:
    """Writes matrix.json without making the whole matrix; the outcomes that it has."""
    from cs_matrix_pytest.history import matrix_json

    outcomes: set[Outcome] = set()
    if file is not None:
        matrix_json.write(question, file, outcomes)
        return outcomes
    sys.stdout.flush()
    sys.stdout.buffer.writelines(matrix_json.pieces(question, outcomes))
    return outcomes


def _outcomes(given: list[str]) -> frozenset[Outcome]:
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    known = [outcome.value for outcome in Outcome]
    for word in words:
        if word not in known:
            raise UserError(f"--fail-on: {word} is not an outcome", hint=f"The outcomes: {', '.join(known)}.")
    return frozenset(map(Outcome, words))


def _terminal(matrix: Matrix, args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports import terminal

    def render(width: int, color: bool, encoding: str) -> str:
        return terminal.render(matrix, width, color=color, encoding=encoding, explain=args.explain)

    return output.drawn(render, args.output)


def _json(matrix: Matrix, _args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports import matrix_json

    return matrix_json.render(matrix).encode("ascii")


def _xunit(matrix: Matrix, args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports import xunit

    return xunit.render(matrix, unstable=args.xunit_unstable)


def _markdown(matrix: Matrix, _args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports import markdown

    return markdown.render(matrix).encode("utf-8", "replace")


def _html(matrix: Matrix, args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.history.timelines import read_timelines
    from cs_matrix_pytest.reports.html import page

    history = read_timelines(choosing.places_of(args), choosing.catalogue_of(args), choosing.choice_of(args))
    return page.render(matrix, history)


def _badge(matrix: Matrix, _args: argparse.Namespace) -> bytes:
    from cs_matrix_pytest.reports import badge

    return badge.render(matrix)


_FORMATS: dict[str, Callable[[Matrix, argparse.Namespace], bytes]] = {
    "terminal": _terminal,
    "json": _json,
    "xunit": _xunit,
    "markdown": _markdown,
    "html": _html,
    "badge": _badge,
}
