"""The tables of what is kept about hosts beside them: HA, out-of-band management, revoked certificates, and
the management servers that are seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.models.certificates import RevokedCertificate
from cs_matrix_pytest.simulator.models.host_services import HostHa, OutOfBandManagement
from cs_matrix_pytest.simulator.models.infra import ManagementServer
from cs_matrix_pytest.simulator.sql.rows import every, forget
from cs_matrix_pytest.simulator.sql.table import Column, Table, Value, assign, columns, number

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud


def flag(value: Value) -> bool:
    return bool(number(value))


def peers(cloud: Cloud) -> Iterable[ManagementServer]:
    """The other management servers, as the one that runs has seen them."""
    return (server for server in every(ManagementServer)(cloud) if "runid" in server.details)


def write_peer_state(_cloud: Cloud, server: ManagementServer, value: Value) -> None:
    server.details["peer_state"] = str(value)


def forget_peer(_cloud: Cloud, server: ManagementServer) -> None:
    server.details["forgotten"] = "true"


HOST_TABLES = (
    Table(
        "ha_config",
        every(HostHa),
        columns(
            "id=number resource_id=host.number resource_type enabled ha_state provider update_count=updates mgmt_server_id",
            resource_type=lambda _ha: "Host",
            enabled=Column("enabled", assign("enabled", flag)),
            ha_state=Column("state", assign("state", str)),
            provider=Column("provider", assign("provider", str)),
            mgmt_server_id=Column("owner", assign("owner", number)),
        ),
        delete=forget,
    ),
    Table(
        "oobm",
        every(OutOfBandManagement),
        columns(
            "id=number host_id=host.number enabled power_state driver address port username password "
            "update_count=updates mgmt_server_id",
            enabled=Column("enabled", assign("enabled", flag)),
            power_state=Column("power_state", assign("power_state", str)),
            mgmt_server_id=Column("owner", assign("owner", number)),
        ),
        delete=forget,
    ),
    Table(
        "crl",
        every(RevokedCertificate),
        columns("id=number serial cn=common_name revoker_uuid=revoker.id revoked=created"),
        delete=forget,
    ),
    Table(
        "mshost_peer",
        lambda cloud: (server for server in peers(cloud) if "forgotten" not in server.details),
        columns(
            "id=number owner_mshost peer_mshost=number peer_runid peer_state last_update=created",
            owner_mshost=lambda _server: 1,
            peer_runid=lambda server: int(server.details["runid"]),
            peer_state=Column(lambda server: server.details.get("peer_state", "Up"), write_peer_state),
        ),
        delete=forget_peer,
    ),
)
