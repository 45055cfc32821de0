"""The HTML page: data, style and script of the package put into one file by Jinja2."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.matrix import Cell, Matrix
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.outcomes.timeline import Timelines
from cs_matrix_pytest.reports.console import UNICODE
from cs_matrix_pytest.reports.escaping import printable
from cs_matrix_pytest.reports.html.data import NOTHING, ORDER, Axes, LeftOut, details_data, table_data, worst
from cs_matrix_pytest.reports.html.interning import script_json

LIMIT = 2_000_000
"""Bytes that a page has at most, unless what its table shows alone is more."""

_FILES = Path(__file__).with_name("assets")
_SCRIPTS = ("data", "state", "selection", "elements", "table", "list", "cell", "controls", "start")
"""In the order in which they stand in the page: what uses comes after what is used."""

_NO_SCRIPT_FEATURES, _NO_SCRIPT_CONTEXTS = 500, 4
_WARNINGS, _WARNING = 20, 300
_NAME = 120


def render(matrix: Matrix, timelines: Timelines, *, limit: int = LIMIT) -> bytes:
    """The page, UTF-8. Raises UserError where Jinja2 is not installed.

    Of the evidence and the history so much is in it that it has at most ``limit`` bytes (more only where it has neither);
    it says what was left out.
    """
    template = _template()
    shown = worst(matrix)
    axes = Axes(shown)
    style = (_FILES / "page.css").read_text(encoding="utf-8")
    script = _script()
    fixed = {
        "style": style,
        "script": script,
        "policy": _policy(style, script),
        "table": script_json(table_data(shown, axes)),
        "generated": matrix.generated,
        "signs": {outcome.value: UNICODE.of[outcome] for outcome in ORDER},
        "runs": len(matrix.runs),
        "labs": sorted({printable(run.lab, _NAME) for run in matrix.runs}),
        "versions": [_version(matrix, version) for version in axes.versions],
        "features": list(_features(shown, axes.versions[0])) if axes.versions else [],
        "notes": list(_notes(matrix, len(matrix.features) - len(shown.features))),
        "limit": limit,
    }

    def page(room: int) -> bytes:
        details, left_out = details_data(shown, timelines, axes, room)
        text: str = template.render(fixed, details=script_json(details), left_out=list(_left_out(left_out)))
        return text.encode("utf-8", "replace")

    bare = page(NOTHING)
    room = limit - len(bare)
    while room > 0:
        made = page(room)
        over = len(made) - limit
        if over <= 0:
            return made
        # What details take is known only about.
        room -= over
    return bare


def _template() -> Any:
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise UserError("the HTML page needs Jinja2", hint="pip install 'cs-matrix-pytest[html]'") from None
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((_FILES / "page.html.j2").read_text(encoding="utf-8"))


def _script() -> str:
    parts = [(_FILES / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    return "".join(['"use strict";\n(() => {\n', *parts, "})();\n"])


def _policy(style: str, script: str) -> str:
    """What the page may do: run its own script, use its own style, and reach nothing."""

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"

    return (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _version(matrix: Matrix, version: str) -> dict[str, Any]:
    cells = [cell for cell in matrix.cells if cell.acs_version == version]
    counts = Counter(cell.total.outcome for cell in cells)
    return {
        "name": printable(version, _NAME),
        "cells": len(cells),
        "counts": [(outcome.value, counts[outcome]) for outcome in ORDER],
        "partly": sum(map(_is_partly, cells)),
        "features": len({cell.feature for cell in cells}),
        "contexts": len({cell.context for cell in cells}),
    }


def _is_partly(cell: Cell) -> bool:
    tests = cell.total.tests
    return cell.total.outcome is Outcome.COMPATIBLE and sum(tests.values()) > tests.get(Outcome.COMPATIBLE, 0)


def _features(matrix: Matrix, version: str) -> Iterator[dict[str, Any]]:
    """A version feature by feature, for readers without JavaScript: failing first."""
    cells: dict[str, list[Cell]] = {}
    for cell in matrix.cells:
        if cell.acs_version == version:
            cells.setdefault(cell.feature, []).append(cell)
    counts = {feature: Counter(cell.total.outcome for cell in own) for feature, own in cells.items()}

    def badness(feature: str) -> tuple[int, int, str]:
        return -counts[feature][Outcome.FAILING], -counts[feature][Outcome.UNSTABLE], matrix.features[feature].title

    for feature in sorted(cells, key=badness)[:_NO_SCRIPT_FEATURES]:
        failing = [printable(cell.context, _NAME) for cell in cells[feature] if cell.total.outcome is Outcome.FAILING]
        yield {
            "title": printable(matrix.features[feature].title, _NAME),
            "counts": [counts[feature][outcome] for outcome in ORDER],
            "failing": failing[:_NO_SCRIPT_CONTEXTS],
            "more": max(len(failing) - _NO_SCRIPT_CONTEXTS, 0),
        }


def _notes(matrix: Matrix, features_left_out: int) -> Iterator[str]:
    """What a reader should know of the records themselves, and of what the page has not."""
    if features_left_out:
        yield f"{features_left_out:,} features are not shown: those that fail least"
    warnings = [printable(warning, _WARNING) for warning in matrix.warnings]
    yield from warnings[:_WARNINGS]
    if len(warnings) > _WARNINGS:
        yield f"and {len(warnings) - _WARNINGS} more notes on the records"
    cut = [printable(run.run, _NAME) for run in matrix.runs if not run.ended]
    if cut:
        more = f" and {len(cut) - _WARNINGS} more" if len(cut) > _WARNINGS else ""
        yield f"cut short (what they finished counts): {', '.join(cut[:_WARNINGS])}{more}"


def _left_out(left_out: LeftOut) -> Iterator[str]:
    for cells, what in (
        (left_out.evidence, "the evidence of tests that do not pass"),
        (left_out.environments, "what each environment says"),
        (left_out.histories, "the history"),
        (left_out.passing, "the names of passing tests"),
    ):
        if cells:
            yield f"{what} of {cells:,} cells"
