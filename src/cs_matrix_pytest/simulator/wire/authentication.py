"""Who asks: signatures (ApiServer.verifyRequest) and login sessions (ApiServlet)."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from cs_matrix_pytest.environments import signing
from cs_matrix_pytest.simulator.access import api_key_access, database_path, describe_domain
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError, PermissionDenied
from cs_matrix_pytest.simulator.models.iam import ApiKeyPair, Domain, User
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.wire import second_factor

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

NEVER_IN = frozenset({"system", "baremetal-system-account"})
"""Accounts whose users never log in."""
KEY_LOCATIONS = {
    "cookieandparameter": (("cookie", "parameter"),),
    "parameteronly": (("parameter",),),
    "cookieorparameter": (("cookie",), ("parameter",)),
}
"""Where a session's key must be given, by the setting ``api.sessionkey.check.locations``: all places of one of these."""
EXPIRES_FORMAT = "%Y-%m-%dT%H:%M:%S%z"


def signature(params: Mapping[str, str], secret: str, *, ignore_case: bool = False) -> str:
    """The signature that a request must have; the one that it has does not count."""
    signed = {name: value for name, value in params.items() if name.lower() != "signature"}
    return signing.signature(signed, secret, ignore_case=ignore_case)


def signed_caller(cloud: Cloud, params: Mapping[str, str]) -> Caller | None:
    """The user that signed a request, or None for whatever is wrong with key, signature, expiry or command."""
    command = cloud.api.get(params.get("command", ""))
    given = {name.lower(): value for name, value in params.items()}
    api_key, signed = given.get("apikey"), given.get("signature")
    if command is None or not command.served or api_key is None or signed is None:
        return None
    if given.get("signatureversion") == "3" and not _in_time(cloud, given.get("expires")):
        return None
    found = key_pair(cloud, api_key)
    if found is None:
        return None
    user, keys = found
    if user.state != "enabled" or user.account.state != "enabled" or not api_key_access(cloud, user):
        return None
    if not _valid_now(cloud, keys):
        return None
    for ignore_case in (False, True):
        expected = signature(params, keys.secret_key, ignore_case=ignore_case)
        if hmac.compare_digest(expected.encode(), signed.encode()):
            return Caller(user, keys=api_key)
    return None


def _in_time(cloud: Cloud, expires: str | None) -> bool:
    if expires is None:
        return False
    try:
        until = datetime.strptime(expires, EXPIRES_FORMAT)
    except ValueError:
        return False
    return until > datetime.fromtimestamp(cloud.clock.now(), timezone.utc)


def _valid_now(cloud: Cloud, keys: ApiKeyPair) -> bool:
    now = cloud.clock.datetime()
    return (keys.start is None or keys.start < now) and (keys.end is None or now < keys.end)


def key_pair(cloud: Cloud, api_key: str) -> tuple[User, ApiKeyPair] | None:
    """The user who has this API key, and the pair."""
    pair = cloud.store.table(ApiKeyPair).first(api_key=api_key)
    return None if pair is None else (pair.user, pair)


def _count_failure(cloud: Cloud, user: User) -> None:
    allowed = int(cloud.configuration.number("incorrect.login.attempts.allowed", default=5))
    if user.state != "enabled" or allowed <= 0:
        return
    user.failed_logins += 1
    if user.failed_logins >= allowed:
        user.state = "disabled"


def new_session_id() -> str:
    """A session id as the servlet container makes them."""
    return f"node0{secrets.token_hex(12)}.node0"


