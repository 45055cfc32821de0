"""Kubernetes: the versions that are offered, and clusters of virtual machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Network, SecurityGroup
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.vm import AffinityGroup, UserVm
from cs_matrix_pytest.simulator.store import Resource

CONTROL, WORKER, ETCD = NODE_TYPES = ("CONTROL", "WORKER", "ETCD")


@dataclass(eq=False, kw_only=True, repr=False)
class KubernetesVersion(Resource):
    entities: ClassVar[tuple[str, ...]] = ("KubernetesSupportedVersionResponse",)
    label: ClassVar[str] = "Kubernetes version"
    resource_type: ClassVar[str] = "KubernetesSupportedVersion"

    name: str
    semantic_version: str
    """``MAJOR.MINOR.PATCH``."""
    iso: Iso
    """The binaries."""
    zone: Zone | None
    """None: for every zone."""
    cpu_number: int
    memory: int
    """MiB that a node needs at least."""
    state: str = "Enabled"


@dataclass(eq=False, kw_only=True, repr=False)
class KubernetesNode:
    """A virtual machine of a cluster."""

    vm: UserVm
    type: str = WORKER
    """One of `NODE_TYPES`."""


@dataclass(eq=False, kw_only=True, repr=False)
class KubernetesCluster(Owned):
    entities: ClassVar[tuple[str, ...]] = ("KubernetesClusterResponse",)
    label: ClassVar[str] = "Kubernetes cluster"
    resource_type: ClassVar[str] = "KubernetesCluster"

    name: str
    description: str
    zone: Zone
    type: str
    """``CloudManaged`` or ``ExternalManaged``."""
    state: str
    """A state of `families.kubernetes_clusters.TRANSITIONS`."""
    control_nodes: int
    size: int
    """Worker nodes."""
    etcd_nodes: int = 0
    version: KubernetesVersion | None = None
    offering: ServiceOffering | None = None
    node_offerings: dict[str, ServiceOffering] = field(default_factory=dict)
    """By node type, where it is another than ``offering``."""
    template: Template | None = None
    node_templates: dict[str, Template] = field(default_factory=dict)
    affinity_groups: dict[str, list[AffinityGroup]] = field(default_factory=dict)
    network: Network | None = None
    own_network: bool = False
    """True where the network was made for it and goes with it."""
    security_group: SecurityGroup | None = None
    nodes: list[KubernetesNode] = field(default_factory=list)
    key_pair: str | None = None
    cores: int = 0
    memory: int = 0
    """MiB of all nodes."""
    root_disk_gib: int = 8
    cni_config: Resource | None = None
    csi: bool = False
    load_balancer: str | None = None
    """The address of a load balancer that is somebody else's."""

    @property
    def clustertype(self) -> str:
        return self.type

    @property
    def machines(self) -> list[UserVm]:
        """The virtual machines of its nodes."""
        return [node.vm for node in self.nodes]
