"""Where the consoles of virtual machines are, and who asked for one (ConsoleAccessManagerImpl)."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from cs_matrix_pytest.simulator.access import check_access, check_domain
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import PermissionDenied
from cs_matrix_pytest.simulator.families.capacity import describe
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.console_sessions import ConsoleSession
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.views import when

family = Family("console_sessions")


WITHOUT_CONSOLE = ("Stopped", "Error", "Destroyed")
PORT = 8080
TOKEN_BYTES = 426


@family.command("createConsoleEndpoint")
def create_endpoint(call: Call) -> Answer:
    cloud, vm = call.cloud, call.params["virtualmachineid"]
    if not isinstance(vm, UserVm) or vm not in cloud.store:
        return _refused(f"Cannot find VM with ID {getattr(vm, 'number', vm)}")
    try:
        check_access(cloud, call.account, vm)
    except PermissionDenied:
        return _refused("Permission denied")
    if vm.state in WITHOUT_CONSOLE:
        return _refused(
            f"Server Internal Error: VM {describe(vm)} must be running to connect console, sending blank response for console "
            "access request"
        )
    proxy = cloud.store.table(SystemVm).first(type="consoleproxy", zone=vm.zone, state="Running")
    if proxy is None or proxy.public_ip is None:
        return _refused(
            "Server Internal Error: Console access will be ready in a few minutes. Please try it again later."
        )
    session = ConsoleSession(
        account=call.account, user=call.caller.user, vm=vm, host=vm.host, address=call.caller.remote
    )
    cloud.store.add(session)
    # Nobody can read a token but the console proxy that it is made for, and none is here.
    token = base64.b64encode(secrets.token_bytes(TOKEN_BYTES)).decode()
    extra = call.get("token")
    url = f"http://{proxy.public_ip}/resource/noVNC/vnc.html?autoconnect=true&show_dot=true&port={PORT}&token={token}"
    return {
        "consoleendpoint": {
            "success": True,
            "url": url + (f"&extra={extra}" if extra else ""),
            "websocket": {
                "token": token,
                "host": proxy.public_ip,
                "port": str(PORT),
                "path": "websockify",
                **({"extra": extra} if extra else {}),
            },
        }
    }


def _refused(why: str) -> Answer:
    return {"consoleendpoint": {"success": False, "details": why}}


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
