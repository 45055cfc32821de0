"""A GitHub on loopback that keeps its rules: paging by Link, ETags, rate limits, permissions, 422s, and bad days."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN = "ghp_loopbackOnlyToken0123456789"
REPO = "acme/cloud"
BODY_LIMIT = 65_536


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    data: Any


@dataclass
class Reply:
    status: int
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    """Answer so only after the request has done its work, as a gateway does that gives up too early."""


class GitHubServer:
    """`base` is the URL of its API. `troubles` are answers given instead of the next ones (None: as usual)."""

    def __init__(self, prefix: str = "/api/v3") -> None:
        self.prefix = prefix
        self.users = {TOKEN: {"login": "lab-bot", "type": "User"}}
        self.comments: list[dict[str, Any]] = []
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.commits: set[str] = set()
        self.requests: list[Request] = []
        self.troubles: list[Reply | None] = []
        self.remaining = 5000
        self.reset = 0
        self.per_page: int | None = None
        """What a page holds at most, less than GitHub's 100, so that few comments make many pages."""
        self.since = "inclusive"
        """Or exclusive, or ignored."""
        self.has_user = True
        """False: the token is an installation's, which may not ask who it is."""
        self.moved: dict[str, str] = {}
        self.before: Callable[[Request], None] = lambda request: None
        self.base = ""
        self._next_id = 1

    # What a test sets up

    def comment(
        self,
        body: str,
        *,
        author: str = "blueorangutan",
        number: int = 7,
        when: str = "2024-01-01T00:00:00Z",
        kind: str = "User",
    ) -> dict[str, Any]:
        """Adds a comment by somebody."""
        data = {
            "id": self._next_id,
            "body": body,
            "user": {"login": author, "type": kind},
            "created_at": when,
            "updated_at": when,
            "html_url": f"https://github.example/{REPO}/pull/{number}#issuecomment-{self._next_id}",
            "issue_url": f"{self.base}/repos/{REPO}/issues/{number}",
        }
        self._next_id += 1
        self.comments.append(data)
        return data

    # What it answers

    def answer(self, request: Request) -> Reply:
        self.before(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.users:
            return Reply(401, {"message": "Bad credentials"})
        user = self.users.get(token)
        if self.remaining <= 0 and time.time() < self.reset:
            limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(self.reset)}
            return Reply(403, {"message": "API rate limit exceeded"}, limit)
        found = self._route(request, user)
        if request.method == "GET" and found.status == 200:
            found.headers["ETag"] = etag = f'"{hashlib.sha256(json.dumps(found.data).encode()).hexdigest()[:16]}"'
            if request.headers.get("if-none-match") == etag:
                return Reply(304, None, {"ETag": etag})
        self.remaining -= 1
        return found

    def _route(self, request: Request, user: dict[str, str] | None) -> Reply:
        parts = request.path.strip("/").split("/")
        if parts == ["user"]:
            if user is None:
                return Reply(401, {"message": "Requires authentication"})
            return (
                Reply(200, user) if self.has_user else Reply(403, {"message": "Resource not accessible by integration"})
            )
        if parts[0] != "repos" or len(parts) < 4:
            return Reply(404, {"message": "Not Found"})
        repo = "/".join(parts[1:3])
        if repo in self.moved:
            there = request.path.replace(repo, self.moved[repo], 1)
            query = "&".join(f"{key}={value}" for key, value in request.query.items())
            return Reply(
                301, {"message": "Moved Permanently"}, {"Location": f"{self.base}{there}{'?' if query else ''}{query}"}
            )
        if repo != REPO:
            return Reply(404, {"message": "Not Found"})
        rest = parts[3:]
        if request.method == "GET" and rest == ["issues", "comments"]:
            return self._page(request, self._changed(request.query))
        if len(rest) == 3 and rest[0] == "issues" and rest[2] == "comments":
            return self._issue(request, int(rest[1]), user)
        if request.method == "PATCH" and rest[:2] == ["issues", "comments"]:
            return self._edit(request, int(rest[2]), user)
        if request.method == "POST" and rest[0] == "statuses":
            return self._status(request, unquote(rest[1]), user)
        return Reply(404, {"message": "Not Found"})

    def _changed(self, query: dict[str, str]) -> list[dict[str, Any]]:
        since = query.get("since", "") if self.since != "ignored" else ""
        found = [
            each
            for each in self.comments
            if each["updated_at"] > since or (self.since == "inclusive" and each["updated_at"] == since)
        ]
        key = "updated_at" if query.get("sort") == "updated" else "created_at"
        return sorted(found, key=lambda each: (each[key], each["id"]), reverse=query.get("direction", "asc") == "desc")

    def _page(self, request: Request, all_of_them: list[dict[str, Any]]) -> Reply:
        size = min(int(request.query.get("per_page", 30)), 100, self.per_page or 100)
        page = int(request.query.get("page", 1))
        headers = {}
        if page * size < len(all_of_them):
            query = "&".join(f"{key}={value}" for key, value in {**request.query, "page": page + 1}.items())
            headers["Link"] = (
                f'<{self.base}{request.path}?{query}>; rel="next", <{self.base}{request.path}>; rel="first"'
            )
        return Reply(200, all_of_them[(page - 1) * size : page * size], headers)

    def _issue(self, request: Request, number: int, user: dict[str, str] | None) -> Reply:
        mine = [each for each in self.comments if each["issue_url"].endswith(f"/issues/{number}")]
        if request.method == "GET":
            return self._page(request, mine)
        if user is None:
            return Reply(401, {"message": "Requires authentication"})
        if refused := self._refused_body(request.data):
            return refused
        return Reply(201, self.comment(request.data["body"], author=user["login"], number=number, kind=user["type"]))

    def _edit(self, request: Request, identity: int, user: dict[str, str] | None) -> Reply:
        found = next((each for each in self.comments if each["id"] == identity), None)
        if found is None:
            return Reply(404, {"message": "Not Found"})
        if user is None or found["user"]["login"] != user["login"]:
            return Reply(403, {"message": "Resource not accessible by personal access token"})
        if refused := self._refused_body(request.data):
            return refused
        found["body"] = request.data["body"]
        return Reply(200, found)

    def _refused_body(self, data: Any) -> Reply | None:
        body = data.get("body") if isinstance(data, dict) else None
        if not isinstance(body, str) or not body.strip():
            return self._invalid("IssueComment", "body", "missing_field")
        if len(body) > BODY_LIMIT:
            return self._invalid(
                "IssueComment", "body", "custom", f"body is too long (maximum is {BODY_LIMIT} characters)"
            )
        return None

    def _status(self, request: Request, commit: str, user: dict[str, str] | None) -> Reply:
        if user is None:
            return Reply(404, {"message": "Not Found"})
        if commit not in self.commits:
            return Reply(422, {"message": f"No commit found for SHA: {commit}"})
        if request.data.get("state") not in ("error", "failure", "pending", "success"):
            return self._invalid("Status", "state", "custom", "state is not included in the list")
        if len(request.data.get("description") or "") > 140:
            return self._invalid(
                "Status", "description", "custom", "description is too long (maximum is 140 characters)"
            )
        self.statuses.setdefault(commit, []).append(request.data)
        return Reply(201, request.data)

    def _invalid(self, resource: str, what: str, code: str, message: str | None = None) -> Reply:
        error = {"resource": resource, "field": what, "code": code, **({"message": message} if message else {})}
        return Reply(422, {"message": "Validation Failed", "errors": [error]})

    def handle(self, request: Request) -> Reply:
        self.requests.append(request)
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None and not trouble.after:
            return trouble
        answer = self.answer(request)
        return trouble or answer


def serve(server: GitHubServer) -> Iterator[GitHubServer]:
    """Listens on loopback for as long as the generator lives."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(
                self.command,
                parts.path.removeprefix(server.prefix),
                dict(parse_qsl(parts.query)),
                {key.lower(): value for key, value in self.headers.items()},
                json.loads(body) if body else None,
            )
            with lock:
                inside = parts.path.startswith(f"{server.prefix}/")
                reply = server.handle(request) if inside else Reply(404, {"message": "Not Found"})
            data = (
                b"" if reply.status == 304 else json.dumps(reply.data).encode() if reply.data is not None else b"<html>"
            )
            self.send_response(reply.status)
            for key, value in {"Date": self.date_time_string(), **reply.headers}.items():
                self.send_header(key, value)
            if reply.status != 304:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _serve

        def log_message(self, *_: object) -> None:
            pass

    lock = threading.Lock()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.base = f"http://127.0.0.1:{http.server_address[1]}{server.prefix}"
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def moment(seconds: float) -> str:
    """A time as GitHub writes it, so many seconds after the beginning of 2024."""
    begin = datetime(2024, 1, 1, tzinfo=timezone.utc).timestamp()
    return datetime.fromtimestamp(begin + seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
