"""Answers as bytes: CloudStack's JSON and its XML."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def render(envelope: str, body: dict[str, Any], *, as_json: bool) -> bytes:
    """An answer, UTF-8."""
    if as_json:
        return json.dumps({envelope: body}, separators=(",", ":"), ensure_ascii=False).encode()
    shown = {name: value for name, value in body.items() if name != "uuidList"}
    return (XML_DECLARATION + "".join(_element(envelope, shown))).encode()


def _element(name: str, value: Any) -> Iterable[str]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _element(name, item)
    elif isinstance(value, dict):
        yield f"<{name}>"
        for key, item in value.items():
            yield from _element(str(key), item)
        yield f"</{name}>"
    else:
        yield f"<{name}>{escape(_text(value))}</{name}>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
