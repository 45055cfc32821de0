from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cs_matrix_pytest
from small_server import SmallServer

pytest_plugins = ["pytester"]


def _import_all() -> None:
    """Import what runs within this process import, for pytester forgets whatever a run imported.

    Others' modules are dear to import again and again; of our own there would be two copies.
    """
    own = [module.name for module in pkgutil.walk_packages(cs_matrix_pytest.__path__, "cs_matrix_pytest.")]
    others = [
        "ddt",
        "jsonschema",
        "junitparser",
        "mysql.connector",
        "paramiko",
        "requests",
        "rich.console",
        "yaml",
    ]
    for name in [*own, *others]:
        with warnings.catch_warnings(), contextlib.suppress(ImportError):
            warnings.simplefilter("ignore")
            if not name.endswith("__main__"):
                importlib.import_module(name)


_import_all()

NO_SOURCE = "CS_SOURCE names no CloudStack source tree"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "CS_SOURCE" in os.environ:
        return
    for item in items:
        if item.get_closest_marker("upstream"):
            item.add_marker(pytest.mark.skip(reason=NO_SOURCE))


@pytest.fixture(scope="session")
def cs_source() -> Path:
    """The checkout that CS_SOURCE names, for tests marked ``upstream``."""
    if "CS_SOURCE" not in os.environ:
        pytest.skip(NO_SOURCE)
    return Path(os.environ["CS_SOURCE"]).absolute()


QUIET = ("-p", "no:cov", "-p", "no:hypothesispytest")


@dataclass
class Labs:
    """A rootdir with an environments file and suites, and the pytest runs in it."""

    pytester: pytest.Pytester

    @property
    def report(self) -> Path:
        return self.pytester.path / "cs-report"

    def lab(self, name: str, server: SmallServer, *lines: str, **settings: Any) -> None:
        """Add an environment that `server` answers for; `lines` are more of its entry."""
        config = {**server.config(**settings), "logger": {"LogFolderPath": str(self.pytester.path / "logs")}}
        (self.pytester.path / f"{name}.cfg").write_text(json.dumps(config))
        self.entry(name, f"marvin_config: {name}.cfg", *lines)

    def entry(self, name: str, *lines: str) -> None:
        """Add an environment with these lines."""
        file = self.pytester.path / "cs-environments.yaml"
        if not file.exists():
            file.write_text("version: 1\ndefaults: {hypervisor: {type: kvm}}\nenvironments:\n")
        with file.open("a") as stream:
            stream.write(f"  {name}:\n" + "".join(f"    {line}\n" for line in lines))

    def suite(self, **modules: str) -> None:
        """Add test modules; each begins with the imports of a Marvin suite."""
        imports = (
            "import unittest\n"
            "from marvin.cloudstackTestCase import cloudstackTestCase\n"
            "from nose.plugins.attrib import attr\n"
        )
        self.pytester.makepyfile(**{name: f"{imports}\n{_dedented(text)}" for name, text in modules.items()})

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest in this process, which is several times faster than in another."""
        return self.pytester.runpytest_inprocess(*QUIET, *args)

    def run_apart(self, *args: str) -> pytest.RunResult:
        """Run pytest in a process of its own."""
        return self.pytester.runpytest_subprocess(*QUIET, *args)

    def collected(self, *args: str) -> list[str]:
        """The node ids that pytest collects."""
        result = self.run("--co", "-q", *args)
        return [line for line in result.outlines if "::" in line]

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the one run record."""
        (record,) = self.report.glob("run-*.jsonl")
        return [json.loads(line) for line in record.read_text().splitlines()]

    def attempts(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(test, environment) → line of the one run record; the module is left out of the test's id."""
        return dict(self._by_test("attempt"))

    def outcomes(self) -> dict[tuple[str, str], str]:
        """(test, environment) → outcome, of the one run record."""
        return {key: line["outcome"] for key, line in self._by_test("attempt")}

    def untested(self) -> dict[tuple[str, str], dict[str, str]]:
        """(test, environment) → reason, of the one run record."""
        return {key: line["reason"] for key, line in self._by_test("untested")}

    def _by_test(self, kind: str) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
        for line in self.lines():
            if line["kind"] == kind:
                yield (line["test"].rpartition("::")[2], line["environment"]), line


def _dedented(text: str) -> str:
    from textwrap import dedent

    return dedent(text)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for Marvin's port: pytester gives each test a home of its own, where it would be ported anew."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def labs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> Labs:
    """An empty rootdir to put environments and suites into."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    # Whatever lies in the folders above must not become the rootdir.
    pytester.makeini("[pytest]\n")
    return Labs(pytester)


@pytest.fixture
def server() -> Iterator[SmallServer]:
    """A management server on loopback."""
    with SmallServer() as running:
        yield running


@pytest.fixture
def two(labs: Labs, server: SmallServer) -> Labs:
    """Two environments, kvm-adv and kvm-two, on one server."""
    labs.lab("kvm-adv", server)
    labs.lab("kvm-two", server)
    return labs
