"""Text from records may be hostile: what a terminal would obey and what XML cannot have is taken out here."""

from __future__ import annotations

import re
import unicodedata

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str, limit: int | None = None) -> str:
    """One line that a terminal only shows: no escape sequences, no control, direction or surrogate characters.

    ``limit`` is in characters; what is cut off ends in ``…``.
    """
    plain = _ANSI.sub("", text)
    if not plain.isascii() or not plain.isprintable():
        plain = "".join(_shown(character) for character in plain)
    plain = " ".join(plain.split())
    return plain if limit is None or len(plain) <= limit else f"{plain[: limit - 1].rstrip()}…"


def xml_text(text: str) -> str:
    """The text without escape sequences and without the characters that XML 1.0 cannot carry."""
    return _NOT_XML.sub("", _ANSI.sub("", text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Zs") else ""
