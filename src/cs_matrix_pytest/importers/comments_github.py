"""``cs-matrix import github``: result comments from GitHub itself, as run records.

GitHub is asked for a repository's comments by the time of their last change, oldest first, and each further request
begins with the time of the newest seen. So nothing is passed over when a comment changes or goes while the import is
under way, as it would be with page numbers. What was reached stands in a file beside the records: a run that was killed
goes on there, and one that was not asks GitHub only whether anything is new.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers.comments import comment_of, runs_of
from cs_matrix_pytest.importers.destination import ImportedRun
from cs_matrix_pytest.importers.stated import Stated, moment_of

if TYPE_CHECKING:
    from cs_matrix_pytest.github.client import Answer, GitHub

AUTHOR = "blueorangutan"

_PER_PAGE = 100
_PATIENCE = 3700.0
"""Seconds: GitHub's primary rate limit is one of an hour, and an import may well wait for it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The source of ``cs-matrix import github``."""
    from cs_matrix_pytest.github import client

    client.add_arguments(parser, required=True)
    parser.add_argument("--since", metavar="DATE", required=True, help="comments changed then or later: 2026-01-31")
    parser.add_argument("--author", default=AUTHOR, metavar="LOGIN", help="whose comments; default: %(default)s")


def read(args: argparse.Namespace, stated: Stated) -> Iterator[ImportedRun]:
    """One run for each result that one of the author's comments tells. Raises UserError."""
    from cs_matrix_pytest.github.client import GitHub, read_token, repository

    repo = repository(args.repo)
    since = _moment(args.since)
    github = GitHub(args.api_url, read_token(), patience=_PATIENCE)
    what = [args.api_url, repo.lower(), args.author.lower(), since, repr(stated)]
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]
    state = _State(args.dest / f"import-github-{repo.replace('/', '-').lower()}-{digest}.json")
    for page in _pages(github, repo, since, state):
        for data in page:
            yield from _runs(data, args.author, repo, stated)


def _pages(github: GitHub, repo: str, since: str, state: _State) -> Iterator[list[dict[str, Any]]]:
    """Pages of comments; when the next is asked for, the records of the one before are written."""
    at = state.read() or _Reached(since)
    seen: deque[tuple[str, str]] = deque(maxlen=5 * _PER_PAGE)
    # How many the server puts on a page, as far as is known: it need not be as many as it is asked for.
    full = 2
    while True:
        # A second earlier: whether `since` takes in its own second is not documented.
        begin = at.since if at.since == since else _second_before(at.since)
        asked: dict[str, str | int] = {"since": begin, "sort": "updated", "direction": "asc", "per_page": _PER_PAGE}
        answer = github.get(f"repos/{repo}/issues/comments", asked, etag=at.etag)
        if answer.status == 304:
            return
        first = answer
        while True:
            page = _objects(answer)
            # The last of a page come again with the next, for that begins with their time.
            yield [data for data in page if _version(data) not in seen]
            seen.extend(map(_version, page))
            newest = max((moment for data in page if (moment := _updated(data))), default=at.since)
            if answer.next is not None:
                full = max(full, len(page))
            if newest > at.since:
                break
            if answer.next is None:
                # Nothing newer. The tag is that of one page: another comment must change this very page.
                alone = answer is first and len(page) < full
                state.write(_Reached(at.since, answer.etag if alone else None))
                return
            # As many as a page holds changed in one second, or the server does not keep to `since`.
            answer = github.get(answer.next)
        at = _Reached(newest)
        state.write(at)


def _runs(data: dict[str, Any], author: str, repo: str, stated: Stated) -> Iterator[ImportedRun]:
    user = data.get("user")
    login = user.get("login") if isinstance(user, dict) else None
    if not isinstance(login, str) or login.lower().removesuffix("[bot]") != author.lower().removesuffix("[bot]"):
        return
    comment = comment_of({**data, "repository": repo})
    created = str(data.get("created_at") or data.get("updated_at") or "")
    if comment is not None:
        yield from runs_of(comment, str(data.get("html_url") or repo), stated, moment_of(created) or _EPOCH)


_EPOCH = "1970-01-01T00:00:00.000Z"


def _objects(answer: Answer) -> list[dict[str, Any]]:
    if not isinstance(answer.data, list):
        raise UserError("GitHub's answer is not a list of comments", hint="Is --api-url right?")
    return [data for data in answer.data if isinstance(data, dict)]


def _version(data: dict[str, Any]) -> tuple[str, str]:
    return str(data.get("id")), str(data.get("updated_at"))


def _updated(data: dict[str, Any]) -> str | None:
    value = data.get("updated_at")
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value):
        return None
    return value if moment_of(value) else None


def _second_before(moment: str) -> str:
    before = datetime.fromisoformat(moment.rstrip("Z")) - timedelta(seconds=1)
    return f"{before.isoformat()}Z"


def _moment(written: str) -> str:
    moment = moment_of(written)
    if moment is None:
        raise UserError(f"--since {written}: not a date", hint="Write it as 2026-01-31 or 2026-01-31T08:00:00Z.")
    return f"{moment[:19]}Z"


@dataclass(frozen=True)
class _Reached:
    """How far an import came: all comments that changed before ``since`` are imported."""

    since: str
    etag: str | None = None


class _State:
    """The file that says how far an import came."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> _Reached | None:
        """None where there is no such file, or a damaged one: then the import begins anew, and finds its records."""
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            reached = _Reached(data["since"], data.get("etag"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        if not isinstance(reached.etag, (str, type(None))) or _updated({"updated_at": reached.since}) is None:
            return None
        return reached

    def write(self, reached: _Reached) -> None:
        from cs_matrix_pytest.reports import write_atomically

        write_atomically(self._path, json.dumps(asdict(reached)).encode() + b"\n")
