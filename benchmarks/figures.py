"""Printing a figure beside its bound."""

from __future__ import annotations


def report(what: str, figure: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> bool:
    """Print one line; True where the figure is within its bound."""
    good = (at_most is None or figure <= at_most) and (at_least is None or figure >= at_least)
    bound = f"at most {at_most:g}" if at_most is not None else f"at least {at_least:g}"
    print(f"{'ok  ' if good else 'OUT '} {what}: {figure:,.1f} {unit} ({bound})", flush=True)
    return good
