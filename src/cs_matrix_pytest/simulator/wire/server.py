"""The two ports of a management server, each a threaded HTTP server on top of one cloud."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Mapping
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cs_matrix_pytest.simulator.call import METHOD, Caller
from cs_matrix_pytest.simulator.errors import ApiError, PermissionDenied, error_body
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.wire import second_factor
from cs_matrix_pytest.simulator.wire.authentication import login_domain, new_session_id, signed_caller, user_named
from cs_matrix_pytest.simulator.wire.rendering import render

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

Outcome = tuple[int, str, dict[str, Any]]
"""HTTP status, the key that wraps an answer, the answer's body."""
MOST_BODY = 16 * 1024**2
"""Bytes of a POST body that are read; a larger one is refused."""
LONGEST_LINE = 8192
"""Bytes of a line between the pieces of a body."""
IDLE_SECONDS = 60
"""How long a connection may be silent before it is closed."""
UNVERIFIED = "unable to verify user credentials and/or request signature"
SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-XSS-Protection", "1;mode=block"),
    *(
        ("content-security-policy", policy)
        for policy in ("1", "default-src=none", "script-src=self", "connect-src=self", "img-src=self", "style-src=self")
    ),
)
VARYING = ("Vary", "Accept-Encoding, User-Agent")
OAUTH = ("listOauthProvider", "oauthlogin", "verifyOAuthCodeAndGetUser")
OPEN_COMMANDS = frozenset({*OAUTH, "listGuiThemes"})
"""Commands that are answered without knowing who asks."""


AUTHENTICATORS = frozenset({"login", "logout", "validateusertwofactorauthenticationcode", *map(str.lower, OAUTH)})
"""Commands of the API port that have no answer on the integration port, in lower case."""
NOTHING_IN_JSON = b'{ "error" : { "description" : "Internal Server Error" } }'
NOTHING_IN_XML = b"<error>Internal Server Error</error>"
NOT_ON_THIS_PORT = {"updateUser": ("password", "currentpassword")}
"""Parameters that the integration port refuses."""


class Port(ThreadingHTTPServer):
    """One listening port. Each connection has a thread, which a silent client cannot hold for ever."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    # Threads end with their connections; joining them would wait for idle keep-alive clients.
    block_on_close = False

    def __init__(self, cloud: Cloud, address: tuple[str, int], handler: type[CloudStackHandler]) -> None:
        super().__init__(address, handler)
        self.cloud = cloud
        self.sessions = cloud.sessions
        self._open: set[socket.socket] = set()
        self._serving = False

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away or sends rubbish is its own business."""

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._serving = True
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name=f"cloudstack:{self.port}", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop listening and drop the connections that are open."""
        if self._serving:
            self.shutdown()
        self.server_close()
        for connection in list(self._open):
            self._open.discard(connection)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class CloudStackHandler(BaseHTTPRequestHandler):
    """What both ports share."""

    server: Port
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1
    server_version = "Jetty"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: their parameters hold secrets."""

    def query(self) -> list[tuple[str, str]]:
        """The query string's parameters."""
        return parse_qsl(urlsplit(self.path).query, keep_blank_values=True)

    def reply(self, status: int, content: bytes, headers: list[tuple[str, str]]) -> None:
        """Send an answer and nothing else."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()


class IntegrationHandler(CloudStackHandler):
    """The open port (8096): any path, no authentication, the caller is SYSTEM, every answer closes its connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # Of a name that stands twice, the first value counts here and the last on the API port.
        params = dict(reversed(self.query()))
        as_json = next((value for key, value in params.items() if key.lower() == "response"), "xml") == "json"
        kind = "application/json; charset=UTF-8" if as_json else "text/xml"
        status, content = self._content(params, as_json=as_json)
        self.close_connection = True
        self.reply(status, content, [("Content-Type", kind), ("Connection", "Close")])

    def _content(self, params: dict[str, str], *, as_json: bool) -> tuple[int, bytes]:
        cloud = self.server.cloud
        name = params.pop("command", None)
        if name is not None and name.lower() in AUTHENTICATORS:
            return 200, NOTHING_IN_JSON if as_json else NOTHING_IN_XML
        if name is None:
            status, envelope, body = 432, "errorresponse", unknown("Invalid request, no command sent")
        else:
            refused = next((given for given in NOT_ON_THIS_PORT.get(name, ()) if given in params), None)
            command = cloud.api.get(name)
            if refused is not None and command is not None:
                problem = ApiError(f"Parameter {refused} can't be passed through the API integration port", code=531)
                status, envelope, body = problem.code, command.envelope, error_body(problem)
            else:
                status, envelope, body = cloud.execute(cloud.system_caller, name, params | {METHOD: self.command})
        return status, render(envelope, body, as_json=as_json)

    # A body is not read on this port, so a POST is its query string.
    do_POST = do_GET


