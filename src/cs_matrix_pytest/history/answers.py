"""The matrix of run records in whatever files: by DuckDB where some are compacted, else by `compute_matrix`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from cs_matrix_pytest.history.collection import File, find, opened, read_files, settled
from cs_matrix_pytest.history.question import Question
from cs_matrix_pytest.outcomes.choose import Choice, choose
from cs_matrix_pytest.outcomes.classify import SETTLE, WINDOW
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
from cs_matrix_pytest.outcomes.matrix import Matrix, compute_matrix


@contextmanager
def answered(
    places: Sequence[str],
    catalogue: FeatureCatalogue,
    choice: Choice,
    *,
    generated: str,
    window: int = WINDOW,
    settle: int = SETTLE,
) -> Iterator[Question | Matrix | None]:
    """What the records in these places (folders, object-store prefixes, files) say, of the part that is asked for.

    A question, answered, where some are compacted, which needs DuckDB; else a matrix; None where there are no records.
    Parameters as `compute_matrix` and `choose.choose` have them. Raises UserError.
    """

    def ask() -> Question | Matrix | None:
        files = find(places)
        if not files:
            return None
        if not any(file.compacted for file in files):
            records = choose(read_files(files), choice, catalogue)
            return compute_matrix(records, catalogue, generated=generated, window=window, settle=settle)
        return question(files)

    def question(files: Sequence[File]) -> Question:
        with ExitStack() as own:
            collection = own.enter_context(opened(files))
            asked = Question(collection, catalogue, choice, generated=generated, window=window, settle=settle)
            # All files have been read: from here on it does not matter what becomes of them.
            stack.push(own.pop_all())
            return asked

    with ExitStack() as stack:
        yield settled(ask)
