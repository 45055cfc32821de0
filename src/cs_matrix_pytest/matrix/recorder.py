"""Writing the run record while a session goes on, and the reports when it ends: in the process that sees all reports."""

from __future__ import annotations

import platform
import re
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest import __version__
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.marvin_bridge.missing_modules import with_mend
from cs_matrix_pytest.matrix.attempts import AttemptFolder
from cs_matrix_pytest.matrix.naming import module_id, split_nodeid, test_id
from cs_matrix_pytest.matrix.plan import selection_record
from cs_matrix_pytest.outcomes.features import find_catalogue, load_catalogue
from cs_matrix_pytest.outcomes.known import account, find_known_failures, load_known_failures
from cs_matrix_pytest.outcomes.messages import short
from cs_matrix_pytest.outcomes.model import (
    Attempt,
    AttemptOutcome,
    Reason,
    ReasonCode,
    Run,
    RunEnvironment,
    Untested,
)
from cs_matrix_pytest.outcomes.record import RecordWriter, instant, new_run_id, prepare_folder, record_path

if TYPE_CHECKING:
    from cs_matrix_pytest.matrix.session import MatrixSession
    from cs_matrix_pytest.outcomes.features import FeatureCatalogue
    from cs_matrix_pytest.outcomes.matrix import Matrix

_CRASH = re.compile(r"worker '\w+' crashed while running ")


class Recorder:
    """One run. Made before collection, so that a folder or catalogue that cannot be used is said first."""

    def __init__(self, session: MatrixSession, config: pytest.Config) -> None:
        """Raises UserError: the report folder cannot be written, the features or known-failures file is wrong."""
        self._session = session
        self._config = config
        self._options = session.plan.options
        self.folder = prepare_folder(self._options.report)
        self.catalogue: FeatureCatalogue = load_catalogue(self._options.features or find_catalogue(config.rootpath))
        found = filter(None, map(find_known_failures, self._options.search_from))
        self._known = load_known_failures(self._options.known_failures or next(found, None))
        self._folder = AttemptFolder()
        self._writer: RecordWriter | None = None
        self._early: list[Untested] = []
        self.deselected = 0
        """How many tests the selection left out: they are not worth a line each. Not known under xdist."""
        self._not_collected: set[str] = set()
        self._matrix: Matrix | None = None
        self._trouble: str | None = None

    def _begin(self) -> RecordWriter:
        now = datetime.now(timezone.utc)
        commit = self._options.commit
        environments = {
            each.name: RunEnvironment(each.context.as_dict(), self._session.versions.get(each.name), commit)
            for each in self._session.environments
        }
        marvin = self._session.plan.marvin
        run = Run(
            run=new_run_id(now),
            started=instant(now),
            lab=self._session.plan.lab,
            environments=environments,
            tools={
                "cs-matrix-pytest": __version__,
                "pytest": pytest.__version__,
                "python": platform.python_version(),
                "marvin": marvin.version if marvin else "none",
            },
            selection=selection_record(self._session.plan, self._config, self.deselected),
        )
        return RecordWriter(record_path(self.folder, run.run), run)

    def report(self, report: pytest.TestReport) -> None:
        """Take one report of one phase of one test; a finished test is in the record when this returns."""
        line = self._folder.add(report)
        if line is None and isinstance(report.longrepr, str) and _CRASH.match(report.longrepr):
            line = self._crash(report, report.longrepr)
        if line is not None:
            self._write(line)

    def _crash(self, report: pytest.TestReport, message: str) -> Attempt | None:
        names = frozenset(each.name for each in self._session.environments)
        found = self._folder.crashed(report) or split_nodeid(report.nodeid, self._config.rootpath, names)
        if found is None:
            return None
        started = instant(datetime.now(timezone.utc))
        return Attempt(*found, AttemptOutcome.ERRORED, started, 0.0, "call", None, short(message))

    def not_collected(self, report: pytest.CollectReport) -> None:
        """Take a module (or class) that could not be collected: untested in each environment that it is not in."""
        if report.nodeid in self._not_collected or not report.nodeid.partition("::")[0].endswith(".py"):
            return
        self._not_collected.add(report.nodeid)
        names = [each.name for each in self._session.environments]
        root = self._config.rootpath
        found = split_nodeid(report.nodeid, root, frozenset(names))
        path, *inner = report.nodeid.partition("[")[0].split("::")
        test = test_id(root / path, root, tuple(inner)) if inner else module_id(root / path, root)
        reason = Reason(ReasonCode.NOT_COLLECTED, short(with_mend(cause_of(report.longreprtext))))
        for name in [found[1]] if found else names:
            self._early.append(Untested(test, name, reason, level="class" if inner else "module"))

    def _write(self, *lines: Attempt | Untested) -> None:
        # Begun with the first test, when the selection is known; a session that runs nothing leaves no record.
        self._writer = self._writer or self._begin()
        early, self._early = self._early, []
        for line in (*early, *lines):
            if isinstance(line, Attempt):
                self._writer.attempt(line)
            else:
                self._writer.untested(line)

    def finish(self, exit_code: int) -> bool:
        """Write the run's last line, then the reports over all runs in the folder; False if that failed."""
        if self._writer is None and not self._early:
            return True
        try:
            self._write()
            assert self._writer is not None
            self._writer.end(exit_code)
            self._matrix = self._report()
        except UserError as error:
            self._trouble = str(error)
        return self._trouble is None

    def _report(self) -> Matrix:
        from cs_matrix_pytest.history.collection import read_records
        from cs_matrix_pytest.outcomes.matrix import compute_matrix
        from cs_matrix_pytest.reports import write_reports

        now = datetime.now(timezone.utc)
        matrix = compute_matrix(
            read_records([str(self.folder)]),
            self.catalogue,
            generated=instant(now),
            window=self._options.window,
            settle=self._options.settle,
        )
        # An entry may be about what was not run yet.
        matrix = account(matrix, self._known, now.date(), whole=False)
        write_reports(self.folder, matrix, xunit_unstable=self._options.xunit_unstable)
        self._config.hook.pytest_cs_report(matrix=matrix, folder=self.folder)
        return matrix

    def show(self, terminal: Any) -> None:
        """The matrix at the end of pytest's output, or why there is none."""
        if self._trouble is not None:
            terminal.write_sep("=", "compatibility matrix", red=True)
            terminal.write_line(f"no reports: {self._trouble}")
        elif self._matrix is not None:
            from cs_matrix_pytest.reports.terminal import render

            writer = self._config.get_terminal_writer()
            encoding = getattr(sys.stdout, "encoding", None) or "ascii"
            terminal.write_sep("=", "compatibility matrix")
            text = render(self._matrix, writer.fullwidth, writer.hasmarkup, encoding=encoding)
            terminal.write(self._session.masker.mask(text))
            terminal.write_line(f"reports: {self.folder}")
            for line in self._session.log_lines():
                terminal.write_line(line)


def cause_of(text: str) -> str:
    """The line of a rendered failure that says what was wrong: the last that pytest marks with an E, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (marked or lines or ["it could not be collected"])[-1]
