"""Failures by cause: those that share a signature are one entry, wherever they happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from cs_matrix_pytest.outcomes.classify import NOT_COMPATIBLE
from cs_matrix_pytest.outcomes.matrix import Cell, Evidence, Matrix

Item = TypeVar("Item")


@dataclass(frozen=True)
class Cause(Generic[Item]):
    """Items of one cause. ``evidence`` speaks for all of them; ``signature`` is None where nothing but the test ties them."""

    signature: str | None
    evidence: Evidence
    items: tuple[Item, ...]


class Failure(NamedTuple):
    """A test that fails, or is unstable, in a cell; ``environments`` (``lab/name``) are those where it is."""

    cell: Cell
    evidence: Evidence
    environments: tuple[str, ...]


def by_cause(items: Iterable[Item], evidence_of: Callable[[Item], Evidence]) -> tuple[Cause[Item], ...]:
    """The items with one entry for each signature, those with most items first; without one, for each test.

    Items keep their order within an entry, and entries of equal size the order of their first items.
    """
    causes: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        evidence = evidence_of(item)
        key = ("signature", evidence.signature) if evidence.signature else (evidence.level, evidence.test)
        causes.setdefault(key, []).append(item)
    found = [Cause((it := evidence_of(same[0])).signature or None, it, tuple(same)) for same in causes.values()]
    return tuple(sorted(found, key=lambda cause: -len(cause.items)))


def failures_of(matrix: Matrix) -> Iterator[Failure]:
    """Everything in a matrix that is failing or unstable, cell by cell."""
    for cell in matrix.cells:
        where: dict[tuple[str, str], list[str]] = {}
        for name, share in cell.by_environment.items():
            for each in share.evidence:
                if each.outcome in NOT_COMPATIBLE:
                    where.setdefault((each.level, each.test), []).append(name)
        for evidence in cell.total.evidence:
            if evidence.outcome in NOT_COMPATIBLE:
                # Two environments may be of one mind each, and only together unstable.
                names = where.get((evidence.level, evidence.test), cell.by_environment)
                yield Failure(cell, evidence, tuple(names))
