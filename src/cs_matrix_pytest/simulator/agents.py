"""What simulated hosts answer to agent commands that somebody ordered a mock for (SimulatorManagerImpl.simulate)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.models.simulator_mocks import SimulatorMock

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.models.infra import Host

FAILURE = "Simulated failure"
FAULT = "java.lang.Exception: Simulated fault"


def mock_for(cloud: Cloud, host: Host, command: str) -> SimulatorMock | None:
    """The mock of an agent command that a host is to follow: the oldest that applies to it."""
    return cloud.store.table(SimulatorMock).first(
        lambda mock: mock.command == command and mock.applies_to(host) and mock.is_active
    )


def problem(cloud: Cloud, host: Host, command: str) -> str | None:
    """Send an agent command to a host: what it says is wrong, None where it does what it is told."""
    mock = mock_for(cloud, host, command)
    if mock is None:
        return None
    if mock.count is not None:
        mock.count -= 1
    details = None
    for name, value in orders(mock).items():
        if name == "wait" and value.isdecimal():
            cloud.clock.skip(int(value) / 1000)
        if name == "result":
            details = {"fail": FAILURE, "fault": FAULT}.get(value.lower(), details)
    if details is not None:
        return details
    answer = response_of(mock)
    return str(answer.get("details", "")) if answer.get("result") is False else None


def orders(mock: SimulatorMock) -> dict[str, str]:
    """What a mock's text says, by lower-case name."""
    pairs = [entry.split(":") for entry in mock.values.split("|")]
    return {pair[0].strip().lower(): pair[1].strip() for pair in pairs if len(pair) > 1}


def response_of(mock: SimulatorMock) -> dict[str, Any]:
    """The fields of the answer that a mock gives; none where it has no answer, or one that cannot be read."""
    try:
        given = json.loads(mock.response or "{}")
    except ValueError:
        return {}
    fields: Any = next(iter(given.values()), {}) if isinstance(given, dict) else {}
    return fields if isinstance(fields, dict) else {}
