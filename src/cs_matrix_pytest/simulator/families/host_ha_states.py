"""The state machine of host HA, and the task that drives it (HAConfig, HAManagerImpl and its tasks)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.background import keep_looking
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.host_services import (
    THIS_SERVER,
    HaCounter,
    HaTransition,
    HostHa,
    SimulatedHealth,
    described,
)
from cs_matrix_pytest.simulator.models.infra import Alert, Host, ManagementServer
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

POLL_SECONDS = 4.0
"""How often the background task looks (BackgroundPollManagerImpl)."""
RETURNS_AFTER = 30.0
"""Seconds after which a host that HA took down has connected again, where it can."""
ENABLED = "resourceHAEnabled"
"""The detail of zones and clusters that says whether HA works in them; without it, it does."""
MAINTENANCE_STATES = (
    "PrepareForMaintenance",
    "Maintenance",
    "ErrorInMaintenance",
    "ErrorInPrepareForMaintenance",
)
MAINTAINABLE = ("Enabled", "PrepareForMaintenance", "ErrorInPrepareForMaintenance")
"""Resource states of hosts that are in maintenance once they are fenced."""
ALERT_HA_ACTION = 30
TOLD = ("Recovering", "Fencing", "Fenced")
"""States whose beginning is an event of the host."""

ANY = ("Available", "Suspect", "Checking", "Degraded", "Recovering", "Recovered", "Fencing")
STATES: dict[tuple[str, str], str] = {
    ("Disabled", "Enabled"): "Available",
    **{(state, "Disabled"): "Disabled" for state in (*ANY, "Ineligible", "Fenced")},
    **{(state, "Ineligible"): "Ineligible" for state in (*ANY, "Ineligible")},
    ("Ineligible", "Eligible"): "Available",
    ("Available", "HealthCheckPassed"): "Available",
    ("Available", "HealthCheckFailed"): "Suspect",
    ("Suspect", "HealthCheckPassed"): "Available",
    ("Suspect", "HealthCheckFailed"): "Suspect",
    ("Suspect", "PerformActivityCheck"): "Checking",
    ("Checking", "TooFewActivityCheckSamples"): "Suspect",
    ("Checking", "ActivityCheckFailureUnderThresholdRatio"): "Degraded",
    ("Checking", "ActivityCheckFailureOverThresholdRatio"): "Recovering",
    ("Degraded", "HealthCheckPassed"): "Available",
    ("Degraded", "HealthCheckFailed"): "Degraded",
    ("Degraded", "PeriodicRecheckResourceActivity"): "Suspect",
    ("Recovering", "RetryRecovery"): "Recovering",
    ("Recovering", "Recovered"): "Recovered",
    ("Recovering", "RecoveryOperationThresholdExceeded"): "Fencing",
    ("Recovered", "RecoveryWaitPeriodTimeout"): "Available",
    ("Fencing", "RetryFencing"): "Fencing",
    ("Fencing", "Fenced"): "Fenced",
    ("Fenced", "HealthCheckPassed"): "Ineligible",
    ("Fenced", "HealthCheckFailed"): "Fenced",
}
"""The next state by state and event; what is not here cannot happen."""


@dataclass(frozen=True)
class Limits:
    """What a provider sets for a host (HAProviderConfig); seconds, counts and a ratio."""

    activity_interval: float
    activity_checks: int
    failure_ratio: float
    degraded_wait: float
    recovery_attempts: int
    recovery_wait: float


@dataclass(frozen=True)
class Provider:
    """How HA looks at hosts of one hypervisor and acts on them. Each function takes the cloud and the host."""

    name: str
    hypervisor: str
    eligible: Callable[[Cloud, Host], bool]
    healthy: Callable[[Cloud, Host], bool]
    active: Callable[[Cloud, Host], bool]
    recover: Callable[[Cloud, Host], bool]
    fence: Callable[[Cloud, Host], bool]
    limits: Callable[[Cloud, Host], Limits]
    returns_when_fenced: bool = False
    """True where a fenced host connects again by itself."""


def health_of(cloud: Cloud, host: Host) -> SimulatedHealth | None:
    """What a simulated host was told to answer, if it was."""
    return cloud.store.table(SimulatedHealth).first(host=host)


def _simulated(answer: str) -> Callable[[Cloud, Host], bool]:
    def ask(cloud: Cloud, host: Host) -> bool:
        return bool(getattr(health_of(cloud, host), answer, False))

    return ask


def _may_be_checked(host: Host) -> bool:
    return host.resource_state not in (*MAINTENANCE_STATES, "Disabled")


def _simulator_limits(cloud: Cloud, host: Host) -> Limits:
    return Limits(1, 3, 1.0 if _simulated("active")(cloud, host) else 0.0, 1, 2, 1)


def _kvm_eligible(cloud: Cloud, host: Host) -> bool:
    from cs_matrix_pytest.simulator.families.out_of_band import is_enabled

    neighbours = cloud.store.table(Host).where(cluster=host.cluster, type="Routing")
    return is_enabled(cloud, host) and _may_be_checked(host) and len(neighbours) > 1


def _power(operation: str) -> Callable[[Cloud, Host], bool]:
    def act(cloud: Cloud, host: Host) -> bool:
        from cs_matrix_pytest.simulator.families.out_of_band import operate

        try:
            return operate(cloud, host, operation).succeeded
        except ApiError:
            return False

    return act


def _kvm_limits(cloud: Cloud, host: Host) -> Limits:
    def value(name: str, default: float) -> float:
        return cloud.configuration.number(f"kvm.ha.{name}", host.cluster, default=default)

    return Limits(
        value("activity.check.interval", 60),
        int(value("activity.check.max.attempts", 10)),
        value("activity.check.failure.ratio", 0.7),
        value("degraded.max.period", 300),
        int(value("recover.failure.threshold", 1)),
        value("recover.wait.period", 600),
    )


PROVIDERS = {
    provider.name.lower(): provider
    for provider in (
        Provider(
            "SimulatorHAProvider",
            "Simulator",
            lambda cloud, host: _may_be_checked(host) and health_of(cloud, host) is not None,
            _simulated("healthy"),
            _simulated("active"),
            _simulated("recovers"),
            _simulated("fences"),
            _simulator_limits,
            returns_when_fenced=True,
        ),
        Provider(
            "KVMHAProvider",
            "KVM",
            _kvm_eligible,
            lambda _cloud, host: host.state == "Up",
            lambda cloud, host: host.state == "Up" and bool(_machines(cloud, host)),
            _power("RESET"),
            _power("OFF"),
            _kvm_limits,
        ),
    )
}
"""The providers by their name in lower case."""


def is_enabled_around(host: Host, detail: str) -> bool:
    """False where a detail of the host's zone or cluster says so."""
    places = (host.zone, host.cluster)
    return all(place is None or (place.details.get(detail) or "true").lower() == "true" for place in places)


