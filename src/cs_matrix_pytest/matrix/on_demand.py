"""Marvin for sessions without ``--cs-env``: nothing is done until a test module imports it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


class MarvinOnDemand(MetaPathFinder):
    """Puts the bridge to Marvin in its own place at the first import of ``marvin`` or ``nose``.

    So Marvin's classes can be collected, and skipped with a reason, in a session that has no environment.
    """

    def __init__(self, source: Path | None) -> None:
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder.find_spec`."""
        if fullname.partition(".")[0] not in ("marvin", "nose"):
            return None
        from cs_matrix_pytest.errors import UserError
        from cs_matrix_pytest.marvin_bridge import activate

        self.remove()
        try:
            activate(self._source)
        except UserError as error:
            raise ModuleNotFoundError(str(error), name=fullname) from None
        return importlib.util.find_spec(fullname)

    def remove(self) -> None:
        """Take the finder away, if it is still there."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
