"""One comment per lab on a pull request: made once, and brought up to date from then on."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from cs_matrix_pytest.github.client import GitHub, GitHubError

_TRIES = 3
_REFUSED_TO_CHANGE = (403, 404, 410)


class Put(NamedTuple):
    """What became of a comment: ``created``, ``updated`` or ``unchanged``; where it is."""

    done: str
    url: str


def marker(lab: str) -> str:
    """The hidden first line that tells a lab's comment from all others."""
    # No character that could end the HTML comment stays as it is.
    return f"<!-- cs-matrix: results of {quote(lab, safe='').replace('-', '%2D')} -->"


def with_marker(lab: str, text: str) -> str:
    """A comment's body: the lab's marker, and the text below it."""
    return f"{marker(lab)}\n{text}"


def put_comment(github: GitHub, repository: str, number: int, lab: str, body: str) -> Put:
    """Creates the lab's comment on a pull request or issue, or changes the one there is. Raises GitHubError.

    ``body`` begins with the marker. Only comments of the token's own user count as the lab's: what others write stays
    as it is, marker or not.
    """
    own = _Own(github)
    refused: set[int] = set()
    for left in reversed(range(_TRIES)):
        for comment in _marked(github, repository, number, lab, own):
            if comment["id"] in refused:
                continue
            if _same(comment["body"], body):
                return Put("unchanged", _url(comment))
            try:
                return Put(
                    "updated", _url(github.patch(f"repos/{repository}/issues/comments/{comment['id']}", {"body": body}))
                )
            except GitHubError as error:
                if error.status not in _REFUSED_TO_CHANGE:
                    raise
                # Deleted in between, or not ours after all.
                refused.add(comment["id"])
        try:
            answer = github.post(f"repos/{repository}/issues/{number}/comments", {"body": body}, again=False)
            return Put("created", _url(answer))
        except GitHubError as error:
            # After trouble on the server's side nobody knows whether it was created: look again before trying again.
            if not left or (error.status is not None and error.status < 500):
                raise
            github.pause(_TRIES - left)
    raise AssertionError("the last try returns or raises")


def _marked(github: GitHub, repository: str, number: int, lab: str, own: _Own) -> list[dict[str, Any]]:
    """The lab's comments, oldest first."""
    begin = marker(lab)
    return [
        comment
        for page in github.pages(f"repos/{repository}/issues/{number}/comments")
        for comment in (page.data if isinstance(page.data, list) else [])
        if isinstance(comment, dict)
        and isinstance(comment.get("id"), int)
        and str(comment.get("body") or "").startswith(begin)
        and own.wrote(comment)
    ]


class _Own:
    """Whose comments are the token's own; asked for when there is a comment to tell."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._login: str | None = None
        self._asked = False

    def wrote(self, comment: dict[str, Any]) -> bool:
        if not self._asked:
            self._login, self._asked = self._ask(), True
        user = comment.get("user")
        if not isinstance(user, dict):
            return False
        # An installation's token (GitHub Actions has one) has no user that it may ask for: it writes as a bot.
        return user.get("login") == self._login if self._login else user.get("type") == "Bot"

    def _ask(self) -> str | None:
        try:
            data = self._github.get("user").data
        except GitHubError as error:
            if error.status not in (403, 404):
                raise
            return None
        return str(data["login"]) if isinstance(data, dict) and data.get("login") else None


def _same(one: str, other: str) -> bool:
    # GitHub keeps lines as they were sent, but with the line ends of the web.
    return one.replace("\r\n", "\n").rstrip() == other.rstrip()


def _url(comment: Any) -> str:
    return str(comment.get("html_url") or "") if isinstance(comment, dict) else ""
