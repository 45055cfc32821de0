"""The parts of pytest that a plugin can only reach by private names; nothing else imports from ``_pytest``.

pytest has no way to collect one `unittest.TestCase` several times: the items' names are the methods' names, and the
fixture that calls ``setUpClass`` belongs to the collector's node id (up to pytest 9.1) or node (from 9.2 on). So a Marvin
class is collected by one collector per environment, each with an id of its own, and its items carry the environment as
if they were parametrised: ``path::TestX::test_a[kvm-adv]``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
from _pytest._code import Traceback
from _pytest.fixtures import FuncFixtureInfo
from _pytest.main import wrap_session
from _pytest.pathlib import ImportPathMismatchError, import_path
from _pytest.unittest import TestCaseFunction, UnitTestCase

try:
    from _pytest.nodeid import NodeId
except ImportError:  # pytest before 9.2 keeps node ids as text
    NodeId = None  # type: ignore[assignment,misc]

from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.matrix.class_state import in_environment
from cs_matrix_pytest.matrix.subject import Subject, SuiteClass

__all__ = ["MarvinClass", "MarvinTest", "SuiteModule", "Surroundings", "defines_fixtures", "run_collected"]

Surroundings = Callable[["MarvinClass"], AbstractContextManager[object]]
"""What a class runs in: entered before its ``setUpClass``, left after its ``tearDownClass``."""


class SuiteModule(pytest.Module):
    """A file with Marvin classes, which imports where nose would import it, whatever the import mode.

    Two files of one name outside of packages are two modules, and a suite finds what lies in the folders of its package.
    """

    def __repr__(self) -> str:
        return f"<Module {self.name}>"

    def istestclass(self, obj: object, name: str) -> bool:
        """Suites call their data ``TestData``: pytest would warn that it cannot be collected."""
        return super().istestclass(obj, name) and any(each.startswith("test") for each in dir(obj))

    def _getobj(self) -> ModuleType:
        _make_folders_importable(self.path)
        try:
            return self._imported()
        except SystemExit as error:
            raise self.CollectError(f"{self.path} ended Python as it was imported: sys.exit({error.code!r})") from error

    def _imported(self) -> ModuleType:
        try:
            return cast(ModuleType, super()._getobj())  # type: ignore[no-untyped-call]
        except self.CollectError as error:
            if not isinstance(error.__cause__, ImportPathMismatchError):
                raise
            mismatch = error
        # Another file has its name already; in this mode that is no matter, unless both are in packages of one name.
        module = import_path(self.path, mode="importlib", root=self.config.rootpath, consider_namespace_packages=False)
        if not self.path.samefile(module.__file__ or ""):
            raise mismatch
        return module


def _make_folders_importable(file: Path) -> None:
    """Have Python look into the file's folder, and if that is in a package into each of the package's, after all else."""
    folder = file.parent
    while True:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
        if not (folder / "__init__.py").is_file():
            return
        folder = folder.parent


class MarvinClass(UnitTestCase):
    """A Marvin class in one environment: collects a subclass of its own, so that class state stays in it.

    Its name is the class's, so that ``path::TestX::test_a`` selects the test in every environment; its id ends with the
    environment's.
    """

    environment: Environment
    suite_class: SuiteClass
    surroundings: Surroundings
    address: tuple[str, ...]
    """The parts of its node id but for the environment."""

    @classmethod
    def of(
        cls,
        suite_class: SuiteClass,
        environment: Environment,
        *,
        parent: pytest.Collector,
        name: str,
        surroundings: Surroundings,
    ) -> MarvinClass:
        """The collector of a class, which `parent` has under `name`."""
        node: MarvinClass = cls.from_parent(parent, name=name)
        node.environment = environment
        node.suite_class = suite_class
        node.surroundings = surroundings
        path, *outer = parent.nodeid.split("::")
        _readdress(node, path, (*outer, f"{name}[{environment.name}]"), None)
        node.address = (path, *outer, name)
        return node

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}[{self.environment.name}]>"

    def _getobj(self) -> type:
        return in_environment(self.suite_class.original)

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        # A generator: before its first item it registers the class's fixtures, and what that item needs of them is what
        # all need that have no marks of their own, as the items of a parametrised function share it.
        first = next(iter(super().collect()), None)
        shared = first._fixtureinfo if isinstance(first, pytest.Function) and not first.own_markers else None
        for name, subject in self.suite_class.tests.items():
            needs = None if getattr(subject.function, "pytestmark", None) else shared
            yield MarvinTest.of(name, subject, parent=self, fixtureinfo=needs)

    def newinstance(self) -> object:
        """What pytest looks through for fixtures, name by name: not worth it where a class has none, as most."""
        if self.suite_class.has_fixtures:
            return super().newinstance()  # type: ignore[no-untyped-call]
        return _WITHOUT_FIXTURES

    def setup(self) -> None:
        super().setup()
        self._entered = ExitStack()
        self._entered.enter_context(self.surroundings(self))

    def teardown(self) -> None:
        self._entered.close()
        super().teardown()


class MarvinTest(TestCaseFunction):
    """A test method in one environment, named as if the environment were its parameter."""

    subject: Subject

    @classmethod
    def of(
        cls, method: str, subject: Subject, *, parent: MarvinClass, fixtureinfo: FuncFixtureInfo | None = None
    ) -> MarvinTest:
        """The item of `method` in the environment of `parent`; pytest finds out the `fixtureinfo` that is not given."""
        environment = parent.environment.name
        name = f"{method}[{environment}]"
        item: MarvinTest = cls.from_parent(
            parent, name=name, originalname=method, callobj=subject.function, fixtureinfo=fixtureinfo
        )
        # pytest takes a function without an instance for one of a module.
        del item._instance
        item.subject = subject
        path, *names = parent.address
        _readdress(item, path, (*names, method), environment)
        return item

    @property
    def environment(self) -> Environment:
        """The environment that the test runs in."""
        assert isinstance(self.parent, MarvinClass)
        return self.parent.environment

    def instantiate(self) -> None:
        """Have an instance of the class, as pytest wants each time before it sets up a test.

        As collected a test has the plain function: thousands of instances would wait for their turn.
        """
        self._obj = getattr(self.instance, self.originalname)

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


class _WithoutFixtures:
    def __dir__(self) -> Iterable[str]:
        return ()


_WITHOUT_FIXTURES = _WithoutFixtures()


def defines_fixtures(cls: type) -> bool:
    """Whether a class, or one that it inherits from, has a method under ``@pytest.fixture``."""
    members = (value for base in cls.__mro__ for value in vars(base).values())
    return any(map(_is_fixture, (getattr(value, "__func__", value) for value in members)))


def _is_fixture(value: object) -> bool:
    # Up to pytest 8.3 a marked function, from 8.4 on an object of a class of its own.
    return "_pytestfixturefunction" in getattr(value, "__dict__", ()) or type(value).__module__ == "_pytest.fixtures"


def _is_marvins(module: str) -> bool:
    return module.partition(".")[0] == "marvin"


def _readdress(node: pytest.Item | pytest.Collector, path: str, names: tuple[str, ...], params: str | None) -> None:
    """Give `node` another node id than the one that pytest made from its parent's."""
    if NodeId is None:
        node._nodeid = "::".join((path, *names)) + (f"[{params}]" if params else "")  # type: ignore[union-attr]
    else:
        node._id = NodeId(path=path, names=names, params=params)


def run_collected(config: pytest.Config, then: Callable[[pytest.Session], None]) -> int | pytest.ExitCode:
    """Collect as a session does, then call `then` in place of running anything (as ``--fixtures`` works)."""

    def main(_: pytest.Config, session: pytest.Session) -> None:
        session.perform_collect()
        then(session)

    return wrap_session(config, main)