def transit(cloud: Cloud, ha: HostHa, event: str) -> bool:
    """Have an event change a host's HA state; False where it cannot happen now, or changes nothing.

    A new state starts its work at once: a check, a recovery, a fencing. The simulator's own record has each change
    twice, before and after, as its provider listens to both.
    """
    before = ha.state
    after = STATES.get((before, event))
    if after is None:
        return False
    if before == after:
        # Only a state that repeats its work does it from here: no change follows that would.
        _begin(cloud, ha, after)
    _record(cloud, ha, before, event, after)
    if before == after and ha.owner == THIS_SERVER:
        return False
    ha.state, ha.owner, ha.updates = after, None if event == "Disabled" else THIS_SERVER, ha.updates + 1
    if before != after:
        _begin(cloud, ha, after)
    _record(cloud, ha, before, event, after)
    if after in TOLD:
        _tell(cloud, ha, f"from: {before} to: {after} due to event:{event}")
    return True


def _record(cloud: Cloud, ha: HostHa, before: str, event: str, after: str) -> None:
    health = health_of(cloud, ha.host)
    if health is not None:
        counter = ha.counter
        health.transitions.append(HaTransition(before, event, after, counter.checks, counter.recoveries))


def _tell(cloud: Cloud, ha: HostHa, what: str) -> None:
    text = f"Transitioned host HA state {what} for the host {described(ha.host)} with id: {ha.host.number}"
    cloud.events.of_system("HA.STATE.TRANSITION", text, ha.host)


