"""The two sides of a comparison and their matrices, from run records in whatever files: by DuckDB where some are compacted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cs_matrix_pytest.history.collection import Collection, find, opened, read_files, settled
from cs_matrix_pytest.history.part import part
from cs_matrix_pytest.history.question import Question
from cs_matrix_pytest.outcomes.choose import Choice, choose
from cs_matrix_pytest.outcomes.classify import SETTLE, WINDOW
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
from cs_matrix_pytest.outcomes.matrix import Matrix, compute_matrix
from cs_matrix_pytest.outcomes.model import RecordedRun, Run
from cs_matrix_pytest.outcomes.sides import Side, comparable, resolve


class Sides(NamedTuple):
    """Both sides, what their results must have in common (`outcomes.sides.comparable`), and the matrix of each."""

    sides: tuple[Side, Side]
    same: str
    matrices: tuple[Matrix, Matrix]


def read_sides(
    places: Sequence[str],
    before: str,
    after: str,
    catalogue: FeatureCatalogue,
    choice: Choice,
    *,
    generated: str,
    window: int = WINDOW,
    settle: int = SETTLE,
) -> Sides | None:
    """The sides that two words name in the records in these places (folders, object-store prefixes, files).

    Of the records only the part that is asked for; None where there are no records. The words are as
    `outcomes.sides.resolve` reads them, other parameters as `compute_matrix` and `choose.choose` have them. Raises UserError.
    """

    def told(records: Iterable[RecordedRun], matrix_of: Callable[[Side], Matrix]) -> Sides:
        records = tuple(records)
        sides = resolve(before, records), resolve(after, records)
        same = comparable(*sides)
        return Sides(sides, same, (matrix_of(sides[0]), matrix_of(sides[1])))

    def by_duckdb(collection: Collection) -> Sides:
        def matrix_of(side: Side) -> Matrix:
            chosen = _OnSide(**vars(choice), side=side)
            return Question(collection, catalogue, chosen, generated=generated, window=window, settle=settle).matrix()

        return told(part(collection, catalogue, choice).records, matrix_of)

    def ask() -> Sides | None:
        files = find(places)
        if not files:
            return None
        if any(file.compacted for file in files):
            with opened(files) as collection:
                return by_duckdb(collection)
        records = choose(read_files(files), choice, catalogue)
        return told(
            records,
            lambda side: compute_matrix(
                side.part(records), catalogue, generated=generated, window=window, settle=settle
            ),
        )

    return settled(ask)


@dataclass(frozen=True, kw_only=True)
class _OnSide(Choice):
    """What a choice leaves of one side."""

    side: Side

    def __bool__(self) -> bool:
        return True

    def run(self, run: Run) -> Run | None:
        chosen = super().run(run)
        return self.side.run(chosen) if chosen else None
