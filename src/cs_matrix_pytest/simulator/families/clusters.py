"""Clusters of hosts (ResourceManagerImpl.discoverCluster, ApiResponseHelper.createClusterResponse)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.zones import check_allocation_state
from cs_matrix_pytest.simulator.hypervisors import api_name
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.texts import described

family = Family("clusters")

WITH_SECURITY_GROUPS = ("KVM", "XenServer", "LXC", "Simulator")
"""Hypervisors that an advanced zone with security groups can have."""
MANAGED_STATES = ("Managed", "Unmanaged", "PrepareUnmanaged", "PrepareUnmanagedError")
CLUSTER_TYPES = ("CloudManaged", "ExternalManaged")
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
        "hasannotations": has_annotations(cluster, call),
    }


def architecture(call: Call) -> str:
    """The CPU architecture that a request names, by default x86_64."""
    arch = (call.get("arch") or "").strip() or ARCHITECTURES[0]
    if arch not in ARCHITECTURES:
        raise ParameterError(f"Unsupported arch type: {arch}")
    return arch


def extension_of(call: Call, cluster: Cluster) -> Any:
    """The extension that a cluster is registered with, if any."""
    from cs_matrix_pytest.simulator.models.extensions import Extension

    return call.cloud.store.table(Extension).first(
        lambda extension: any(row.resource is cluster for row in extension.registrations)
    )


@family.command("addCluster")
def add_cluster(call: Call) -> Answer:
    arch = architecture(call)
    zone = call.one(Zone, "zoneid", missing="Can't find zone by the id specified")
    pod, name = call.one(Pod, "podid", missing="Can't find pod by id {}"), call["clustername"]
    if pod.zone is not zone:
        raise InvalidParameterValue(
            f"Pod with specified id doesn't belong to the zone {described(zone)}",
            named={"podId": pod.id, "dcId": zone.id},
        )
    if not call["hypervisor"]:
        raise InvalidParameterValue("Please specify a hypervisor")
    hypervisor = api_name(call["hypervisor"])
    if zone.security_groups_enabled and not zone.is_basic and hypervisor not in WITH_SECURITY_GROUPS:
        raise InvalidParameterValue(f"Don't support hypervisor type {hypervisor} in advanced security enabled zone")
    if hypervisor != "External" and "extensionid" in call:
        raise InvalidParameterValue("Extension can be specified only for External hypervisor type")
    if call.map("externaldetails") and "extensionid" not in call:
        raise InvalidParameterValue("External details can be specified only with extension")
    cluster_type = call["clustertype"] or "CloudManaged"
    if cluster_type not in CLUSTER_TYPES:
        raise ParameterError(f"No enum constant com.cloud.org.Cluster.ClusterType.{cluster_type}")
    check_allocation_state(call.get("allocationstate"))
    if call.cloud.store.table(Cluster).first(pod=pod, name=name):
        raise InternalError(
            f"Unable to create cluster {name} in pod and data center with specified ids",
            named={"podId": pod.id, "dcId": zone.id},
        )
    settings = call.cloud.configuration
    details = {
        "cpuOvercommitRatio": settings.text("cpu.overprovisioning.factor", zone, default="1.0"),
        "memoryOvercommitRatio": settings.text("mem.overprovisioning.factor", zone, default="1.0"),
    }
    if cluster_type == "ExternalManaged" and "url" in call:
        details |= {key: call.get(key, "") for key in ("url", "username")}
    cluster = call.cloud.store.add(
        Cluster(
            name=name,
            pod=pod,
            hypervisor=hypervisor,
            cluster_type=cluster_type,
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
    arch = architecture(call) if "arch" in call else None
    cluster = call.one(Cluster, missing="Unable to find the cluster by id={}")
    managed, state = call.get("managedstate"), call.get("allocationstate")
    if call.map("externaldetails") and extension_of(call, cluster) is None:
        raise InvalidParameterValue(
            f"Cluster: {cluster.name} is not registered with any extension, details cannot be updated"
        )
    if call.get("clustername", "").strip() and cluster.hypervisor == "VMware":
        raise InvalidParameterValue(
            "Renaming VMware cluster is not supported as it could cause problems if the updated  cluster name is not "
            "mapped on VCenter."
        )
    if call.get("clustertype") and call["clustertype"] not in CLUSTER_TYPES:
        raise InvalidParameterValue(f"Unable to resolve {call['clustertype']} to a supported type")
    if managed and managed not in MANAGED_STATES:
        raise InvalidParameterValue(f"Unable to resolve Managed State '{managed}' to a supported state")
    check_allocation_state(state)
    if arch and arch != cluster.arch and call.cloud.store.table(Host).first(cluster=cluster):
        raise InvalidParameterValue(f"Cluster has host(s) present with arch type(s): {cluster.arch}")
    cluster.name = (call.get("clustername", "").strip() and call["clustername"]) or cluster.name
    cluster.cluster_type = call.get("clustertype") or cluster.cluster_type
    cluster.allocation_state = state or cluster.allocation_state
    cluster.arch = arch or cluster.arch
    if call.get("hypervisor"):
        cluster.hypervisor = api_name(call["hypervisor"])
    if managed:
        cluster.managed_state = managed
        for host in call.cloud.store.table(Host).where(cluster=cluster):
            host.state = "Up" if managed == "Managed" else "Disconnected"
    return cluster


@family.command("deleteCluster")
def delete_cluster(call: Call) -> Answer:
    from cs_matrix_pytest.simulator.families.extensions import unregister_everywhere

    cluster = call.one(Cluster, missing="Cluster: {} does not exist", error=InternalError)
    store = call.cloud.store
    for kind, what, called in ((Host, "hosts", cluster.number), (StoragePool, "storage pools", described(cluster))):
        if store.table(kind).first(cluster=cluster):
            raise InternalError(f"Cluster: {called} cannot be removed. Cluster still has {what}")
    unregister_everywhere(call.cloud, cluster)
    store.remove(cluster)
    return Success()


family.listing(
    "listClusters",
    Cluster,
    keyword=("name", "hypervisor"),
    filters={
        "managedstate": lambda _cluster, _value, _call: True,
        "storageaccessgroup": lambda cluster, value, _call: value in cluster.storage_access_groups,
    },
)
