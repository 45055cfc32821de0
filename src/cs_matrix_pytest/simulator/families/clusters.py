"""Clusters of hosts (ResourceManagerImpl.discoverCluster, ApiResponseHelper.createClusterResponse)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.zones import check_allocation_state
from cs_matrix_pytest.simulator.hypervisors import api_name
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

family = Family("clusters")

WITH_SECURITY_GROUPS = ("KVM", "XenServer", "LXC", "Simulator")
"""Hypervisors that an advanced zone with security groups can have."""
MANAGED_STATES = ("Managed", "Unmanaged")
ARCHITECTURES = ("x86_64", "aarch64", "s390x")


@family.view(Cluster)
def cluster_view(cluster: Cluster, call: Call) -> dict[str, Any]:
    pod, zone = cluster.pod, cluster.zone
    capacities = None
    if call.flag("showcapacities"):
        from cs_matrix_pytest.simulator.families.capacity_reports import capacities_of

        capacities = capacities_of(call.cloud, zone, pod=pod, cluster=cluster)
    return {
        "id": cluster.id,
        "name": cluster.name,
        "podid": pod.id,
        "podname": pod.name,
        "zoneid": zone.id,
        "zonename": zone.name,
        "hypervisortype": cluster.hypervisor,
        "clustertype": cluster.cluster_type,
        "allocationstate": cluster.allocation_state,
        "managedstate": cluster.managed_state,
        "cpuovercommitratio": cluster.details.get("cpuOvercommitRatio"),
        "memoryovercommitratio": cluster.details.get("memoryOvercommitRatio"),
        "resourcedetails": dict(cluster.details),
        "arch": cluster.arch,
        "storageaccessgroups": ",".join(cluster.storage_access_groups) or None,
        "podstorageaccessgroups": ",".join(pod.storage_access_groups) or None,
        "zonestorageaccessgroups": ",".join(zone.storage_access_groups) or None,
        "capacity": capacities,
        "hasannotations": False,
    }


@family.command("addCluster")
def add_cluster(call: Call) -> Answer:
    zone, pod, name = call.one(Zone, "zoneid"), call.one(Pod, "podid"), call["clustername"]
    if pod.zone is not zone:
        raise InvalidParameterValue(f"Pod with specified id doesn't belong to the zone {zone.name}")
    if not call["hypervisor"]:
        raise InvalidParameterValue("Please specify a hypervisor")
    hypervisor = api_name(call["hypervisor"])
    if zone.security_groups_enabled and not zone.is_basic and hypervisor not in WITH_SECURITY_GROUPS:
        raise InvalidParameterValue(f"Don't support hypervisor type {hypervisor} in advanced security enabled zone")
    arch = call.get("arch") or "x86_64"
    if arch not in ARCHITECTURES:
        raise InvalidParameterValue(f"Invalid CPU architecture: {arch}")
    check_allocation_state(call.get("allocationstate"))
    if call.cloud.store.table(Cluster).first(pod=pod, name=name):
        raise InternalError(f"Unable to create cluster {name} in pod and data center with specified ids")
    settings = call.cloud.configuration
    details = {
        "cpuOvercommitRatio": settings.text("cpu.overprovisioning.factor", zone, default="1.0"),
        "memoryOvercommitRatio": settings.text("mem.overprovisioning.factor", zone, default="1.0"),
    }
    if call["clustertype"] == "ExternalManaged" and "url" in call:
        details |= {key: call.get(key, "") for key in ("url", "username")}
    cluster = call.cloud.store.add(
        Cluster(
            name=name,
            pod=pod,
            hypervisor=hypervisor,
            cluster_type=call["clustertype"],
            allocation_state=call.get("allocationstate") or "Enabled",
            arch=arch,
            url=call.get("url"),
            details=details,
            storage_access_groups=call.get("storageaccessgroups", []),
        )
    )
    from cs_matrix_pytest.simulator.families.hosts import discover_hosts_of
    from cs_matrix_pytest.simulator.families.templates import install_builtin_templates

    install_builtin_templates(call.cloud, zone)
    discover_hosts_of(call, cluster)
    return [cluster]


@family.command("updateCluster")
def update_cluster(call: Call) -> Answer:
    cluster = call.one(Cluster)
    managed, state = call.get("managedstate"), call.get("allocationstate")
    if managed and managed not in MANAGED_STATES:
        raise InvalidParameterValue(f"Unable to resolve Managed State '{managed}' to a supported state")
    check_allocation_state(state)
    if "hypervisor" in call and not call["hypervisor"]:
        raise InvalidParameterValue("Unable to resolve  to a supported type")
    if call.get("arch", cluster.arch) not in ARCHITECTURES:
        raise InvalidParameterValue(f"Invalid CPU architecture: {call['arch']}")
    cluster.name = call.get("clustername", cluster.name)
    cluster.cluster_type = call.get("clustertype") or cluster.cluster_type
    cluster.allocation_state = state or cluster.allocation_state
    cluster.arch = call.get("arch", cluster.arch)
    if "hypervisor" in call:
        cluster.hypervisor = api_name(call["hypervisor"])
    if managed:
        cluster.managed_state = managed
        for host in call.cloud.store.table(Host).where(cluster=cluster):
            host.state = "Up" if managed == "Managed" else "Disconnected"
    return cluster


@family.command("deleteCluster")
def delete_cluster(call: Call) -> Answer:
    from cs_matrix_pytest.simulator.families.extensions import unregister_everywhere

    cluster, store = call.one(Cluster), call.cloud.store
    for kind, what in ((Host, "hosts"), (StoragePool, "storage pools")):
        if store.table(kind).first(cluster=cluster):
            raise InternalError(f"Cluster: {cluster.name} cannot be removed. Cluster still has {what}")
    unregister_everywhere(call.cloud, cluster)
    store.remove(cluster)
    return Success()


family.listing(
    "listClusters",
    Cluster,
    keyword=("name", "hypervisor", "allocation_state"),
    filters={"storageaccessgroup": lambda cluster, value, _call: value in cluster.storage_access_groups},
)
