"""What the cloud is and can do: capabilities, hypervisors, management servers, alerts, counts of infrastructure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_domain
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.hypervisors import HYPERVISORS, api_name
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.metadata import load_fresh_install
from cs_matrix_pytest.simulator.models.iam import AccountType, Domain
from cs_matrix_pytest.simulator.models.infra import (
    Alert,
    Cluster,
    Host,
    HypervisorCapabilities,
    ImageStore,
    ManagementServer,
    Pod,
    StoragePool,
    Zone,
)
from cs_matrix_pytest.simulator.models.networks import Network, Router
from cs_matrix_pytest.simulator.models.vm import SystemVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import new_uuid
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("capabilities")

ANY_ZONE = -1


@cache
def fresh_lists() -> Mapping[str, Mapping[str, Any]]:
    """The lists that no state changes, as a fresh install answers them; read only."""
    lists: Mapping[str, Mapping[str, Any]] = load_fresh_install()["lists"]
    return lists


def fixed_rows(command: str) -> list[dict[str, Any]]:
    """The rows of a list that is the same on every server."""
    rows: list[dict[str, Any]] = next(value for value in fresh_lists()[command].values() if isinstance(value, list))
    return rows


@family.on_fresh_install
def this_server(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    cloud.store.add(ManagementServer(id=cloud.management_server_id, name="localhost", version=cloud.api.acs_version))
    for row in fresh["lists"]["listHypervisorCapabilities"]["hypervisorCapabilities"]:
        facts = {key: value for key, value in row.items() if key not in ("id", "hypervisor", "hypervisorversion")}
        cloud.store.add(
            HypervisorCapabilities(
                id=row.get("id") or new_uuid(),
                hypervisor=row["hypervisor"],
                version=row["hypervisorversion"],
                facts=facts,
            )
        )


@family.command("listCapabilities", object_name="capability")
def list_capabilities(call: Call) -> Answer:
    cloud, caller = call.cloud, call.account
    domain = call.maybe(Domain, "domainid")
    if domain is not None:
        check_domain(caller, domain)
    settings = cloud.configuration
    is_admin = caller.type in (AccountType.ADMIN, AccountType.DOMAIN_ADMIN, AccountType.RESOURCE_DOMAIN_ADMIN)
    with_groups = any("SecurityGroup" in row.offering.service_providers for row in cloud.store.table(Network))
    elastic = with_groups and settings.flag("network.loadbalancer.basiczone.elb.enabled")
    shown: dict[str, Any] = {
        "securitygroupsenabled": with_groups,
        "dynamicrolesenabled": settings.flag("dynamic.apichecker.enabled", default=True),
        "userpublictemplateenabled": settings.flag("allow.public.user.templates", caller, default=True),
        "supportELB": settings.text("network.loadbalancer.basiczone.elb.network") if elastic else "false",
        "projectinviterequired": settings.flag("project.invite.required"),
        "allowusercreateprojects": settings.flag("allow.user.create.projects", default=True),
        "customdiskofferingminsize": int(settings.number("custom.diskoffering.size.min", default=1)),
        "customdiskofferingmaxsize": int(settings.number("custom.diskoffering.size.max", default=1024)),
        "regionsecondaryenabled": cloud.store.table(ImageStore).first(scope="REGION") is not None,
        "kvmsnapshotenabled": settings.flag("kvm.snapshot.enabled", default=True),
        "snapshotshowchainsize": settings.flag("snapshot.show.chain.size"),
        "allowuserviewdestroyedvm": is_admin or settings.flag("allow.user.view.destroyed.vm", caller),
        "allowuserexpungerecovervm": is_admin or settings.flag("allow.user.expunge.recover.vm", caller),
        "allowuserexpungerecovervolume": is_admin or settings.flag("allow.user.expunge.recover.volume", caller),
        "allowuserviewalldomainaccounts": settings.flag("allow.user.view.all.domain.accounts", domain or caller.domain),
        "allowuserforcestopvm": is_admin or settings.flag("allow.user.force.stop.vm", caller, default=True),
        "kubernetesserviceenabled": settings.flag("cloud.kubernetes.service.enabled"),
        "kubernetesclusterexperimentalfeaturesenabled": settings.flag(
            "cloud.kubernetes.cluster.experimental.features.enabled"
        ),
        "customhypervisordisplayname": settings.text("hypervisor.custom.display.name", default="Custom"),
        "defaultuipagesize": int(settings.number("default.ui.page.size", default=20)),
        "instancesstatsretentiontime": int(settings.number("vm.stats.max.retention.time", default=720)),
        "instancesstatsuseronly": settings.flag("vm.stats.user.vm.only"),
        "instancesdisksstatsretentionenabled": settings.flag("vm.disk.stats.retention.enabled"),
        "instancesdisksstatsretentiontime": int(settings.number("vm.disk.stats.max.retention.time", default=720)),
        "sharedfsvmmincpucount": int(settings.number("sharedfsvm.min.cpu.count", default=2)),
        "sharedfsvmminramsize": int(settings.number("sharedfsvm.min.ram.size", default=1024)),
        "instanceleaseenabled": settings.flag("instance.lease.enabled"),
        "dynamicscalingenabled": settings.flag("enable.dynamic.scale.vm"),
        "additionalconfigenabled": settings.flag("enable.additional.vm.configuration", caller),
    }
    if settings.flag("expose.cloudstack.version.api.list.capabilities", default=True):
        shown["cloudstackversion"] = cloud.api.acs_version
    if caller.is_root_admin:
        shown["extensionspath"] = str(cloud.extension_scripts.directory)
    if settings.flag("api.throttling.enabled"):
        shown["apilimitinterval"] = int(settings.number("api.throttling.interval", default=1))
        shown["apilimitmax"] = int(settings.number("api.throttling.max", default=25))
    return {"capability": shown}


@family.command("listHypervisors", object_name="hypervisor")
def list_hypervisors(call: Call) -> Answer:
    clusters, zone = call.cloud.store.table(Cluster), call.get("zoneid")
    listed = [name for name in call.cloud.configuration.text("hypervisor.list").split(",") if name]
    if call.cloud.hypervisor not in listed:
        listed.append(call.cloud.hypervisor)
    if zone == ANY_ZONE:
        zones = list(call.cloud.store.table(Zone))
        names = [name for name in listed if all(clusters.first(zone=each, hypervisor=name) for each in zones)]
    elif zone is not None:
        # Once for every cluster.
        names = [cluster.hypervisor for cluster in clusters.where(zone=zone)]
    else:
        names = listed
    return {"count": len(names), "hypervisor": [{"name": name} for name in names]} if names else {}


@family.view(HypervisorCapabilities)
def hypervisor_capabilities_view(row: HypervisorCapabilities, _call: Call) -> dict[str, Any]:
    return {"id": row.id, "hypervisorversion": row.version, "hypervisor": row.hypervisor, **row.facts}


family.listing("listHypervisorCapabilities", HypervisorCapabilities, keyword=("hypervisor",))


def _capabilities_to_update(call: Call) -> HypervisorCapabilities:
    hypervisor, version = ((call.get(name) or "").strip() for name in ("hypervisor", "hypervisorversion"))
    if "id" not in call and not hypervisor and not version:
        raise InvalidParameterValue("Either ID or hypervisor and hypervisor version must be specified")
    if "id" in call:
        if hypervisor or version:
            raise InvalidParameterValue("ID can not be specified together with hypervisor and hypervisor version")
        lost = "unable to find the hypervisor capabilities for specified id"
        return call.one(HypervisorCapabilities, missing=lost)
    if not hypervisor or not version:
        raise InvalidParameterValue("Hypervisor and hypervisor version must be specified together")
    if hypervisor.lower() not in HYPERVISORS:
        raise InvalidParameterValue("Invalid hypervisor specified")
    found = call.cloud.store.table(HypervisorCapabilities).first(hypervisor=api_name(hypervisor), version=version)
    if found is None:
        raise InvalidParameterValue(
            "Unable to find the hypervisor capabilities for specified hypervisor and hypervisor version"
        )
    return found


@family.command("updateHypervisorCapabilities")
def update_hypervisor_capabilities(call: Call) -> Answer:
    row = _capabilities_to_update(call)
    for name in (
        "securitygroupenabled",
        "maxguestslimit",
        "maxdatavolumeslimit",
        "storagemotionenabled",
        "maxhostspercluster",
        "vmsnapshotenabled",
    ):
        if name in call:
            row.facts[name] = call[name]
    return row


@family.view(ManagementServer)
def management_server_view(server: ManagementServer, call: Call) -> dict[str, Any]:
    agents = [host.id for host in call.cloud.store.table(Host) if host.state == "Up"]
    return {
        "id": server.id,
        "name": server.name,
        "state": server.state,
        "version": server.version,
        "javadistribution": "Debian",
        "javaversion": "17",
        "osdistribution": "Debian GNU/Linux 12 (bookworm)",
        "lastserverstart": when(server.created),
        "lastboottime": when(server.created),
        "serviceip": "127.0.0.1",
        "ipaddress": "127.0.0.1",
        "lastagents": [],
        "agents": agents,
        "agentscount": len(agents),
        "pendingjobscount": 0,
    }


family.listing("listManagementServers", ManagementServer, filters={"peers": lambda _row, _value, _call: True})


@family.command("listInfrastructure", object_name="infrastructure")
def list_infrastructure(call: Call) -> Answer:
    store = call.cloud.store
    routers = list(store.table(Router))
    return {
        "infrastructure": {
            "zones": len(store.table(Zone)),
            "pods": len(store.table(Pod)),
            "clusters": len(store.table(Cluster)),
            "hosts": len([host for host in store.table(Host) if host.is_routing]),
            "storagepools": len(store.table(StoragePool)),
            "imagestores": len(store.table(ImageStore)),
            "backuprepositories": 0,
            "objectstores": 0,
            "systemvms": len(store.table(SystemVm)),
            "routers": len([router for router in routers if router.role == "VIRTUAL_ROUTER"]),
            "ilbvms": len([router for router in routers if router.role == "INTERNAL_LB_VM"]),
            "cpusockets": 0,
            "managementservers": len(store.table(ManagementServer)),
            "alerts": len(store.table(Alert)),
        }
    }


@family.view(Alert)
def alert_view(alert: Alert, _call: Call) -> dict[str, Any]:
    return {
        "id": alert.id,
        "type": alert.type,
        "name": alert.name,
        "description": alert.description,
        "sent": when(alert.created),
    }


family.listing(
    "listAlerts",
    Alert,
    keyword=("description",),
    rows=lambda call: call.cloud.store.table(Alert).where(archived=False),
    newest_first=True,
    filters={"type": lambda alert, value, _call: str(alert.type) == value},
)


@family.command("generateAlert")
def generate_alert(call: Call) -> Answer:
    number = call["type"]
    kind = next((row for row in fixed_rows("listAlertTypes") if row["alerttypeid"] == number), None)
    name, zone, pod = call["name"], call.get("zoneid"), call.get("podid")
    if kind is not None and kind["name"].lower() != name.lower():
        raise InvalidParameterValue(f"There is a default alert having type {number} and name {kind['name']}")
    alert = Alert(
        name=name,
        type=number,
        description=call["description"],
        zone=zone if isinstance(zone, Zone) else None,
        pod=pod if isinstance(pod, Pod) else None,
    )
    if not _is_told_already(call, alert):
        call.cloud.store.add(alert)
    return Success()


def _is_told_already(call: Call, alert: Alert) -> bool:
    """True where an alert of the type is there for the zone, and the pod if there is one; some may be repeated."""
    repeated = call.cloud.configuration.text("alert.allowed.repetitive.types").lower().split(",")
    same = call.cloud.store.table(Alert).first(
        lambda row: alert.pod in (None, row.pod), type=alert.type, zone=alert.zone, archived=False
    )
    return same is not None and alert.name.lower() not in [each.strip() for each in repeated]


@family.command("archiveAlerts", "deleteAlerts")
def retire_alerts(call: Call) -> Answer:
    ids, start, end, kind = (call.get(name) for name in ("ids", "startdate", "enddate", "type"))
    archives = call.command.name == "archiveAlerts"
    if ids is None and end is None and kind is None:
        named = "ids, type, startdate or enddate" if archives else "ids, type or enddate"
        raise InvalidParameterValue(f"either {named} must be specified")
    if start is not None and end is None:
        raise InvalidParameterValue("enddate must be specified with startdate parameter")
    store = call.cloud.store
    rows = [
        alert
        for alert in store.table(Alert).where(archived=False)
        if (ids is None or alert in ids)
        and (kind is None or str(alert.type) == kind)
        and (start is None or alert.created >= start)
        and (end is None or alert.created <= end)
    ]
    if ids is not None and len(rows) < len(ids):
        verb = "archive" if archives else "delete"
        raise ApiError(f"Unable to {verb} Alerts, one or more parameters has invalid values")
    for alert in rows:
        if archives:
            alert.archived = True
        else:
            store.remove(alert)
    return Success()


@family.command("listAlertTypes", object_name="alerttype")
def list_alert_types(_call: Call) -> Answer:
    rows = fixed_rows("listAlertTypes")
    return {"count": len(rows), "alerttype": rows}


@family.command("listNetworkIsolationMethods", object_name="isolationmethod")
def list_isolation_methods(call: Call) -> Answer:
    return page(call, fixed_rows("listNetworkIsolationMethods"))


@family.command("listTrafficTypeImplementors", object_name="traffictypeimplementorresponse")
def list_traffic_type_implementors(call: Call) -> Answer:
    wanted = call.get("traffictype")
    return page(
        call, [row for row in fixed_rows("listTrafficTypeImplementors") if wanted in (None, row["traffictype"])]
    )


@family.command("listSupportedNetworkServices", object_name="networkservice")
def list_supported_network_services(call: Call) -> Answer:
    service, provider = call.get("service"), call.get("provider")
    rows = fixed_rows("listSupportedNetworkServices")
    if service is not None:
        rows = [row for row in rows if row["name"].lower() == service.lower()]
        if not rows:
            raise InvalidParameterValue(f"Invalid Network Service={service}")
    if provider is not None:
        if not any(each["name"].lower() == provider.lower() for row in rows for each in row["provider"]):
            raise InvalidParameterValue(f"Invalid Network Service Provider={provider}")
        rows = [
            {**row, "provider": [each for each in row["provider"] if each["name"].lower() == provider.lower()]}
            for row in rows
        ]
        rows = [row for row in rows if row["provider"]]
    return page(call, rows)


@family.command("listDeploymentPlanners", object_name="deploymentPlanner")
def list_deployment_planners(call: Call) -> Answer:
    return page(call, fixed_rows("listDeploymentPlanners"))