def _begin(cloud: Cloud, ha: HostHa, state: str) -> None:
    """Order what a state is for, where HA still looks after the host; the task does it at the end of its look."""
    if not owns(ha) or not watched(cloud, ha):
        return
    provider = provider_for(cloud, ha)
    if provider is None or state not in WORK:
        return
    if state == "Recovering" and ha.counter.recoveries >= provider.limits(cloud, ha.host).recovery_attempts:
        return
    ha.due.append(state)


def owns(ha: HostHa) -> bool:
    """True where no other management server looks after it."""
    return ha.owner in (None, THIS_SERVER)


def watched(cloud: Cloud, ha: HostHa) -> bool:
    """True where HA is on for a host, its cluster and its zone; its state follows that."""
    if ha.host not in cloud.store:
        ha.enabled = False
    if not ha.enabled or not is_enabled_around(ha.host, ENABLED):
        if ha.state != "Disabled" and transit(cloud, ha, "Disabled"):
            ha.counter = HaCounter()
        return False
    if ha.state == "Disabled":
        transit(cloud, ha, "Enabled")
    return True


def provider_for(cloud: Cloud, ha: HostHa) -> Provider | None:
    """The provider of a host that is eligible for it; its state follows that."""
    provider = PROVIDERS.get(ha.provider.lower())
    if provider is not None and not provider.eligible(cloud, ha.host):
        if ha.state != "Ineligible":
            transit(cloud, ha, "Ineligible")
        return None
    if ha.state == "Ineligible":
        transit(cloud, ha, "Eligible")
    return provider


def watch(cloud: Cloud) -> None:
    """Look after the hosts from now on, every few seconds, for as long as one has HA enabled."""
    keep_looking(cloud, "host HA", POLL_SECONDS, look)


@timed
def look(cloud: Cloud, now: float) -> bool:
    """One look at every host with HA; False where none has it enabled (HAManagerBgPollTask)."""
    table = cloud.store.table(HostHa)
    gone = {int(server.details.get("msid", 0)) for server in removed_servers(cloud)}
    for ha in table:
        if ha.owner in gone:
            ha.owner = None
        if owns(ha) and watched(cloud, ha):
            provider = provider_for(cloud, ha)
            if provider is not None:
                _look_at(cloud, ha, provider, now)
    return any(ha.enabled or ha.state != "Disabled" for ha in table)


def removed_servers(cloud: Cloud) -> list[ManagementServer]:
    """The management servers that have left: what they looked after is anybody's."""
    rows = cloud.store.table(ManagementServer)._by_number.values()
    return [server for server in rows if server.removed is not None]


def _look_at(cloud: Cloud, ha: HostHa, provider: Provider, now: float) -> None:
    checks_health = ha.state in ("Available", "Suspect", "Degraded", "Fenced")
    event = due_event(ha, provider.limits(cloud, ha.host), now)
    if event is not None and transit(cloud, ha, event) and event == "RecoveryWaitPeriodTimeout":
        ha.counter.recovered_at = None
    if checks_health:
        check_health(cloud, ha, provider, now)
    while ha.due:
        WORK[ha.due.pop(0)](cloud, ha, provider, now)


def due_event(ha: HostHa, limits: Limits, now: float) -> str | None:
    """What a look makes of a host's state; it notes in the counter when it looked."""
    counter = ha.counter
    if ha.state == "Suspect" and _passed(counter.checked_at, limits.activity_interval, now):
        counter.checked_at = now
        return "PerformActivityCheck"
    if ha.state == "Degraded" and _passed(counter.degraded_at, limits.degraded_wait, now):
        return "PeriodicRecheckResourceActivity"
    if ha.state == "Recovering":
        exceeded = counter.recoveries >= limits.recovery_attempts
        return "RecoveryOperationThresholdExceeded" if exceeded else "RetryRecovery"
    if ha.state == "Recovered":
        if counter.recovered_at is None:
            counter.recovered_at = now
        elif _passed(counter.recovered_at, limits.recovery_wait, now):
            return "RecoveryWaitPeriodTimeout"
    return "RetryFencing" if ha.state == "Fencing" else None


