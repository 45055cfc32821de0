"""Python 2 source of Marvin 4.4.0 in, code that runs on Python 3 out: pure."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from types import CodeType

from cs_matrix_pytest.errors import UserError

from .patches import PATCHES, Patch
from .rules import RULES


def translated(name: str, source: str, siblings: Iterable[str], file: str) -> str:
    """The text of module ``name`` (below ``marvin``: ``integration.lib.base``) for Python 3.

    Raises `UserError` where a patch does not match as often as it must: the file is not the published 4.4.0.
    """
    for pattern, replacement in _rules("|".join(sorted(siblings)) or "(?!)"):
        source = pattern.sub(replacement, source)
    for patch in PATCHES:
        if patch.module == name:
            source = _patched(source, patch, file)
    return source


@lru_cache(maxsize=8)
def _rules(siblings: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(rule.pattern.replace("{siblings}", siblings), re.MULTILINE), rule.replacement) for rule in RULES
    )


def _patched(source: str, patch: Patch, file: str) -> str:
    changed, count = re.subn(patch.pattern, patch.replacement, source, flags=re.MULTILINE | re.DOTALL)
    if count != patch.count:
        raise UserError(
            f"cannot port this Marvin: the patch “{patch.reason}” fits {count} places instead of {patch.count}",
            file=file,
            hint="The file is not that of cloudstack-marvin 4.4.0. Install that again:"
            " pip install --force-reinstall --no-deps cloudstack-marvin==4.4.0",
        )
    return changed


def compiled(source: str, file: str) -> CodeType:
    """Code of a translated module. Its invalid escapes are Marvin's affair: no warning leaves here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compile(source, file, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise UserError(
                f"cannot port this Marvin: {error.msg}",
                file=file,
                line=error.lineno,
                hint="The file is not that of cloudstack-marvin 4.4.0. Install that again:"
                " pip install --force-reinstall --no-deps cloudstack-marvin==4.4.0",
            ) from None
