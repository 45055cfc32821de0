"""Marvin for sessions without ``--cs-env``: nothing is done until a test module imports it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

import pytest

from cs_matrix_pytest.matrix.marvin import find_marvin
from cs_matrix_pytest.options import ENVIRONMENTS_FILE, Options

if TYPE_CHECKING:
    from cs_matrix_pytest.marvin_bridge.locate import Marvin

_OWN_MODULE = "marvin.cloudstackTestCase"
"""What every suite imports and no other project called marvin has."""


class MarvinOnDemand:
    """A finder that puts the bridge to Marvin in place at the first import of ``marvin``, and the stand-in at that of ``nose``.

    So Marvin's classes can be collected, and skipped with a reason, in a session that has no environment. A package called
    marvin that is not CloudStack's is left to whoever imports it; what is wrong is said to a suite that takes it for Marvin.
    """

    def __init__(self, find_marvin: Callable[[], Marvin]) -> None:
        self._find_marvin = find_marvin
        self._waiting = {"marvin", "nose"}
        self._wrong: str | None = None

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder.find_spec`. Raises ModuleNotFoundError that names what is wrong with Marvin."""
        if fullname in self._waiting:
            self._waiting.remove(fullname)
            self._put_in_place(fullname)
            spec = importlib.util.find_spec(fullname)
        elif fullname == _OWN_MODULE:
            spec = None
        else:
            return None
        if spec is None and self._wrong is not None:
            raise ModuleNotFoundError(self._wrong, name=fullname)
        return spec

    def _put_in_place(self, name: str) -> None:
        from cs_matrix_pytest.errors import UserError
        from cs_matrix_pytest.marvin_bridge.finder import install_finder
        from cs_matrix_pytest.marvin_bridge.nose_shim import install_shim

        if name == "nose":
            install_shim()
            return
        try:
            install_finder(self._find_marvin())
        except UserError as error:
            self._wrong = str(error)

    def remove(self) -> None:
        """Take the finder away, and what it put in place."""
        sys.meta_path.remove(self)
        if len(self._waiting) < 2:
            from cs_matrix_pytest.matrix.lifecycle import make_unimportable

            make_unimportable()


def install(config: pytest.Config, options: Options) -> None:
    """Have Marvin found on demand until the session's configuration is undone, and native tests' markers known.

    The markers only where there is an environments file: the plugin may be installed beside projects of another kind.
    """
    finder = MarvinOnDemand(lambda: find_marvin(config, options))
    sys.meta_path.insert(0, finder)
    config.add_cleanup(finder.remove)
    root = config.rootpath
    if options.environments_file or any((folder / ENVIRONMENTS_FILE).exists() for folder in (root, *root.parents)):
        from cs_matrix_pytest.selection.applicability import SHIPPED_RULES
        from cs_matrix_pytest.selection.markers import registrations

        for line in registrations(SHIPPED_RULES):
            config.addinivalue_line("markers", line)
