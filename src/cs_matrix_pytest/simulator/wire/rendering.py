"""Answers as bytes: CloudStack's JSON and its XML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from cs_matrix_pytest.simulator.parameters import java_text

XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def render(envelope: str, body: dict[str, Any], *, as_json: bool, version: str | None = None) -> bytes:
    """An answer, UTF-8. ``version``: the CloudStack version that XML tells (``cloud-stack-version``)."""
    if as_json:
        return json.dumps({envelope: body}, separators=(",", ":"), ensure_ascii=False).encode()
    told = "" if version is None else f' cloud-stack-version="{_escaped(version)}"'
    inside = "".join(part for name, value in body.items() for part in _element(element_name(str(name)), value))
    return f"{XML_DECLARATION}<{envelope}{told}>{inside}</{envelope}>".encode()


NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
NO_NAME = re.compile(r"[^\w.-]", re.ASCII)
NO_TEXT = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
"""Characters that no XML document may have."""


def element_name(key: str) -> str:
    """A key, which may be any text of a user's, as the name of an element."""
    return key if NAME.fullmatch(key) else "_" + NO_NAME.sub("_", key)


MAPS = frozenset(
    [
        "accountdetails",
        "backupofferingdetails",
        "deployasisdetails",
        "details",
        "domaindetails",
        "downloaddetails",
        "etcdips",
        "otherdeployparams",
        "params",
        "resourcedetails",
        "serviceofferingdetails",
        "storagecapabilities",
        "storagecustomstats",
        "vmdetails",
        "vnfdetails",
        "volumecheckresult",
        "volumerepairresult",
        "vpncustomergatewayparameters",
    ]
)
"""Fields with a user's own names, which XML has as one text."""


def _element(name: str, value: Any) -> Iterable[str]:
    if name == "uuidList":
        named = "".join(
            f"<uuid>{_escaped(row['uuid'])}</uuid><uuidProperty>{_escaped(row['description'])}</uuidProperty>"
            for row in value
        )
        yield f"<uuidList>{named}</uuidList>" if named else ""
    elif name in MAPS and isinstance(value, dict):
        yield f"<{name}>{_escaped(java_text(value))}</{name}>"
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _element(name, item)
    elif isinstance(value, dict):
        yield f"<{name}>"
        for key, item in value.items():
            yield from _element(element_name(str(key)), item)
        yield f"</{name}>"
    else:
        yield f"<{name}>{_escaped(_text(value))}</{name}>"


def _escaped(text: str) -> str:
    return escape(NO_TEXT.sub("?", text), {'"': "&quot;", "'": "&apos;"})


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