def _passed(since: float | None, seconds: float, now: float) -> bool:
    return since is None or now - since > seconds


def check_health(cloud: Cloud, ha: HostHa, provider: Provider, _now: float) -> None:
    """HealthCheckTask."""
    if not provider.healthy(cloud, ha.host):
        transit(cloud, ha, "HealthCheckFailed")
        return
    transit(cloud, ha, "HealthCheckPassed")
    ha.counter.forget_checks()
    ha.counter.forget_recoveries()


def check_activity(cloud: Cloud, ha: HostHa, provider: Provider, now: float) -> None:
    """ActivityCheckTask: after enough checks, a host is degraded or in need of recovery."""
    counter, limits = ha.counter, provider.limits(cloud, ha.host)
    counter.checks += 1
    counter.failures += not provider.active(cloud, ha.host)
    if counter.checks < limits.activity_checks:
        transit(cloud, ha, "TooFewActivityCheckSamples")
        return
    if counter.failures > counter.checks * limits.failure_ratio:
        transit(cloud, ha, "ActivityCheckFailureOverThresholdRatio")
    elif transit(cloud, ha, "ActivityCheckFailureUnderThresholdRatio"):
        counter.degraded_at = now
    counter.forget_checks()


def recover(cloud: Cloud, ha: HostHa, provider: Provider, _now: float) -> None:
    """RecoveryTask: restart the host; what ran there is started elsewhere."""
    ha.counter.recoveries += 1
    ha.counter.forget_checks()
    if provider.recover(cloud, ha.host):
        transit(cloud, ha, "Recovered")
        take_down(cloud, ha.host, returns=True)
    _alert(cloud, ha.host, "Recovery")


def fence(cloud: Cloud, ha: HostHa, provider: Provider, _now: float) -> None:
    """FenceTask: take the host out of service for good."""
    if provider.fence(cloud, ha.host):
        ha.counter.forget_recoveries()
        transit(cloud, ha, "Fenced")
        take_down(cloud, ha.host, returns=provider.returns_when_fenced)
        if ha.host.resource_state in MAINTAINABLE:
            ha.host.resource_state = "Maintenance"
    _alert(cloud, ha.host, "Fencing")


WORK: dict[str, Callable[[Cloud, HostHa, Provider, float], None]] = {
    "Checking": check_activity,
    "Recovering": recover,
    "Fencing": fence,
}
"""What states are for."""


def _alert(cloud: Cloud, host: Host, what: str) -> None:
    text = f"HA {what} of host id={host.number}, in dc id={host.zone.number} performed"
    cloud.store.add(Alert(name="ALERT.HA.ACTION", type=ALERT_HA_ACTION, description=text))


def _machines(cloud: Cloud, host: Host) -> list[UserVm | Router | SystemVm]:
    tables = cloud.store.table(UserVm), cloud.store.table(Router), cloud.store.table(SystemVm)
    return [vm for table in tables for vm in table if vm.host is host]


def take_down(cloud: Cloud, host: Host, *, returns: bool) -> None:
    """Have a host go down; VMs with HA and system VMs start elsewhere, others are stopped."""
    if host.state == "Down":
        return
    from cs_matrix_pytest.simulator.families.capacity import migration_targets
    from cs_matrix_pytest.simulator.families.vm_lifecycle import stop

    host.state = "Down"
    for vm in _machines(cloud, host):
        if isinstance(vm, UserVm):
            target = next((other for other, moves in migration_targets(cloud, vm) if not moves), None)
            if vm.ha_enabled and target is not None:
                vm.last_host, vm.host = target, target
            else:
                stop(cloud, vm)
        else:
            others = (other for other in cloud.store.table(Host) if other.takes_vms and other.pod is host.pod)
            vm.host = next(others, None)
            vm.state = vm.state if vm.host is not None else "Stopped"
    if returns:
        cloud.clock.call_later(RETURNS_AFTER, come_back, cloud, host)


@timed
def come_back(cloud: Cloud, host: Host) -> None:
    """Have the agent of a host that was lost connect again."""
    if host in cloud.store and host.state in ("Down", "Disconnected"):
        host.state, host.connected = "Up", cloud.clock.now()
