"""The log folder of one connection, as Marvin's nose plugin leaves it: results.txt, and the move to its last place."""

from __future__ import annotations

import logging
import random
import shutil
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from cs_matrix_pytest.outcomes.model import AttemptOutcome


@dataclass(frozen=True)
class _Spelling:
    """How nose and its Marvin plugin spell an outcome; ``status`` None: the plugin writes no line of its own."""

    status: str | None
    word: str
    result: str


_SPELLINGS = {
    AttemptOutcome.PASSED: _Spelling("SUCCESS", "ok", "SUCCESS"),
    AttemptOutcome.FAILED: _Spelling("FAILED", "FAIL", "FAILED"),
    AttemptOutcome.ERRORED: _Spelling("EXCEPTION", "ERROR", "EXCEPTION"),
    AttemptOutcome.BLOCKED: _Spelling("EXCEPTION", "ERROR", "EXCEPTION"),
    AttemptOutcome.SKIPPED: _Spelling(None, "SKIP", "SKIPPED"),
}


class RunLog:
    """Results of tests, into Marvin's logger and its results.txt. ``folder`` is where the final folder goes below."""

    def __init__(self, logger: logging.Logger, results: TextIO, working: Path, folder: Path) -> None:
        self.working = working
        self.moved: Path | None = None
        self._logger = logger
        self._results = results
        self._folder = folder
        self._modules: set[str] = set()

    def bound(self, cls: type[Any]) -> None:
        """Remember whose tests these are: the final folder is called after their module."""
        self._modules.add(cls.__module__.rpartition(".")[2])

    def started(self, test_name: str, description: str) -> None:
        """The lines before a test; from now on the logger is called by its description."""
        self._logger.name = description
        self._logger.debug("::::::::::::STARTED : TC: %s :::::::::::", test_name)
        self._results.write(f"{description} ... ")

    def finished(self, test_name: str, outcome: AttemptOutcome, seconds: float, error_text: str | None) -> None:
        """The lines after a test that took ``seconds``; ``error_text`` is masked already, a skip's reason or a failure."""
        spelling = _SPELLINGS[outcome]
        if spelling.status is not None:
            if outcome is not AttemptOutcome.PASSED:
                self._logger.critical("%s: %s: %s", spelling.status, test_name, error_text or "Unknown Error")
            self._results.write(f"=== TestName: {test_name} | Status : {spelling.status} ===\n")
        reason = f": {error_text}" if outcome is AttemptOutcome.SKIPPED and error_text else ""
        self._results.write(f"{spelling.word}{reason}\n")
        self._results.flush()
        now = time.time()
        self._logger.debug(
            "TestCaseName: %s; Time Taken: %d Seconds; StartTime: %s; EndTime: %s; Result: %s",
            test_name,
            int(seconds),
            time.ctime(now - seconds),
            time.ctime(now),
            spelling.result,
        )

    def close(self, echo: Callable[[str], None]) -> None:
        """Close the files and move the folder to ``MarvinLogs/<module>_<random>``; a second time nothing happens."""
        if self._results.closed:
            return
        self._results.close()
        close_handlers(self._logger)
        module = next(iter(self._modules)) if len(self._modules) == 1 else "test_suite"
        letters = "".join(random.choices(string.ascii_uppercase + string.digits, k=6))
        destination = self._folder / "MarvinLogs" / f"{module}_{letters}"
        try:
            shutil.move(self.working, destination)
        except OSError as error:
            destination = self.working
            echo(f"=== Marvin's logs could not be moved: {error.strerror} ===")
        self.moved = destination
        echo(f"=== Final results are now copied to: {destination} ===")


def close_handlers(logger: logging.Logger) -> None:
    """Take every handler off a logger and close its file."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
