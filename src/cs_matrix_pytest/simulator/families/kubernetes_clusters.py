"""Kubernetes clusters: of machines that CloudStack makes, or that others have set up (KubernetesClusterManagerImpl).

No guest runs in a machine here, so nothing answers at the address of a cluster's first control node. A cluster of
CloudStack's own ends as on a server whose cluster never comes up: its machines run, and it is in state Error.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from cs_matrix_pytest.simulator.access import check_access, check_owner, named_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families import capacity, networks, public_ips, vm_lifecycle
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.kubernetes_versions import (
    NODE_CPUS,
    NODE_MEMORY,
    OLDEST_WITH_HA,
    check_enabled,
    is_before,
    refused_as_internal,
)
from cs_matrix_pytest.simulator.families.ssh_keys import key_pair_named
from cs_matrix_pytest.simulator.families.templates import system_template
from cs_matrix_pytest.simulator.families.vm_deploy import deploy
from cs_matrix_pytest.simulator.hypervisors import api_name
from cs_matrix_pytest.simulator.models.access_keys import UserData
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Project
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Host, Zone
from cs_matrix_pytest.simulator.models.kubernetes import (
    CONTROL,
    ETCD,
    NODE_TYPES,
    WORKER,
    KubernetesCluster,
    KubernetesNode,
    KubernetesVersion,
)
from cs_matrix_pytest.simulator.models.networks import Network, PublicIp, SecurityGroup
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering, ServiceOffering
from cs_matrix_pytest.simulator.models.vm import AffinityGroup, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma, owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("Kubernetes clusters")

R = TypeVar("R", bound=Resource)

CLUSTER = "kubernetescluster"
CLOUD_MANAGED, EXTERNAL_MANAGED = CLUSTER_TYPES = ("CloudManaged", "ExternalManaged")
API_PORT = 6443
SSH_PORT = 22
FIRST_SSH_PORT = 2222
SMALLEST_ROOT_DISK = 8
"""GiB."""
LONGEST_PREFIX = 43
ORDER = (WORKER, CONTROL, ETCD)
"""The order in which the node types are checked."""
NAMES = {CONTROL: "control", WORKER: "node", ETCD: "etcd"}

TRANSITIONS = {
    ("Created", "start"): "Starting",
    ("Starting", "create failed"): "Error",
    ("Error", "destroy"): "Destroying",
    ("Running", "destroy"): "Destroying",
}
"""States by state and event. What has no entry leaves a cluster as it is, as the server does."""


def transit(cluster: KubernetesCluster, event: str) -> None:
    cluster.state = TRANSITIONS.get((cluster.state, event), cluster.state)


# Answers


@family.view(KubernetesCluster)
def cluster_view(cluster: KubernetesCluster, call: Call) -> dict[str, Any]:
    network, template, version, offering = cluster.network, cluster.template, cluster.version, cluster.offering
    shown: dict[str, Any] = {
        "id": cluster.id,
        "name": cluster.name,
        "description": cluster.description,
        "zoneid": cluster.zone.id,
        "zonename": cluster.zone.name,
        "masternodes": cluster.control_nodes,
        "controlnodes": cluster.control_nodes,
        "size": cluster.size,
        "etcdnodes": cluster.etcd_nodes,
        "templateid": template.id if template else None,
        "templatename": template.name if template else None,
        "serviceofferingid": offering.id if offering else None,
        "serviceofferingname": offering.name if offering else None,
        "kubernetesversionid": version.id if version else None,
        "kubernetesversionname": version.name if version else None,
        **owner_fields(cluster.account),
        "keypair": cluster.key_pair,
        "state": cluster.state,
        "cpunumber": str(cluster.cores),
        "memory": str(cluster.memory),
        "endpoint": "",
        "hasannotations": has_annotations(cluster, call),
        "virtualmachines": [_node_fields(node, call) for node in cluster.nodes if node.vm in call.cloud.store],
        "etcdips": {} if cluster.nodes else None,
        "autoscalingenabled": False,
        "clustertype": cluster.type,
        "csienabled": cluster.csi,
        "created": when(cluster.created),
    }
    if isinstance(cluster.cni_config, UserData):
        shown |= {"cniconfigurationid": cluster.cni_config.id, "cniconfigname": cluster.cni_config.name}
    for kind, chosen in cluster.node_offerings.items():
        shown |= {f"{kind.lower()}offeringid": chosen.id, f"{kind.lower()}offeringname": chosen.name}
    for kind, groups in cluster.affinity_groups.items():
        shown |= {
            f"{kind.lower()}affinitygroupids": comma(group.id for group in groups),
            f"{kind.lower()}affinitygroupnames": comma(group.name for group in groups),
        }
    if network is not None:
        shown |= {"networkid": network.id, "associatednetworkname": network.name}
        addresses = [] if is_direct(network) else call.cloud.store.table(PublicIp).where(network=network)
        if len(addresses) == 1:
            shown |= {"ipaddress": addresses[0].address, "ipaddressid": addresses[0].id}
    return shown


def _node_fields(node: KubernetesNode, call: Call) -> dict[str, Any]:
    """A node as listVirtualMachines shows it, with what it is to the cluster."""
    listing = call.cloud.api.get("listVirtualMachines")
    assert listing is not None
    as_machine = Call(call.cloud, listing, call.caller, {"details": ["nics", "affgrp"]})
    return call.cloud.view(node.vm, as_machine) | {"isexternalnode": False, "isetcdnode": node.type == ETCD}


family.listing(
    "listKubernetesClusters",
    KubernetesCluster,
    scope=Scope.OWNER,
    filters={"state": lambda cluster, state, _call: cluster.state.lower() == state.lower()},
)


@family.command("listKubernetesClusters", object_name=CLUSTER)
def list_clusters(call: Call) -> Answer:
    from cs_matrix_pytest.simulator import listing

    with refused_as_internal():
        check_enabled(call.cloud)
        kind = call.get("clustertype")
        if kind is not None and kind not in CLUSTER_TYPES:
            raise InvalidParameterValue(
                f"Unable to resolve cluster type {kind} to a supported value (CloudManaged, ExternalManaged)"
            )
        return listing.run(call, family.lists["listKubernetesClusters"])


# Creating


def is_direct(network: Network) -> bool:
    """True where the nodes of a network are reached without address translation (isDirectAccess)."""
    return network.guest_type == "Shared" or network.offering.network_mode == "ROUTED"


def node_map(call: Call, parameter: str, value: str, what: str) -> dict[str, str]:
    """The ids by node type of a map parameter, checked as far as they are texts."""
    chosen = {}
    for entry in call.entries(parameter):
        kind, ids = entry.get("node"), entry.get(value)
        if not kind or not ids:
            raise InvalidParameterValue(
                f"Incomplete Node Type to {what} ID mapping: '{kind or 'null'}' -> '{ids or 'null'}'"
            )
        check_node_type(kind)
        chosen[kind.upper()] = ids
    return chosen


def check_node_type(kind: str) -> None:
    if kind.upper() not in (*NODE_TYPES, "DEFAULT"):
        raise InvalidParameterValue(f"The provided value '{kind}' for Node Type is invalid")


def by_node_type(call: Call, parameter: str, kind: type[R], value: str, what: str) -> dict[str, R]:
    """The resources that a map parameter names, by node type."""
    chosen = {}
    for node, id in node_map(call, parameter, value, what).items():
        found = call.cloud.store.table(kind).get(id)
        if found is None:
            raise InvalidParameterValue(f"Cannot find a {what.lower()} with ID {id}")
        chosen[node] = found
    return chosen


def node_offerings(call: Call) -> dict[str, ServiceOffering]:
    return by_node_type(call, "nodeofferings", ServiceOffering, "offering", "Service Offering")


def node_groups(call: Call) -> dict[str, list[AffinityGroup]]:
    """``nodeaffinitygroups``: affinity groups by node type."""
    chosen: dict[str, list[AffinityGroup]] = {}
    for entry in call.entries("nodeaffinitygroups"):
        kind, ids = entry.get("node", "").strip(), entry.get("affinitygroup", "").strip()
        if not kind or not ids:
            raise InvalidParameterValue(
                "Any Node Type to Affinity Group entry should have valid 'node' and 'affinitygroup' values"
            )
        check_node_type(kind)
        groups = []
        for id in (text.strip() for text in ids.split(",")):
            if not id:
                raise InvalidParameterValue("Empty affinity group UUID provided")
            group = call.cloud.store.table(AffinityGroup).get(id)
            if group is None:
                raise InvalidParameterValue(f"Cannot find an affinity group with ID {id}")
            groups.append(group)
        chosen[kind.upper()] = groups
    return chosen


def check_endpoint(cloud: Cloud) -> None:
    """Raise where nodes could not reach the API: its URL is that of the server itself."""
    url = cloud.configuration.text("endpoint.url")
    if not url.strip() or any(local in url for local in ("localhost", "127.0.0.1", "[::1]")):
        raise InvalidParameterValue("Unable to complete this operation. Contact your cloud admin.")


def check_zone(call: Call) -> Zone:
    zone = call.get("zoneid")
    if not isinstance(zone, Zone) or zone not in call.cloud.store:
        raise InvalidParameterValue(f"Unable to find zone by ID: {getattr(zone, 'number', 'null')}")
    if zone.allocation_state == "Disabled":
        raise PermissionDenied(f"Cannot perform this operation, zone ID: {zone.id} is currently disabled")
    if zone.is_edge and "networkid" not in call:
        raise PermissionDenied("Kubernetes clusters cannot be created on an edge zone without an existing network")
    return zone


def check_key_pair(call: Call, owner: Account) -> None:
    name = call.get("keypair", "").strip()
    if name and key_pair_named(call.cloud, owner, name) is None:
        raise InvalidParameterValue(f"Given SSH key pair with name: {name} was not found for the account {owner.name}")


def root_disk_of(call: Call) -> int:
    size: int = call.get("noderootdisksize", SMALLEST_ROOT_DISK)
    if size < SMALLEST_ROOT_DISK:
        raise InvalidParameterValue(
            f"Provided node root disk size is lesser than default size of {SMALLEST_ROOT_DISK}GB"
        )
    return size


def check_registry(call: Call) -> bool:
    """Raise for a private registry that is not wholly described; True where there is one."""
    given = [bool(call.get(f"dockerregistry{name}")) for name in ("username", "password", "url")]
    if not any(given):
        return False
    if not all(given):
        raise InvalidParameterValue(
            "All the docker private registry parameters (username, password, url) required are specified"
        )
    if not urlsplit(call["dockerregistryurl"]).scheme:
        raise InvalidParameterValue("Invalid docker registry url specified")
    return True


def network_of(call: Call) -> Network | None:
    network = call.get("networkid")
    if network is not None and (not isinstance(network, Network) or network not in call.cloud.store):
        raise InvalidParameterValue("Unable to find network with given ID")
    return network


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@family.command("createKubernetesCluster", object_name=CLUSTER)
def create(call: Call) -> Generator[Resource, None, Answer]:
    kind = call.get("clustertype", CLOUD_MANAGED)
    if kind not in CLUSTER_TYPES:
        raise InvalidParameterValue(
            f"Unable to resolve cluster type {kind} to a supported value (CloudManaged, ExternalManaged)"
        )
    with refused_as_internal():
        owner = named_account(call) or call.account
        check_owner(call.account, owner)
        check_enabled(call.cloud)
        cluster = call.cloud.store.add(managed(call, owner) if kind == CLOUD_MANAGED else unmanaged(call, owner))
    yield cluster
    if kind == CLOUD_MANAGED:
        with refused_as_internal():
            start_new(call, cluster)
    return cluster


def unmanaged(call: Call, owner: Account) -> KubernetesCluster:
    """A cluster that somebody else runs: CloudStack keeps a record of it and of its machines."""
    if not call["name"]:
        raise InvalidParameterValue("Invalid name for the Kubernetes cluster name: ")
    disk, zone = root_disk_of(call), check_zone(call)
    check_key_pair(call, owner)
    check_registry(call)
    network, balancer = network_of(call), call.get("externalloadbalanceripaddress")
    if balancer and not is_address(balancer):
        raise InvalidParameterValue("Invalid external load balancer IP address")
    control, size = call.get("controlnodes", 1), call.get("size", 0)
    offering = call.maybe(ServiceOffering, "serviceofferingid")
    return KubernetesCluster(
        account=owner,
        name=call["name"],
        description=call.get("description") or call["name"],
        zone=zone,
        type=EXTERNAL_MANAGED,
        state="Running",
        control_nodes=control,
        size=size,
        version=call.maybe(KubernetesVersion, "kubernetesversionid"),
        offering=offering,
        network=network,
        key_pair=call.get("keypair"),
        cores=(offering.cpu_number or 0) * (control + size) if offering else 0,
        memory=(offering.memory or 0) * (control + size) if offering else 0,
        root_disk_gib=disk,
        load_balancer=balancer,
    )


def managed(call: Call, owner: Account) -> KubernetesCluster:
    """A cluster that CloudStack makes: checked and recorded, with its network."""
    cloud = call.cloud
    check_endpoint(cloud)
    control, size, etcd = call.get("controlnodes", 1), call.get("size"), call.get("etcdnodes", 0)
    disk, offerings, default = (
        root_disk_of(call),
        node_offerings(call),
        call.maybe(ServiceOffering, "serviceofferingid"),
    )
    if not call["name"]:
        raise InvalidParameterValue("Invalid name for the Kubernetes cluster name: ")
    if control < 1:
        raise InvalidParameterValue(f"Invalid cluster control nodes count: {control}")
    if size is None or size < 1:
        raise InvalidParameterValue(f"Invalid cluster size: {'null' if size is None else size}")
    check_size(cloud, owner, control + size)
    zone = check_zone(call)
    if not is_configured(call):
        raise InternalError("Kubernetes service has not been configured properly to provision Kubernetes clusters")
    version = version_for(call, zone, control)
    counts = {WORKER: size, CONTROL: control, ETCD: etcd}
    for kind in ORDER:
        if kind != ETCD or etcd:
            check_node_offering(kind, offerings.get(kind, default), version)
    check_key_pair(call, owner)
    private = check_registry(call)
    network = network_of(call)
    check_load_balancer(call, network)
    if private and not cloud.configuration.flag("cloud.kubernetes.cluster.experimental.features.enabled"):
        raise InternalError(
            "Private registry for the Kubernetes cluster is an experimental feature. Use "
            "cloud.kubernetes.cluster.experimental.features.enabled configuration for enabling experimental features"
        )
    chosen = {kind: offerings.get(kind, default) for kind in ORDER if counts[kind]}
    hypervisor = planned_hypervisor(call, zone, counts, offerings, default)
    templates = by_node_type(call, "nodetemplates", Template, "template", "template")
    groups = node_groups(call)
    system = system_template(cloud, zone, hypervisor)
    if system is None:
        raise InternalError(f"Not able to find the System or Routing template in ready state for the zone {zone.id}")
    if network is None:
        network = own_network(call, owner, zone)
    else:
        check_network(call, owner, network, control, size)
    return KubernetesCluster(
        account=owner,
        name=call["name"],
        description=call.get("description") or call["name"],
        zone=zone,
        type=CLOUD_MANAGED,
        state="Created",
        control_nodes=control,
        size=size,
        etcd_nodes=etcd,
        version=version,
        offering=default,
        node_offerings={kind: offering for kind, offering in offerings.items() if kind != ETCD or etcd},
        template=system,
        node_templates=templates,
        affinity_groups=groups,
        network=network,
        own_network="networkid" not in call,
        security_group=group_of_nodes(cloud, owner) if zone.security_groups_enabled else None,
        key_pair=call.get("keypair"),
        cores=sum((offering.cpu_number or 0) * counts[kind] for kind, offering in chosen.items() if offering),
        memory=sum((offering.memory or 0) * counts[kind] for kind, offering in chosen.items() if offering),
        root_disk_gib=disk,
        cni_config=call.maybe(UserData, "cniconfigurationid"),
        csi=call.flag("enablecsi"),
        load_balancer=call.get("externalloadbalanceripaddress"),
    )


def check_size(cloud: Cloud, owner: Account, nodes: int) -> None:
    most = int(cloud.configuration.number("cloud.kubernetes.cluster.max.size", owner, default=10))
    if nodes > most:
        raise InvalidParameterValue(f"Maximum cluster size can not exceed {most}. Please contact your administrator")


def offering_for_networks(cloud: Cloud) -> NetworkOffering | None:
    """What the networks of clusters are made of."""
    name = cloud.configuration.text("cloud.kubernetes.cluster.network.offering")
    return cloud.store.table(NetworkOffering).first(name=name) if name else None


def is_configured(call: Call) -> bool:
    """True where the network, or the offering that one would be made of, can serve a cluster."""
    network = network_of(call) if "networkid" in call else None
    if network is not None and is_direct(network):
        return True
    offering = network.offering if network is not None else offering_for_networks(call.cloud)
    return (
        offering is not None
        and offering.state == "Enabled"
        and "SourceNat" in offering.services
        and (offering.for_vpc or offering.egress_default_policy)
    )


def version_for(call: Call, zone: Zone, control: int) -> KubernetesVersion:
    """The version that a new cluster is to run, if it can."""
    version = call.get("kubernetesversionid")
    if not isinstance(version, KubernetesVersion) or version not in call.cloud.store:
        raise InvalidParameterValue("Unable to find given Kubernetes version in supported versions")
    if version.state != "Enabled":
        raise InvalidParameterValue(f"Kubernetes version ID: {version.id} is in {version.state} state")
    if version.zone not in (None, zone):
        raise InvalidParameterValue(f"Kubernetes version ID: {version.id} is not available for zone ID: {zone.id}")
    if control > 1 and is_before(version.semantic_version, OLDEST_WITH_HA):
        raise InvalidParameterValue(
            f"HA support is available only for Kubernetes version {OLDEST_WITH_HA} and above. Given version ID: "
            f"{version.id} is {version.semantic_version}"
        )
    if version.iso not in call.cloud.store:
        raise InvalidParameterValue(f"Invalid ISO associated with version ID: {version.id}")
    if not version.iso.ready_in(zone):
        raise InvalidParameterValue(
            f"ISO associated with version ID: {version.id} is not in Ready state for datacenter ID: {zone.id}"
        )
    return version


def check_node_offering(kind: str, offering: ServiceOffering | None, version: KubernetesVersion) -> None:
    if offering is None:
        raise InvalidParameterValue(
            "When serviceofferingid is not specified, service offerings for each node type must be specified in the "
            "nodeofferings parameter."
        )
    problem = unsuited(offering, version)
    if problem:
        raise InvalidParameterValue(
            f"Given service offering ID: {offering.id} for {kind} nodes is not suitable for the Kubernetes cluster "
            f"version {version.name} - {problem}"
        )


def unsuited(offering: ServiceOffering, version: KubernetesVersion) -> str | None:
    """Why nodes cannot be of an offering; None where they can."""
    if offering.customized:
        return "Custom service offerings are not supported for creating clusters, service offering ID: " + offering.id
    cpus, memory = offering.cpu_number or 0, offering.memory or 0
    refused = f"Kubernetes cluster cannot be created with service offering ID: {offering.id}, "
    if cpus < NODE_CPUS or memory < NODE_MEMORY:
        return f"{refused}Kubernetes cluster Template needs minimum {NODE_CPUS} vCPUs and {NODE_MEMORY} MB RAM"
    if cpus < version.cpu_number:
        return f"{refused}Kubernetes version ID: {version.id} needs minimum {version.cpu_number} vCPUs"
    if memory < version.memory:
        return f"{refused}associated Kubernetes version ID: {version.id} needs minimum {version.memory} MB RAM"
    return None


def check_load_balancer(call: Call, network: Network | None) -> None:
    address = call.get("externalloadbalanceripaddress")
    if not address:
        return
    if not is_address(address):
        raise InvalidParameterValue("Invalid external load balancer IP address")
    if network is None:
        raise InvalidParameterValue(
            "externalloadbalanceripaddress parameter must be specified along with networkid parameter"
        )
    if network.guest_type != "Shared" or network.offering.network_mode == "ROUTED":
        raise InvalidParameterValue(
            "externalloadbalanceripaddress parameter must be specified when network type is not Shared or is ROUTED "
            "network"
        )


def planned_hypervisor(
    call: Call,
    zone: Zone,
    counts: dict[str, int],
    offerings: dict[str, ServiceOffering],
    default: ServiceOffering | None,
) -> str:
    """The hypervisor whose hosts have room for the nodes of each type."""
    cloud, wanted = call.cloud, call.get("hypervisor")
    hosts = [
        host
        for host in cloud.store.table(Host)
        if host.zone is zone and host.takes_vms and (not wanted or host.hypervisor == api_name(wanted))
    ]
    found: Host | None = None
    for kind in ORDER:
        offering, count = offerings.get(kind, default), counts[kind]
        if offering is None or (kind == ETCD and (ETCD not in offerings or not count)):
            continue
        host = with_room(cloud, hosts, zone, offering, count)
        if host is None:
            raise InternalError(
                f"Creating Kubernetes cluster failed due to insufficient capacity for {count} nodes cluster in zone : "
                f"{zone.name} with service offering : {offering.name}"
            )
        found = found or host
    assert found is not None
    return found.hypervisor


def with_room(cloud: Cloud, hosts: list[Host], zone: Zone, offering: ServiceOffering, count: int) -> Host | None:
    """The host of the last of ``count`` nodes, None where they do not all find room."""
    carried, last = capacity.loads(cloud), None
    for _ in range(count):
        for host in hosts:
            demand = capacity.Demand(
                zone=zone,
                hypervisor=host.hypervisor,
                cpu=(offering.cpu_number or 0) * (offering.cpu_speed or 0),
                memory=(offering.memory or 0) * 1024**2,
                tags=frozenset(offering.host_tags),
            )
            load = carried.setdefault(host, capacity.Load())
            if capacity.suits(host, demand) and capacity.fits(host, load, demand):
                load.add(demand.cpu, demand.memory)
                last = host
                break
        else:
            return None
    return last


def group_of_nodes(cloud: Cloud, owner: Account) -> SecurityGroup:
    """The security group of an owner's nodes, made when it is first needed: SSH and the API are let in, all is let out."""
    name = f"CKSSecurityGroup-{owner.id}"
    groups = cloud.store.table(SecurityGroup)
    group = groups.first(name=name, account=owner)
    if group is not None:
        return group
    text = f"Security group for CKS nodes and account {owner.name}"
    made = cloud.run("createSecurityGroup", name=name, description=text, **whose(owner))["securitygroup"]["id"]
    for port in (SSH_PORT, API_PORT):
        rule = {"protocol": "tcp", "startport": port, "endport": port}
        cloud.run("authorizeSecurityGroupIngress", securitygroupid=made, cidrlist="0.0.0.0/0", **rule)
    cloud.run("authorizeSecurityGroupEgress", securitygroupid=made, cidrlist="0.0.0.0/0", protocol="all")
    group = groups.get(made)
    assert group is not None
    return group


