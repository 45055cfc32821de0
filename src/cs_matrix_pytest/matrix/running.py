"""What happens around each test: its environment is opened and watched, its class bound, its reports annotated."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from cs_matrix_pytest.environments.masking import Masker
from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.errors import EnvironmentUnusable, UserError
from cs_matrix_pytest.matrix.attempts import PhaseNote, outcome_of, phase_of
from cs_matrix_pytest.matrix.class_state import ClassState, suite_classes
from cs_matrix_pytest.matrix.collection import UNDECIDED, UNFIT, environment_of, id_of, is_marvin_item
from cs_matrix_pytest.matrix.marvin_results import write_results
from cs_matrix_pytest.matrix.pytest_private import MarvinClass, MarvinTest
from cs_matrix_pytest.matrix.session import MatrixSession
from cs_matrix_pytest.outcomes.messages import short
from cs_matrix_pytest.outcomes.model import AttemptOutcome, ReasonCode
from cs_matrix_pytest.outcomes.signature import signature

if TYPE_CHECKING:
    from cs_matrix_pytest.marvin_bridge.connect import Connection

SHOWN = 60
"""Log lines and API calls, each, that a failing test's report shows; the newest."""

_RUNNING = pytest.StashKey[ExitStack]()


class Blocked(Exception):
    """The environment, not the product, kept a test from running: a report shows the message alone."""


@contextmanager
def around(item: pytest.Item) -> Iterator[None]:
    """What a test opens from its set-up on (`before_setup`) is closed after its teardown."""
    with ExitStack() as stack:
        item.stash[_RUNNING] = stack
        yield


def before_setup(item: pytest.Item, session: MatrixSession) -> None:
    """Before anything of a test is set up. Raises for one that cannot run: Blocked, or an expression without an answer."""
    if (undecided := item.stash.get(UNDECIDED, None)) is not None:
        pytest.fail(undecided, pytrace=False)
    environment = environment_of(item)
    if environment is None:
        return
    if isinstance(item, MarvinTest):
        item.instantiate()
    live = session.session_of(environment)
    if item.parent is not session.last_class:
        session.last_class = item.parent
        live.doubt()
    try:
        live.require()
    except EnvironmentUnusable as error:
        raise Blocked(str(error)) from None
    item.stash[_RUNNING].enter_context(live.running(_modules(item)))
    live.connection.take_trace()


def _modules(item: pytest.Item) -> list[ModuleType]:
    """The modules whose code a test runs: its own, and those of the suite classes that it inherits from."""
    classes = suite_classes(item.cls) if isinstance(item, pytest.Function) and item.cls else []
    names = {cls.__module__ for cls in classes} | {getattr(getattr(item, "module", None), "__name__", "")}
    return [sys.modules[name] for name in names if name in sys.modules]


@contextmanager
def class_surroundings(node: MarvinClass, session: MatrixSession) -> Iterator[None]:
    """A Marvin class in its environment: state kept apart, clients injected."""
    state = ClassState(node.suite_class.original)
    try:
        try:
            session.session_of(node.environment).connection.bind(node.obj)
        except UserError as error:
            raise Blocked(session.masker.mask(str(error))) from None
        yield
    finally:
        state.restore()


def before_call(item: pytest.Item, session: MatrixSession) -> None:
    """Marvin's identifiers and log lines for the test that is about to run."""
    environment = environment_of(item)
    if environment is not None and is_marvin_item(item):
        connection = session.session_of(environment).connection
        connection.before_test(item.cls.__name__, item.originalname, str(item.instance))


