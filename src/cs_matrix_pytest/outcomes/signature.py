"""Failure signatures: equal for failures of the same cause, whatever environment, run or machine they came from."""

from __future__ import annotations

import hashlib
import re

_READ_LIMIT = 2000
"""Characters of a message that are looked at: enough for any cause, and a bound for hostile input."""

_PREFIX_LIMIT = 72

_VARYING: tuple[tuple[str, str], ...] = (
    # Order matters: what contains numbers goes before numbers.
    (r"\x1b\[[0-?]*[ -/]*[@-~]", ""),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
    (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
    (r"\b[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}\b", "<mac>"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?(?::\d+)?\b", "<ip>"),
    (r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}(?::?[0-9a-fA-F]{1,4})+(?![\w:])", "<ip>"),
    (r"\b0x[0-9a-fA-F]+\b", "<hex>"),
    (r"\b[A-Za-z](?:[\w-]*[\w])?(?:\.[\w-]+)+:\d+\b", "<host>"),
    (r"\bhost='[^']*'", "host=<host>"),
    (r"(?<![\w<])(?:[A-Za-z]:)?(?:[/\\][\w.@+~-]+){2,}", "<path>"),
    (r"-(?=[A-Z0-9]{6}\b)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{6}\b", "-<random>"),
    (r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b", "<hex>"),
    (r"\d+(?:\.\d+)*", "<n>"),
    (r"[\s\x00-\x1f\x7f]+", " "),
)
_RULES = tuple((re.compile(pattern), mark) for pattern, mark in _VARYING)


def normalise(message: str) -> str:
    """The message without what differs between two occurrences of one cause.

    Times, uuids, MAC and IP addresses, host names with a port, paths, hex and other numbers, and the random suffixes
    that Marvin gives to names (``-A1B2C3``) become marks such as ``<uuid>``; white space becomes single spaces.
    """
    text = message[:_READ_LIMIT]
    for pattern, mark in _RULES:
        text = pattern.sub(mark, text)
    return text.strip()


def signature(exception: str, message: str, place: str | None = None) -> str:
    """A failure's signature: a readable beginning and a short hash, ``AssertionError: VM is not Running [1f0c2a9b]``.

    ``exception`` is the exception's type (with or without its module), ``message`` its text. ``place`` (the test's
    id or ``file:function``) tells failures apart only where the message says nothing, as a bare ``assert`` does: one
    broken cause that hits many tests keeps one signature.
    """
    kind = exception.rpartition(".")[2] or "Exception"
    said = normalise(message)
    cause = said or normalise(place or "")
    text = f"{kind}: {cause}" if cause else kind
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    prefix = text if len(text) <= _PREFIX_LIMIT else text[: _PREFIX_LIMIT - 1].rstrip() + "…"
    return f"{prefix} [{digest}]"
