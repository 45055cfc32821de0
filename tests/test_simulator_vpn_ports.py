"""What a remote access VPN keeps on its address: rules that want its ports are refused, others are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client

ISOLATED = "DefaultIsolatedNetworkOfferingWithSourceNatService"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator(api_port=0) as simulator:
        yield Client(simulator)


@pytest.fixture(scope="module")
def forward(client: Client) -> dict[str, str]:
    """An address with a VPN and a machine behind it, as parameters of createPortForwardingRule."""
    zone, size = client.rows("listZones")[0]["id"], client.rows("listServiceOfferings")[0]["id"]
    offering = client.one("listNetworkOfferings", name=ISOLATED)["id"]
    template = client.rows("listTemplates", templatefilter="featured")[0]["id"]
    network = client.one("createNetwork", name="n", zoneid=zone, networkofferingid=offering)["id"]
    vm = client.one(
        "deployVirtualMachine", zoneid=zone, serviceofferingid=size, templateid=template, networkids=network
    )["id"]
    address = client.one("listPublicIpAddresses", associatednetworkid=network, listall=True)["id"]
    client.run("createRemoteAccessVpn", publicipid=address)
    return {"ipaddressid": address, "virtualmachineid": vm, "openfirewall": "false"}


@pytest.mark.parametrize(("first", "last", "port"), [(1701, 1701, 1701), (400, 600, 500), (4500, 4501, 4500)])
def test_its_ports_are_taken(client: Client, forward: dict[str, str], first: int, last: int, port: int) -> None:
    ports = {"publicport": first, "publicendport": last, "privateport": first, "privateendport": last}
    code, text = client.refused("createPortForwardingRule", protocol="UDP", **ports, **forward)
    assert code == 537
    assert text.startswith(f"The range specified, {first}-{last}, conflicts with rule FirewallRule ")
    assert text.endswith(f"which has {port}-{port}")


@pytest.mark.parametrize(("protocol", "port"), [("TCP", 1701), ("UDP", 1702)])
def test_others_are_not(client: Client, forward: dict[str, str], protocol: str, port: int) -> None:
    rule = client.one("createPortForwardingRule", protocol=protocol, publicport=port, privateport=port, **forward)
    assert rule["publicport"] == str(port)
