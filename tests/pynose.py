"""Where pynose is, the reference that selection and results are held against; never importable by the plugin's own runs."""

from __future__ import annotations

import collections
import inspect
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

VARIABLE = "CS_NOSE_PATH"
"""Names a folder that pynose was put into: ``pip install --no-deps --target FOLDER pynose``."""


def nose_path() -> Path:
    """The folder with pynose, for a PYTHONPATH. Skips the test, or the module, if there is none."""
    folder = Path(os.environ.get(VARIABLE, ""))
    if not (folder / "nose" / "loader.py").is_file():
        text = f"needs pynose: pip install --no-deps --target FOLDER pynose, and {VARIABLE}=FOLDER"
        pytest.skip(text, allow_module_level=True)
    return folder.absolute()


def nose_module(wanted: str) -> ModuleType:
    """A module of nose, for the caller alone: no import finds it afterwards."""
    folder = str(nose_path())
    # pynose gives Python's own modules back what they have lost.
    before = [(module, set(vars(module))) for module in (collections, inspect)]
    sys.path.insert(0, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            __import__(wanted)
            return sys.modules[wanted]
    finally:
        sys.path.remove(folder)
        for module, names in before:
            for name in set(vars(module)) - names:
                delattr(module, name)
        for each in [each for each in sys.modules if each == "nose" or each.startswith("nose.")]:
            del sys.modules[each]
