"""The parts of pytest that a plugin can only reach by private names; nothing else imports from ``_pytest``.

pytest has no way to collect one `unittest.TestCase` several times: the items' names are the methods' names, and the
fixture that calls ``setUpClass`` belongs to the collector's node id (up to pytest 9.1) or node (from 9.2 on). So a Marvin
class is collected by one collector per environment, each with an id of its own, and its items carry the environment as
if they were parametrised: ``path::TestX::test_a[kvm-adv]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack

import pytest
from _pytest._code import Traceback
from _pytest.main import wrap_session
from _pytest.unittest import TestCaseFunction, UnitTestCase

from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.matrix.class_state import in_environment

__all__ = ["MarvinClass", "MarvinTest", "Surroundings", "run_collected"]

Surroundings = Callable[["MarvinClass"], AbstractContextManager[object]]
"""What a class runs in: entered before its ``setUpClass``, left after its ``tearDownClass``."""


class MarvinClass(UnitTestCase):
    """A Marvin class in one environment: collects a subclass of its own, so that class state stays in it.

    Its name is the class's, so that ``path::TestX::test_a`` selects the test in every environment; its id ends with the
    environment's.
    """

    environment: Environment
    original: type
    more_tests: Callable[[type], Iterable[str]]
    surroundings: Surroundings

    @classmethod
    def of(
        cls,
        original: type,
        environment: Environment,
        *,
        parent: pytest.Collector,
        name: str,
        more_tests: Callable[[type], Iterable[str]],
        surroundings: Surroundings,
    ) -> MarvinClass:
        """The collector of `original`, which `parent` has under `name`.

        `more_tests` names methods that are tests though unittest does not take them for such.
        """
        node: MarvinClass = cls.from_parent(parent, name=name)
        node.environment = environment
        node.original = original
        node.more_tests = more_tests
        node.surroundings = surroundings
        path, *outer = parent.nodeid.split("::")
        _readdress(node, path, (*outer, f"{name}[{environment.name}]"), None)
        return node

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}[{self.environment.name}]>"

    def _getobj(self) -> type:
        return in_environment(self.original)

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        names = [found.name for found in super().collect()]
        if names or getattr(self.obj, "__test__", True):
            names += [name for name in self.more_tests(self.obj) if name not in names]
        for name in names:
            yield MarvinTest.of(name, parent=self)

    def setup(self) -> None:
        super().setup()
        self._entered = ExitStack()
        self._entered.enter_context(self.surroundings(self))

    def teardown(self) -> None:
        self._entered.close()
        super().teardown()


class MarvinTest(TestCaseFunction):
    """A test method in one environment, named as if the environment were its parameter."""

    @classmethod
    def of(cls, method: str, *, parent: MarvinClass) -> MarvinTest:
        """The item of `method` in the environment of `parent`."""
        environment = parent.environment.name
        item: MarvinTest = cls.from_parent(parent, name=f"{method}[{environment}]", originalname=method)
        assert parent.parent is not None
        path, *outer = parent.parent.nodeid.split("::")
        _readdress(item, path, (*outer, parent.name, method), environment)
        return item

    @property
    def environment(self) -> Environment:
        """The environment that the test runs in."""
        assert isinstance(self.parent, MarvinClass)
        return self.parent.environment

    # pytest takes the item's name for the method's in these two.

    def _getinstance(self) -> object:
        assert isinstance(self.parent, MarvinClass)
        return self.parent.obj(self.originalname)

    def runtest(self) -> None:
        shown, self.name = self.name, self.originalname
        try:
            super().runtest()
        finally:
            self.name = shown

    def _traceback_filter(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Traceback:
        """Without Marvin's own frames, which are many and tell a test author little; ``--full-trace`` shows them.

        The last frame stays if the exception is not Marvin's (whose own say what the server answered). pytest parses
        the whole file of each frame that it shows, and Marvin's are long: this makes failures ten times cheaper.
        """
        shown = super()._traceback_filter(excinfo)
        last = None if _is_marvins(type(excinfo.value).__module__) else shown[-1]
        own = shown.filter(lambda entry: entry is last or not _is_marvins(entry.frame.f_globals.get("__name__", "")))
        return own or shown


def _is_marvins(module: str) -> bool:
    return module.partition(".")[0] == "marvin"


def _readdress(node: pytest.Item | pytest.Collector, path: str, names: tuple[str, ...], params: str | None) -> None:
    """Give `node` another node id than the one that pytest made from its parent's."""
    try:
        from _pytest.nodeid import NodeId
    except ImportError:  # pytest before 9.2 keeps node ids as text
        node._nodeid = "::".join((path, *names)) + (f"[{params}]" if params else "")  # type: ignore[union-attr]
    else:
        node._id = NodeId(path=path, names=names, params=params)


def run_collected(config: pytest.Config, then: Callable[[pytest.Session], None]) -> int | pytest.ExitCode:
    """Collect as a session does, then call `then` in place of running anything (as ``--fixtures`` works)."""

    def main(_: pytest.Config, session: pytest.Session) -> None:
        session.perform_collect()
        then(session)

    return wrap_session(config, main)
