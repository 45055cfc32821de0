"""What a misspelt word is likely meant to be."""

from __future__ import annotations

from collections.abc import Mapping


def likely_meant(word: str, known: Mapping[str, int]) -> str | None:
    """The most frequent known word that `word` is a slip of, or None; `known` maps words to how often they occur.

    Short words differ by chance, and so do words that differ in a number: neither counts.
    """
    allowed = 0 if len(word) < 5 else 1 if len(word) < 8 else 2
    close = [
        (distance(word, other), -count, other)
        for other, count in known.items()
        if other != word
        and abs(len(other) - len(word)) <= allowed
        and len(other) >= 5
        and _letters(other) != _letters(word)
    ]
    best = min(close, default=None)
    return best[2] if best and best[0] <= allowed else None


def distance(left: str, right: str) -> int:
    """How many letters must be put in, taken out, changed or swapped with their neighbour to make one the other."""
    before: list[int] = []
    above = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        line = [row]
        for column, other in enumerate(right, 1):
            cost = min(above[column] + 1, line[-1] + 1, above[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == right[column - 2] and other == left[row - 2]:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, above = above, line
    return above[-1]


def _letters(word: str) -> str:
    return "".join(letter for letter in word if not letter.isdigit())
