"""Signing API requests as CloudStack verifies them (ApiServer.verifyRequest)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote


def encoded(value: str) -> str:
    """``value`` as Java's URLEncoder writes it, with ``%20`` for a space: letters, digits and ``.-_*`` stay bare."""
    # Python 3 leaves `~` bare; a signature made over that is refused.
    return quote(value, safe="*").replace("~", "%7E")


def signature(parameters: Mapping[str, str], secret_key: str, *, ignore_case: bool = True) -> str:
    """The base64 HMAC-SHA1 of the parameters: sorted by name, ``name=value`` joined by ``&``, lower case.

    ``ignore_case`` is how names are sorted; clients do both, and servers sort as they are written.
    """
    ordered = sorted(parameters.items(), key=lambda item: item[0].lower() if ignore_case else item[0])
    text = "&".join(f"{name}={encoded(value)}" for name, value in ordered).lower()
    digest = hmac.new(secret_key.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


def signed_query(parameters: Mapping[str, str], api_key: str, secret_key: str) -> str:
    """The query string of a signed request: the parameters, ``apiKey`` and ``signature``."""
    complete = {**parameters, "apiKey": api_key}
    complete["signature"] = signature(complete, secret_key)
    return "&".join(f"{name}={encoded(value)}" for name, value in complete.items())
