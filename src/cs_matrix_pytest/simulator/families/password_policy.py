"""What a domain asks of the passwords of its users (PasswordPolicyImpl)."""

from __future__ import annotations

import re
from collections.abc import Callable

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.models.iam import Domain

LEAST: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("special.characters", "special characters", lambda character: not character.isalnum()),
    ("uppercase.letters", "upper case letters", str.isupper),
    ("lowercase.letters", "lower case letters", str.islower),
    ("digits", "digits", str.isdigit),
    ("length", "characters", lambda _character: True),
)
"""How many characters of each sort are asked for: the end of the setting's name, what texts call them, the sort."""


def check_password(call: Call, password: str, username: str, domain: Domain) -> None:
    """Raise InvalidParameterValue for a password that the domain's settings ``password.policy.*`` refuse."""
    settings = call.cloud.configuration
    for name, called, belongs in LEAST:
        least = int(settings.number(f"password.policy.minimum.{name}", domain))
        if sum(map(belongs, password)) < least:
            raise InvalidParameterValue(f"User password should contain at least [{least}] {called}.")
    may_contain_name = settings.flag("password.policy.allowPasswordToContainUsername", domain, default=True)
    if not may_contain_name and username.lower() in password.lower():
        raise InvalidParameterValue("User password should not contain their username.")
    pattern = settings.text("password.policy.regex", domain)
    if pattern and not _matches(pattern, password):
        raise InvalidParameterValue("User password does not match with password policy regex.")


def _matches(pattern: str, password: str) -> bool:
    try:
        return re.fullmatch(pattern, password) is not None
    except re.error:
        # A pattern of Java's that Python cannot read asks for nothing here.
        return True
