"""Errors that are a user's to mend: shown as one message, never as a traceback."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """Something the user gave is wrong: what, where (file, line, key), and what to do next.

    The plugin shows it as pytest's usage error; ``cs-matrix`` prints it and exits with 2.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.file = file
        self.line = line
        self.key = key
        self.hint = hint

    def __str__(self) -> str:
        place = ""
        if self.file is not None:
            place = f"{self.file}:{self.line}: " if self.line is not None else f"{self.file}: "
        key = f"{self.key}: " if self.key else ""
        hint = f"\n  {self.hint}" if self.hint else ""
        return f"{place}{key}{self.what}{hint}"


class EnvironmentUnusable(UserError):
    """An environment could not be used: unreachable, refused, not a CloudStack server."""

    exit_code = 3
