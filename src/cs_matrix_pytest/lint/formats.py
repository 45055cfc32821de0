"""Findings as text for people, as JSON, and as GitHub annotations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping

from cs_matrix_pytest.lint.findings import MISTAKES, RULES, SEVERITIES, Finding
from cs_matrix_pytest.lint.run import Linted
from cs_matrix_pytest.reports.escaping import printable


def as_text(linted: Linted, strict: bool = False) -> str:
    """A line for each finding with its hint below it, then how many there are; notices only where `strict` asks for them."""
    lines: list[str] = []
    for each in shown(linted, strict):
        lines.append(f"{each.file}:{each.line}:{each.column}: {each.code} {printable(each.message)}")
        lines.append(f"    {printable(each.hint)}")
    return "\n".join([*lines, _summary(linted, strict)])


def shown(linted: Linted, strict: bool) -> list[Finding]:
    """The findings that a person is to act on: mistakes, and where `strict` asks for them notices."""
    return [each for each in linted.findings if strict or each.severity in MISTAKES]


def as_json(linted: Linted, strict: bool = False) -> str:  # noqa: ARG001 - a document leaves it to its reader
    """One document, ``"schema": "cs-lint/1"``, notices included; docs/lint.md has its shape."""
    findings = [
        {
            "file": each.file,
            "line": each.line,
            "column": each.column,
            "code": each.code,
            "severity": each.severity,
            "rule": RULES[each.code].title,
            "message": each.message,
            "hint": each.hint,
        }
        for each in linted.findings
    ]
    return json.dumps({"schema": "cs-lint/1", "files": linted.files, "findings": findings}, indent=2)


def as_github(linted: Linted, strict: bool = False) -> str:
    """Workflow commands that GitHub Actions shows beside the lines, of what `as_text` lists; then the count, for the log."""
    commands = [
        f"::{each.severity} file={_property(each.file)},line={each.line},col={each.column},"
        f"title={_property(f'{each.code} {RULES[each.code].title}')}::{_data(f'{each.message}; {each.hint}')}"
        for each in shown(linted, strict)
    ]
    return "\n".join([*commands, _summary(linted, strict)])


FORMATS: Mapping[str, Callable[[Linted, bool], str]] = {"text": as_text, "json": as_json, "github": as_github}


def _summary(linted: Linted, strict: bool) -> str:
    counts = Counter(each.severity for each in linted.findings)
    by_severity = ", ".join(_counted(counts[severity], severity) for severity in SEVERITIES if counts[severity])
    hidden = "" if strict or not counts["notice"] else " (--strict lists them)"
    return f"{_counted(linted.files, 'file')}: {by_severity or 'nothing found'}{hidden}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
