"""A zone that is ready for use, built by the same commands as Marvin's deployDataCenter, and zones as Marvin describes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts
from cs_matrix_pytest.simulator.models.infra import (
    Cluster,
    Host,
    ImageStore,
    IpRange,
    PhysicalNetwork,
    Pod,
    ServiceProvider,
    StoragePool,
    TrafficType,
    Zone,
)

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

ELEMENT_COMMANDS = {
    "VirtualRouter": ("listVirtualRouterElements", "virtualrouterelement", "configureVirtualRouterElement"),
    "VpcVirtualRouter": ("listVirtualRouterElements", "virtualrouterelement", "configureVirtualRouterElement"),
    "InternalLbVm": (
        "listInternalLoadBalancerElements",
        "internalloadbalancerelement",
        "configureInternalLoadBalancerElement",
    ),
}
"""How a provider's element is found and configured before the provider can be enabled."""
SHARED_OFFERING = "DefaultSharedNetworkOfferingWithSGService"


@dataclass(frozen=True)
class Plan:
    """What a ready zone of one networking has."""

    network_type: str
    security_groups: bool
    traffic_types: tuple[str, ...]
    providers: tuple[str, ...]
    clusters: int
    isolation: str = "VLAN"
    vlan: str | None = "100-200"


PLANS = {
    "advanced": Plan(
        "Advanced",
        security_groups=False,
        traffic_types=("Guest", "Management", "Public"),
        providers=("VirtualRouter", "VpcVirtualRouter", "InternalLbVm"),
        clusters=2,
    ),
    "advanced-sg": Plan(
        "Advanced",
        security_groups=True,
        traffic_types=("Guest", "Management"),
        providers=("VirtualRouter", "SecurityGroupProvider"),
        clusters=1,
    ),
    "basic": Plan(
        "Basic",
        security_groups=True,
        traffic_types=("Guest", "Management"),
        providers=("VirtualRouter", "SecurityGroupProvider"),
        clusters=1,
        isolation="L3",
        vlan=None,
    ),
}
"""The plans by ``networking`` of an environments file."""
HOSTS_PER_CLUSTER = 2
POOLS_PER_CLUSTER = 2
GUEST_RANGE = {
    "gateway": "192.168.100.1",
    "netmask": "255.255.255.0",
    "startip": "192.168.100.2",
    "endip": "192.168.100.250",
}
PUBLIC_RANGE = {
    "gateway": "192.168.2.1",
    "netmask": "255.255.255.0",
    "startip": "192.168.2.2",
    "endip": "192.168.2.250",
}


def build_ready_zone(cloud: Cloud, networking: str) -> None:
    """Deploy one enabled zone named ``zone1`` with hosts of the cloud's hypervisor.

    ``networking`` is a key of PLANS; KeyError otherwise.
    """
    plan, run = PLANS[networking], cloud.run
    guest_cidr = {} if plan.security_groups else {"guestcidraddress": "10.1.1.0/24"}
    zone = run(
        "createZone",
        name="zone1",
        dns1="10.0.0.53",
        internaldns1="10.0.0.53",
        networktype=plan.network_type,
        securitygroupenabled=plan.security_groups,
        **guest_cidr,
    )["zone"]["id"]
    _physical_network(cloud, plan, zone)
    network = _shared_guest_network(cloud, plan, zone) if plan.security_groups else None
    pod = run(
        "createPod",
        name="pod1",
        zoneid=zone,
        gateway="172.16.15.1",
        netmask="255.255.255.0",
        startip="172.16.15.2",
        endip="172.16.15.200",
    )["pod"]["id"]
    if plan.network_type == "Basic":
        run("createVlanIpRange", zoneid=zone, podid=pod, networkid=network, forvirtualnetwork=False, **GUEST_RANGE)
    for number in range(1, plan.clusters + 1):
        _cluster(cloud, zone, pod, number)
    if not plan.security_groups:
        run("createVlanIpRange", zoneid=zone, forvirtualnetwork=True, vlan="50", **PUBLIC_RANGE)
    run("addImageStore", zoneid=zone, provider="NFS", url="nfs://10.0.0.10/export/secondary")
    run("updateZone", id=zone, allocationstate="Enabled")
    cloud.clock.run_due()


def _physical_network(cloud: Cloud, plan: Plan, zone: str) -> None:
    run = cloud.run
    created = run("createPhysicalNetwork", zoneid=zone, name="pnet1", isolationmethods=plan.isolation)
    physical: str = created["physicalnetwork"]["id"]
    for traffic_type in plan.traffic_types:
        run("addTrafficType", physicalnetworkid=physical, traffictype=traffic_type)
    for name in plan.providers:
        listed = run("listNetworkServiceProviders", physicalnetworkid=physical, name=name)
        provider = listed["networkserviceprovider"][0]["id"]
        if name in ELEMENT_COMMANDS:
            find, key, configure = ELEMENT_COMMANDS[name]
            run(configure, id=run(find, nspid=provider)[key][0]["id"], enabled=True)
        run("updateNetworkServiceProvider", id=provider, state="Enabled")
    vlan = {} if plan.vlan is None else {"vlan": plan.vlan}
    run("updatePhysicalNetwork", id=physical, state="Enabled", **vlan)