@dataclass
class Sessions:
    """Logged-in users by JSESSIONID."""

    _sessions: dict[str, tuple[User, str]] = field(default_factory=dict)
    unverified: set[str] = field(default_factory=set)
    """Of these, the ones that owe their second factor."""

    def login(self, cloud: Cloud, user: User | None, password: str | None) -> tuple[str, str] | None:
        """Let a user in who has the right password: (session id, session key), or None.

        Raises PermissionDenied for who knows the password but is disabled or locked. A user who has it wrong
        ``incorrect.login.attempts.allowed`` times is disabled.
        """
        if user is None or user.account.name in NEVER_IN:
            return None
        if not password or user.password != password:
            _count_failure(cloud, user)
            return None
        account = user.account
        if user.state != "enabled" or account.state != "enabled":
            who = fields_text(id=user.number, uuid=user.id, username=user.username, accountName=account.name)
            raise PermissionDenied(
                f"User UserAccount {who}. (or their account) in domain {describe_domain(account.domain)} is "
                "disabled/locked. Please contact the administrator."
            )
        user.failed_logins = 0
        session, key = new_session_id(), secrets.token_urlsafe(20)
        self._sessions[session] = (user, key)
        if second_factor.needed(cloud, user):
            self.unverified.add(session)
        cloud.events.of_user(user, "USER.LOGIN", "user has logged in from IP Address /127.0.0.1")
        return session, key

    def entries(self) -> Iterator[tuple[str, User, str]]:
        """The sessions that are logged in: id, user, session key."""
        return ((session, user, key) for session, (user, key) in self._sessions.items())

    def restore(self, entries: Iterable[tuple[str, User, str]]) -> None:
        """Know these sessions, and no others."""
        self._sessions = {session: (user, key) for session, user, key in entries}
        self.unverified = {session for session, (user, _) in self._sessions.items() if user.two_factor}

    def knows(self, session: str) -> bool:
        """True for the id of a session that is logged in."""
        return session in self._sessions

    def caller(self, cloud: Cloud, session: str, *, cookie: str | None, parameter: str | None) -> Caller | None:
        """The user of a session that is known, if the session key is right wherever it has to be given, and the user is
        still enabled; whatever is wrong ends the session."""
        user, expected = self._sessions[session]
        rule = cloud.configuration.text("api.sessionkey.check.locations")
        needed = KEY_LOCATIONS.get(rule.lower(), KEY_LOCATIONS["cookieandparameter"])
        given = {"cookie": cookie, "parameter": parameter}
        right = all(key is None or hmac.compare_digest(key.encode(), expected.encode()) for key in given.values())
        enough = any(all(given[place] is not None for place in places) for places in needed)
        active = user in cloud.store and user.state == "enabled" and user.account.state == "enabled"
        if right and enough and active:
            return Caller(user)
        self.end(session)
        return None

    def end(self, session: str | None) -> bool:
        """Log out; False where there was no such session."""
        self.unverified.discard(session or "")
        return self._sessions.pop(session or "", None) is not None

    def log_out(self, cloud: Cloud, session: str | None) -> bool:
        """Log out by the command, which is an event; False where there was no such session."""
        known = self._sessions.get(session or "")
        if known is not None:
            cloud.events.of_user(known[0], "USER.LOGOUT", "user has logged out")
        return self.end(session)


def login_domain(cloud: Cloud, params: Mapping[str, str]) -> Domain:
    """The domain that a login names by id, else by path, ROOT where it names none (DomainManagerImpl.findDomainByIdOrPath).

    Raises ApiError for what is no id, and PermissionDenied for a domain that there is not.
    """
    domains, path = cloud.store.table(Domain), params.get("domain")
    if path is not None:
        path = f"{path}/" if not path.endswith("/") else path
        path = path if path.startswith("/") else f"/{path}"
    id = params.get("domainid", params.get("domainId"))
    found = domains.get(id) if id else None
    if id and found is None:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", id):
            raise ApiError("Invalid domain id entered, please enter a valid one", code=401)
        found = domains.first(number=int(id))
    if found is None and (not id or int(id) < 1):
        wanted = (path or "/").strip().lower()
        found = next((domain for domain in domains if database_path(domain).lower() == wanted), None)
    if found is None:
        raise PermissionDenied(f"Unable to find the domain from the path {path or 'null'}")
    return found


def user_named(cloud: Cloud, username: str, domain: Domain) -> User | None:
    """The user of this name, in whatever case, in exactly this domain."""
    return cloud.store.table(User).first(
        lambda user: user.username.lower() == username.lower() and user.account.domain is domain
    )
