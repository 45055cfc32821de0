"""What lets a matrix fit into a page: equal values stand in it once, and a budget says when it is full."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

_Value = TypeVar("_Value", bound=Hashable)

# `<` could end the script element, U+2028 and U+2029 are line ends to some readers; in JSON all may be escapes.
_ESCAPES: Mapping[str, str] = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_ESCAPE_TABLE = str.maketrans(dict(_ESCAPES))


def script_json(value: object) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin another."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPE_TABLE)


def size(value: object) -> int:
    """How many bytes a value takes in the page."""
    return len(script_json(value).encode("utf-8", "backslashreplace"))


class Budget:
    """Bytes that may still be spent."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, bytes_: int) -> None:
        self.left -= bytes_

    @property
    def spent(self) -> bool:
        return self.left < 0


class Pool(Generic[_Value]):
    """Distinct values by index, in the order in which they came; each new one is paid for."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._indexes: dict[_Value, int] = {}

    def index(self, value: _Value) -> int:
        found = self._indexes.get(value)
        if found is None:
            found = self._indexes[value] = len(self._indexes)
            self._budget.spend(size(value) + 1)
        return found

    @property
    def values(self) -> list[_Value]:
        return list(self._indexes)


class Sheet:
    """One number for each version, context and feature; 0 where there is none. A row ends with its last number."""

    def __init__(self, budget: Budget, versions: int, contexts: int) -> None:
        self._budget = budget
        self.rows: list[list[list[int]]] = [[[] for _ in range(contexts)] for _ in range(versions)]

    def put(self, place: tuple[int, int, int], number: int) -> None:
        version, context, feature = place
        row = self.rows[version][context]
        longer = max(feature + 1 - len(row), 0)
        row.extend([0] * longer)
        row[feature] = number
        self._budget.spend(2 * longer + len(str(number)) - 1)
