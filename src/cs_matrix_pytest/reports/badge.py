"""The matrix in one line: an SVG badge, ``cs-matrix | 212 compatible · 3 failing``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html import escape

from cs_matrix_pytest.outcomes.matrix import Matrix
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.reports.escaping import printable

LABEL = "cs-matrix"

_SHOWN = (Outcome.COMPATIBLE, Outcome.FAILING, Outcome.UNSTABLE)
_COLOURS = (
    (Outcome.FAILING, "#b3261e"),
    (Outcome.UNSTABLE, "#8a5a00"),
    (Outcome.COMPATIBLE, "#1d6b40"),
    (Outcome.UNTESTED, "#5a6270"),
)
"""The worst outcome there is gives the colour; white text has a contrast of at least 5 to 1 on each."""

_VERSIONS_SHOWN, _VERSION = 3, 40

_HEIGHT, _PADDING = 20, 7
# Widths in pixels of Verdana and DejaVu Sans at 11 px. Where another font is used, textLength fits the text to them.
_WIDTHS: Mapping[str, float] = {
    **dict.fromkeys("ijl", 3.2),
    **dict.fromkeys("ft ·.,:-", 4.2),
    **dict.fromkeys("rszck", 5.8),
    **dict.fromkeys("mw", 10.2),
}
_OTHER_WIDTH = 7.0

_TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" aria-label="{title}">\
<title>{title}</title>\
<clipPath id="r"><rect width="{width}" height="{height}" rx="3"/></clipPath>\
<g clip-path="url(#r)">\
<rect width="{label_width}" height="{height}" fill="#3b424a"/>\
<rect x="{label_width}" width="{value_width}" height="{height}" fill="{colour}"/>\
</g>\
<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">\
<text x="{padding}" y="14" textLength="{label_length}">{label}</text>\
<text x="{value_x}" y="14" textLength="{value_length}">{value}</text>\
</g></svg>
"""


def render(matrix: Matrix) -> bytes:
    """The badge, which counts the matrix's cells (a feature in a context at a version) by outcome; UTF-8, one line."""
    counts = Counter(cell.total.outcome for cell in matrix.cells)
    value = _value(counts)
    label_length, value_length = _width(LABEL), _width(value)
    label_width, value_width = label_length + 2 * _PADDING, value_length + 2 * _PADDING
    text = _TEMPLATE.format(
        title=escape(f"{LABEL}{_versions(matrix)}: {value}"),
        label=escape(LABEL),
        value=escape(value),
        width=label_width + value_width,
        height=_HEIGHT,
        padding=_PADDING,
        label_width=label_width,
        value_width=value_width,
        label_length=label_length,
        value_length=value_length,
        value_x=label_width + _PADDING,
        colour=next((colour for outcome, colour in _COLOURS if counts[outcome]), _COLOURS[-1][1]),
    )
    return text.encode("utf-8")


def _value(counts: Counter[Outcome]) -> str:
    said = [f"{counts[outcome]} {outcome.value}" for outcome in _SHOWN if counts[outcome]]
    return " · ".join(said) or "untested"


def _versions(matrix: Matrix) -> str:
    versions = sorted({printable(cell.acs_version, _VERSION) for cell in matrix.cells})
    return f", CloudStack {', '.join(versions)}" if 0 < len(versions) <= _VERSIONS_SHOWN else ""


def _width(text: str) -> int:
    return round(sum(_WIDTHS.get(character, _OTHER_WIDTH) for character in text))