def annotate(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, session: MatrixSession) -> None:
    """Put on a report what the run record needs, what Marvin did if it failed, and no secret."""
    environment = environment_of(item)
    if environment is not None:
        live = session.session_of(environment)
        note = _note(item, call, report, environment, session)
        report.cs_matrix = note.as_dict()  # type: ignore[attr-defined]
        if isinstance(call.excinfo and call.excinfo.value, Blocked):
            report.longrepr = note.message
        elif live.is_open:
            if report.failed:
                report.sections += _sections(live.connection)
            if is_marvin_item(item):
                write_results(item, call, report, note, live.connection)
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
    if (undecided := item.stash.get(UNDECIDED, None)) is not None:
        code = ReasonCode.NOT_SELECTED.value
        return PhaseNote(test, environment.name, AttemptOutcome.SKIPPED.value, "setup", undecided, None, code)
    error = call.excinfo.value if call.excinfo else None
    phase = phase_of(call.when, call.excinfo.tb if call.excinfo else None, in_class=is_marvin_item(item))
    if isinstance(error, Blocked):
        return PhaseNote(test, environment.name, AttemptOutcome.BLOCKED.value, phase, short(str(error)))
    outcome = outcome_of(error, phase)
    trouble = session.session_of(environment).trouble()
    if trouble is not None:
        report.sections.append(("environment", trouble))
        return PhaseNote(test, environment.name, AttemptOutcome.BLOCKED.value, phase, short(trouble))
    if error is not None:
        outcome = _classified(item, error, environment, outcome)
    said = session.masker.mask(str(error) if error is not None else report.longreprtext)
    kind = "Failed" if error is None else type(error).__name__
    own_words = error is None or isinstance(error, pytest.fail.Exception) or not said
    message = short((said or kind) if own_words else f"{kind}: {said}")
    return PhaseNote(test, environment.name, outcome.value, phase, message, signature(kind, said, test))


def _classified(
    item: pytest.Item, error: BaseException, environment: Environment, outcome: AttemptOutcome
) -> AttemptOutcome:
    answer = item.ihook.pytest_cs_classify_attempt(item=item, error=error, environment=environment, outcome=outcome)
    return outcome if answer is None else AttemptOutcome(answer)


def _skipped(
    test: str, item: pytest.Item, report: pytest.TestReport, environment: Environment, masker: Masker
) -> PhaseNote:
    phase = "setup" if report.when == "setup" else "call"
    if (unfit := item.stash.get(UNFIT, None)) is not None:
        code = ReasonCode.NOT_APPLICABLE.value
        return PhaseNote(test, environment.name, AttemptOutcome.SKIPPED.value, phase, unfit, None, code)
    if hasattr(report, "wasxfail"):
        why = report.wasxfail.removeprefix("reason: ")
        reason = f"expected to fail: {why}" if why else "expected to fail"
    elif isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
    else:
        reason = report.longreprtext
    return PhaseNote(test, environment.name, AttemptOutcome.SKIPPED.value, phase, short(masker.mask(reason)))


def _sections(connection: Connection) -> Iterator[tuple[str, str]]:
    """What Marvin did since the test's set-up began, as report sections."""
    trace = connection.take_trace()
    parts = (("Marvin log", trace.log, trace.log_left_out), ("API calls", trace.calls, trace.calls_left_out))
    for title, entries, dropped in parts:
        if entries:
            dropped += max(0, len(entries) - SHOWN)
            older = [f"({dropped} older ones left out)"] if dropped else []
            yield title, "\n".join([*older, *map(str, entries[-SHOWN:])])


def mask_report(report: pytest.TestReport | pytest.CollectReport, masker: Masker) -> None:
    """Mask what a report shows; its structure, and with it colours, are given up only where a secret stood in it."""
    if isinstance(report.longrepr, tuple):
        path, line, text = report.longrepr
        report.longrepr = (path, line, masker.mask(text))
    elif report.longrepr is not None:
        shown = report.longreprtext
        masked = masker.mask(shown)
        if masked != shown:
            report.longrepr = masked
    report.sections = [(title, masker.mask(text)) for title, text in report.sections]


def mask_warning(warning: warnings.WarningMessage, masker: Masker) -> None:
    """Mask what the summary of warnings shows; a warning without a secret stays as it is."""
    shown = str(warning.message)
    masked = masker.mask(shown)
    if masked != shown:
        warning.message = masked