def own_network(call: Call, owner: Account, zone: Zone) -> Network:
    offering = offering_for_networks(call.cloud)
    assert offering is not None
    answer = call.cloud.run(
        "createNetwork",
        name=f"{call['name']}-network",
        displaytext=f"{owner.name}-network",
        networkofferingid=offering.id,
        zoneid=zone.id,
        **whose(owner),
    )
    network = call.cloud.store.table(Network).get(answer["network"]["id"])
    assert network is not None
    return network


def whose(owner: Account) -> dict[str, str]:
    """The parameters that name an owner."""
    if owner.type == AccountType.PROJECT and owner.project is not None:
        return {"projectid": owner.project.id}
    return {"account": owner.name, "domainid": owner.domain.id}


def check_network(call: Call, owner: Account, network: Network, control: int, size: int) -> None:
    """Raise unless a given network can have the nodes (getKubernetesClusterNetworkIfMissing)."""
    if network.guest_type == "Isolated":
        if call.cloud.store.table(KubernetesCluster).first(network=network):
            raise InvalidParameterValue(f"Network ID: {network.id} is already under use by another Kubernetes cluster")
        check_services(call.cloud, network, control + size)
        networks.check_use(call.cloud, owner, network)
    if is_direct(network) and control > 1 and not call.get("externalloadbalanceripaddress"):
        raise InvalidParameterValue(
            f"Multi-control nodes, HA Kubernetes cluster with {network.guest_type} network ID: {network.id} needs an "
            "external load balancer IP address. externalloadbalanceripaddress parameter can be used"
        )


