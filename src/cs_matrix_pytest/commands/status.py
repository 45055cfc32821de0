"""``cs-matrix status``: a commit status for each environment."""

from __future__ import annotations

import argparse
import re

from cs_matrix_pytest.commands import choosing, known_failures
from cs_matrix_pytest.github import client


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix status``."""
    parser.add_argument("--commit", type=_commit, required=True, metavar="SHA", help="the commit, in full")
    client.add_arguments(parser)
    parser.add_argument(
        "--url", type=_url, metavar="URL", help="where the statuses lead, as to the CI's page of this run"
    )
    parser.add_argument(
        "--unstable",
        choices=("success", "failure"),
        default="success",
        help="the state of an environment where features are unstable, and none is failing (%(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the statuses instead of setting them")
    known_failures.add_arguments(parser)
    choosing.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Set the statuses. Raises UserError."""
    from cs_matrix_pytest.commands.comment import matrices_by_lab
    from cs_matrix_pytest.commands.tables import print_table
    from cs_matrix_pytest.github.status import set_statuses, statuses

    given = [status for matrix in matrices_by_lab(args).values() for status in statuses(matrix, unstable=args.unstable)]
    if not args.dry_run:
        repository = client.repository(args.repo)
        github = client.GitHub(args.api_url, client.need_token("setting a status"))
        set_statuses(github, repository, args.commit, given, args.url)
    print_table(("state", "context", "description"), [(each.state, each.context, each.description) for each in given])
    return 0


def _commit(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("not a commit's full SHA of 40 hexadecimal digits")
    return text.lower()


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[\x21-\x7e]{1,2000}", text):
        raise argparse.ArgumentTypeError("not an http or https URL")
    return text
