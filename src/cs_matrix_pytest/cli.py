"""The program ``cs-matrix``: everything but running tests.

Each subcommand is a module of `cs_matrix_pytest.commands` with two functions, ``add_arguments(parser)`` and
``run(args) -> int``, imported only when the command line names it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from cs_matrix_pytest import __version__
from cs_matrix_pytest.errors import UserError


class Command(NamedTuple):
    """A subcommand: the module that has it, and its line in ``cs-matrix --help``."""

    module: str
    help: str


COMMANDS = {
    "comment": Command("cs_matrix_pytest.commands.comment", "the report as a comment on a pull request"),
    "compare": Command("cs_matrix_pytest.commands.compare", "what is news between two versions, runs, environments …"),
    "compact": Command(
        "cs_matrix_pytest.commands.compact", "turn run records into one Parquet file, answers unchanged"
    ),
    "env": Command("cs_matrix_pytest.commands.env", "write, list, show and check environments"),
    "flaky": Command("cs_matrix_pytest.commands.flaky", "rank unstable tests by how often they fail"),
    "import": Command("cs_matrix_pytest.commands.import_", "other people's results as run records"),
    "lint": Command("cs_matrix_pytest.commands.lint", "find mistakes in the attributes of test suites"),
    "marvin": Command("cs_matrix_pytest.commands.marvin", "say which Marvin is used, and what it lacks"),
    "merge": Command("cs_matrix_pytest.commands.merge", "add run records of other places to a folder"),
    "report": Command("cs_matrix_pytest.commands.report", "the matrix from run records, in any format"),
    "simulator": Command("cs_matrix_pytest.commands.simulator", "run the CloudStack API simulator alone"),
    "status": Command("cs_matrix_pytest.commands.status", "a commit status for each environment, on GitHub"),
    "translate": Command("cs_matrix_pytest.commands.translate", "the pytest line for a nosetests line"),
}

_KILLED_BY = 128
"""A shell's exit code for a process that a signal ended is this much more than the signal's number."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``cs-matrix``; the exit code is 0 fine, 1 named by --fail-on, 2 wrong use, 3 an environment was unusable."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        args = _parser(words).parse_args(words)
        code: int = import_module(COMMANDS[args.command].module).run(args)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"cs-matrix: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _KILLED_BY + signal.SIGINT
    except BrokenPipeError:
        # The reader (head, less) has seen enough. The interpreter flushes stdout once more as it ends: let it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _KILLED_BY + signal.SIGPIPE


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for this command line: only the command that it names is imported and has its arguments."""
    parser = argparse.ArgumentParser(
        prog="cs-matrix",
        description="What is compatible, failing, unstable or untested in which CloudStack environment.",
    )
    parser.add_argument("--version", action="version", version=f"cs-matrix {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # No option of `cs-matrix` itself takes a value, so the first other word is the command.
    named = next((word for word in words if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.help, description=command.help)
        if name == named:
            import_module(command.module).add_arguments(subparser)
    return parser
