"""Who asks: signatures (ApiServer.verifyRequest) and login sessions (ApiServlet)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from cs_matrix_pytest.environments import signing
from cs_matrix_pytest.simulator.access import api_key_access, describe_domain
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import PermissionDenied
from cs_matrix_pytest.simulator.models.iam import ApiKeyPair, Domain, User
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.wire import second_factor

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

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
    pair = cloud.store.table(ApiKeyPair).by("api_key", api_key)
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

    def login(self, cloud: Cloud, params: Mapping[str, str]) -> tuple[str, str, User] | None:
        """Check a user name and password: (session id, session key, user), or None.

        Raises PermissionDenied for who knows the password but is disabled or locked. A user who has it wrong
        ``incorrect.login.attempts.allowed`` times is disabled.
        """
        user = self.named(cloud, params)
        if user is None:
            return None
        if user.password != params.get("password"):
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
        return session, key, user

    def named(self, cloud: Cloud, params: Mapping[str, str]) -> User | None:
        """The user that a login names, by name and domain."""
        path = (params.get("domain") or "/").strip("/")
        domain_id = params.get("domainid") or params.get("domainId")
        for user in cloud.store.table(User):
            domain = user.account.domain
            below_root = "/".join(domain.path.split("/")[1:])
            here = domain.id == domain_id if domain_id else below_root == path or domain.path == path
            if here and user.username == params.get("username"):
                return user
        return None

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

    def caller(self, session: str | None, key: str | None) -> Caller | None:
        """The user of a session, if the session key is right; a wrong key ends the session."""
        known = self._sessions.get(session or "")
        if known is None:
            return None
        user, expected = known
        if key is None or not hmac.compare_digest(key.encode(), expected.encode()):
            self.end(session)
            return None
        return Caller(user)

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


def domain_number(cloud: Cloud, params: Mapping[str, str]) -> int:
    """The internal number of the domain that a login names, ROOT's where it names none."""
    path = (params.get("domain") or "/").strip("/")
    for domain in cloud.store.table(Domain):
        if "/".join(domain.path.split("/")[1:]) == path:
            return domain.number
    return 1
