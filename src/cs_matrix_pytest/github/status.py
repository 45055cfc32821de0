"""One commit status per environment: what the matrix says of it, in GitHub's words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cs_matrix_pytest.github.client import GitHub, path_part
from cs_matrix_pytest.outcomes.classify import NOT_COMPATIBLE, PRECEDENCE
from cs_matrix_pytest.outcomes.known import is_news
from cs_matrix_pytest.outcomes.matrix import Matrix, Share
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.reports.escaping import printable

_DESCRIPTION_LIMIT = 140
_CONTEXT_LIMIT = 200


@dataclass(frozen=True)
class Status:
    """A commit status: ``state`` is success, failure, error or pending; ``context`` tells it from the commit's others."""

    environment: str
    state: str
    context: str
    description: str


def statuses(matrix: Matrix, *, unstable: str = "success") -> list[Status]:
    """A status for each environment of the matrix, ordered by ``lab/name``.

    failure: a feature is failing (or unstable, with ``unstable="failure"``), and not all of that is known. pending: no
    failure so far, and the newest run has no end. error: nothing was tested, so nothing can be said. success: the rest.
    """
    newest = {environment: run.ended for run in matrix.runs for environment in run.environments}
    return [_status(matrix, name, newest.get(name, True), unstable) for name in matrix.environments]


def set_statuses(github: GitHub, repository: str, commit: str, given: list[Status], url: str | None = None) -> None:
    """Sets the statuses of a commit; ``url`` is where their links lead. Raises GitHubError."""
    for status in given:
        data = {"state": status.state, "context": status.context, "description": status.description}
        github.post(f"repos/{repository}/statuses/{path_part(commit)}", data | ({"target_url": url} if url else {}))


def _status(matrix: Matrix, name: str, ended: bool, unstable: str) -> Status:
    shares = [cell.by_environment[name] for cell in matrix.cells if name in cell.by_environment]
    bad = NOT_COMPATIBLE if unstable == "failure" else {Outcome.FAILING}
    failing = any(is_news(share, bad) for share in shares)
    tested = any(share.attempts for share in shares)
    state = "failure" if failing else "pending" if not ended else "success" if tested else "error"
    return Status(name, state, _context(name), _description(shares, ended))


def _description(shares: list[Share], ended: bool) -> str:
    features = Counter(share.outcome for share in shares)
    known = sum(share.outcome in NOT_COMPATIBLE and not is_news(share, NOT_COMPATIBLE) for share in shares)
    blocked = sum(share.blocked for share in shares)
    counts = [f"{features[outcome]} {outcome.value}" for outcome in PRECEDENCE if features[outcome]]
    parts = [
        "features: " + ", ".join(counts) if counts else "nothing was tested",
        f"{known} known" if known else "",
        f"{blocked} blocked" if blocked else "",
        "" if ended else "not finished",
    ]
    return printable("; ".join(filter(None, parts)), _DESCRIPTION_LIMIT)


def _context(name: str) -> str:
    return printable(f"cs-matrix/{name}", _CONTEXT_LIMIT)