def check_services(cloud: Cloud, network: Network, nodes: int) -> None:
    required = [("UserData", "userdata"), ("Dhcp", "DHCP")]
    if not is_direct(network):
        required += [("Firewall", "firewall")] if network.vpc is None else []
        required += [("PortForwarding", "port forwarding")]
    if network.is_system:
        raise InvalidParameterValue(f"Network ID: {network.id} is for system use only")
    for service, name in required:
        if not network.supports(service):
            raise InvalidParameterValue(
                f"Network ID: {network.id} does not support {name} that is required for Kubernetes cluster"
            )
    if is_direct(network) or network.state == "Allocated":
        return
    if network.vpc is not None:
        if network.acl_list is not None and network.acl_list.name == "default_deny":
            raise InvalidParameterValue(
                f"Network ID: {network.id} can not be used for Kubernetes cluster as it uses default deny ACL"
            )
        return
    if public_ips.source_nat_of(cloud, network) is None:
        raise InvalidParameterValue(
            f"Network ID: {network.id} does not have a source NAT IP associated with it. To provision a Kubernetes "
            "Cluster, source NAT IP is required"
        )


# Starting


def start_new(call: Call, cluster: KubernetesCluster) -> None:
    """Make the machines of a cluster; as none of them answers, the cluster ends in Error."""
    transit(cluster, "start")
    counts = {ETCD: cluster.etcd_nodes, CONTROL: cluster.control_nodes, WORKER: cluster.size}
    problems = {
        ETCD: "Provisioning the etcd cluster failed in the Kubernetes cluster : {}",
        CONTROL: "Provisioning the control VM failed in the Kubernetes cluster : {}",
        WORKER: "Provisioning node VM failed in the Kubernetes cluster : {}",
    }
    for kind, count in counts.items():
        for _ in range(count):
            try:
                cluster.nodes.append(KubernetesNode(vm=make_node(call.cloud, cluster, kind), type=kind))
            except ApiError as error:
                transit(cluster, "create failed")
                raise InternalError(problems[kind].format(cluster.name)) from error
    try:
        open_ports(call.cloud, cluster)
    except ApiError as error:
        transit(cluster, "create failed")
        raise InternalError(
            f"Failed to setup Kubernetes cluster : {cluster.name}, unable to setup network rules"
        ) from error
    transit(cluster, "create failed")
    problem = (
        f"Failed to setup Kubernetes cluster : {cluster.name} is not in usable state as the system is unable to access "
        "control node VMs of the cluster"
    )
    if cluster.control_nodes > 1 and cluster.network is not None and is_direct(cluster.network):
        last = FIRST_SSH_PORT + cluster.control_nodes + cluster.size + cluster.etcd_nodes - 1
        problem += (
            ". Make sure external load-balancer has port forwarding rules for SSH access on ports "
            f"{FIRST_SSH_PORT}-{last} and API access on port {API_PORT}"
        )
    raise InternalError(problem)


