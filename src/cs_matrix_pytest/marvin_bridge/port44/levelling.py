"""What ported code calls where a server of today answers differently from one of 4.4."""

from __future__ import annotations

from typing import Any


def is_only_a_job(response: Any) -> bool:
    """Whether a command that 4.4 knew as synchronous was answered with a job (``registerUserKeys`` since 4.23)."""
    return set(getattr(response, "__dict__", ())) == {"jobid"}


def user_keys(api_client: Any, user: Any) -> tuple[str | None, str | None]:
    """(API key, secret key) that ``user`` (of ``listUsers``) has, or (None, None) where keys are to be registered.

    Newer servers tell the secret key only through ``getUserKeys``, a command that 4.4 had not.
    """
    if user.apikey and user.secretkey:
        return user.apikey, user.secretkey
    connection = api_client.connection
    response = connection.request("getUserKeys", connection.auth, payload={"id": user.id})
    keys = response.json().get("getuserkeysresponse", {}).get("userkeys", {})
    if keys.get("apikey") and keys.get("secretkey"):
        return keys["apikey"], keys["secretkey"]
    return None, None
