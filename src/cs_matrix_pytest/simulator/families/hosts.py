"""Hosts: adding them, their maintenance, their agents (ResourceManagerImpl, HostJoinDaoImpl)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families.annotations import add_to, has_annotations
from cs_matrix_pytest.simulator.families.capacity_reports import allocated_on, percent
from cs_matrix_pytest.simulator.families.gpu import host_fields
from cs_matrix_pytest.simulator.families.host_ha import host_ha_fields
from cs_matrix_pytest.simulator.families.out_of_band import power_fields
from cs_matrix_pytest.simulator.families.pods import free_address
from cs_matrix_pytest.simulator.hypervisors import HYPERVISORS, HypervisorFacts, api_name, hypervisor_facts
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.annotations import Annotation
from cs_matrix_pytest.simulator.models.images import OsCategory
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import new_uuid
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.urls import parts_of
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("hosts")

STATE_EVENTS = {
    "Up": "AgentConnected; Ping; AgentDisconnected; ManagementServerDown; StartAgentRebalance; Remove; "
    "ShutdownRequested; PingTimeout; HostDown",
    "Disconnected": "AgentConnected; Ping; AgentDisconnected; ManagementServerDown; WaitedTooLong; Remove; "
    "ShutdownRequested; PingTimeout; HostDown",
    "Down": "AgentConnected; AgentDisconnected; ManagementServerDown; Remove; ShutdownRequested; PingTimeout; HostDown",
}
"""What can happen next to a host, by its state (Status)."""
RESOURCE_STATES = {
    ("Enabled", "Enable"): "Enabled",
    ("Enabled", "Disable"): "Disabled",
    ("Disabled", "Enable"): "Enabled",
    ("Disabled", "Disable"): "Disabled",
    ("Enabled", "AdminAskMaintenance"): "PrepareForMaintenance",
    ("ErrorInMaintenance", "AdminAskMaintenance"): "PrepareForMaintenance",
    ("PrepareForMaintenance", "InternalEnterMaintenance"): "Maintenance",
    ("PrepareForMaintenance", "UnableToMaintain"): "ErrorInMaintenance",
    ("PrepareForMaintenance", "AdminCancelMaintenance"): "Enabled",
    ("Maintenance", "AdminCancelMaintenance"): "Enabled",
    ("ErrorInMaintenance", "AdminCancelMaintenance"): "Enabled",
    ("Enabled", "DeclareHostDegraded"): "Degraded",
    ("Disabled", "DeclareHostDegraded"): "Degraded",
    ("Maintenance", "DeclareHostDegraded"): "Degraded",
    ("Degraded", "EnableDegradedHost"): "Enabled",
    ("Degraded", "AdminAskMaintenance"): "Maintenance",
}
"""The next resource state by state and event (ResourceState)."""
NO_HOST = "Host with id {} doesn't exist"
MAINTENANCE_STATES = ("Maintenance", "ErrorInMaintenance", "PrepareForMaintenance", "ErrorInPrepareForMaintenance")
SETTLE_SECONDS = 2.0
"""How long a host without VMs takes from being asked to being in maintenance."""
SECONDS_PER_PING_TICK = 1.024
"""The server keeps its pings in units of 1,024 ms and shows them as if they were seconds of milliseconds."""


@family.view(Host)
def host_view(host: Host, call: Call) -> dict[str, Any]:
    cloud, pod, cluster = call.cloud, host.pod, host.cluster
    wanted = set(call.get("details", ())) or {"all"}
    pinged = datetime.fromtimestamp(cloud.clock.now() / 1000 / SECONDS_PER_PING_TICK, timezone.utc)
    connected = host.state == "Up"
    shown: dict[str, Any] = {
        "id": host.id,
        "name": host.name,
        "state": host.state,
        "type": host.type,
        "ipaddress": host.ip_address,
        "zoneid": host.zone.id,
        "zonename": host.zone.name,
        "podid": pod.id if pod else None,
        "podname": pod.name if pod else None,
        "version": cloud.api.acs_version,
        "memoryallocated": 0,
        "lastpinged": when(pinged),
        "virtualmachineid": host.vm.id if host.vm else None,
        "managementserverid": cloud.management_server_id if connected else None,
        "managementservername": "localhost" if connected else None,
        "islocalstorageactive": _has_local_storage_in_use(cloud, host),
        "created": when(host.created),
        "events": STATE_EVENTS.get(host.state) if wanted & {"all", "events"} else None,
        "hostha": host_ha_fields(cloud, host),
        "outofbandmanagement": {name: value for name, value in power_fields(cloud, host).items() if value is not None},
        "resourcestate": host.resource_state,
        **_last_annotation(host, call),
        "hasannotations": has_annotations(host, call),
    }
    if host.is_routing and cluster is not None:
        shown |= _hypervisor_fields(host, cluster, call, wanted)
    if host.os_category is not None:
        shown |= {"oscategoryid": host.os_category.id, "oscategoryname": getattr(host.os_category, "name", None)}
    return shown


def _hypervisor_fields(host: Host, cluster: Cluster, call: Call, wanted: set[str]) -> dict[str, Any]:
    """What only hypervisor hosts have. ``wanted``: the groups of `HostDetails` that were asked for."""
    used = allocated_on(call.cloud, host)
    cpu = host.cpu_number * host.cpu_speed * cluster.cpu_overcommit
    memory = host.memory * cluster.memory_overcommit
    cpu_share = percent(used.cpu_mhz, cpu)
    tags = ",".join(host.host_tags) or None
    facts = hypervisor_facts(host.hypervisor)
    shown: dict[str, Any] = {
        "hypervisor": host.hypervisor,
        "capabilities": facts.capabilities,
        "clusterid": cluster.id,
        "clustername": cluster.name,
        "clustertype": cluster.cluster_type,
        "cpunumber": host.cpu_number,
        "cpuspeed": host.cpu_speed,
        "ueficapability": False,
    }
    allocated: dict[str, Any] = {
        "hypervisorversion": host.hypervisor_version,
        "arch": cluster.arch,
        "cpuallocated": cpu_share,
        "cpuallocatedvalue": used.cpu_mhz,
        "cpuallocatedpercentage": cpu_share,
        "cpuallocatedwithoverprovisioning": cpu_share,
        "cpuwithoverprovisioning": f"{cpu:.2f}".rstrip("0").rstrip("."),
        "memorytotal": int(memory),
        "memorywithoverprovisioning": f"{memory:.2f}".rstrip("0").rstrip("."),
        "memoryallocated": used.memory,
        "memoryallocatedpercentage": percent(used.memory, memory),
        "memoryallocatedbytes": used.memory,
        "hosttags": tags,
        "explicithosttags": tags,
        "istagarule": host.tag_is_rule if tags else None,
        "guestosrule": host.guest_os_rule,
        "storageaccessgroups": ",".join(host.storage_access_groups) or None,
        "clusterstorageaccessgroups": ",".join(cluster.storage_access_groups) or None,
        "podstorageaccessgroups": ",".join(cluster.pod.storage_access_groups) or None,
        "zonestorageaccessgroups": ",".join(cluster.zone.storage_access_groups) or None,
        "hahost": bool(host.host_tags) and call.cloud.configuration.text("ha.tag") in host.host_tags,
    }
    if wanted & {"all", "capacity"}:
        shown |= allocated
    shown |= host_fields(call.cloud, host)
    if "all" in wanted and facts.name in ("KVM", "External", "Custom"):
        shown |= {"details": {**host.details, **cluster.details}, "encryptionsupported": True}
    # Statistics are collected from hosts that are connected for a while; a host just added has none yet.
    if wanted & {"all", "stats"} and call.command.name != "addHost":
        shown |= {
            "cpuused": "0%",
            "cpuloadaverage": 0.0,
            "networkkbsread": 32768,
            "networkkbswrite": 16384,
            "memoryused": 0,
        }
    return shown


def _last_annotation(host: Host, call: Call) -> dict[str, Any]:
    rows = call.cloud.store.table(Annotation).where(entity_id=host.id)
    if not rows:
        return {}
    last = rows[-1]
    return {"annotation": last.text, "lastannotated": when(last.created), "username": last.user.username}


def _has_local_storage_in_use(cloud: Cloud, host: Host) -> bool:
    from cs_matrix_pytest.simulator.models.storage import Volume

    pools = cloud.store.table(StoragePool).where(host=host)
    return bool(pools) and any(volume.pool in pools and volume.vm for volume in cloud.store.table(Volume))


@family.command("addHost")
def add_host(call: Call) -> Answer:
    cluster = call.maybe(Cluster, "clusterid", missing="can not find cluster for specified clusterId")
    zone = call.one(Zone, "zoneid", missing="Can't find zone by id {}")
    pod = call.one(Pod, "podid", missing="Can't find pod by id {}")
    if pod.zone is not zone:
        raise InvalidParameterValue(
            f"Pod with specified pod {described(pod)} doesn't belong to the zone with specified zone {described(zone)}",
            named={"podId": pod.id, "dcId": zone.id},
        )
    if "clusterid" in call and "clustername" in call:
        raise InvalidParameterValue("Can't specify cluster by both id and name")
    hypervisor, url = call["hypervisor"], call["url"]
    if not hypervisor:
        raise InvalidParameterValue("Need to specify Hypervisor Type")
    _check_credentials(call, hypervisor)
    if hypervisor.lower() == "baremetal" and not call.get("hosttags"):
        raise InvalidParameterValue("hosttag is mandatory while adding host of type Baremetal")
    if hypervisor.lower() != "external":
        _check_url(url)
    # A hypervisor that only its cluster knows is one of a newer server.
    known = hypervisor.lower() in (*HYPERVISORS, "custom", "secondarystorage")
    if not known and (cluster is None or cluster.hypervisor.lower() != hypervisor.lower()):
        raise ApiError(f"Do not support HypervisorType {hypervisor} for {url}")
    cluster = cluster or _named_cluster(call, pod, hypervisor, url)
    return [connect_host(call.cloud, cluster, url, call)]


def _check_credentials(call: Call, hypervisor: str) -> None:
    if hypervisor.lower() in ("vmware", "secondarystorage"):
        return
    if hypervisor.lower() == "kvm":
        if not (call.get("username") or "").strip():
            raise InvalidParameterValue("Username need to be provided.")
    elif not (call.get("username") or "").strip() or not (call.get("password") or "").strip():
        raise InvalidParameterValue("Username and Password need to be provided.")


def _check_url(url: str) -> None:
    parts = parts_of(url)
    if not parts.scheme:
        raise InvalidParameterValue(f"uri.scheme is null {url}, add nfs:// (or cifs://) as a prefix")
    if parts.scheme == "nfs" and not (parts.netloc and parts.path):
        raise InvalidParameterValue("Your host and/or path is wrong.  Make sure it's of the format nfs://hostname/path")


def _named_cluster(call: Call, pod: Pod, hypervisor: str, url: str) -> Cluster:
    name = call.get("clustername", f"Standalone-{url}")
    table = call.cloud.store.table(Cluster)
    return table.first(pod=pod, name=name) or call.cloud.store.add(
        Cluster(
            name=name,
            pod=pod,
            hypervisor=api_name(hypervisor),
            details={"cpuOvercommitRatio": "1", "memoryOvercommitRatio": "1"},
        )
    )


def connect_host(cloud: Cloud, cluster: Cluster, url: str, call: Call | None = None) -> Host:
    """Discover a host at a URL and connect its agent.

    Raises InternalError where a hypervisor that has one host per address has it already.
    """
    facts = hypervisor_facts(cluster.hypervisor)
    if facts.name == "External":
        return connect_external_host(cloud, cluster, url, call)
    address = parts_of(url).hostname or ""
    known = cloud.store.table(Host).first(lambda host: host.url == url and host.zone is cluster.zone)
    if known is not None and not facts.simulated:
        raise InternalError(f"Unable to add the host: Cannot find the server resources at {url}")
    host = cloud.store.add(
        Host(
            name=_host_name(facts, address),
            zone=cluster.zone,
            pod=cluster.pod,
            cluster=cluster,
            url=url,
            ip_address=address if ipv4.is_address(address) else free_address(cloud, cluster.pod) or address,
            hypervisor=facts.name,
            hypervisor_version=facts.version,
            host_tags=call.get("hosttags", []) if call else [],
            storage_access_groups=call.get("storageaccessgroups", []) if call else [],
            connected=cloud.clock.now(),
        )
    )
    if call is not None and (call.get("allocationstate") or "").lower() in ("disable", "disabled"):
        host.resource_state = "Disabled"
    if facts.name == "KVM":
        host.details = {
            "guid": f"{host.id}-LibvirtComputingResource",
            "com.cloud.network.Networks.RouterPrivateIpStrategy": "HostLocal",
        }
    from cs_matrix_pytest.simulator.families.storage_pools import add_local_storage

    add_local_storage(cloud, host)
    from cs_matrix_pytest.simulator.families.system_vms import expect_system_vms

    expect_system_vms(cloud, host.zone)
    return host


def connect_external_host(cloud: Cloud, cluster: Cluster, url: str, call: Call | None) -> Host:
    """Add a host that an extension knows by what is given as its URL; nothing is known of its size."""
    return cloud.store.add(
        Host(
            name=url,
            zone=cluster.zone,
            pod=cluster.pod,
            cluster=cluster,
            url=url,
            ip_address="External",
            hypervisor="External",
            cpu_number=0,
            cpu_speed=0,
            memory=0,
            host_tags=call.get("hosttags", []) if call else [],
            connected=cloud.clock.now(),
            details={
                "guid": f"External:{new_uuid()}",
                "com.cloud.network.Networks.RouterPrivateIpStrategy": "HostLocal",
                **(call.map("externaldetails") if call else {}),
            },
        )
    )


def _host_name(facts: HypervisorFacts, address: str) -> str:
    return f"SimulatedAgent.{new_uuid()}" if facts.simulated else address


def discover_hosts_of(call: Call, cluster: Cluster) -> None:
    """Connect the host that an externally managed cluster (a vCenter's) has at its URL."""
    if cluster.cluster_type == "ExternalManaged" and cluster.url:
        connect_host(call.cloud, cluster, f"http://{parts_of(cluster.url).hostname or cluster.url}/{cluster.name}")


def transit(host: Host, event: str) -> None:
    """Have an event change a host's resource state; raises InternalError where it cannot happen now."""
    following = RESOURCE_STATES.get((host.resource_state, event))
    if following is None:
        raise InternalError(
            f"No next resource state for host {host.number} while current state is "
            f"{host.resource_state} with event {event}"
        )
    host.resource_state = following


def check_scripts_allowed(call: Call, parameter: str, *, wanted: bool) -> None:
    """Raise InvalidParameterValue for a rule in JavaScript where they are not allowed (JsInterpreterHelper)."""
    if wanted and not call.cloud.configuration.flag("js.interpretation.enabled"):
        raise InvalidParameterValue(
            f"'{parameter}' cannot be set because JavaScript interpretation is disabled in setting "
            "'js.interpretation.enabled'."
        )


@family.command("updateHost")
def update_host(call: Call) -> Answer:
    try:
        return changed_host(call)
    except ApiError as error:
        host = call.get("id")
        known = host if isinstance(host, Host) and host in call.cloud.store else None
        number = getattr(host, "number", host)
        raise ApiError(f"Failed to update host: {described(known)} with id {number}, {error.text}") from None


def changed_host(call: Call) -> Host:
    """The host of an update, as it is afterwards; raises whatever was wrong."""
    check_scripts_allowed(call, "istagarule", wanted=call.flag("istagarule"))
    check_scripts_allowed(call, "guestosrule", wanted="guestosrule" in call)
    host, event = call.one(Host, missing="Host with id {} doesn't exist"), call.get("allocationstate")
    if event and event.strip():
        if event not in ("Enable", "Disable"):
            raise InvalidParameterValue(f"Invalid allocation state: {event}, only Enable/Disable are allowed")
        transit(host, event)
    if (call.get("name") or "").strip():
        host.name = call["name"]
    if "oscategoryid" in call:
        category = call.one(OsCategory, "oscategoryid", missing="Please specify a valid guest OS category.")
        host.os_category = None if category.name == "None" else category
        host.guest_os_rule = None
    if "guestosrule" in call:
        host.guest_os_rule = call["guestosrule"] or None
        host.os_category = None
    if "hosttags" in call:
        host.host_tags = list(dict.fromkeys(tag for tag in call["hosttags"] if tag))
        host.tag_is_rule = call.flag("istagarule")
    if call.flag("cleanupexternaldetails"):
        host.details = {key: value for key, value in host.details.items() if not key.startswith("External:")}
    elif "externaldetails" in call:
        host.details |= call.map("externaldetails")
    if call.get("annotation"):
        add_to(call, "HOST", host, call["annotation"], admins_only=True)
    return host


def vms_on(cloud: Cloud, host: Host) -> list[UserVm | Router | SystemVm]:
    """Every VM that is on a host."""
    tables = cloud.store.table(UserVm), cloud.store.table(Router), cloud.store.table(SystemVm)
    return [vm for table in tables for vm in table if vm.host is host]


@family.command("prepareHostForMaintenance")
def prepare_for_maintenance(call: Call) -> Answer:
    host = call.one(Host, missing="Unable to find host with ID: {}. Please specify a valid host ID.")
    try:
        _prepare(call.cloud, host)
    except InternalError as error:
        raise ApiError(
            f"Failed to prepare host for maintenance due to: {error.text}", code=InternalError.code
        ) from None
    return host


def _prepare(cloud: Cloud, host: Host) -> None:
    if host.resource_state in MAINTENANCE_STATES and host.resource_state != "ErrorInMaintenance":
        raise InternalError(
            f"Host is already in state {host.resource_state}. Cannot recall for maintenance until resolved."
        )
    others = cloud.store.table(Host).where(cluster=host.cluster, resource_state="PrepareForMaintenance")
    if others and host.cluster is not None:
        raise InternalError(
            "There are other servers attempting migrations for maintenance. Found hosts in PrepareForMaintenance OR "
            f"ErrorInPrepareForMaintenance STATUS in cluster {described(host.cluster)}"
        )
    if _has_local_storage_in_use(cloud, host):
        raise InternalError(
            "There are active VMs using the host's local storage pool. "
            "Please stop all VMs on this host that use local storage."
        )
    vms = vms_on(cloud, host)
    if vms and not _other_hosts(cloud, host):
        raise InternalError(f"Unable to prepare for maintenance host {described(host)}")
    try:
        transit(host, "AdminAskMaintenance")
    except InternalError as error:
        raise InternalError(f"Cannot transit resource state of {described(host)} to Maintenance{error.text}") from None
    cloud.clock.call_later(SETTLE_SECONDS, enter_maintenance, cloud, host)


def _other_hosts(cloud: Cloud, host: Host) -> list[Host]:
    return [
        other
        for other in cloud.store.table(Host)
        if other is not host and other.takes_vms and other.pod is host.pod and other.hypervisor == host.hypervisor
    ]


@timed
def enter_maintenance(cloud: Cloud, host: Host) -> None:
    """Move what runs on a host elsewhere; then it is in maintenance."""
    if host not in cloud.store or host.resource_state != "PrepareForMaintenance":
        return
    from cs_matrix_pytest.simulator.families.capacity import evacuate

    if not evacuate(cloud, host):
        transit(host, "UnableToMaintain")
        return
    for vm in vms_on(cloud, host):
        target = min(
            _other_hosts(cloud, host),
            key=lambda other: (other.cluster is not host.cluster, allocated_on(cloud, other).memory),
            default=None,
        )
        if target is None:
            transit(host, "UnableToMaintain")
            return
        vm.host = target
    transit(host, "InternalEnterMaintenance")


@family.command("cancelHostMaintenance")
def cancel_maintenance(call: Call) -> Answer:
    host = call.one(Host, missing=NO_HOST)
    if host.resource_state not in MAINTENANCE_STATES:
        raise InternalError(
            f"Cannot perform cancelMaintenance when resource state is {host.resource_state}, host: {described(host)}"
        )
    transit(host, "AdminCancelMaintenance")
    return host


@family.command("declareHostAsDegraded")
def declare_degraded(call: Call) -> Answer:
    host = call.one(Host, missing="Host [id:{}] does not exist.")
    if host.resource_state == "Degraded":
        raise ApiError(
            f"Failed to declare host as Degraded due to: Host ({described(host)}) was already marked as Degraded."
        )
    if host.state not in ("Alert", "Disconnected"):
        raise InvalidParameterValue(
            f"Cannot perform declare host ({described(host)}) as 'Degraded' when host is in {host.state} status"
        )
    transit(host, "DeclareHostDegraded")
    return host


@family.command("cancelHostAsDegraded")
def cancel_degraded(call: Call) -> Answer:
    host = call.one(Host, missing="Host (null) with id {} does not exist")
    if host.resource_state != "Degraded":
        raise ApiError(
            "Failed to Cancel host from Degraded status due to: Cannot perform cancelHostAsDegraded on host "
            f"({described(host)}) when host is in {host.resource_state} state"
        )
    transit(host, "EnableDegradedHost")
    return host


@family.command("reconnectHost")
def reconnect_host(call: Call) -> Answer:
    host = call.one(Host, missing=NO_HOST, error=ParameterError)
    if host.resource_state in MAINTENANCE_STATES and host.state != "Up":
        raise ApiError(f"Unable to reconnect host {host.name} because it is in {host.resource_state}")
    host.state, host.connected = "Up", call.cloud.clock.now()
    return host


@family.command("releaseHostReservation")
def release_reservation(_call: Call) -> Answer:
    # No planner reserves hosts here, and a host that has no reservation has nothing to lose.
    return Success()


WITH_PASSWORDS = ("XenServer", "KVM")
"""Hypervisors whose hosts' passwords are kept."""


@family.command("updateHostPassword")
def update_password(call: Call) -> Answer:
    host, cluster = call.maybe(Host, "hostid"), call.maybe(Cluster, "clusterid")
    place = cluster or host
    if place is None:
        raise InvalidParameterValue("You should provide an host id.")
    if cluster is None and place.hypervisor == "XenServer":
        raise InvalidParameterValue(
            "Single host update is not supported by XenServer hypervisors. Please try again informing the Cluster ID."
        )
    if place.hypervisor not in WITH_PASSWORDS:
        raise InvalidParameterValue("This operation is not supported for this hypervisor type")
    if not call["username"].strip():
        raise InvalidParameterValue("Username should be non empty string")
    return Success()


@family.command("deleteHost")
def delete_host(call: Call) -> Answer:
    host = call.one(Host, missing="Host with ID [{}] was not found")
    cloud, forced = call.cloud, call.flag("forced")
    if host.resource_state not in ("Maintenance", "Degraded") and not forced:
        raise InternalError(
            f"Host with UUID [{host.id}] is not in maintenance mode and no forced deletion was requested."
        )
    for vm in vms_on(cloud, host):
        vm.state, vm.host = "Stopped", None
    for pool in cloud.store.table(StoragePool).where(host=host):
        if call.flag("forcedestroylocalstorage"):
            cloud.store.remove(pool)
        else:
            pool.host = None
    cloud.store.remove(host)
    return Success()


def _of_hypervisor(host: Host, value: str, _call: Call) -> bool:
    """By a hypervisor that CloudStack knows; what it does not know filters nothing (HypervisorType.getType)."""
    facts = HYPERVISORS.get(value.lower())
    return facts is None or (host.is_routing and host.hypervisor == facts.name)


def _cluster_arch(host: Host, value: str, _call: Call) -> bool:
    return host.cluster is not None and host.cluster.arch == value


def _power(host: Host, call: Call) -> dict[str, Any]:
    """What is known of a host's power; nothing where its management was never configured."""
    fields = power_fields(call.cloud, host)
    return fields if "driver" in fields else {}


def _has_ha_tag(host: Host, value: bool, call: Call) -> bool:
    """By the tag of HA hosts; without one the parameter filters nothing."""
    tag = call.cloud.configuration.text("ha.tag")
    return not tag or (tag in host.host_tags) is value


def _mentions(host: Host, keyword: str, call: Call) -> bool:
    told = (host.name, host.state, host.type, call.cloud.api.acs_version)
    return any(keyword.lower() in text.lower() for text in told)


family.listing(
    "listHosts",
    Host,
    keyword=(),
    filters={
        "keyword": _mentions,
        "virtualmachineid": lambda host, vm, _call: _could_take(host, vm),
        "outofbandmanagementenabled": lambda host, value, call: _power(host, call).get("enabled") is value,
        "outofbandmanagementpowerstate": lambda host, value, call: (
            _power(host, call).get("powerstate", "").lower() == value.lower()
        ),
        "managementserverid": lambda host, _value, _call: host.state == "Up",
        "hahost": _has_ha_tag,
        "arch": _cluster_arch,
        "hypervisor": _of_hypervisor,
        "version": lambda _host, value, call: call.cloud.api.acs_version == value,
        "storageaccessgroup": lambda host, value, _call: value in host.storage_access_groups,
    },
)


def _could_take(host: Host, vm: Any) -> bool:
    """listHosts with a VM answers the hosts that it could be migrated to (listHostsForMigrationOfVM)."""
    source = getattr(vm, "host", None)
    return bool(source is not None and host is not source and host.takes_vms and host.cluster is source.cluster)


@family.command("listHostTags", object_name="hosttag")
def list_host_tags(call: Call) -> Answer:
    rows = [
        {"hostid": host.number, "id": str(number), "name": tag}
        for number, (host, tag) in enumerate(
            ((host, tag) for host in call.cloud.store.table(Host) for tag in host.host_tags), start=1
        )
        if (call.get("keyword") or "") in tag
    ]
    return page(call, rows)
