"""GitHub's REST API over HTTP: the session, retries, rate limits, paging, and its refusals as one sentence each.

The rules are those of "Best practices for using the REST API" and "Rate limits for the REST API" in GitHub's documentation.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from cs_matrix_pytest import __version__
from cs_matrix_pytest.environments.masking import Masker
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.reports.escaping import printable

if TYPE_CHECKING:
    import requests

PUBLIC_API = "https://api.github.com"
TOKEN_VARIABLES = ("GITHUB_TOKEN", "GH_TOKEN")

_API_VERSION = "2022-11-28"
_TIMEOUT = (10, 60)
_TRIES = 5
_FIRST_PAUSE = 1.0
_SECONDARY_PAUSE = 60.0
"""Seconds to wait where a secondary rate limit does not say how long: what the documentation asks for."""
_SECONDARY = re.compile(rb"(?i)secondary rate limit|abuse detection")
"""How an answer words such a limit, today and on older GitHub Enterprise servers."""
_PATIENCE = 900.0
"""The longest that one request waits for a rate limit to end."""
_REDIRECTS = 3
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9._-]{1,100}")


class GitHubError(UserError):
    """GitHub refused, or could not be reached. ``status`` is the HTTP status; None where there was no answer."""

    def __init__(self, what: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """An answer's JSON; ``etag`` for asking again, ``next`` the address of the next page. A 304 has no data."""

    status: int
    data: Any
    etag: str | None = None
    next: str | None = None


