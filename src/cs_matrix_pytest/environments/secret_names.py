"""Which names announce a secret: keys of a Marvin configuration, API parameters, headers."""

from __future__ import annotations

import re

SECRET_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "secretkey",
    "securitykey",
    "secret",
    "apikey",
    "privatekey",
    "sessionkey",
    "sessionid",
    "signature",
    "token",
)
"""In lower case; a name is a secret's when it ends in one of these (``chapInitiatorPassword``, ``ipmi_passwd``)."""

SECRET_NAME_PATTERN = "(?:" + "|".join(name.replace("key", "[_-]?key") for name in SECRET_NAMES) + ")"
"""The same as a regular expression, to be matched without regard to case; ``api_key`` and ``api-key`` are meant too."""

_ENDS_IN_SECRET_NAME = re.compile(SECRET_NAME_PATTERN + r"\Z", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """True where the value under this name is a secret."""
    return _ENDS_IN_SECRET_NAME.search(name) is not None
