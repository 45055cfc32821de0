"""The second factor of a login: the code that a session is asked for (ApiServlet.verify2FA, the authenticator plugins)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.errors import ApiError, InternalError
from cs_matrix_pytest.simulator.models.iam import User

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.wire.authentication import Sessions

VALIDATE = "validateUserTwoFactorAuthenticationCode"
WITHOUT = frozenset({"logout", "listUserTwoFactorAuthenticatorProviders", "setupUserTwoFactorAuthentication"})
"""Commands that a session may give before its second factor."""
REFUSED = 511
"""HTTP status of a request whose session lacks its second factor."""
STEP = 30
"""Seconds that a code of TOTP is good for."""
WRONG = "two-factor authentication code provided is invalid"
MANDATED = (
    "Two factor authentication is mandated by admin, user needs to setup 2FA using setupUserTwoFactorAuthentication API and "
    "then verify 2FA using validateUserTwoFactorAuthenticationCode API before calling other APIs. Existing session is "
    "invalidated."
)
UNVERIFIED = (
    "Two factor authentication 2FA is enabled but not verified, please verify 2FA using "
    "validateUserTwoFactorAuthenticationCode API before calling other APIs. Existing session is invalidated."
)


def totp(secret: str, now: float) -> str | None:
    """The code of a secret in base 32 at a time (RFC 6238, SHA-1, six digits); None for what is no secret."""
    try:
        key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    except binascii.Error:
        return None
    digest = hmac.new(key, struct.pack(">Q", int(now) // STEP), hashlib.sha1).digest()
    start = digest[-1] & 15
    (number,) = struct.unpack(">I", digest[start : start + 4])
    return f"{(number & 0x7FFFFFFF) % 10**6:06}"


def is_right(cloud: Cloud, user: User, code: str) -> bool:
    """True for the code that a user's provider expects now."""
    known = user.two_factor_code
    if known is None:
        return False
    expected = known if user.two_factor_provider == "staticpin" else totp(known, cloud.clock.now())
    return expected is not None and hmac.compare_digest(expected.encode(), code.encode())


def needed(cloud: Cloud, user: User) -> bool:
    """True for a user whose sessions must have a second factor."""
    domain, settings = user.account.domain, cloud.configuration
    return user.two_factor or (settings.flag("enable.user.2fa", domain) and settings.flag("mandate.user.2fa", domain))


def demanded(cloud: Cloud, user: User, command: str) -> str | None:
    """Why a session without its second factor may not give a command; None where it may."""
    if command in WITHOUT or not needed(cloud, user):
        return None
    return UNVERIFIED if user.two_factor and user.two_factor_code else MANDATED


def check(cloud: Cloud, sessions: Sessions, session: str, user: User, code: str | None) -> None:
    """Verify a session by a code. A wrong one ends it, or the set-up that it was to complete. Raises ApiError."""
    if not code:
        raise ApiError("Code for two factor authentication is required", code=531)
    if not user.two_factor:
        raise InternalError(f"Two factor authentication is not enabled on the user: {user.username}")
    if user.two_factor_code is None:
        raise InternalError(
            f"Two factor authentication is not setup for the user: {user.username}, please setup 2FA before verifying"
        )
    if is_right(cloud, user, code):
        user.two_factor_proven = True
        sessions.unverified.discard(session)
        return
    if user.two_factor_proven:
        sessions.end(session)
    else:
        user.two_factor, user.two_factor_provider, user.two_factor_code = False, None, None
    raise ApiError(WRONG, code=REFUSED, cs_code=4295)
