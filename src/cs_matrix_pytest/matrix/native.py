"""Fixtures with which a native pytest test joins the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cs_matrix_pytest.environments.model import Environment


@pytest.fixture(scope="session")
def cs_env(request: pytest.FixtureRequest) -> Environment:
    """The environment that the test runs in, once for each that is selected: its `name`, `context` and `zone`."""
    environment: Environment | None = getattr(request, "param", None)
    if environment is None:
        from cs_matrix_pytest.matrix.plan import why_unused
        from cs_matrix_pytest.options import read_options

        pytest.skip(why_unused(read_options(request.config)))
    return environment


@pytest.fixture(scope="session")
def cs_test_client(cs_env: Environment, request: pytest.FixtureRequest) -> Any:
    """Marvin's test client, connected to the environment."""
    from cs_matrix_pytest.matrix.session import SESSION

    return request.config.stash[SESSION].session_of(cs_env).connection.test_client


@pytest.fixture(scope="session")
def cs_api_client(cs_test_client: Any) -> Any:
    """Marvin's API client of the environment."""
    return cs_test_client.getApiClient()
