"""The matrix side of one pytest process: its plan, its environments, and what is kept while tests run."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.environments.masking import Masker
from cs_matrix_pytest.environments.model import Context, Environment
from cs_matrix_pytest.environments.validation import kind_of, near
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.matrix.environment_session import EnvironmentSession, Look, deploy, look_at
from cs_matrix_pytest.matrix.plan import Plan

if TYPE_CHECKING:
    from cs_matrix_pytest.marvin_bridge.connect import Connection


class MatrixSession:
    """One pytest process with ``--cs-env``; under xdist the controller has one and so has each worker."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.environments: tuple[Environment, ...] = plan.environments
        self.masker = Masker(secret for config in plan.configs.values() for secret in config.secrets)
        self.last_class: object = None
        """The collector of the test that ran last."""
        self.versions: dict[str, str | None] = {}
        """ACS version of each environment, as far as known."""
        self.log_folders: dict[str, Path] = {}
        """Where Marvin's logs of a lab lie, once it is closed; an embedded environment's are with the reports."""
        self._troubles: dict[str, str] = {}
        self._sessions: dict[str, EnvironmentSession] = {}
        self._deployed: dict[str, Connection] = {}
        """Connections of deployments that no test has taken over yet."""

    def look_around(self, hook: Any) -> Iterator[str]:
        """Deploy what is to be deployed, one by one, then learn the facts of every environment; labs are asked all at once.

        Yields a warning for each fact that the environments file has otherwise. `hook` is pytest's, for
        ``pytest_cs_facts``. What cannot be used is remembered as blocked; nothing is raised for it.
        """
        labs = [each for each in self.environments if not each.embedded]
        seen = dict(self._deploy(labs)) if self.plan.options.deploy else {}
        there = [each for each in labs if each.name not in seen]
        with ThreadPoolExecutor(max(1, len(there))) as pool:
            looks = pool.map(functools.partial(look_at, plan=self.plan), there)
            seen |= zip((each.name for each in there), looks, strict=True)
        found = []
        for environment in self.environments:
            look = seen.get(environment.name) or Look(environment, acs_version=_simulated_version())
            yield from map(self.masker.mask, look.warnings)
            self.versions[environment.name] = look.acs_version
            if look.trouble is not None:
                self._troubles[environment.name] = look.trouble
            found.append(_with_facts(look.environment, hook.pytest_cs_facts(environment=look.environment)))
        self.environments = tuple(found)

    def _deploy(self, labs: Iterable[Environment]) -> Iterator[tuple[str, Look]]:
        """Deploy labs, and tell those that could not be."""
        # One after another: Marvin keeps the settings that it is deploying in globals of its modules.
        for each in labs:
            try:
                self._deployed[each.name] = deploy(each, self.plan, self.masker)
            except UserError as error:
                yield each.name, Look(each, trouble=str(error))

    def handout(self) -> dict[str, Any]:
        """What was found of the environments, for a worker, which would otherwise ask again: plain data."""
        return {
            each.name: {
                "context": each.context.as_dict(),
                "zone": each.zone,
                "trouble": self._troubles.get(each.name),
            }
            for each in self.environments
        }

    def take(self, handout: Mapping[str, Any]) -> None:
        """The inverse of `handout`, on the worker."""
        self.environments = tuple(
            replace(each, context=Context.from_dict(found["context"]), zone=found["zone"])
            for each in self.environments
            for found in (handout[each.name],)
        )
        self._troubles = {name: found["trouble"] for name, found in handout.items() if found["trouble"]}

    def session_of(self, environment: Environment) -> EnvironmentSession:
        """The live side of an environment, made at the first call."""
        found = self._sessions.get(environment.name)
        if found is None:
            trouble = self._troubles.get(environment.name)
            # One that was found unusable is looked at anew, zone and all, before it is connected.
            connection = None if trouble else self._deployed.pop(environment.name, None)
            found = EnvironmentSession(environment, self.plan, self.masker, trouble, connection)
            self._sessions[environment.name] = found
        return found

    def close(self) -> None:
        """Close every environment that was opened."""
        for connection in self._deployed.values():  # under xdist tests run elsewhere
            connection.close(echo=lambda _: None)
        self._deployed.clear()
        for name, session in self._sessions.items():
            folder = session.close()
            if folder is not None and not session.environment.embedded:
                self.log_folders[name] = folder
        self._sessions.clear()

    def log_lines(self) -> Iterator[str]:
        """Where Marvin's logs lie, once all is closed, to be shown at the end.

        To whoever uses nose's options it is said as nose says it: scripts look for that line.
        """
        for name, folder in self.log_folders.items():
            if self.plan.options.nose:
                yield f"=== Final results are now copied to: {folder} ==="
            else:
                yield f"Marvin's logs of {name}: {folder}"


SESSION = pytest.StashKey[MatrixSession]()


def _simulated_version() -> str:
    from cs_matrix_pytest.simulator.metadata import load_fresh_install

    return str(load_fresh_install()["acs_version"])


def _with_facts(environment: Environment, answers: Iterable[Mapping[str, Any]]) -> Environment:
    """The environment with what ``pytest_cs_facts`` says of it; of several answers the first wins a fact."""
    context = environment.context.as_dict()
    for facts in reversed(list(answers)):
        context = _merged(context, facts, "pytest_cs_facts")
    return replace(environment, context=Context.from_dict(context))


def _merged(context: Mapping[str, Any], facts: object, key: str) -> dict[str, Any]:
    """`facts` over `context`, deeply, as the environments file's defaults. Raises UserError for what is no fact."""
    if not isinstance(facts, Mapping):
        raise UserError(f"must be a mapping, is {kind_of(facts)}", key=key)
    merged = dict(context)
    for name, value in facts.items():
        here = f"{key}.{name}"
        if name not in context:
            raise UserError("no fact of an environment", key=here, hint=near(str(name), list(context)))
        if isinstance(context[name], list) and not isinstance(value, (list, tuple)):
            raise UserError(f"must be a list, is {kind_of(value)}", key=here)
        merged[name] = _merged(context[name], value, here) if isinstance(context[name], Mapping) else value
    return merged