def add_arguments(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Options of every command that talks to GitHub."""
    parser.add_argument(
        "--repo",
        metavar="OWNER/NAME",
        default=os.environ.get("GITHUB_REPOSITORY"),
        required=required and not os.environ.get("GITHUB_REPOSITORY"),
        help="default: $GITHUB_REPOSITORY",
    )
    parser.add_argument(
        "--api-url",
        metavar="URL",
        default=os.environ.get("GITHUB_API_URL") or PUBLIC_API,
        help="of a GitHub Enterprise server: https://HOST/api/v3 (default: $GITHUB_API_URL, else %(default)s)",
    )


def repository(written: str | None) -> str:
    """``owner/name``, checked. Raises UserError."""
    if not written:
        raise UserError("which repository?", hint="Name it with --repo OWNER/NAME, or set GITHUB_REPOSITORY.")
    if not _REPOSITORY.fullmatch(written) or written.endswith(("/.", "/..")):
        raise UserError(f"--repo {printable(written, 100)}: not OWNER/NAME, as in apache/cloudstack")
    return written


def read_token(environment: Mapping[str, str] = os.environ) -> str | None:
    """The token of the first of GITHUB_TOKEN and GH_TOKEN that has one. Raises UserError where it can be none."""
    for name in TOKEN_VARIABLES:
        token = environment.get(name, "").strip()
        if token:
            if not re.fullmatch(r"[\x21-\x7e]{1,1000}", token):
                raise UserError(f"{name} holds no token: there is white space or something unprintable in it")
            return token
    return None


def need_token(purpose: str) -> str:
    """The token, for requests that cannot do without. Raises UserError."""
    token = read_token()
    if token is None:
        raise UserError(
            f"{purpose} needs a token",
            hint=f"Set {' or '.join(TOKEN_VARIABLES)}; --dry-run shows what would be sent without one.",
        )
    return token


class GitHub:
    """A session with one GitHub server.

    The token goes to that server alone: neither a redirect nor a link leads it elsewhere, and no message has it.
    ``patience`` is how many seconds a request waits at most for a rate limit to end, ``sleep`` what it waits with,
    ``tell`` what is told of longer waits.
    """

    def __init__(
        self,
        api_url: str = PUBLIC_API,
        token: str | None = None,
        *,
        patience: float = _PATIENCE,
        sleep: Callable[[float], object] = time.sleep,
        tell: Callable[[str], object] = lambda text: print(f"cs-matrix: {text}", file=sys.stderr, flush=True),
    ) -> None:
        """Raises UserError: no URL of an HTTP server, or a token would go over the network in the clear."""
        import requests

        self._base = _checked(api_url, token)
        self._origin = _origin(self._base)
        self._has_token = token is not None
        self._masker = Masker([token] if token else [])
        self._patience, self._sleep, self._tell = patience, sleep, tell
        self._session = requests.Session()
        self._session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": _API_VERSION,
                "User-Agent": f"cs-matrix-pytest/{__version__}",
            }
        )
        # As an auth function: without one requests would look for a password of the host in ~/.netrc, and prefer it.
        self._session.auth = _Bearer(token)

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None, *, etag: str | None = None) -> Answer:
        """One page. With ``etag``, an Answer of status 304 where nothing has changed. Raises GitHubError."""
        headers = {"If-None-Match": etag} if etag else {}
        return self._answer("GET", self._url(path), headers=headers, params=parameters)

    def pages(self, path: str) -> Iterator[Answer]:
        """Page after page, by the links in the answers. Raises GitHubError."""
        answer = self.get(path, {"per_page": 100})
        yield answer
        while answer.next:
            answer = self.get(answer.next)
            yield answer

    def post(self, path: str, data: Mapping[str, Any], *, again: bool = True) -> Any:
        """Create something; ``again`` is False where doing it twice would leave two. Raises GitHubError."""
        return self._answer("POST", self._url(path), json=data, again=again).data

    def patch(self, path: str, data: Mapping[str, Any]) -> Any:
        """Change something. Raises GitHubError."""
        return self._answer("PATCH", self._url(path), json=data).data

    def pause(self, trouble: int) -> None:
        """Wait, as after the ``trouble``-th trouble of the server's in a row."""
        self._sleep(_pause(trouble))

    def _url(self, path: str) -> str:
        url = path if path.startswith(("http://", "https://")) else f"{self._base}/{path.lstrip('/')}"
        if _origin(url) != self._origin:
            raise GitHubError(f"{self._origin} leads to another server, {_origin(url)}: not followed")
        return url

    def _answer(self, method: str, url: str, *, again: bool = True, **options: Any) -> Answer:
        response = self._response(method, url, again=again, **options)
        if response.status_code == 304:
            return Answer(304, None, options["headers"].get("If-None-Match"))
        if response.status_code >= 300:
            raise self._refusal(method, url, response)
        try:
            data = response.json()
        except (ValueError, RecursionError):
            raise GitHubError(f"{self._place(method, url)}: the answer is not JSON", hint=_NOT_AN_API) from None
        link = response.links.get("next", {}).get("url")
        return Answer(response.status_code, data, response.headers.get("ETag"), urljoin(url, link) if link else None)

    def _response(self, method: str, url: str, *, again: bool, **options: Any) -> requests.Response:
        """The answer, whatever it says, after waiting for rate limits and trying again where the server had trouble."""
        import requests

        waited = redirects = trouble = 0
        while True:
            try:
                response = self._session.request(method, url, timeout=_TIMEOUT, allow_redirects=False, **options)
            except requests.RequestException as error:
                trouble += 1
                if trouble >= _TRIES or not again or isinstance(error, (requests.exceptions.InvalidURL, ValueError)):
                    raise GitHubError(f"{self._place(method, url)}: {self._reason(error)}") from None
                self._sleep(_pause(trouble))
                continue
            if response.status_code in (301, 302, 307, 308) and "Location" in response.headers:
                redirects += 1
                if redirects > _REDIRECTS:
                    raise GitHubError(f"{self._place(method, url)}: redirected more than {_REDIRECTS} times")
                url = self._url(urljoin(url, response.headers["Location"]))
                options.pop("params", None)
            elif (limit := _limit(response)) is not None:
                waited += 1
                if limit > self._patience or waited > _TRIES:
                    raise self._limited(limit)
                self._tell(f"GitHub's rate limit: waiting {limit:.0f} s")
                self._sleep(limit)
            elif response.status_code >= 500:
                trouble += 1
                if trouble >= _TRIES or not again:
                    return response
                self._sleep(_pause(trouble))
            else:
                return response

    def _limited(self, seconds: float) -> GitHubError:
        until = datetime.fromtimestamp(time.time() + min(seconds, 10**7), timezone.utc)
        hint = "With a token (GITHUB_TOKEN) the limit is much higher." if not self._has_token else None
        return GitHubError(
            f"GitHub's rate limit is used up until {until:%Y-%m-%d %H:%M:%S} UTC; run the command again then",
            status=429,
            hint=hint,
        )

    def _refusal(self, method: str, url: str, response: requests.Response) -> GitHubError:
        said = self._said(response)
        what = f"{self._place(method, url)}: {response.status_code}{f': {said}' if said else ''}"
        hint = _HINTS.get(response.status_code)
        if response.status_code in (403, 404) and not self._has_token:
            hint = "No token was sent: set GITHUB_TOKEN or GH_TOKEN."
        return GitHubError(what, status=response.status_code, hint=hint)

    def _said(self, response: requests.Response) -> str:
        """GitHub's message and its errors, in a line."""
        try:
            data = json.loads(response.content[:100_000])
        except (ValueError, RecursionError):
            return ""
        if not isinstance(data, dict):
            return ""
        errors = data.get("errors")
        details = [_detail(error) for error in errors[:5]] if isinstance(errors, list) else []
        text = "; ".join(filter(None, [str(data.get("message") or ""), *details]))
        return printable(self._masker.mask(text), 300)

    def _place(self, method: str, url: str) -> str:
        parts = urlsplit(url)
        return printable(self._masker.mask(f"{method} {parts.scheme}://{parts.netloc}{parts.path}"), 300)

    def _reason(self, error: Exception) -> str:
        from requests import exceptions

        if isinstance(error, exceptions.SSLError):
            return "the server's certificate is not trusted (REQUESTS_CA_BUNDLE names others to trust)"
        if isinstance(error, exceptions.Timeout):
            return "no answer in time"
        if isinstance(error, exceptions.ConnectionError):
            return "the server cannot be reached"
        return printable(self._masker.mask(f"{type(error).__name__}: {error}"), 300)


class _Bearer:
    """Gives each request the token, if there is one."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


_NOT_AN_API = "Is --api-url right? Of a GitHub Enterprise server it is https://HOST/api/v3."

_HINTS = {
    401: "The token is not valid, or has expired.",
    403: "The token lacks a permission: comments need pull-requests: write, statuses need statuses: write.",
    404: "There is no such thing, or the token may not see it. Of a GitHub Enterprise server, --api-url is https://HOST/api/v3.",
    410: "Issues are disabled in this repository.",
}


def path_part(text: str) -> str:
    """Text as one part of a path."""
    return quote(text, safe="")


def _checked(api_url: str, token: str | None) -> str:
    shown = printable(api_url, 200)
    parts = urlsplit(api_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UserError(f"--api-url {shown}: not the URL of an API, as in {PUBLIC_API} or https://HOST/api/v3")
    if parts.username or parts.password:
        raise UserError("--api-url: no user or password in the URL, please", hint="The token goes into GITHUB_TOKEN.")
    if token and parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise UserError(f"--api-url {shown}: a token does not go over plain http", hint="Use https.")
    return api_url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return printable(url, 100)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def _pause(trouble: int) -> float:
    return _FIRST_PAUSE * 2.0 ** (trouble - 1)


def _limit(response: requests.Response) -> float | None:
    """Seconds until a rate limit that this answer speaks of is over; None where it speaks of none."""
    if response.status_code not in (403, 429):
        return None
    headers = response.headers
    retry_after = _number(headers.get("Retry-After"))
    if retry_after is not None:
        return retry_after
    if headers.get("X-RateLimit-Remaining") == "0":
        reset = _number(headers.get("X-RateLimit-Reset"))
        if reset is not None:
            # A second more: its clock and ours need not agree.
            return max(0.0, reset - time.time()) + 1
    if response.status_code == 429 or _SECONDARY.search(response.content[:10_000]):
        return _SECONDARY_PAUSE
    return None


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,12}", text) else None


def _detail(error: object) -> str:
    if isinstance(error, dict):
        if error.get("message"):
            return str(error["message"])
        return " ".join(str(error[key]) for key in ("resource", "field", "code") if error.get(key))
    return str(error)