def unknown(text: str) -> dict[str, Any]:
    """The body of an error about the command itself."""
    return {"uuidList": [], "errorcode": 432, "cserrorcode": 9999, "errortext": text}


class ApiHandler(CloudStackHandler):
    """The API port (8080): ``/client/api``, by session or by signature."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    # The answer's body is left out when it is sent.
    do_HEAD = do_GET

    def do_POST(self) -> None:
        chunked = self.headers.get("Transfer-Encoding", "").strip().lower() == "chunked"
        content = self._chunks() if chunked else self._of_length(self.headers.get("Content-Length", "0"))
        if content is None:
            self.close_connection = True
            self.reply(400 if chunked else 413, b"", [])
            return
        self._answer(dict(reversed(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))))

    def _of_length(self, length: str) -> bytes | None:
        return self.rfile.read(int(length)) if length.isdecimal() and int(length) <= MOST_BODY else None

    def _chunks(self) -> bytes | None:
        """A body that is sent piece by piece; None where it is malformed or too long."""
        content = bytearray()
        while line := self.rfile.readline(LONGEST_LINE):
            size = line.partition(b";")[0].strip()
            if not re.fullmatch(b"[0-9A-Fa-f]{1,8}", size) or len(content) + int(size, 16) > MOST_BODY:
                return None
            if int(size, 16) == 0:
                while self.rfile.readline(LONGEST_LINE).strip():
                    pass
                return bytes(content)
            content += self.rfile.read(int(size, 16))
            if self.rfile.readline(LONGEST_LINE).strip():
                return None
        return None

    def _answer(self, posted: Mapping[str, str]) -> None:
        path = urlsplit(self.path).path
        if path == "/client/api":
            self._api({**posted, **dict(self.query())})
        elif path in ("/", "/client"):
            host = self.headers.get("Host", "localhost")
            self.reply(301, b"", [("Location", f"http://{host}/client/")])
        elif path == "/client/":
            page = (
                b"<!doctype html><title>CloudStack</title><p>A simulated CloudStack. Its API is at /client/api.</p>\n"
            )
            self.reply(200, page, [("Content-Type", "text/html"), VARYING])
        else:
            self.reply(404, b"", [])

    def _api(self, params: dict[str, str]) -> None:
        name = params.get("command", "")
        if name.lower() == "login":
            self._login(params)
            return
        if name.lower() == "logout":
            self._logout(params)
            return
        cloud = self.server.cloud
        if "command" not in params and self._session() is not None:
            # The server trips over it, and the answer stays empty.
            self.reply(200, b"", [("Content-Type", "text/xml;charset=utf-8")])
            return
        with cloud.lock:
            caller, refused = self._caller(params)
            if caller is None and name in OPEN_COMMANDS:
                caller = cloud.system_caller
            if caller is None:
                command = cloud.api.get(name)
                envelope = command.envelope if command is not None and command.served else "errorresponse"
                if "command" not in params:
                    envelope = "null"
                self._reply(params, 401, envelope, {"uuidList": [], "errorcode": 401, "errortext": refused})
                return
            if name == second_factor.VALIDATE and self._session() is None:
                # It is a session's, which a signature has none of.
                self.reply(200, b"", [content_type(params), *SECURITY_HEADERS, VARYING])
                return
            request = {key: value for key, value in params.items() if key not in NOT_PARAMETERS}
            request[METHOD] = self.command
            status, envelope, body = self._second_factor(caller.user, name, params) or cloud.execute(
                caller, name, request
            )
        self._reply(params, status, envelope, body, version=told_version(cloud, caller))

    def _second_factor(self, user: User, name: str, params: Mapping[str, str]) -> Outcome | None:
        """What a session is answered that proves its second factor or lacks it; None where it may go on."""
        session, cloud, sessions = self._session(), self.server.cloud, self.server.sessions
        command = cloud.api.get(name)
        if session is None or command is None:
            return None
        if name == second_factor.VALIDATE:
            try:
                second_factor.check(cloud, sessions, session, user, params.get("codefor2fa"))
            except ApiError as error:
                body = error_body(error)
                if error.code == second_factor.REFUSED:
                    # The servlet wraps what is an answer already.
                    inner = {"uuidList": [], "errorcode": error.code, "errortext": error.text}
                    body["errortext"] = render(command.envelope, inner, as_json=is_json(params)).decode()
                return error.code, command.envelope, body
            return 200, command.envelope, {"success": True}
        if session not in sessions.unverified:
            return None
        why = second_factor.demanded(cloud, user, name)
        if why is None:
            return None
        sessions.end(session)
        refusal = ApiError(f"Unable to process the API request due to :{why}", code=second_factor.REFUSED)
        return refusal.code, command.envelope, error_body(refusal)

    def _caller(self, params: Mapping[str, str]) -> tuple[Caller | None, str]:
        cloud, session = self.server.cloud, self._session()
        if session is None:
            return signed_caller(cloud, params), UNVERIFIED
        key = self._cookie("sessionkey")
        caller = self.server.sessions.caller(cloud, session, cookie=key, parameter=params.get("sessionkey"))
        return caller, "unable to verify user credentials"

    def _cookie(self, name: str) -> str | None:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(name)
        except CookieError:
            return None
        return None if found is None else found.value

    def _session(self) -> str | None:
        given = self._cookie("JSESSIONID")
        return given if given is not None and self.server.sessions.knows(given) else None

    def _login(self, params: Mapping[str, str]) -> None:
        if self.command != "POST":
            self._refuse_get(params)
            return
        cloud, username = self.server.cloud, params.get("username")
        with cloud.lock:
            self.server.sessions.end(self._session())
            try:
                domain = login_domain(cloud, params)
                user = None if username is None else user_named(cloud, username, domain)
                if user is not None and user.source == "saml2":
                    raise PermissionDenied("User is not allowed CloudStack login")
                entry = self.server.sessions.login(cloud, user, params.get("password"))
                if user is None or entry is None:
                    raise PermissionDenied(
                        f"Failed to authenticate user {username} in domain {domain.number}; please provide valid "
                        "credentials"
                    )
            except ApiError as refusal:
                self._refuse_login(params, refusal)
                return
            session, key = entry
            body = login_body(cloud, user, key)
        cookie = ("Set-Cookie", f"sessionkey={key};HttpOnly;SameSite=Lax")
        self._reply(params, 200, "loginresponse", body, [*session_headers(session), cookie])

    def _refuse_login(self, params: Mapping[str, str], refusal: ApiError) -> None:
        error = {"uuidList": [], "errorcode": refusal.code, "errortext": refusal.text}
        headers = session_headers(new_session_id())
        if "username" in params or refusal.code != PermissionDenied.code:
            self._reply(params, refusal.code, "loginresponse", error, headers)
            return
        # Without a user's name there is nothing to refuse, and no answer is written as Java writes none.
        self.reply(refusal.code, b"null", [content_type(params), *headers, *SECURITY_HEADERS])

    def _logout(self, params: Mapping[str, str]) -> None:
        with self.server.cloud.lock:
            ended = self.server.sessions.log_out(self.server.cloud, self._session())
        if ended:
            self._reply(params, 200, "logoutresponse", {"description": "success"})
            return
        text = "Session not found for the logout process."
        error = {"uuidList": [], "errorcode": 431, "cserrorcode": 9999, "errortext": text}
        self._reply(params, 431, "logoutresponse", error)

    def _reply(
        self,
        params: Mapping[str, str],
        status: int,
        envelope: str,
        body: dict[str, Any],
        headers: list[tuple[str, str]] | None = None,
        version: str | None = None,
    ) -> None:
        described = [("X-Description", one_line(body["errortext"]))] if status not in (200, 401, 531) else []
        varying = [VARYING] if status == 200 else []
        self.reply(
            status,
            render(envelope, body, as_json=is_json(params), version=version),
            [
                content_type(params),
                *(headers or []),
                *described,
                *SECURITY_HEADERS,
                *varying,
            ],
        )

    def _refuse_get(self, params: Mapping[str, str]) -> None:
        headers = [content_type(params), *session_headers(new_session_id()), *SECURITY_HEADERS]
        self.reply(405, b"Please use HTTP POST to authenticate using this API", headers)


def is_json(params: Mapping[str, str]) -> bool:
    """True for a request that is to be answered in JSON."""
    return params.get("response", "xml").lower() == "json"


def told_version(cloud: Cloud, caller: Caller) -> str | None:
    """The version that a caller's answers in XML tell; None where nobody is logged in, or it is kept quiet."""
    tells = cloud.configuration.flag("expose.cloudstack.version.api.xml.response", default=True)
    return cloud.api.acs_version if tells and caller.user is not cloud.system_user else None


