"""The matrix side of one pytest process: its plan, its environments, and what is kept while tests run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.environments.masking import Masker
from cs_matrix_pytest.environments.model import Context, Environment
from cs_matrix_pytest.matrix.environment_session import EnvironmentSession, look_at
from cs_matrix_pytest.matrix.plan import Plan

if TYPE_CHECKING:
    from cs_matrix_pytest.matrix.recorder import Recorder

SESSION = pytest.StashKey["MatrixSession"]()


class MatrixSession:
    """One pytest process with ``--cs-env``; under xdist the controller has one and so has each worker."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.environments: tuple[Environment, ...] = plan.environments
        self.masker = Masker(secret for config in plan.configs.values() for secret in config.secrets)
        self.recorder: Recorder | None = None
        """Writes the run record; only the process that sees all reports has one."""
        self.versions: dict[str, str | None] = {}
        """ACS version of each environment, as far as known."""
        self._troubles: dict[str, str] = {}
        self._sessions: dict[str, EnvironmentSession] = {}

    def look_around(self) -> Iterator[str]:
        """Ask the labs for their facts, all at once; yields a warning for each fact that the file has otherwise."""
        from concurrent.futures import ThreadPoolExecutor

        labs = [each for each in self.environments if not each.embedded]
        if not labs:
            return
        with ThreadPoolExecutor(len(labs)) as pool:
            seen = {each.name: result for each, result in zip(labs, pool.map(self._look_at, labs), strict=True)}
        for name, (_, facts, warnings, trouble) in seen.items():
            self.versions[name] = facts.acs_version if facts else None
            if trouble is not None:
                self._troubles[name] = trouble
            yield from map(self.masker.mask, warnings)
        self.environments = tuple(seen[each.name][0] if each.name in seen else each for each in self.environments)

    def _look_at(self, environment: Environment) -> Any:
        return look_at(environment, self.plan)

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
            found = EnvironmentSession(environment, self.plan, self.masker, trouble)
            self._sessions[environment.name] = found
        return found

    def close(self) -> None:
        """Close every environment that was opened."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
