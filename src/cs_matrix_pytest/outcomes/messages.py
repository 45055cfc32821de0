"""How much of a failure's message a record keeps."""

from __future__ import annotations

MESSAGE_LIMIT = 600
"""Characters of a message in a record."""


def short(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """The message within `limit` characters: its beginning, where the cause mostly is."""
    message = message.strip()
    return message if len(message) <= limit else message[: limit - 1].rstrip() + "…"
