"""Keeping secrets out of logs, reports and messages.

Two rules, both applied to every text. By value: whatever was registered is masked wherever it stands, as it is, quoted
for a URL or escaped for JSON. By name: whatever follows the name of a secret is masked, registered or not, in URLs,
JSON, Python's ``repr``, XML and ``key=value`` text.

A short value is common in plain words: MySQL's ``cloud`` must not turn ``cloudstack`` into stars. So a value of eight
characters or more is masked everywhere, a shorter one only as a whole word, and one of fewer than four characters, or
one that is itself the name of a secret (the password ``password``), only behind a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from cs_matrix_pytest.environments.secret_names import SECRET_NAME_PATTERN, SECRET_NAMES, is_secret_name

MASK = "********"
_SHORTEST = 4
_LONG = 8

_DOUBLE_QUOTED = r'"(?:\\.|[^"\\])*"'
_SINGLE_QUOTED = r"'(?:\\.|[^'\\])*'"
# (not the comparisons of a traceback's code) `"password": "…"`, `password=…`, `passwd : '…'`, and JSON inside a JSON string (`\"password\": \"…\"`)
_NAMED = re.compile(
    rf"(?P<name>{SECRET_NAME_PATTERN}(?:\\?[\"'])?\s{{0,3}}(?:=(?!=)|:)\s{{0,3}})"
    rf"(?P<value>[ub]?{_DOUBLE_QUOTED}|[ub]?{_SINGLE_QUOTED}|\\\"(?:[^\"\\]|\\\\.)*\\\"|[^\s&,;\"'<>{{}}\[\]][^\s&,;\"'<}}]*)"
)
_ELEMENT = re.compile(rf"(<{SECRET_NAME_PATTERN}>)[^<]*")
_IN_AUTHORITY = re.compile(r"(://[^\s/:@]{1,100}:)[^\s/@]{1,200}(?=@)")
_NOTHING = frozenset({"none", "null", "true", "false", "''", '""', MASK})


class Masker:
    """Masks the secrets registered with it, and whatever a secret's name announces."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._registered = re.compile(r"(?!)")
        self.register(*secrets)

    def register(self, *secrets: str) -> None:
        """Mask these values from now on."""
        values = {form for secret in secrets if _telling(secret) for form in _forms(secret)}
        if values <= self._values:
            return
        self._values |= values
        longest_first = sorted(self._values, key=lambda value: (-len(value), value))
        self._registered = re.compile("|".join(map(_value_pattern, longest_first)))

    def mask(self, text: str) -> str:
        """``text`` with its secrets replaced. Masking twice changes nothing more."""
        text = _NAMED.sub(_mask_named, text)
        text = _ELEMENT.sub(rf"\1{MASK}", text)
        text = _IN_AUTHORITY.sub(rf"\1{MASK}", text)
        # Most texts have none of the values, and `in` knows that much sooner than the expression.
        return self._registered.sub(MASK, text) if any(value in text for value in self._values) else text


def masked(value: Any) -> Any:
    """A copy of plain data (dicts, lists, scalars) in which the value under every secret's name is masked."""
    if isinstance(value, dict):
        return {
            key: MASK if is_secret_name(str(key)) and _is_set(item) else masked(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def secrets_in(value: Any) -> Iterator[str]:
    """Every value under a secret's name anywhere in plain data, as text."""
    return (secret for _, secret in secret_paths(value))


def secret_paths(value: Any, below: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """(path, value) of every secret in plain data; the path is dotted, as in ``mgtSvr.0.passwd``."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        here = (*below, str(key))
        if isinstance(item, (dict, list)):
            yield from secret_paths(item, here)
        elif is_secret_name(str(key)) and _is_set(item):
            yield ".".join(here), str(item)


def _is_set(value: Any) -> bool:
    return value is not None and value != "" and not isinstance(value, bool)


def _telling(secret: str) -> bool:
    """False where masking the value wherever it stands would hide more than the secret."""
    return len(secret) >= _SHORTEST and secret.lower() not in SECRET_NAMES


def _forms(secret: str) -> set[str]:
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    # CloudStack's clients differ in what they leave bare: Java's URLEncoder the `*`, Python 3 the `~`.
    in_urls = {quote(secret, safe=""), quote_plus(secret), quote_plus(secret, safe="*"), quote(secret)}
    quoted_tilde = {form.replace("~", "%7E") for form in in_urls}
    return {secret, repr(secret)[1:-1], *in_json, *in_urls, *quoted_tilde}


def _value_pattern(value: str) -> str:
    literal = re.escape(value)
    return literal if len(value) >= _LONG else rf"(?<!\w){literal}(?!\w)"


def _mask_named(match: re.Match[str]) -> str:
    value = match["value"]
    if value.lower() in _NOTHING:
        return match[0]
    quotes = re.match(r"""(?i:[ub])?(\\"|"|')""", value)
    return f"{match['name']}{quotes[0]}{MASK}{quotes[1]}" if quotes else match["name"] + MASK
