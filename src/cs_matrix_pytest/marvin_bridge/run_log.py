"""The log folder of one connection, as nose with Marvin's plugin leaves it: results.txt, and the move to its last place.

Two of the plugin's slips are not repeated, because they name the wrong test: it writes the failed set-up of a class
under the name of the test that ran before, and ``Result:`` of runinfo.txt after a failure stays what that was.
"""

from __future__ import annotations

import io
import logging
import random
import shutil
import string
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from cs_matrix_pytest.outcomes.model import AttemptOutcome

from .trace import Mask, without_secrets


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
# To the plugin a class that raises SkipTest in its set-up is one that went wrong; to nose it is skipped.
_CLASS_STATUS = "EXCEPTION"
_NO_MODULE = "test_suite"
_RULE = 70


class RunLog:
    """Results of tests, into Marvin's logger and its results.txt. ``folder`` is where the final folder goes below."""

    def __init__(self, logger: logging.Logger, results: TextIO, working: Path, folder: Path, mask: Mask) -> None:
        self.working = working
        self.moved: Path | None = None
        self._logger = logger
        self._results = results
        self._folder = folder
        self._mask = mask
        self._class: type[Any] = type(None)
        self._module = _NO_MODULE
        self._description = ""
        self._began = time.monotonic()
        self._ran = 0
        self._words: list[str] = []
        self._class_parts: set[tuple[object, object]] = set()
        self._troubles: list[tuple[str, str, str]] = []
        """(label, what it is of, text) of whatever went wrong, for the end of results.txt."""
        if isinstance(results, io.TextIOWrapper):
            results.reconfigure(errors="backslashreplace")

    def bound(self, cls: type[Any]) -> None:
        """Remember whose tests are next."""
        self._class = cls

    def started(self, test_name: str, description: str) -> None:
        """The lines before a test; from now on the logger is called by its ``description``.

        In results.txt the first line of the test's docstring, if it has one, stands in place of that.
        """
        self._module = self._class.__module__.rpartition(".")[2]
        self._logger.name = description
        self._logger.debug("::::::::::::STARTED : TC: %s :::::::::::", test_name)
        method = getattr(self._class, test_name, None)
        # From Python 3.13 on None has a docstring, too.
        doc = (method.__doc__ or "").strip() if method is not None else ""
        self._description = doc.partition("\n")[0].strip() or description
        self._results.write(f"{self._description} ... ")

    def finished(
        self,
        test_name: str,
        outcome: AttemptOutcome,
        seconds: float,
        error_text: str | None,
        error: BaseException | None,
    ) -> None:
        """The lines after a test that took ``seconds``; ``error_text`` is a skip's reason or a failure in short."""
        spelling = _SPELLINGS[outcome]
        if spelling.status is not None:
            if outcome is not AttemptOutcome.PASSED:
                lines = traceback.format_exception(error) if error is not None else None
                self._went_wrong(spelling.status, test_name, error_text, lines)
                self._troubles.append((spelling.word, self._description, self._text(error_text, error)))
            self._results.write(f"=== TestName: {test_name} | Status : {spelling.status} ===\n")
        self._ran += 1
        self._label(spelling.word, error_text)
        now = time.time()
        self._logger.debug(
            "TestCaseName: %s; Time Taken: %d Seconds; StartTime: %s; EndTime: %s; Result: %s",
            test_name,
            int(seconds),
            time.ctime(now - seconds),
            time.ctime(now),
            spelling.result,
        )

    def class_ended(
        self, cls: type[Any], part: str, outcome: AttemptOutcome, error_text: str | None, error: BaseException | None
    ) -> None:
        """The lines for a class's set-up or tear-down (``part``) that went wrong or skipped it; written once for each."""
        if (cls, part) in self._class_parts:
            return
        self._class_parts.add((cls, part))
        word = _SPELLINGS[outcome].word
        lines = list(_without_machinery(error)) if error is not None else None
        self._went_wrong(_CLASS_STATUS, cls.__name__, error_text, lines)
        self._results.write(f"=== TestName: {cls.__name__} | Status : {_CLASS_STATUS} ===\n")
        self._label(word, error_text)
        if outcome is not AttemptOutcome.SKIPPED:
            of = f"test suite for <class '{cls.__module__}.{cls.__qualname__}'>"
            self._troubles.append((word, of, self._text(error_text, error)))

    def close(self, echo: Callable[[str], None]) -> None:
        """Close the files and move the folder to ``MarvinLogs/<module>_<random>``; a second time nothing happens.

        The module is that of the test that ran last.
        """
        if self._results.closed:
            return
        self._results.writelines(self._summary())
        self._results.close()
        close_handlers(self._logger)
        letters = "".join(random.choices(string.ascii_uppercase + string.digits, k=6))
        destination = self._folder / "MarvinLogs" / f"{self._module}_{letters}"
        try:
            shutil.move(self.working, destination)
        except OSError as error:
            destination = self.working
            echo(f"=== Marvin's logs could not be moved: {error.strerror} ===")
        self.moved = destination
        echo(f"=== Final results are now copied to: {destination} ===")

    def _went_wrong(self, status: str, name: str, error_text: str | None, lines: list[str] | None) -> None:
        # The plugin writes a traceback's lines as Python shows a list, so that all of it is one line.
        said = repr(lines) if lines else error_text or "Unknown Error"
        self._logger.critical("%s: %s: %s", status, name, without_secrets(said, self._mask))

    def _label(self, word: str, error_text: str | None) -> None:
        reason = f": {without_secrets(error_text, self._mask)}" if word == "SKIP" and error_text else ""
        self._results.write(f"{word}{reason}\n")
        self._results.flush()
        self._words.append(word)

    def _text(self, error_text: str | None, error: BaseException | None) -> str:
        said = "".join(_without_machinery(error)) if error is not None else f"{error_text or 'Unknown Error'}\n"
        return without_secrets(said, self._mask)

    def _summary(self) -> Iterator[str]:
        """What nose prints at the end: what went wrong, errors first, and the counts."""
        yield "\n"
        for label, of, text in sorted(self._troubles, key=lambda each: each[0]):
            yield f"{'=' * _RULE}\n{label}: {of}\n{'-' * _RULE}\n{text}\n"
        plural = "" if self._ran == 1 else "s"
        yield f"{'-' * _RULE}\nRan {self._ran} test{plural} in {time.monotonic() - self._began:.3f}s\n\n"
        numbers = {"SKIP": "SKIP", "errors": "ERROR", "failures": "FAIL"}
        counts = [f"{name}={count}" for name, word in numbers.items() if (count := self._words.count(word))]
        verdict = "FAILED" if self._troubles else "OK"
        yield f"{verdict} ({', '.join(counts)})\n" if counts else f"{verdict}\n"


def close_handlers(logger: logging.Logger) -> None:
    """Take every handler off a logger and close its file."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


_MACHINERY = frozenset({"unittest", "_pytest", "pluggy"})
"""Packages that call tests: their frames tell nothing of a failure."""


def _without_machinery(error: BaseException) -> Iterator[str]:
    """The lines of an exception, its causes included, without the frames of what calls tests; as unittest shows it."""
    return _shortened(traceback.TracebackException.from_exception(error), error).format()


def _shortened(shown: traceback.TracebackException, error: BaseException) -> traceback.TracebackException:
    kept = [
        summary
        for summary, frame in zip(shown.stack, _frames(error.__traceback__), strict=False)
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _MACHINERY
    ]
    shown.stack = traceback.StackSummary.from_list(kept)
    for below, cause in ((shown.__cause__, error.__cause__), (shown.__context__, error.__context__)):
        if below is not None and cause is not None:
            _shortened(below, cause)
    return shown


def _frames(link: TracebackType | None) -> Iterator[Any]:
    while link is not None:
        yield link.tb_frame
        link = link.tb_next
