"""The hooks of a session with environments; each calls one function. Registered by `lifecycle.start`, only when needed."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.marvin_bridge.missing_modules import mend_in
from cs_matrix_pytest.matrix import collection, lifecycle, running
from cs_matrix_pytest.matrix.marvin import API_OF_CONTROLLER
from cs_matrix_pytest.matrix.recorder import Recorder, cause_of
from cs_matrix_pytest.matrix.removed_uses import RemovedUses
from cs_matrix_pytest.matrix.session import MatrixSession

if TYPE_CHECKING:
    from cs_matrix_pytest.matrix.scheduling import WithinCapacity


class MatrixHooks:
    """In every process of a session with environments."""

    def __init__(self, session: MatrixSession) -> None:
        self._session = session

    def pytest_report_header(self) -> list[str]:
        return lifecycle.header(self._session)

    def pytest_pycollect_makeitem(
        self, collector: pytest.Module | pytest.Class, name: str, obj: object
    ) -> list[pytest.Collector] | None:
        environments = self._session.environments
        surroundings = functools.partial(running.class_surroundings, session=self._session)
        return collection.marvin_classes(collector, name, obj, environments, surroundings)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        collection.parametrize_native(metafunc, self._session.environments)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        with running.around(item):
            return (yield)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        running.before_setup(item, self._session)

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        running.before_call(item, self._session)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        running.annotate(item, call, report, self._session)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        running.mask_report(report, self._session.masker)
        if report.failed and (mend := mend_in(cause_of(report.longreprtext))):
            report.sections.append(("to do", mend))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        running.mask_warning(warning_message, self._session.masker)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        # Last, because pytest runs the tearDownClass of an interrupted class in this hook.
        self._session.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["cs_matrix"] = self._session.handout()
        marvin = self._session.plan.marvin
        node.workerinput[API_OF_CONTROLLER] = str(marvin.api) if marvin and marvin.api else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> WithinCapacity | None:
        from cs_matrix_pytest.matrix.scheduling import make_scheduler

        # Each worker has an embedded simulator of its own.
        capacities = {each.name: None if each.embedded else each.capacity for each in self._session.environments}
        return make_scheduler(config, log, capacities)


class RemovedUsesHooks:
    """In every process of a session with environments: what Python removed and suites still use."""

    def __init__(self, uses: RemovedUses) -> None:
        self._uses = uses

    @pytest.hookimpl(tryfirst=True)  # the first to answer keeps the others from hearing of it
    def pytest_pycollect_makemodule(self, module_path: Path) -> None:
        self._uses.collect(module_path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._uses.take(getattr(node, "workeroutput", {}))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # Last, as the session is closed: a tearDownClass can use what is gone, too.
        self._uses.report(session)


class RecordingHooks:
    """In the process that sees all reports: without xdist the only one, with it the controller."""

    def __init__(self, recorder: Recorder, session: MatrixSession, config: pytest.Config) -> None:
        self._recorder = recorder
        self._session = session
        self._config = config

    def pytest_sessionstart(self) -> None:
        lifecycle.look_around(self._config, self._session)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._recorder.not_collected(report)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._recorder.deselected += len(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        try:
            self._recorder.report(report)
        except UserError as error:
            pytest.exit(f"the run cannot be recorded any more: {error}", returncode=pytest.ExitCode.INTERNAL_ERROR)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        if not self._recorder.finish(int(exitstatus)):
            session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        self._recorder.show(terminalreporter)
