"""Machines that are part of something else, which alone may change them: nodes of clusters, servers of file systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.kubernetes import KubernetesCluster
from cs_matrix_pytest.simulator.models.shared_file_systems import SharedFileSystem
from cs_matrix_pytest.simulator.models.vm import UserVm

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud


def cluster_of(cloud: Cloud, vm: UserVm) -> KubernetesCluster | None:
    """The cluster that CloudStack made a machine for; clusters of others do not own their machines."""
    return cloud.store.table(KubernetesCluster).first(lambda cluster: vm in cluster.machines, type="CloudManaged")


def check_no_file_server(cloud: Cloud, vm: UserVm) -> None:
    """Raise InvalidParameterValue for the server of a shared file system."""
    if cloud.store.table(SharedFileSystem).first(vm=vm):
        raise InvalidParameterValue("Operation not supported on Shared FileSystem Instance")


def check_destroyable(cloud: Cloud, vm: UserVm) -> None:
    """Raise unless a machine may be destroyed by itself."""
    cluster = cluster_of(cloud, vm)
    if cluster is not None:
        raise InternalError(
            f"Instance is a part of a Kubernetes cluster: {cluster.name}. Use Instance delete option from Kubernetes "
            "cluster details or scale API for Kubernetes clusters with 'nodeids' to destroy the instance."
        )
    check_no_file_server(cloud, vm)


def check_regroupable(cloud: Cloud, vm: UserVm) -> None:
    """Raise unless a machine's affinity groups may be set by themselves."""
    check_no_file_server(cloud, vm)
    cluster = cluster_of(cloud, vm)
    if cluster is not None:
        raise InternalError(
            f"Affinity groups cannot be updated for a VM part of Kubernetes cluster: {cluster.name}. Please use the "
            "cluster's Change Affinity option instead."
        )


def let_go(cloud: Cloud, vm: UserVm) -> None:
    """Have what a machine was part of forget it, as it is gone for good."""
    for cluster in cloud.store.table(KubernetesCluster):
        cluster.nodes = [node for node in cluster.nodes if node.vm is not vm]
    for shared in cloud.store.table(SharedFileSystem).where(vm=vm):
        shared.vm = None
