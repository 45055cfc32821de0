"""What happens around each test: its environment is opened and watched, its class bound, its reports annotated."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

from cs_matrix_pytest.environments.masking import Masker
from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.matrix.attempts import PhaseNote, outcome_of, phase_of, short
from cs_matrix_pytest.matrix.class_state import ClassState
from cs_matrix_pytest.matrix.collection import UNDECIDED, UNFIT, environment_of, id_of, is_marvin_item
from cs_matrix_pytest.matrix.environment_session import Blocked
from cs_matrix_pytest.matrix.session import SESSION, MatrixSession
from cs_matrix_pytest.outcomes.model import AttemptOutcome, ReasonCode

if TYPE_CHECKING:
    from cs_matrix_pytest.matrix.pytest_private import MarvinClass


def around(item: pytest.Item, session: MatrixSession) -> AbstractContextManager[None]:
    """What a test runs in, from its set-up to its teardown."""
    environment = environment_of(item)
    return nullcontext() if environment is None else session.session_of(environment).running()


def before_setup(item: pytest.Item, session: MatrixSession) -> None:
    """Before anything of a test is set up. Raises for one that cannot run: Blocked, or an expression without an answer."""
    if (undecided := item.stash.get(UNDECIDED, None)) is not None:
        pytest.fail(undecided, pytrace=False)
    environment = environment_of(item)
    if environment is None:
        return
    live = session.session_of(environment)
    if item.parent is not session.last_parent:
        session.last_parent = item.parent
        live.suspect()
    live.require()


@contextmanager
def class_surroundings(node: MarvinClass) -> Iterator[None]:
    """A Marvin class in its environment: state kept apart, clients injected."""
    session = node.config.stash[SESSION]
    state = ClassState(node.original)
    try:
        try:
            session.session_of(node.environment).connection.bind(node.obj)
        except UserError as error:
            raise Blocked(session.masker.mask(str(error))) from None
        yield
    finally:
        state.restore()


def around_call(item: pytest.Item, session: MatrixSession) -> Generator[None, object, object]:
    """Marvin's identifiers and log lines for one test."""
    environment = environment_of(item)
    if environment is None or not is_marvin_item(item):
        return (yield)
    connection = session.session_of(environment).connection
    connection.before_test(item.cls, item.originalname)
    return (yield)


def annotate(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, session: MatrixSession
) -> None:
    """Put on a report what the run record needs, what Marvin did if it failed, and no secret."""
    environment = environment_of(item)
    if environment is not None:
        note = _note(item, call, report, environment, session)
        report.cs_matrix = note.as_dict()  # type: ignore[attr-defined]
    mask_report(report, session.masker)


def _note(
    item: pytest.Item,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    environment: Environment,
    session: MatrixSession,
) -> PhaseNote:
    test = id_of(item, environment)
    if report.passed:
        return PhaseNote(test, environment.name)
    if report.skipped:
        return _skipped(test, item, report, environment, session.masker)
    if item.stash.get(UNDECIDED, None) is not None:
        text = item.stash[UNDECIDED]
        return PhaseNote(test, environment.name, AttemptOutcome.SKIPPED.value, "setup", text, None, "not-selected")
    error = call.excinfo.value if call.excinfo else None
    phase = phase_of(call.when, call.excinfo.tb if call.excinfo else None, in_class=is_marvin_item(item))
    message = session.masker.mask(_message(error, report))
    blocked = message if isinstance(error, Blocked) else session.session_of(environment).trouble()
    if blocked is not None:
        return PhaseNote(test, environment.name, AttemptOutcome.BLOCKED.value, phase, short(blocked))
    from cs_matrix_pytest.outcomes.signature import signature

    outcome = outcome_of(error, phase)
    kind = type(error).__name__ if error is not None else "Failure"
    said = session.masker.mask(str(error)) if error is not None else message
    mark = signature(kind, said, test)
    return PhaseNote(test, environment.name, outcome.value, phase, short(message), mark)


def _skipped(
    test: str, item: pytest.Item, report: pytest.TestReport, environment: Environment, masker: Masker
) -> PhaseNote:
    phase = "setup" if report.when == "setup" else "call"
    if (unfit := item.stash.get(UNFIT, None)) is not None:
        code = ReasonCode.NOT_APPLICABLE.value
        return PhaseNote(test, environment.name, AttemptOutcome.SKIPPED.value, phase, unfit, None, code)
    if hasattr(report, "wasxfail"):
        reason = f"expected to fail: {report.wasxfail}".removesuffix(": ")
    elif isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
    else:
        reason = str(report.longrepr)
    return PhaseNote(test, environment.name, AttemptOutcome.SKIPPED.value, phase, short(masker.mask(reason)))


def _message(error: BaseException | None, report: pytest.TestReport) -> str:
    if error is None:
        return report.longreprtext
    text = str(error)
    if isinstance(error, pytest.fail.Exception):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def mask_report(report: pytest.TestReport | pytest.CollectReport, masker: Masker) -> None:
    """Mask what a report shows; its structure, and with it colours, are given up only where a secret stood in it."""
    if report.longrepr is not None and not isinstance(report.longrepr, tuple):
        shown = report.longreprtext
        masked = masker.mask(shown)
        if masked != shown:
            report.longrepr = masked
    elif isinstance(report.longrepr, tuple):
        path, line, text = report.longrepr
        report.longrepr = (path, line, masker.mask(text))
    report.sections = [(title, masker.mask(text)) for title, text in report.sections]
