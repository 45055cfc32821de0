"""What every report for terminals shares: signs, colours, and how text becomes what the output can take."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from cs_matrix_pytest.outcomes.model import Outcome

if TYPE_CHECKING:
    from rich.console import Console

_NARROWEST = 40


class Signs(NamedTuple):
    """The characters that not every terminal can show."""

    of: Mapping[Outcome, str]
    rule: str
    ellipsis: str


UNICODE = Signs({Outcome.COMPATIBLE: "✓", Outcome.FAILING: "✗", Outcome.UNSTABLE: "~", Outcome.UNTESTED: "·"}, "─", "…")
ASCII = Signs({Outcome.COMPATIBLE: "+", Outcome.FAILING: "x", Outcome.UNSTABLE: "~", Outcome.UNTESTED: "-"}, "-", "...")

STYLES: Mapping[Outcome, str] = {
    Outcome.COMPATIBLE: "green",
    Outcome.FAILING: "bold red",
    Outcome.UNSTABLE: "yellow",
    Outcome.UNTESTED: "dim",
}
"""Colours, which never say anything alone."""


def draw(write: Callable[[Console, Signs], None], width: int, color: bool, encoding: str) -> str:
    """What ``write`` prints on a console of this width, as text that ends in a newline and has no space at line ends.

    ``encoding`` is the output's: where it cannot take the symbols, the signs are ASCII.
    """
    from rich.console import Console

    encoding = _known(encoding)
    signs = UNICODE if _can_show(UNICODE, encoding) else ASCII
    out = StringIO()
    console = Console(
        file=out,
        width=max(width, _NARROWEST),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    write(console, signs)
    text = "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
    return text.replace("…", signs.ellipsis).encode(encoding, "backslashreplace").decode(encoding)


def _can_show(signs: Signs, encoding: str) -> bool:
    try:
        "".join([*signs.of.values(), signs.rule, signs.ellipsis]).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return "ascii"
