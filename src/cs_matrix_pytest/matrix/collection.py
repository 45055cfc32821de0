"""Which tests there are, in which environments, with which markers, and which of them are left out."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeGuard

import pytest

from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.matrix.class_state import is_marvin_class, is_marvins_own
from cs_matrix_pytest.matrix.naming import test_id, without_environment
from cs_matrix_pytest.matrix.plan import PLAN, CsMatrixWarning, Plan, make_plan, why_unused
from cs_matrix_pytest.matrix.pytest_private import MarvinClass, MarvinTest, Surroundings, defines_fixtures
from cs_matrix_pytest.matrix.subject import Subject, SuiteClass
from cs_matrix_pytest.options import read_options

if TYPE_CHECKING:
    from cs_matrix_pytest.selection.expressions import Selection

ENVIRONMENT_ARGUMENT = "cs_env"

UNFIT = pytest.StashKey[str]()
"""Why an item does not fit its environment."""

UNDECIDED = pytest.StashKey[str]()
"""Why a selection expression has no answer for an item."""

_SUBJECT = pytest.StashKey[Subject]()


def marvin_classes(
    collector: pytest.Collector,
    name: str,
    obj: object,
    environments: tuple[Environment, ...],
    surroundings: Surroundings,
) -> list[pytest.Collector] | None:
    """The collectors for `obj`: one per environment for a Marvin class, none for a class of Marvin itself.

    None leaves anything else to pytest. `surroundings` as for `MarvinClass.of`.
    """
    if not is_marvin_class(obj):
        return None
    if is_marvins_own(obj):
        return []
    suite_class = SuiteClass(obj, has_fixtures=defines_fixtures(obj))
    return [
        MarvinClass.of(suite_class, each, parent=collector, name=name, surroundings=surroundings)
        for each in environments
    ]


def is_marvin_item(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """True for a test of a Marvin class, in an environment or in none."""
    return isinstance(item, pytest.Function) and is_marvin_class(item.cls)


def environment_of(item: pytest.Item) -> Environment | None:
    """The environment that an item runs in; None for one that has nothing to do with the matrix."""
    if isinstance(item, MarvinTest):
        return item.environment
    callspec = getattr(item, "callspec", None)
    chosen = callspec.params.get(ENVIRONMENT_ARGUMENT) if callspec else None
    return chosen if isinstance(chosen, Environment) else None


def id_of(item: pytest.Item, environment: Environment) -> str:
    """The test's id in records."""
    names = item.nodeid.partition("[")[0].split("::")[1:]
    callspec = getattr(item, "callspec", None)
    if callspec is not None and (rest := without_environment(callspec.id, environment.name)):
        names[-1] += f"[{rest}]"
    return test_id(item.path, item.config.rootpath, tuple(names))


def subject_of(item: pytest.Item) -> Subject:
    """The test that an item runs, the same for its items of all environments if it is one of a Marvin class."""
    if isinstance(item, MarvinTest):
        return item.subject
    found = item.stash.get(_SUBJECT, None)
    if found is None:
        from cs_matrix_pytest.selection.markers import attributes_from_marks

        function = item.function if isinstance(item, pytest.Function) else None
        marked = None if is_marvin_item(item) else attributes_from_marks(item.iter_markers())
        found = Subject(function, getattr(item, "cls", None), marked)
        item.stash[_SUBJECT] = found
    return found


def arrange(items: list[pytest.Item], config: pytest.Config) -> None:
    """Everything between pytest's collection and its own ``-m`` and ``-k``. Raises `pytest.UsageError`."""
    plan = config.stash.get(PLAN, None)
    if plan is None:
        try:
            plan = make_plan(read_options(config))
        except UserError as error:
            raise pytest.UsageError(str(error)) from None
    mark(items, config)
    deselect(items, plan, config)
    if plan.environments:
        skip_unfit(items, plan)
    else:
        skip_without_environment(items, plan)


def mark(items: list[pytest.Item], config: pytest.Config) -> None:
    """Give the tests of Marvin classes their markers, registered first, as ``--strict-markers`` wants."""
    from cs_matrix_pytest.selection.markers import ATTR_MARKER, ATTR_REGISTRATION, registration

    marvin_items = [item for item in items if is_marvin_item(item)]
    if not marvin_items:
        return
    known = {line.partition(":")[0].partition("(")[0].strip() for line in config.getini("markers")}
    if ATTR_MARKER not in known:
        config.addinivalue_line("markers", ATTR_REGISTRATION)
    for item in marvin_items:
        subject = subject_of(item)
        for name in subject.marker_names:
            if name not in known:
                known.add(name)
                config.addinivalue_line("markers", registration(name))
        for marker in subject.markers:
            item.add_marker(marker)


def deselect(items: list[pytest.Item], plan: Plan, config: pytest.Config) -> None:
    """Leave out what ``--attr`` and ``--eval-attr`` do not select."""
    if not plan.selection:
        return
    for doubt in (doubt for expression in plan.selection.attr for doubt in expression.doubts):
        config.issue_config_time_warning(CsMatrixWarning(f"--attr: {doubt}"), stacklevel=2)
    decide = functools.cache(functools.partial(_decide, plan.selection))
    selected: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        chosen, undecided = decide(subject_of(item))
        if undecided is not None:
            item.stash[UNDECIDED] = undecided
        (selected if chosen else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = selected


def _decide(selection: Selection, subject: Subject) -> tuple[bool, str | None]:
    """Whether a test is selected, and why that has no answer, if so: then it is, to say so."""
    from cs_matrix_pytest.selection.expressions import ExpressionError

    try:
        return selection.decide(subject.function, subject.cls, subject.marked), None
    except ExpressionError as error:
        return True, str(error)


def skip_unfit(items: list[pytest.Item], plan: Plan) -> None:
    """Skip what does not fit its environment, with the reason."""
    from cs_matrix_pytest.selection.applicability import Needs, needs_of, unmet

    needs = functools.cache(lambda subject: needs_of(subject.attributes, plan.rules))
    reasons: dict[tuple[Needs, str], str | None] = {}
    for item in items:
        environment = environment_of(item)
        if environment is None:
            continue
        name, needed = environment.name, needs(subject_of(item))
        if (needed, name) not in reasons:
            reasons[needed, name] = unmet(needed, environment.context, embedded=environment.embedded, environment=name)
        reason = reasons[needed, name]
        if reason is not None:
            item.stash[UNFIT] = reason
            item.add_marker(pytest.mark.skip(reason=reason), append=False)


def skip_without_environment(items: list[pytest.Item], plan: Plan) -> None:
    """Skip the Marvin tests of a session that has no environment, and say what there is."""
    homeless = [item for item in items if is_marvin_item(item)]
    if homeless:
        skip = pytest.mark.skip(reason=why_unused(plan.options))
        for item in homeless:
            item.add_marker(skip, append=False)


def parametrize_native(metafunc: pytest.Metafunc, environments: tuple[Environment, ...]) -> None:
    """Run a native test once per environment if it asks for one, directly or by a fixture that does."""
    if environments and ENVIRONMENT_ARGUMENT in metafunc.fixturenames:
        names = [environment.name for environment in environments]
        metafunc.parametrize(ENVIRONMENT_ARGUMENT, environments, ids=names, indirect=True, scope="session")