def _shared_guest_network(cloud: Cloud, plan: Plan, zone: str) -> str:
    offering = cloud.run("listNetworkOfferings", name=SHARED_OFFERING)["networkoffering"][0]["id"]
    addresses = {} if plan.network_type == "Basic" else {**GUEST_RANGE, "vlan": "50"}
    created = cloud.run(
        "createNetwork",
        zoneid=zone,
        name="guest1",
        displaytext="guest1",
        networkofferingid=offering,
        **addresses,
    )
    network: str = created["network"]["id"]
    return network


def _cluster(cloud: Cloud, zone: str, pod: str, number: int) -> None:
    run, facts = cloud.run, hypervisor_facts(cloud.hypervisor)
    cluster = run(
        "addCluster",
        zoneid=zone,
        podid=pod,
        clustername=f"cluster{number}",
        clustertype="CloudManaged",
        hypervisor=cloud.hypervisor,
    )["cluster"][0]["id"]
    for host in range(1, HOSTS_PER_CLUSTER + 1):
        url = facts.host_url.format(address=f"172.16.15.{10 * number + host}", cluster=f"c{number}", host=f"h{host}")
        run(
            "addHost",
            zoneid=zone,
            podid=pod,
            clusterid=cluster,
            hypervisor=cloud.hypervisor,
            url=url,
            username="root",
            password="password",
        )
    for pool in range(1, POOLS_PER_CLUSTER + 1):
        run(
            "createStoragePool",
            zoneid=zone,
            podid=pod,
            clusterid=cluster,
            name=f"primary{number}-{pool}",
            url=f"nfs://10.0.0.10/export/primary{number}-{pool}",
        )


def describe_zones(cloud: Cloud) -> list[dict[str, Any]]:
    """The zones that there are, each as Marvin's JSON configuration describes one."""
    return [_zone(cloud, zone) for zone in cloud.store.table(Zone)]


def _zone(cloud: Cloud, zone: Zone) -> dict[str, Any]:
    store = cloud.store
    # A zone with security groups has no public addresses; Marvin makes its shared network of these.
    ranges = store.table(IpRange).where(zone=zone, for_virtual_network=zone.has_public_traffic, pod=None)
    described: dict[str, Any] = {
        "name": zone.name,
        "dns1": zone.dns1,
        "internaldns1": zone.internal_dns1,
        "networktype": zone.network_type,
        "securitygroupenabled": str(zone.security_groups_enabled).lower(),
        "localstorageenabled": str(zone.local_storage_enabled).lower(),
        "physical_networks": [_network(cloud, row) for row in store.table(PhysicalNetwork).where(zone=zone)],
        "ipranges": [_range(row) for row in ranges],
        "pods": [_pod(cloud, pod) for pod in store.table(Pod).where(zone=zone)],
        "secondaryStorages": [
            {"url": row.url, "provider": row.provider} for row in store.table(ImageStore).where(zone=zone)
        ],
    }
    if zone.guest_cidr:
        described["guestcidraddress"] = zone.guest_cidr
    return described


def _network(cloud: Cloud, network: PhysicalNetwork) -> dict[str, Any]:
    store = cloud.store
    described: dict[str, Any] = {
        "name": network.name,
        "broadcastdomainrange": network.broadcast_domain_range.capitalize(),
        "isolationmethods": list(network.isolation_methods),
        "traffictypes": [{"typ": row.traffic_type} for row in store.table(TrafficType).where(physical_network=network)],
        "providers": [
            {"name": row.name, "broadcastdomainrange": network.broadcast_domain_range}
            for row in store.table(ServiceProvider).where(physical_network=network, state="Enabled")
        ],
    }
    if network.vlan:
        described["vlan"] = network.vlan
    return described


def _range(row: IpRange) -> dict[str, Any]:
    vlan = row.vlan.removeprefix("vlan://")
    return {
        "startip": row.start_ip,
        "endip": row.end_ip,
        "netmask": row.netmask,
        "gateway": row.gateway,
        "vlan": vlan,
    }


def _pod(cloud: Cloud, pod: Pod) -> dict[str, Any]:
    guest = cloud.store.table(IpRange).where(pod=pod, for_virtual_network=False)
    first = pod.ranges[0] if pod.ranges else None
    described: dict[str, Any] = {
        "name": pod.name,
        "gateway": pod.gateway,
        "netmask": pod.netmask,
        "startip": first.start_ip if first else None,
        "endip": first.end_ip if first else None,
        "clusters": [_described_cluster(cloud, row) for row in cloud.store.table(Cluster).where(pod=pod)],
    }
    if guest:
        described["guestIpRanges"] = [_range(row) for row in guest]
    return described


def _described_cluster(cloud: Cloud, cluster: Cluster) -> dict[str, Any]:
    return {
        "clustername": cluster.name,
        "clustertype": cluster.cluster_type,
        "hypervisor": cluster.hypervisor.lower(),
        "hosts": [
            {"url": host.url, "username": "root", "password": "password"}
            for host in cloud.store.table(Host).where(cluster=cluster)
        ],
        "primaryStorages": [
            {"name": pool.name, "url": pool.url} for pool in cloud.store.table(StoragePool).where(cluster=cluster)
        ],
    }