def name_prefix(cluster: KubernetesCluster) -> str:
    """What the names of a cluster's machines begin with."""
    name = cluster.name.lower()
    if re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name):
        return name[:LONGEST_PREFIX]
    return f"k8s-{re.sub(r'[^a-z0-9-]', '', name) or cluster.id}"[:LONGEST_PREFIX]


def make_node(cloud: Cloud, cluster: KubernetesCluster, kind: str) -> UserVm:
    """Deploy and start one machine of a cluster."""
    command = cloud.api.get("createKubernetesCluster")
    template = cluster.node_templates.get(kind) or cluster.template
    assert command is not None
    assert template is not None
    owner = cluster.account
    if owner not in template.permitted:
        template.permitted.append(owner)
    name = f"{name_prefix(cluster)}-{NAMES[kind]}-{secrets.token_hex(6)[:11]}"
    params: dict[str, Any] = {
        "name": name,
        "displayname": name,
        "zoneid": cluster.zone,
        "serviceofferingid": cluster.node_offerings.get(kind) or cluster.offering,
        "templateid": template,
        "networkids": [cluster.network],
        "affinitygroupids": cluster.affinity_groups.get(kind, []),
        "rootdisksize": cluster.root_disk_gib,
        "keypair": cluster.key_pair,
        "securitygroupids": [cluster.security_group] if cluster.security_group else None,
    }
    if owner.type == AccountType.PROJECT and isinstance(owner.project, Project):
        params["projectid"] = owner.project
    else:
        params |= {"account": owner.name, "domainid": owner.domain}
    making = deploy(Call(cloud, command, cloud.system_caller, params))
    vm = next(making)
    for _ in making:
        pass
    assert isinstance(vm, UserVm)
    return vm


