"""``cs-matrix comment``: the report as one comment per lab on a pull request."""

from __future__ import annotations

import argparse
import re
import sys

from cs_matrix_pytest.commands import choosing, known_failures
from cs_matrix_pytest.github import client
from cs_matrix_pytest.outcomes.matrix import Matrix
from cs_matrix_pytest.outcomes.model import RecordedRun


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``cs-matrix comment``."""
    parser.add_argument("--pr", type=_number, required=True, metavar="N", help="the pull request (or issue)")
    client.add_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the comments instead of sending them")
    known_failures.add_arguments(parser)
    choosing.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Create or update the comments. Raises UserError."""
    from cs_matrix_pytest.github.comment import put_comment, with_marker
    from cs_matrix_pytest.reports import markdown
    from cs_matrix_pytest.reports.escaping import printable

    comments = {}
    for lab, matrix in matrices_by_lab(args).items():
        head = with_marker(lab, "")
        title = f"Test run for PR {args.pr}, lab {lab}"
        comments[lab] = head + markdown.render(matrix, title=title, limit=markdown.LIMIT - len(head))
    if args.dry_run:
        sys.stdout.buffer.write("\n".join(comments.values()).encode("utf-8", "replace"))
        return 0
    repository = client.repository(args.repo)
    github = client.GitHub(args.api_url, client.need_token("writing a comment"))
    for lab, body in comments.items():
        # Lone surrogates, as file names have them, are no JSON that GitHub takes.
        sendable = body.encode("utf-8", "replace").decode("utf-8")
        done, url = put_comment(github, repository, args.pr, lab, sendable)
        print(printable(f"{done}: comment of lab {lab} {url}"))
    return 0


def matrices_by_lab(args: argparse.Namespace) -> dict[str, Matrix]:
    """A matrix for each lab whose records the options of `choosing` name. Raises UserError."""
    from datetime import datetime, timezone

    from cs_matrix_pytest.outcomes.known import mark
    from cs_matrix_pytest.outcomes.matrix import compute_matrix
    from cs_matrix_pytest.outcomes.record import instant

    known = known_failures.known_failures_of(args)
    catalogue = choosing.catalogue_of(args)
    by_lab: dict[str, list[RecordedRun]] = {}
    for record in choosing.records_of(args, catalogue):
        by_lab.setdefault(record.run.lab, []).append(record)
    now = datetime.now(timezone.utc)
    return {
        lab: mark(compute_matrix(records, catalogue, generated=instant(now)), known, now.date())
        for lab, records in sorted(by_lab.items())
    }


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,10}", text):
        raise argparse.ArgumentTypeError("not the number of a pull request")
    return int(text)
