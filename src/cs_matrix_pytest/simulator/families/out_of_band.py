"""Out-of-band management: how a host's power is reached, and reaching it (OutOfBandManagementServiceImpl)."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.background import keep_looking
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError, InternalError
from cs_matrix_pytest.simulator.families.host_ha import named, switches
from cs_matrix_pytest.simulator.families.host_ha_states import is_enabled_around, removed_servers
from cs_matrix_pytest.simulator.families.out_of_band_drivers import DRIVERS, OPERATIONS, Driver, Outcome
from cs_matrix_pytest.simulator.models.host_services import THIS_SERVER, OutOfBandManagement, described
from cs_matrix_pytest.simulator.models.infra import Alert, Host
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("out_of_band")

ENABLED = "outOfBandManagementEnabled"
"""The detail of zones and clusters that says whether it works in them; without it, it does."""
ALERT_AUTH_ERROR = 29

POWER_STATES: dict[tuple[str, str], str] = {
    **{(state, event): event for state in ("On", "Off", "Unknown", "Disabled") for event in ("On", "Off", "Unknown")},
    **{(state, "AuthError"): "Unknown" for state in ("On", "Off", "Disabled")},
    **{(state, "Disabled"): "Disabled" for state in ("On", "Off", "Unknown")},
}
"""The next power state by state and event (OutOfBandManagement.PowerState)."""
EVENT_TEXTS = {
    "On": "Chassis Power is On",
    "Off": "Chassis Power is Off",
    "AuthError": "Authentication error happened",
    "Unknown": "An unknown error happened",
    "Disabled": "Out-of-band management disabled",
}


def configuration_of(cloud: Cloud, host: Host) -> OutOfBandManagement | None:
    return cloud.store.table(OutOfBandManagement).first(host=host)


def power_fields(cloud: Cloud, host: Host) -> dict[str, Any]:
    """What lists of hosts tell of their power (OutOfBandManagementResponse)."""
    config = configuration_of(cloud, host)
    if config is None:
        return {"powerstate": "Disabled", "enabled": False}
    return {
        "powerstate": config.power_state,
        "enabled": config.enabled,
        "driver": config.driver,
        "address": config.address,
        "port": config.port,
        "username": config.username,
        "password": f"{config.password[0]}****" if config.password else None,
    }


def answer(**fields: Any) -> dict[str, Any]:
    """Fields that have a value, under the key of every answer here."""
    return {"outofbandmanagement": {name: value for name, value in fields.items() if value is not None}}


def is_enabled(cloud: Cloud, host: Host) -> bool:
    """True where a host's power can be reached: it is configured and on, and its cluster and zone allow it."""
    return is_enabled_around(host, ENABLED) and _is_enabled_for(cloud, host)


def _is_enabled_for(cloud: Cloud, host: Host) -> bool:
    config = configuration_of(cloud, host)
    return host.resource_state != "Degraded" and config is not None and config.enabled


def check_enabled(cloud: Cloud, host: Host) -> OutOfBandManagement:
    """The configuration of a host whose power can be reached; raises InternalError that says where it is off."""
    for place, name in ((host.zone, "zone"), (host.cluster, "cluster")):
        if place is not None and (place.details.get(ENABLED) or "true").lower() != "true":
            raise InternalError(f"Out-of-band management is disabled for the host's {name}. Aborting Operation.")
    config = configuration_of(cloud, host)
    if config is None or not _is_enabled_for(cloud, host):
        raise InternalError("Out-of-band management is disabled or not configured for the host. Aborting Operation.")
    return config


def transit(cloud: Cloud, config: OutOfBandManagement, event: str) -> bool:
    """Have an event change a power state; False where it cannot, or changes nothing."""
    before = config.power_state
    after = POWER_STATES.get((before, event))
    if after is None or (before == after and config.owner == THIS_SERVER):
        return False
    config.power_state, config.updates = after, config.updates + 1
    config.owner = None if event == "Disabled" else THIS_SERVER
    if after == "Unknown":
        text = (
            f"Transitioned out-of-band management power state from {before} to {after} due to event: "
            f"{event}({EVENT_TEXTS[event]}) for {described(config.host)}"
        )
        cloud.events.of_system("HOST.OOBM.POWERSTATE.TRANSITION", text, config.host)
    return True


@family.command("configureOutOfBandManagement")
def configure(call: Call) -> Answer:
    host, cloud = named(call, Host, "hostid"), call.cloud
    config = configuration_of(cloud, host) or OutOfBandManagement(host=host)
    if call["driver"].lower() not in DRIVERS:
        raise InternalError("Out-of-band management driver is not available. Please provide a valid driver name.")
    for name in ("driver", "address", "port", "username", "password"):
        setattr(config, name, call.get(name) or getattr(config, name))
    if config not in cloud.store:
        cloud.store.add(config)
    text = f"Out-of-band management successfully configured for {described(host)}."
    return answer(hostid=host.id, **power_fields(cloud, host), description=text, status=True)


