"""The ranking of flaky tests as text for terminals and as JSON (``cs-flaky/1``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.outcomes.flaky import CONFIDENCE, FlakyTest, Rate
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.reports.console import STYLES, Signs, draw
from cs_matrix_pytest.reports.escaping import printable

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = "cs-flaky/1"
SCHEMA_FILE = Path(__file__).with_name("cs-flaky.schema.json")

_SHOWN_CONTEXTS = 5
_SHOWN_MESSAGE = 160


def terminal(
    tests: Sequence[FlakyTest], count: int, width: int = 80, color: bool = False, *, encoding: str = "utf-8"
) -> str:
    """The ranking as text, ending in a newline; ``count`` is how many there are of which these are the first."""

    def write(console: Console, signs: Signs) -> None:
        from rich.padding import Padding
        from rich.text import Text

        def show(text: str, style: str = "", indent: int = 0) -> None:
            console.print(Padding(Text(printable(text), style=style, overflow="fold"), (0, 0, 0, indent)))

        for test in tests:
            level = "" if test.level == "test" else f"({test.level}) "
            show(f"{signs.of[Outcome.UNSTABLE]} {said(test.total)}: {level}{test.test}", STYLES[Outcome.UNSTABLE])
            for context, rate in test.contexts[:_SHOWN_CONTEXTS]:
                show(f"{context}: {said(rate)}", indent=4)
            if len(test.contexts) > _SHOWN_CONTEXTS:
                show(f"and {len(test.contexts) - _SHOWN_CONTEXTS} more contexts (--format json has all)", indent=4)
            if test.signatures:
                signature, times = test.signatures[0]
                more = len(test.signatures) - 1
                also = f", and {more} other cause{'' if more == 1 else 's'}" if more else ""
                show(f"{times} of these: {printable(signature, _SHOWN_MESSAGE)}{also}", indent=4)
        if count > len(tests):
            show(f"and {count - len(tests)} more (--top {count} shows all)")
        if not count:
            show("No test is flaky.")
            return
        console.print()
        show(
            f"ranked by the lower end of the {CONFIDENCE:.0%} interval (Wilson) of the share of attempts that fail",
            STYLES[Outcome.UNTESTED],
        )

    return draw(write, width, color, encoding)


def said(rate: Rate) -> str:
    """``fails 40.0 % (31.0 to 49.8 %), 40 of 100``, or that it is steady there."""
    if not rate.failures:
        return f"passed {rate.attempts} of {rate.attempts}"
    low, high = rate.interval
    return f"fails {rate.value:.1%} ({low:.1%} to {high:.1%}), {rate.failures} of {rate.attempts}"


def as_dict(tests: Sequence[FlakyTest], count: int) -> dict[str, Any]:
    """The ranking in the shape of ``cs-flaky/1``: SCHEMA_FILE has it."""
    return {
        "schema": SCHEMA,
        "confidence": CONFIDENCE,
        "interval": "wilson",
        "count": count,
        "tests": [
            {
                "test": test.test,
                "level": test.level,
                **_rate(test.total),
                "contexts": {context: _rate(rate) for context, rate in test.contexts},
                "signatures": dict(test.signatures),
                "last": test.last,
            }
            for test in tests
        ],
    }


def render_json(tests: Sequence[FlakyTest], count: int) -> str:
    """`as_dict` as JSON text, ASCII only, ending in a newline."""
    return json.dumps(as_dict(tests, count), indent=1) + "\n"


def _rate(rate: Rate) -> dict[str, Any]:
    low, high = rate.interval
    return {
        "failures": rate.failures,
        "attempts": rate.attempts,
        "flips": rate.flips,
        "rate": round(rate.value, 6),
        "low": round(low, 6),
        "high": round(high, 6),
    }
