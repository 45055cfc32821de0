"""Marvin for sessions without ``--cs-env``: nothing is done until a test module imports it."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

_PACKAGES = frozenset({"marvin", "nose"})


class MarvinOnDemand:
    """Puts the bridge to Marvin in its own place at the first import of ``marvin`` or ``nose``.

    So Marvin's classes can be collected, and skipped with a reason, in a session that has no environment.
    """

    def __init__(self, source: Path | None) -> None:
        self._source = source
        self._used = False

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder.find_spec`. Raises ModuleNotFoundError that names what is wrong with Marvin."""
        if self._used or fullname.partition(".")[0] not in _PACKAGES:
            return None
        from cs_matrix_pytest.errors import UserError
        from cs_matrix_pytest.matrix.lifecycle import make_importable

        self._used = True
        try:
            make_importable(self._source)
        except UserError as error:
            raise ModuleNotFoundError(str(error), name=fullname) from None
        return importlib.util.find_spec(fullname)

    def remove(self) -> None:
        """Take the finder away, and what it put in its place."""
        sys.meta_path.remove(self)
        if self._used:
            from cs_matrix_pytest.matrix.lifecycle import make_unimportable

            make_unimportable()


def install(config: pytest.Config, source: Path | None) -> None:
    """Have Marvin found on demand until the session's configuration is undone."""
    finder = MarvinOnDemand(source)
    sys.meta_path.insert(0, finder)
    config.add_cleanup(finder.remove)