def open_ports(cloud: Cloud, cluster: KubernetesCluster) -> None:
    """Let the API and SSH of the nodes be reached from outside, where addresses are translated."""
    network = cluster.network
    if network is None or is_direct(network) or network.vpc is not None:
        return
    address = public_ips.source_nat_of(cloud, network)
    if address is None:
        raise InternalError(f"No source NAT IP addresses found for network : {network.name}")
    last = FIRST_SSH_PORT + len(cluster.nodes) - 1
    for first, end in ((FIRST_SSH_PORT, last), (API_PORT, API_PORT)):
        cloud.run(
            "createFirewallRule",
            ipaddressid=address.id,
            protocol="tcp",
            startport=first,
            endport=end,
            cidrlist="0.0.0.0/0",
        )
    for port, vm in enumerate(cluster.machines, start=FIRST_SSH_PORT):
        cloud.run(
            "createPortForwardingRule",
            ipaddressid=address.id,
            protocol="tcp",
            publicport=port,
            privateport=SSH_PORT,
            virtualmachineid=vm.id,
            networkid=network.id,
            openfirewall=False,
        )
    rule = cloud.run(
        "createLoadBalancerRule",
        name="api-lb",
        description="LB rule for API access",
        publicipid=address.id,
        networkid=network.id,
        algorithm="roundrobin",
        publicport=API_PORT,
        privateport=API_PORT,
        openfirewall=False,
    )["loadbalancer"]
    control = [node.vm.id for node in cluster.nodes if node.type == CONTROL]
    cloud.run("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=comma(control))


def cluster_of(call: Call, unknown: str, refused: str | None = None) -> KubernetesCluster:
    """The live cluster of ``id``; ``refused`` for one that others manage."""
    check_enabled(call.cloud)
    cluster = call.get("id")
    if not isinstance(cluster, KubernetesCluster) or cluster not in call.cloud.store:
        raise InvalidParameterValue(unknown)
    if refused and cluster.type == EXTERNAL_MANAGED:
        raise InvalidParameterValue(
            f"{refused} kubernetes cluster is not supported for an externally managed cluster ({cluster.name})"
        )
    check_access(call.cloud, call.account, cluster, "OperateEntry")
    return cluster


@family.command("startKubernetesCluster", object_name=CLUSTER)
def start(call: Call) -> Answer:
    with refused_as_internal():
        cluster = cluster_of(call, "Given Kubernetes cluster was not found", "Start")
        for vm in cluster.machines:
            if vm in call.cloud.store and vm.state == "Stopped":
                vm_lifecycle.start(call, vm)
        # Only a cluster that came up once has an endpoint.
        raise InternalError(
            f"Kubernetes cluster : {cluster.name} has invalid API endpoint. Can not verify if cluster is in ready state"
        )


@family.command("stopKubernetesCluster")
def stop(call: Call) -> Answer:
    with refused_as_internal():
        cluster = cluster_of(call, "Failed to find Kubernetes cluster with given ID", "Stop")
        for vm in cluster.machines:
            if vm not in call.cloud.store:
                raise InternalError(f"Failed to find all VMs in Kubernetes cluster : {cluster.name}")
            vm_lifecycle.stop(call.cloud, vm)
    return Success()


# Deleting


@family.command("deleteKubernetesCluster")
def delete(call: Call) -> Answer:
    with refused_as_internal():
        cluster = cluster_of(call, "Invalid cluster id specified")
        if cluster.type == CLOUD_MANAGED:
            destroy(call.cloud, cluster)
            return Success()
        cleanup, expunge = call.flag("cleanup"), call.flag("expunge")
        if expunge and not vm_lifecycle.may_expunge(call):
            raise PermissionDenied(
                "Parameter expunge can be passed by Admin only. Or when the allow.user.expunge.recover.vm key is set."
            )
        if cleanup or expunge:
            check_no_backups(cluster)
            for vm in cluster.machines:
                destroy_machine(call.cloud, vm, expunge=expunge)
        call.cloud.store.remove(cluster)
    return Success()


def check_no_backups(cluster: KubernetesCluster) -> None:
    if any(vm.backup_offering is not None for vm in cluster.machines):
        raise InternalError("Unable to delete Kubernetes cluster, as node(s) are associated to a backup offering")


def destroy_machine(cloud: Cloud, vm: UserVm, *, expunge: bool) -> None:
    if vm not in cloud.store:
        return
    vm_lifecycle.stop(cloud, vm)
    vm_lifecycle.destroy(cloud, vm)
    if expunge:
        vm_lifecycle.expunge(cloud, vm)


def destroy(cloud: Cloud, cluster: KubernetesCluster) -> None:
    """Delete a cluster of CloudStack's own, with its machines and the network that was made for it."""
    check_no_backups(cluster)
    network = cluster.network
    if cluster.own_network and network is not None:
        others = [vm for vm in cloud.store.table(UserVm) if network in vm.networks and vm not in cluster.machines]
        if others:
            raise InternalError(
                f"Network : {network.name} for Kubernetes cluster : {cluster.name} has instances using it which are "
                "not part of the Kubernetes cluster"
            )
    transit(cluster, "destroy")
    for vm in cluster.machines:
        destroy_machine(cloud, vm, expunge=True)
    if cluster.own_network and network is not None and network in cloud.store:
        cloud.run("deleteNetwork", id=network.id)
    if cluster.template is not None and cluster.account in cluster.template.permitted:
        cluster.template.permitted.remove(cluster.account)
    cluster.state = "Destroyed"
    cloud.store.remove(cluster)


@family.on_account_removal
def remove_clusters(cloud: Cloud, account: Account) -> None:
    for cluster in cloud.owned_by(KubernetesCluster, account):
        cloud.store.remove(cluster)


# Changing


@family.command("getKubernetesClusterConfig")
def get_config(call: Call) -> Answer:
    with refused_as_internal():
        cluster = cluster_of(call, "Invalid Kubernetes cluster ID specified")
        if cluster.state == "Starting":
            raise InternalError(
                f"Setup is in progress for Kubernetes cluster : {cluster.name}, config not available at this moment"
            )
        raise InternalError(f"Config not found for Kubernetes cluster : {cluster.name}")


@family.command("scaleKubernetesCluster", object_name=CLUSTER)
def scale(call: Call) -> Answer:
    with refused_as_internal():
        check_enabled(call.cloud)
        offerings, cluster = node_offerings(call), call.get("id")
        if isinstance(cluster, KubernetesCluster) and not (
            offerings or any(name in call for name in ("serviceofferingid", "size", "nodeids", "autoscalingenabled"))
        ):
            raise InvalidParameterValue(
                f"Kubernetes cluster {cluster.name} cannot be scaled, either service offering or cluster size or "
                "nodeids to be removed or autoscaling must be passed"
            )
        cluster = cluster_of(call, "Invalid Kubernetes cluster ID", "Scale")
        # No cluster of CloudStack's own is ever Running or Stopped here.
        raise PermissionDenied(f"Kubernetes cluster {cluster.name} is in {cluster.state} state and can not be scaled")


@family.command("upgradeKubernetesCluster", object_name=CLUSTER)
def upgrade(call: Call) -> Answer:
    with refused_as_internal():
        check_enabled(call.cloud)
        check_endpoint(call.cloud)
        cluster = cluster_of(call, "Invalid Kubernetes cluster ID", "Upgrade")
        raise InvalidParameterValue(f"Kubernetes cluster : {cluster.name} is not in running state")


@family.command("updateKubernetesClusterAffinityGroups", object_name=CLUSTER)
def update_groups(call: Call) -> Answer:
    with refused_as_internal():
        check_enabled(call.cloud)
        cluster = call.get("id")
        if isinstance(cluster, KubernetesCluster) and cluster in call.cloud.store:
            if cluster.type == EXTERNAL_MANAGED:
                raise InvalidParameterValue("Affinity groups can only be updated for CloudManaged Kubernetes clusters")
            raise InvalidParameterValue(
                f"Kubernetes cluster {cluster.name} must be stopped before updating affinity groups (current state: "
                f"{cluster.state})"
            )
        raise InvalidParameterValue("Invalid Kubernetes cluster ID")


# Machines


def count_nodes(cluster: KubernetesCluster) -> None:
    cluster.control_nodes = sum(node.type == CONTROL for node in cluster.nodes)
    cluster.size = len(cluster.nodes) - cluster.control_nodes


@family.command("addVirtualMachinesToKubernetesCluster")
def add_machines(call: Call) -> Answer:
    with refused_as_internal():
        cluster = external_cluster(call, "VM cannot be added to a CloudStack managed Kubernetes cluster")
        for vm in call["virtualmachineids"]:
            if not isinstance(vm, UserVm) or vm not in call.cloud.store:
                raise InvalidParameterValue("Invalid VM ID specified")
            check_access(call.cloud, call.account, vm, "OperateEntry")
        kind = CONTROL if call.flag("iscontrolnode") else WORKER
        for vm in call["virtualmachineids"]:
            if vm not in cluster.machines:
                cluster.nodes.append(KubernetesNode(vm=vm, type=kind))
        count_nodes(cluster)
    return Success()


def external_cluster(call: Call, refusal: str) -> KubernetesCluster:
    check_enabled(call.cloud)
    cluster = call.get("id")
    if isinstance(cluster, KubernetesCluster) and cluster in call.cloud.store and cluster.type == CLOUD_MANAGED:
        raise InvalidParameterValue(refusal)
    return cluster_of(call, "Invalid Kubernetes cluster ID specified")


@family.command("removeVirtualMachinesFromKubernetesCluster")
def remove_machines(call: Call) -> Answer:
    with refused_as_internal():
        cluster = external_cluster(call, "VM cannot be removed from a CloudStack Managed Kubernetes cluster")
        asked = list(dict.fromkeys(call["virtualmachineids"]))
        leaving = [node for node in cluster.nodes if node.vm in asked]
        rows = [{"id": node.vm.id, "success": True} for node in leaving]
        gone = [node.vm for node in leaving]
        for vm in asked:
            if vm not in gone:
                removed = not isinstance(vm, UserVm) or vm not in call.cloud.store
                text = "VM is already removed" if removed else "VM is not part of the cluster"
                rows.append({"id": vm.id, "displaytext": text, "success": False})
        if not rows:
            raise InternalError("Provided VMs are not part of the CKS cluster")
        cluster.nodes = [node for node in cluster.nodes if node not in leaving]
        count_nodes(cluster)
    # The rows have the name of the answer.
    return {"count": len(rows), call.command.envelope: rows}


@family.command("addNodesToKubernetesCluster", object_name=CLUSTER)
def add_nodes(call: Call) -> Answer:
    with refused_as("Failed to add nodes to cluster ID {} due to: {}", call):
        cluster = any_cluster(call)
        if cluster.network is None:
            raise InternalError(NO_NETWORK_ID)
        if not any(is_addable(call.cloud, cluster, vm) for vm in call["nodeids"]):
            raise InternalError("No valid nodes found to be added to the Kubernetes cluster")
    # Machines that do not answer are passed over, without an error.
    return cluster


NO_NETWORK_ID = (
    'Cannot invoke "java.lang.Long.longValue()" because the return value of '
    '"com.cloud.kubernetes.cluster.KubernetesClusterVO.getNetworkId()" is null'
)


def is_addable(cloud: Cloud, cluster: KubernetesCluster, vm: Any) -> bool:
    """True for a machine of a template for clusters that is in the cluster's network and not in the cluster yet."""
    if not isinstance(vm, UserVm) or vm not in cloud.store or not vm.template.for_cks:
        return False
    return vm.default_nic is not None and vm.default_nic.network is cluster.network and vm not in cluster.machines


@family.command("removeNodesFromKubernetesCluster", object_name=CLUSTER)
def remove_nodes(call: Call) -> Answer:
    failed = "Failed to remove node(s) from Kubernetes cluster ID: {}"
    with refused_as(failed + " due to: {}", call):
        cluster = any_cluster(call)
        if not any(vm in call.cloud.store for vm in call["nodeids"] if isinstance(vm, UserVm)):
            raise InternalError("No valid nodes found to be removed from the Kubernetes cluster")
        if cluster.network is None:
            raise InternalError("Failed to find network with id: null")
        # No control node answers, which would have to drain them.
        raise InternalError(failed.format(cluster.number))


def any_cluster(call: Call) -> KubernetesCluster:
    """The live cluster of ``id``, whoever manages it."""
    check_enabled(call.cloud)
    cluster = call.get("id")
    if not isinstance(cluster, KubernetesCluster) or cluster not in call.cloud.store:
        raise InvalidParameterValue("Invalid Kubernetes cluster ID specified")
    return cluster


@contextmanager
def refused_as(text: str, call: Call) -> Iterator[None]:
    """Errors as these commands tell them: the number of the cluster, and what was wrong."""
    try:
        yield
    except ApiError as error:
        raise ApiError(text.format(getattr(call.get("id"), "number", "null"), error.text)) from error
