"""Hooks that other plugins and ``conftest.py`` files can implement, for what no environments file or API can know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cs_matrix_pytest.environments.model import Environment
    from cs_matrix_pytest.outcomes.matrix import Matrix
    from cs_matrix_pytest.outcomes.model import AttemptOutcome


def pytest_cs_facts(environment: Environment) -> Mapping[str, Any] | None:
    """Facts of an environment that its server does not tell, such as the management server's system or an SDN.

    Called once for each selected environment before collection, not on xdist's workers. Returns a part of the context in
    the environments file's words, ``{"management_os": "ubuntu24", "extras": ["nicira"]}``; it counts more than the
    file and the server. Of several implementations the one called first wins a fact.
    """


@pytest.hookspec(firstresult=True)
def pytest_cs_classify_attempt(
    item: pytest.Item, error: BaseException, environment: Environment, outcome: AttemptOutcome
) -> AttemptOutcome | None:
    """Another outcome for an attempt that is about to be recorded as `outcome` (failed or errored).

    For a lab that knows its own troubles: ``AttemptOutcome.BLOCKED`` where `error` says that its NFS server was away.
    None leaves it as it is. The first answer counts.
    """


def pytest_cs_report(matrix: Matrix, folder: Path) -> None:
    """The reports are in `folder`, computed over all run records there: write another, send it, publish it."""
