"""Answers as bytes: CloudStack's JSON and its XML."""

from __future__ import annotations

import json
import re
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


NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
NO_NAME = re.compile(r"[^\w.-]", re.ASCII)
NO_TEXT = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
"""Characters that no XML document may have."""


def element_name(key: str) -> str:
    """A key, which may be any text of a user's, as the name of an element."""
    return key if NAME.fullmatch(key) else "_" + NO_NAME.sub("_", key)


def _element(name: str, value: Any) -> Iterable[str]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _element(name, item)
    elif isinstance(value, dict):
        yield f"<{name}>"
        for key, item in value.items():
            yield from _element(element_name(str(key)), item)
        yield f"</{name}>"
    else:
        yield f"<{name}>{escape(_text(value))}</{name}>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else NO_TEXT.sub("?", str(value))
