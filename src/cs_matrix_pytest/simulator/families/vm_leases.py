"""Leases of virtual machines: how long one may live, and what happens to it then (VMLeaseManagerImpl)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.models.jobs import Event
from cs_matrix_pytest.simulator.models.vm import Lease, UserVm
from cs_matrix_pytest.simulator.registry import Family
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("leases of virtual machines")

ENABLED = "instance.lease.enabled"
ACTIONS = {"STOP": "stopVirtualMachine", "DESTROY": "destroyVirtualMachine"}
"""What can happen to a VM when its lease has ended, and the command that does it."""
NOT_ACTED_ON = ("Destroyed", "Expunging", "Error", "Unknown", "Migrating")
MOST_DAYS = 36500
ENDLESS = -1


@dataclass(frozen=True)
class Terms:
    """What a request says of a lease."""

    days: int | None
    action: str | None


def terms_of(call: Call) -> Terms:
    """The lease that a request asks for. Raises InvalidParameterValue where it cannot be one."""
    days, given = call.get("leaseduration"), call.get("leaseexpiryaction", "").strip()
    action = given.upper() or None
    if action is not None and action not in ACTIONS:
        raise InvalidParameterValue(
            f"Invalid value configured for leaseexpiryaction, valid values are: {', '.join(ACTIONS)}"
        )
    if (days is None and action is None) or days == ENDLESS:
        return Terms(days, action)
    if days is None or not 1 <= days <= MOST_DAYS:
        raise InvalidParameterValue(
            f"Invalid leaseduration: must be a natural number (>=1) or -1, max supported value is {MOST_DAYS}"
        )
    if action is None:
        raise InvalidParameterValue("Provide values for both: leaseduration and leaseexpiryaction")
    return Terms(days, action)


def is_enabled(cloud: Cloud) -> bool:
    return cloud.configuration.flag(ENABLED)


def lease_of_new(cloud: Cloud, vm: UserVm, terms: Terms) -> None:
    """Give a new VM its lease: as asked for, else as its offering says."""
    usual = vm.service_offering.details
    days = int(usual["leaseduration"]) if terms.days is None and "leaseduration" in usual else terms.days
    action = terms.action or usual.get("leaseexpiryaction")
    if days is not None and days >= 1 and action is not None:
        _let(cloud, vm, days, action)


def change_lease(call: Call, vm: UserVm) -> None:
    """Redefine or end the lease of a VM that has one (UserVmManagerImpl.applyLeaseOnUpdateInstance)."""
    terms, lease = terms_of(call), vm.lease
    if lease is None:
        raise InternalError(
            f"Lease can't be applied on instance with id: {vm.id}, it doesn't have lease associated during deployment"
        )
    if lease.execution != "PENDING":
        raise InternalError(f"Lease can't be applied on instance with id: {vm.id}, it doesn't have active lease")
    if lease.expires < call.cloud.clock.datetime():
        raise InternalError("Lease is not allowed to be redefined on expired leased instance")
    if terms.days is None or terms.days < 1 or terms.action is None:
        lease.execution = "DISABLED"
        _record(call.cloud, call.caller.user, vm, "VM.LEASE.DISABLED", "Disabling lease on the instance")
    else:
        _let(call.cloud, vm, terms.days, terms.action)


def _let(cloud: Cloud, vm: UserVm, days: int, action: str) -> None:
    vm.lease = Lease(expires=cloud.clock.datetime().replace(microsecond=0) + timedelta(days=days), action=action)
    interval = max(cloud.configuration.number("instance.lease.scheduler.interval", default=3600), 1)
    due = math.ceil(vm.lease.expires.timestamp() / interval) * interval
    cloud.clock.call_at(due, expire, cloud, vm, vm.lease.expires)


@timed
def expire(cloud: Cloud, vm: UserVm, expires: datetime) -> None:
    """Do with a VM what its lease says, unless that was redefined or ended meanwhile."""
    lease = vm.lease
    if lease is None or lease.expires != expires or lease.execution != "PENDING" or not is_enabled(cloud):
        return
    if vm not in cloud.store or vm.state in NOT_ACTED_ON or (lease.action == "DESTROY" and vm.delete_protection):
        return
    text = f"Executing lease expiry action ({lease.action}) for instance: {vm.name} (id: {vm.id})"
    _record(cloud, cloud.system_user, vm, "VM.LEASE.EXPIRED", text)
    cloud.run(ACTIONS[lease.action], id=vm.id)
    lease.execution = "DONE"


@family.on_event
def cancel_all(cloud: Cloud, event: Event) -> None:
    """End every lease once the feature is switched off; switching it on again brings none back."""
    if event.type != "CONFIGURATION.VALUE.EDIT" or is_enabled(cloud):
        return
    for vm in cloud.store.table(UserVm):
        if vm.lease is not None and vm.lease.execution == "PENDING":
            vm.lease.execution = "CANCELLED"
            text = f"Lease is cancelled for the instance: {vm.name} (id: {vm.id}) "
            _record(cloud, vm.user or cloud.system_user, vm, "VM.LEASE.CANCELLED", text)


def _record(cloud: Cloud, user: User, vm: UserVm, type: str, text: str) -> None:
    cloud.store.add(
        Event(account=vm.account, user=user, type=type, description=text, resource=vm, resource_kind="VirtualMachine")
    )


def lease_fields(cloud: Cloud, vm: UserVm) -> dict[str, Any]:
    """A lease that is still to come to its end, as answers show it."""
    lease = vm.lease
    if lease is None or lease.execution != "PENDING" or not is_enabled(cloud):
        return {}
    return {
        "leaseexpiryaction": lease.action,
        "leaseexpirydate": when(lease.expires),
        "leaseduration": (lease.expires.date() - cloud.clock.datetime().date()).days,
    }