def content_type(params: Mapping[str, str]) -> tuple[str, str]:
    """The header of an answer in the form that was asked for."""
    return "Content-Type", f"{'application/json' if is_json(params) else 'text/xml'};charset=utf-8"


def session_headers(session: str) -> list[tuple[str, str]]:
    """What a servlet container sends with a new session, logged in or not."""
    return [("Set-Cookie", f"JSESSIONID={session}; Path=/client"), ("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")]


NOT_PARAMETERS = frozenset({"command", "apiKey", "apikey", "signature", "sessionkey", "signatureVersion", "expires"})


def one_line(text: str) -> str:
    """A text that may stand in a header."""
    return " ".join(str(text).split()).encode("latin-1", "replace").decode("latin-1")


def hours_from_utc(timezone: str | None, moment: datetime) -> float:
    """How far a time zone is from UTC at a moment; 0 for one that nobody knows, as Java has it."""
    try:
        offset = moment.astimezone(ZoneInfo(timezone or "UTC")).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return 0.0
    return offset.total_seconds() / 3600 if offset else 0.0


def login_body(cloud: Cloud, user: User, key: str) -> dict[str, Any]:
    """What a successful login answers."""
    account, config = user.account, cloud.configuration
    domain = account.domain
    mandated = config.flag("enable.user.2fa", domain) and config.flag("mandate.user.2fa", domain)
    two_factor = user.two_factor or mandated
    # Only admins learn which server it was that they reached.
    server = {"managementserverid": cloud.management_server_id} if account.is_root_admin else {}
    return {
        "username": user.username,
        "userid": user.id,
        "domainid": domain.id,
        "timeout": 1800,
        "account": account.name,
        "firstname": user.first_name,
        "lastname": user.last_name,
        "type": str(int(account.type)),
        "timezone": user.timezone or "UTC",
        "timezoneoffset": str(hours_from_utc(user.timezone, cloud.clock.datetime())),
        "registered": "false",
        "sessionkey": key,
        "is2faenabled": str(two_factor).lower(),
        "is2faverified": str(not two_factor).lower(),
        "issuerfor2fa": config.text("user.2fa.issuer", domain, default="CloudStack"),
        **server,
        **({"passwordchangerequired": True} if user.must_change_password else {}),
    }
