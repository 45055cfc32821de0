"""Importers: evidence that others recorded, in other formats, as run records.

Each kind is a module with two functions: ``add_arguments(parser)`` for its sources, and
``read(args, stated) -> Iterator[ImportedRun]``, imported only by ``cs-matrix import``.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of source: the module that reads it, and its line in ``cs-matrix import --help``."""

    module: str
    help: str


KINDS = {
    "xunit": Kind("cs_matrix_pytest.importers.xunit", "xunit files of nose, pynose, pytest, Surefire"),
    "trillian": Kind("cs_matrix_pytest.importers.trillian", "Trillian's archives of Marvin results"),
    "comments": Kind("cs_matrix_pytest.importers.comments", "result comments of Trillian's bot, from files"),
    "github": Kind("cs_matrix_pytest.importers.comments_github", "result comments of Trillian's bot, from GitHub"),
}
