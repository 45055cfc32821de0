"""The consoles that were asked for (ConsoleAccessManagerImpl). `families.vms` tells where one is."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.access import check_domain
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.console_sessions import ConsoleSession
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.views import when

family = Family("console_sessions")


def remember(call: Call, vm: UserVm) -> None:
    """Keep that the caller was told where a console is."""
    session = ConsoleSession(
        account=call.account, user=call.caller.user, vm=vm, host=vm.host, address=call.caller.remote
    )
    call.cloud.store.add(session)


@family.view(ConsoleSession)
def session_view(session: ConsoleSession, call: Call) -> dict[str, Any]:
    host, domain = session.host if call.is_root_admin else None, session.account.domain
    return {
        "id": session.id,
        "created": when(session.created),
        "consoleendpointcreatoraddress": session.address,
        "domain": domain.name,
        "domainpath": domain.path,
        "domainid": domain.id,
        "user": session.user.username,
        "userid": session.user.id,
        "account": session.account.name,
        "accountid": session.account.id,
        "virtualmachineid": session.vm.id,
        "virtualmachinename": session.vm.name,
        "hostid": host.id if host else None,
        "hostname": host.name if host else None,
    }


@family.command("listConsoleSessions")
def list_sessions(call: Call) -> Answer:
    caller = call.account
    domain = call.maybe(
        Domain,
        "domainid",
        missing="Unable to find domain with ID [{}]. Verify the informed domain and try again.",
    )
    if domain is not None:
        check_domain(caller, domain)
    base, below = domain or caller.domain, call.flag("isrecursive")
    wanted: dict[str, Any] = {
        "account": caller if caller.is_normal else call.get("accountid"),
        "user": call.caller.user if caller.is_normal else call.get("userid"),
        "host": call.get("hostid"),
        "vm": call.get("virtualmachineid"),
        "address": call.get("consoleendpointcreatoraddress"),
    }
    start, end = call.get("startdate"), call.get("enddate")
    unheard = "clientaddress" in call or call.flag("activeonly") or call.flag("acquired")
    rows = [
        row
        for row in call.cloud.store.table(ConsoleSession)
        if not unheard
        and call.get("id") in (None, row)
        and (base.contains(row.account.domain) if below else row.account.domain is base)
        and all(value is None or getattr(row, name) == value for name, value in wanted.items())
        and (start is None or row.created >= start)
        and (end is None or row.created <= end)
    ]
    return page(call, rows[::-1])
