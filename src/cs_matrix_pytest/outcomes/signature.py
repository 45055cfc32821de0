"""Failure signatures: equal for failures of the same cause, whatever environment, run or machine they came from."""

from __future__ import annotations

import hashlib
import re

_READ_LIMIT = 2000
"""Characters of a message that are looked at: enough for any cause, and a bound for hostile input."""

_PREFIX_LIMIT = 72

_JOB = re.compile(r"(?:Job failed|Execute cmd: asyncquery failed, due to): \{")
_JOB_COMMAND = re.compile(r"\bcmd : u?['\"][\w.]*?([A-Za-z0-9]+?)(?:Cmd\w*)?['\"]")
_JOB_ERROR = re.compile(r"\berrorcode : (\d+), errortext : u?(['\"])(.*?)(?:\2[,}]|\Z)", re.DOTALL)
_CALL = re.compile(r"Execute cmd: (\w+) failed, due to: errorCode: (\d+), errorText: *")

_RANDOM = r"(?=[A-Z0-9]{6}\b)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{6}\b"
"""What Marvin's random_gen appends to names."""

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
    # Java's toString of a resource: what it is stays, what it is called goes.
    (r'("\w*[nN]ame"\s*:\s*)"[^"]*"', r"\1<name>"),
    (r"(?<![\w<])(?:[A-Za-z]:)?(?:[/\\][\w.@+~-]+){2,}", "<path>"),
    # Marvin calls an account test-a-TestVolumes-test_01_attach-A1B2C3: after the test that made it.
    (rf"\b\w+(?:-\w+)?-Test\w+(?:-test_\w+)?-{_RANDOM}", "<name>"),
    (rf"-{_RANDOM}", "-<random>"),
    (rf"(?<=[_ ])(?=[A-Z]*\d){_RANDOM}", "<random>"),
    (r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b", "<hex>"),
    # Which error the server gave is part of the cause.
    (r"(?<!\d)(?<!failed with )\d+(?:\.\d+)*", "<n>"),
    (r"[\s\x00-\x1f\x7f]+", " "),
)
_RULES = tuple((re.compile(pattern), mark) for pattern, mark in _VARYING)

_MARK = re.compile(r"<[a-z]+>")
_WORD = re.compile(r"[^\W\d_]+")
_EMPTY_WORDS = frozenset(("assert", "false", "in", "is", "none", "not", "or", "true", "unexpectedly"))
"""The words of an assertion that was given none: ``False is not true``, ``None != 3``, ``assert 2 == 3``."""


def normalise(message: str) -> str:
    """The message without what differs between two occurrences of one cause.

    Times, uuids, MAC and IP addresses, host names with a port, paths, hex and other numbers, and the names that Marvin
    makes up become marks such as ``<uuid>``; white space becomes single spaces. Of what Marvin says of a refused call
    or a failed job, the command, the error code and the server's words stay.
    """
    text = _unwrapped(message[:_READ_LIMIT])
    for pattern, mark in _RULES:
        text = pattern.sub(mark, text)
    return text.strip()


def signature(exception: str, message: str, place: str | None = None) -> str:
    """A failure's signature: a readable beginning and a short hash, ``AssertionError: VM is not Running [1f0c2a9b]``.

    ``exception`` is the exception's type (with or without its module), ``message`` its text. ``place`` (the test's
    id or ``file:function``) tells failures apart only where the message says nothing, as a bare ``assert`` or
    ``False is not true`` does: one broken cause that hits many tests keeps one signature.
    """
    kind = exception.rpartition(".")[2] or "Exception"
    said = normalise(message)
    where = "" if _says_something(said) else place or ""
    text = ": ".join(filter(None, (kind, said, where)))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    prefix = text if len(text) <= _PREFIX_LIMIT else text[: _PREFIX_LIMIT - 1].rstrip() + "…"
    return f"{' '.join(prefix.split())} [{digest}]"


def _unwrapped(text: str) -> str:
    """A failed job is printed with all that it was: who asked, when, for what. Its command and its error are the cause."""
    if job := _JOB.search(text):
        command = _JOB_COMMAND.search(text, job.end())
        if error := _JOB_ERROR.search(text, job.end()):
            name = f"{command[1]} job" if command else "job"
            return f"{text[: job.start()]}{name} failed with {error[1]}: {error[3]}"
    return _CALL.sub(r"\1 failed with \2: ", text)


def _says_something(said: str) -> bool:
    return any(word.lower() not in _EMPTY_WORDS for word in _WORD.findall(_MARK.sub("", said)))