def _turn(call: Call, *, on: bool) -> Answer:
    host = named(call, Host, "hostid")
    config = configuration_of(call.cloud, host)
    if config is None:
        raise InternalError(
            "Out-of-band management is not configured for the host. "
            "Please configure the host before enabling/disabling it."
        )
    config.enabled = on
    if on:
        watch(call.cloud)
    transit(call.cloud, config, "Disabled")
    return answer(hostid=host.id, enabled=on, status=True)


def _turn_area(call: Call, kind: type[Resource], *, on: bool) -> Answer:
    area, cloud = named(call, kind, f"{kind.label}id"), call.cloud
    area.details[ENABLED] = str(on).lower()
    if not on:
        for host in cloud.store.table(Host).where(**{kind.label: area}):
            config = configuration_of(cloud, host)
            # It gives up at the first host that has no power to disable.
            if config is None or not transit(cloud, config, "Disabled"):
                break
    return answer(enabled=on, status=True)


switches(family, "OutOfBandManagement", _turn, _turn_area)


def _driver(config: OutOfBandManagement) -> Driver:
    driver = DRIVERS.get(config.driver or "")
    if driver is None:
        raise InternalError(
            "Configured out-of-band management driver is not available. Aborting any out-of-band management action."
        )
    return driver


def _seconds(cloud: Cloud, host: Host) -> float:
    return cloud.configuration.number("outofbandmanagement.action.timeout", host.cluster, default=60)


def operate(cloud: Cloud, host: Host, operation: str, seconds: float | None = None) -> Outcome:
    """Reach a host's power; STATUS sets the power state that is shown. Raises InternalError where it fails."""
    config = check_enabled(cloud, host)
    outcome = _driver(config).operate(cloud, config, operation, seconds or _seconds(cloud, host))
    if operation == "STATUS":
        transit(cloud, config, "AuthError" if outcome.refused else outcome.power or "Unknown")
    if outcome.error is None:
        return outcome
    prefix = f"Out-of-band Management action [{operation}] on {described(host)} failed"
    if not outcome.refused:
        raise InternalError(f"{prefix} with error: {outcome.error}")
    text = f"{prefix} due to authentication error: {outcome.error}. Please check configured credentials."
    cloud.store.add(Alert(name="ALERT.OOBM.AUTHERROR", type=ALERT_AUTH_ERROR, description=text))
    raise InternalError(text)


@family.command("issueOutOfBandManagementPowerAction")
def issue_action(call: Call) -> Answer:
    host, operation = named(call, Host, "hostid"), call["action"]
    if operation not in OPERATIONS:
        raise InternalError(
            f"No enum constant org.apache.cloudstack.outofbandmanagement.OutOfBandManagement.PowerOperation.{operation}"
        )
    outcome = operate(call.cloud, host, operation, call.get("timeout"))
    shown = power_fields(call.cloud, host)
    return answer(hostid=host.id, **shown, action=operation, description=outcome.text, status=True)


@family.command("changeOutOfBandManagementPassword")
def change_password(call: Call) -> Answer:
    host, cloud = named(call, Host, "hostid"), call.cloud
    config = check_enabled(cloud, host)
    password = call.get("password") or "".join(secrets.choice(string.ascii_letters) for _ in range(6))
    if not config.password:
        raise InternalError(
            "Cannot change out-of-band management password as we've no previously configured password for "
            f"{described(host)}."
        )
    driver = _driver(config)
    try:
        error = driver.set_password(cloud, config, password)
    except ApiError as problem:
        raise InternalError(
            f"Failed to change out-of-band management password for {described(host)} due to driver error: "
            f"{problem.text}"
        ) from None
    if error:
        raise InternalError(
            f"Failed to change out-of-band management password for {described(host)} with error: {error}"
        )
    config.password = password
    return answer(hostid=host.id, status=True)


def watch(cloud: Cloud) -> None:
    """Keep the power states up to date from now on, for as long as one is looked up."""
    seconds = cloud.configuration.number("outofbandmanagement.background.task.execution.interval", default=4)
    keep_looking(cloud, "out-of-band management", max(1.0, seconds), look)


@timed
def look(cloud: Cloud, _now: float) -> bool:
    """Bring the power states up to date; False where no host has one to look up (OutOfBandManagementPowerStatePollTask)."""
    table = cloud.store.table(OutOfBandManagement)
    gone = {int(server.details.get("msid", 0)) for server in removed_servers(cloud)}
    for config in table:
        if config.owner in gone:
            config.owner = None
        if config.host not in cloud.store or config.owner not in (None, THIS_SERVER):
            continue
        if is_enabled(cloud, config.host):
            try:
                operate(cloud, config.host, "STATUS")
            except ApiError:
                transit(cloud, config, "Unknown")
        elif config.power_state != "Disabled":
            transit(cloud, config, "Disabled")
    return any(config.enabled or config.power_state != "Disabled" for config in table)
