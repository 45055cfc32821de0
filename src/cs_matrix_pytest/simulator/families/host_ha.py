"""Host HA: configuring it, turning it on and off, and the simulator's own commands to try it (HAManagerImpl)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, ParameterError
from cs_matrix_pytest.simulator.families.host_ha_states import (
    ENABLED,
    PROVIDERS,
    Provider,
    health_of,
    transit,
    watch,
)
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.host_services import HaCounter, HostHa, SimulatedHealth
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Zone
from cs_matrix_pytest.simulator.parameters import UnknownNumber
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("host_ha")

HYPERVISORS = ("KVM", "Simulator", "Unknown")
"""The hypervisor types that providers are for (HAResource.ResourceSubType), as parameters write them."""


def switches(family: Family, service: str, turn: Callable[..., Answer], turn_area: Callable[..., Answer]) -> None:
    """The commands that turn a service of hosts on and off: ``turn`` for a host, ``turn_area`` for a cluster or zone."""
    for verb, on in (("enable", True), ("disable", False)):
        family.command(f"{verb}{service}ForHost")(partial(turn, on=on))
        for kind in (Cluster, Zone):
            family.command(f"{verb}{service}For{kind.__name__}")(partial(turn_area, kind=kind, on=on))


def named(call: Call, kind: type[Resource], parameter: str) -> Any:
    """The live resource that a required id names; raises ParameterError as the commands of host services do."""
    value = call[parameter]
    if isinstance(value, kind) and value in call.cloud.store:
        return value
    number = value.number if isinstance(value, (Resource, UnknownNumber)) else value
    raise ParameterError(f"Unable to find {kind.label} by ID: {number}")


def host_ha_fields(cloud: Cloud, host: Host) -> dict[str, Any]:
    """What lists of hosts tell of their HA."""
    ha = cloud.store.table(HostHa).first(host=host)
    if ha is None:
        return {"haenable": False, "hastate": "Disabled"}
    return {"haenable": ha.enabled, "hastate": ha.state, "haprovider": ha.provider}


@family.command("configureHAForHost")
def configure(call: Call) -> Answer:
    host, name = named(call, Host, "hostid"), call["provider"]
    provider = PROVIDERS.get(name.lower())
    if provider is None:
        raise InternalError(f"Given HA provider [{name}] does not exist.")
    check_provider(host, provider)
    ha = call.cloud.store.table(HostHa).first(host=host)
    if ha is None:
        call.cloud.store.add(HostHa(host=host, provider=name.lower()))
    else:
        ha.provider = name.lower()
    return {"hostha": {"hostid": host.id, "haprovider": name.lower(), "status": True}}


def check_provider(host: Host, provider: Provider) -> None:
    """Raise ParameterError where a provider is for another hypervisor than the host's."""
    if not host.is_routing:
        raise ParameterError(f"No hypervisor type provided on resource [{host.number}].")
    if host.hypervisor != provider.hypervisor:
        raise ParameterError(
            f"Incompatible haprovider provided [{provider.hypervisor}] for the resource [{host.id}] "
            f"of hypervisor type: [{host.hypervisor}]."
        )


def _turn(call: Call, *, on: bool) -> Answer:
    host = named(call, Host, "hostid")
    ha = call.cloud.store.table(HostHa).first(host=host)
    if ha is None:
        raise ParameterError(f"HAProvider is not provided for the resource [{host.number}], failing configuration.")
    ha.enabled = on
    if on:
        watch(call.cloud)
    else:
        transit(call.cloud, ha, "Disabled")
        ha.counter = HaCounter()
    return {"hostha": {"hostid": host.id, "haenable": on, "status": True}}


def _turn_area(call: Call, kind: type[Resource], *, on: bool) -> Answer:
    area = named(call, kind, f"{kind.label}id")
    area.details[ENABLED] = str(on).lower()
    if on:
        return Success()
    hosts = call.cloud.store.table(Host).where(**{kind.label: area})
    # It gives up at the first host whose state does not change, and says so, though HA is off by now.
    return Success(ok=all(_disable(call.cloud, host) for host in hosts))


def _disable(cloud: Cloud, host: Host) -> bool:
    ha = cloud.store.table(HostHa).first(host=host)
    return ha is not None and transit(cloud, ha, "Disabled")


switches(family, "HA", _turn, _turn_area)


@family.command("listHostHAProviders")
def list_providers(call: Call) -> Answer:
    hypervisor = call["hypervisor"]
    if hypervisor not in HYPERVISORS:
        raise ParameterError(
            f"Invalid or unsupported host hypervisor type provided. Supported types are: [{', '.join(HYPERVISORS)}]"
        )
    rows = [{"haprovider": provider.name} for provider in PROVIDERS.values() if provider.hypervisor == hypervisor]
    return {"count": len(rows), "haprovider": rows} if rows else None


@family.command("listHostHAResources")
def list_resources(call: Call) -> Answer:
    wanted, cloud = call.get("hostid"), call.cloud
    hosts = [ha.host for ha in cloud.store.table(HostHa) if ha.host in cloud.store and wanted in (None, ha.host)]
    rows = [{"hostid": host.id, **host_ha_fields(cloud, host)} for host in hosts]
    return {"count": len(rows), "hostha": rows} if rows else None


@family.command("configureSimulatorHAProviderState")
def configure_health(call: Call) -> Answer:
    host, store = named(call, Host, "hostid"), call.cloud.store
    before = health_of(call.cloud, host)
    if before is not None:
        store.forget(before)
    store.add(
        SimulatedHealth(
            host=host,
            healthy=call.flag("health"),
            active=call.flag("activity"),
            recovers=call.flag("recover"),
            fences=call.flag("fence"),
        )
    )
    ha = store.table(HostHa).first(host=host)
    if ha is not None:
        ha.counter = HaCounter()
    return Success()


@family.command("listSimulatorHAStateTransitions")
def list_transitions(call: Call) -> Answer:
    health = health_of(call.cloud, named(call, Host, "hostid"))
    rows = [
        {
            "hastate": change.after.lower(),
            "prevhastate": change.before.lower(),
            "event": change.event.lower(),
            "activitycounter": change.checks,
            "recoverycounter": change.recoveries,
        }
        for change in (health.transitions if health else ())
    ]
    return page(call, rows)
