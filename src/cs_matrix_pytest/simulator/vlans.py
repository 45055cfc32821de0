"""VLAN ids as text: ranges such as ``100-200,300-310`` and their arithmetic."""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]


def parse_ranges(text: str | None) -> list[Range]:
    """The ranges of a text that was checked before, in order."""
    ranges = []
    for part in (text or "").split(","):
        if part.strip():
            first, _, last = part.strip().partition("-")
            ranges.append((int(first), int(last or first)))
    return ranges


def format_ranges(ranges: Iterable[Range]) -> str:
    """Ranges as text, sorted, with neighbours merged."""
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return ",".join(f"{first}-{last}" for first, last in merged)


def ids(ranges: Iterable[Range]) -> list[int]:
    """Every id of some ranges."""
    return [number for first, last in ranges for number in range(first, last + 1)]


def contains(ranges: Iterable[Range], vlan: str | int) -> bool:
    """True where one of the ranges has this id; ``untagged`` is in none."""
    text = str(vlan)
    return text.isdecimal() and any(first <= int(text) <= last for first, last in ranges)
