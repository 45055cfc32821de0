"""The simulator's state in a file: what is kept, what goes on afterwards, and files that are none."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import timezone
from enum import Enum
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cs_matrix_pytest.simulator as package
from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.simulator import Simulator, clock, state, state_codec
from cs_matrix_pytest.simulator.background import BackgroundTask
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.cloud import Cloud
from cs_matrix_pytest.simulator.models.iam import AccountType, User
from cs_matrix_pytest.simulator.models.infra import PodRange
from cs_matrix_pytest.simulator.models.networks import PublicIp
from cs_matrix_pytest.simulator.models.usage import UsageEvent
from cs_matrix_pytest.simulator.models.vm import InstanceGroup, UserVm
from cs_matrix_pytest.simulator.state_codec import CannotCarry, Decoder, Encoder, Unreadable, vocabulary
from cs_matrix_pytest.simulator.store import Resource
from simulator_over_http import Client
from test_cli_simulator import client, simulator
from test_simulator_fuzz import API, PEOPLED, RECIPES, SERVED, Conversation, broken, chooser, filled, value_for

PERSON = {"password": "password", "firstname": "A", "lastname": "B", "email": "a@example.org"}
LISTS = [name for name in SERVED if name.startswith(("list", "get", "find", "query"))]
OF_THE_MOMENT = {
    "getDiagnosticsData",
    "getUploadParamsForVolume",
    "getUploadParamsForTemplate",
    "getUploadParamsForIso",
    "listBackupProviderOfferings",
}
"""Commands that do something, or whose answers are drawn by lot."""


def at_home(cloud: Cloud) -> dict[str, Any]:
    """What the ready zone has for a VM."""
    return {
        "zoneid": cloud.run("listZones")["zone"][0]["id"],
        "templateid": cloud.run("listTemplates", templatefilter="featured")["template"][0]["id"],
        "serviceofferingid": cloud.run("listServiceOfferings", name="Small Instance")["serviceoffering"][0]["id"],
    }


def furnish(cloud: Cloud) -> None:
    """Accounts, a project, networks, a VPC, VMs, volumes, snapshots, rules: running, stopped, destroyed and gone."""
    run = cloud.run
    home = at_home(cloud)
    zone = {"zoneid": home["zoneid"]}
    offerings = {row["name"]: row["id"] for row in run("listNetworkOfferings")["networkoffering"]}
    domain = run("createDomain", name="tenants")["domain"]["id"]
    for name in ("anna", "otto"):
        run("createAccount", username=name, accounttype=0, domainid=domain, **PERSON)
    anna = {"account": "anna", "domainid": domain}
    run("registerUserKeys", id=run("listUsers", username="anna", listall=True)["user"][0]["id"])
    project = {"projectid": run("createProject", name="works", displaytext="w", **anna)["project"]["id"]}
    run("addAccountToProject", account="otto", **project)
    run("updateResourceLimit", resourcetype=0, max=17, **anna)
    run("updateConfiguration", name="expunge.delay", value=600)
    run("updateConfiguration", name="expunge.interval", value=60)
    for number, owner in enumerate((anna, project, {})):
        network = run(
            "createNetwork",
            name=f"net{number}",
            displaytext="n",
            networkofferingid=offerings["DefaultIsolatedNetworkOfferingWithSourceNatService"],
            **zone,
            **owner,
        )["network"]["id"]
        vms = [run("deployVirtualMachine", networkids=network, **home, **owner)["virtualmachine"] for _ in range(3)]
        address = run("associateIpAddress", networkid=network)["ipaddress"]["id"]
        run("createPortForwardingRule", ipaddressid=address, protocol="tcp", publicport=22, privateport=22,
            virtualmachineid=vms[0]["id"])  # fmt: skip
        balanced = run("associateIpAddress", networkid=network)["ipaddress"]["id"]
        rule = run("createLoadBalancerRule", name="lb", publicipid=balanced, algorithm="source", publicport=80,
                   privateport=80)["loadbalancer"]["id"]  # fmt: skip
        run("assignToLoadBalancerRule", id=rule, virtualmachineids=vms[0]["id"])
        run("createEgressFirewallRule", networkid=network, protocol="tcp", startport=1, endport=9)
        disk = run("listDiskOfferings", name="Small")["diskoffering"][0]["id"]
        volume = run("createVolume", name="data", diskofferingid=disk, **zone, **owner)["volume"]["id"]
        run("attachVolume", id=volume, virtualmachineid=vms[0]["id"])
        run("createSnapshot", volumeid=volume)
        run("createSnapshotPolicy", volumeid=volume, intervaltype="HOURLY", maxsnaps=2, schedule="5", timezone="GMT")
        run("createVMSnapshot", virtualmachineid=vms[0]["id"])
        run("createTags", resourceids=vms[0]["id"], resourcetype="UserVm", **{"tags[0].key": "k", "tags[0].value": "ü"})
        run("stopVirtualMachine", id=vms[1]["id"])
        run("destroyVirtualMachine", id=vms[2]["id"])
        gone = run("deployVirtualMachine", networkids=network, **home, **owner)["virtualmachine"]["id"]
        run("destroyVirtualMachine", id=gone, expunge=True)
    vpc = run(
        "createVPC",
        name="vpc",
        displaytext="v",
        cidr="10.9.0.0/16",
        vpcofferingid=run("listVPCOfferings", name="Default VPC offering")["vpcoffering"][0]["id"],
        **zone,
        **anna,
    )["vpc"]["id"]
    tier = run(
        "createNetwork",
        name="tier",
        displaytext="t",
        networkofferingid=offerings["DefaultIsolatedNetworkOfferingForVpcNetworks"],
        vpcid=vpc,
        gateway="10.9.1.1",
        netmask="255.255.255.0",
        **zone,
        **anna,
    )["network"]["id"]
    run("deployVirtualMachine", networkids=tier, **home, **anna)
    acl = run("createNetworkACLList", name="acl", vpcid=vpc)["networkacllist"]["id"]
    run("createNetworkACL", aclid=acl, protocol="tcp", startport=22, endport=22, cidrlist="10.0.0.0/8")
    run("createSSHKeyPair", name="key", **anna)
    run("createSecurityGroup", name="group", **anna)
    run("createAffinityGroup", name="apart", type="host anti-affinity", **anna)


def answers(cloud: Cloud) -> dict[str, Any]:
    """What every list and query answers, asked of everything that one can be about, as root and as a user."""
    asked: dict[str, Any] = {}
    anna = cloud.store.table(User).first(username="anna")
    for name in LISTS:
        command = API.get(name)
        assert command is not None
        if command.is_async or name in OF_THE_MOMENT:
            continue
        for caller in (None, anna):
            for number in range(3):
                wanted = {
                    parameter.name: value_for(cloud, parameter, lambda rows: rows[number % len(rows)])  # noqa: B023
                    for parameter in command.required
                }
                everything = {"listall": "true"} if "listall" in command.params else {}
                who = Caller(caller) if caller else cloud.system_caller
                request = {**wanted, **everything, "pagesize": "500", "page": "1"}
                asked[f"{name} {request} {caller}"] = cloud.execute(who, name, request)
                if not wanted:
                    break
    return asked


def copied(cloud: Cloud) -> Cloud:
    """A cloud that was loaded from what this one saves."""
    text = json.dumps(state.dump(cloud))
    copy = Cloud()
    state.restore(copy, json.loads(text))
    return copy


@pytest.fixture(scope="module")
def furnished() -> Cloud:
    cloud = Simulator().cloud
    furnish(cloud)
    # Some answers make what they tell: the rules of a default role, the certificate authority.
    answers(cloud)
    return cloud


def test_every_list_answers_as_before(furnished: Cloud) -> None:
    copy = copied(furnished)
    copy.extension_scripts = furnished.extension_scripts
    moment = furnished.clock.now()
    for cloud in (furnished, copy):
        cloud.clock.now = lambda: moment  # type: ignore[method-assign]
    try:
        before, after = answers(furnished), answers(copy)
    finally:
        del furnished.clock.now
    differing = [key for key in before if before[key] != after.get(key)]
    assert {key: before[key] for key in differing} == {key: after.get(key) for key in differing}
    assert len(before) > 300
    filled_lists = {key.split()[0] for key, (status, _, body) in before.items() if status == 200 and body}
    assert {"listVirtualMachines", "listVPCs", "listSnapshots", "listProjects", "listEvents"} <= filled_lists


def test_nothing_is_lost_on_the_way(furnished: Cloud) -> None:
    once = state.dump(furnished)
    again = state.dump(copied(furnished))
    changing = ("saved", "clock")
    assert {key: again[key] for key in again if key not in changing} == {
        key: once[key] for key in once if key not in changing
    }


def test_no_resource_has_what_is_no_field_of_it(furnished: Cloud) -> None:
    for kind in furnished.store.kinds:
        names = {field.name for field in dataclasses.fields(kind)}
        for row in furnished.store.table(kind):
            assert vars(row).keys() <= names


def test_life_goes_on(furnished: Cloud) -> None:
    cloud = copied(furnished)
    home = at_home(cloud)
    events = len(cloud.store.table(UsageEvent))
    project = cloud.run("listProjects", listall=True)["project"][0]["id"]
    networks = [
        network
        for where in ({"listall": True}, {"projectid": project})
        for network in cloud.run("listNetworks", type="Isolated", **where)["network"]
    ]
    for network in networks:
        owner = {"projectid": network["projectid"]} if "projectid" in network else {
            "account": network["account"], "domainid": network["domainid"]}  # fmt: skip
        for _ in range(3):
            cloud.run("deployVirtualMachine", networkids=network["id"], **home, **owner)
        if "vpcid" not in network:
            cloud.run("associateIpAddress", networkid=network["id"])
    begun = list(cloud.store.table(UsageEvent))[events:]
    # What ran before does not begin again; nobody pays for what is the system's own.
    assert sum(row.type == "VM.CREATE" for row in begun) == 3 * (len(networks) - 1) == 9
    for vm in cloud.run("listVirtualMachines", listall=True)["virtualmachine"]:
        if vm["state"] == "Stopped":
            cloud.run("startVirtualMachine", id=vm["id"])
        elif vm["state"] == "Running":
            cloud.run("stopVirtualMachine", id=vm["id"])
            cloud.run("destroyVirtualMachine", id=vm["id"], expunge=True)
        elif vm["state"] == "Destroyed":
            cloud.run("recoverVirtualMachine", id=vm["id"])
    assert not broken(cloud)
    addresses = [row.address for row in cloud.store.table(PublicIp)]
    assert len(addresses) == len(set(addresses)) > 10


def test_what_waits_for_the_clock_goes_on(furnished: Cloud) -> None:
    cloud = copied(furnished)
    destroyed = cloud.store.table(UserVm).where(state="Destroyed")
    snapshots = len(cloud.run("listSnapshots", listall=True)["snapshot"])
    assert destroyed
    with cloud.lock:
        cloud.clock.advance(7200)
    assert not any(vm in cloud.store for vm in destroyed)
    assert len(cloud.run("listSnapshots", listall=True)["snapshot"]) > snapshots
    assert [timer.function for timer in cloud.clock.waiting()]


def test_the_clock_stays_ahead_and_never_goes_back() -> None:
    cloud = Cloud()
    cloud.clock.advance(5000)
    document = state.dump(cloud)
    copy = Cloud()
    state.restore(copy, document)
    assert 4990 < copy.clock.ahead - Cloud().clock.ahead < 5010
    document["clock"]["now"] += 1_000_000
    later = Cloud()
    state.restore(later, document)
    assert later.clock.now() >= document["clock"]["now"]


def test_a_task_is_not_made_up_for_the_time_when_nothing_ran() -> None:
    cloud = Simulator().cloud
    looks = []
    for task in cloud.store.table(BackgroundTask):
        cloud.store.forget(task)
    host = cloud.run("listHosts", type="Routing")["host"][0]["id"]
    cloud.run("configureHAForHost", hostid=host, provider="SimulatorHAProvider")
    cloud.run("enableHAForHost", hostid=host)
    document = state.dump(cloud)
    document["clock"]["ahead"] = 30 * 86400.0
    copy = Cloud()
    state.restore(copy, document)
    (task,) = copy.store.table(BackgroundTask).where(name="host HA")
    real = task.look
    task.look = lambda *args: looks.append(args) or real(*args)  # type: ignore[func-returns-value]
    copy.clock.advance(20)
    assert 3 <= len(looks) <= 6


def test_a_job_that_takes_its_time_is_finished_before_it_is_saved() -> None:
    simulator = Simulator(faults={"deployVirtualMachine": Fault(delay=3600)})
    cloud = simulator.cloud
    status, _, body = cloud.execute(
        cloud.system_caller, "deployVirtualMachine", {**at_home(cloud), "networkids": isolated(cloud)}
    )
    assert status == 200
    assert cloud.run("queryAsyncJobResult", jobid=body["jobid"])["jobstatus"] == 0
    copy = copied(cloud)
    job = copy.run("queryAsyncJobResult", jobid=body["jobid"])
    assert (job["jobstatus"], job["jobresult"]["virtualmachine"]["state"]) == (1, "Running")


def isolated(cloud: Cloud) -> str:
    offering = cloud.run("listNetworkOfferings", name="DefaultIsolatedNetworkOfferingWithSourceNatService")
    network = cloud.run(
        "createNetwork",
        name="n",
        displaytext="n",
        zoneid=at_home(cloud)["zoneid"],
        networkofferingid=offering["networkoffering"][0]["id"],
    )
    return network["network"]["id"]  # type: ignore[no-any-return]


def ids(cloud: Cloud) -> set[str]:
    return {row.id for kind in cloud.store.kinds for row in cloud.store.table(kind)}


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_was_said_a_copy_answers_the_same(data: st.DataObject) -> None:
    """The copy hears the second half of a conversation as well, and answers with the same codes."""
    talk = Conversation()
    choose = chooser(data)
    for name in [*PEOPLED, *data.draw(st.lists(st.sampled_from(sorted(RECIPES)), max_size=25))]:
        talk.say(name.split()[0], filled(talk.cloud, RECIPES[name], choose))
    copy = Conversation.__new__(Conversation)
    copy.cloud, copy.unexpected, copy.said = copied(talk.cloud), talk.unexpected, []
    assert broken(copy.cloud) == broken(talk.cloud)
    for name in data.draw(st.lists(st.sampled_from(sorted(RECIPES)), max_size=5)):
        params = filled(talk.cloud, RECIPES[name], choose)
        # What both have made since then has an id of its own in each.
        if (ids(talk.cloud) - ids(copy.cloud)) & set(map(str, params.values())):
            continue
        assert talk.say(name.split()[0], params) == copy.say(name.split()[0], params), (name, params)
    assert not broken(copy.cloud)
    assert not talk.unexpected.seen


# The codec


class Colour(Enum):
    RED = "red"


@dataclasses.dataclass
class Part:
    colour: Colour
    where: tuple[int, ...] = ()


@dataclasses.dataclass(eq=False, kw_only=True, repr=False)
class Thing(Resource):
    part: Part | None = None
    anything: Any = None


@dataclasses.dataclass(eq=False, kw_only=True, repr=False)
class Odd(Resource):
    path: dict[str, list[Path | None]]


def test_the_simulators_own_models_can_all_be_carried() -> None:
    known = vocabulary()
    assert {"UserVm", "BackgroundTask", "Job"} <= known.resources.keys()
    assert {"PodRange", "SystemNic", "ImageCopy"} <= known.parts.keys()
    assert known.enums.keys() >= {"AccountType"}


def test_a_field_of_a_type_that_no_file_can_have_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_codec, "PACKAGE", __name__)
    with pytest.raises(CannotCarry, match=r"Odd\.path is a Path"):
        vocabulary()


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(),
        st.datetimes(timezones=st.just(timezone.utc)),
        st.ip_addresses(),
        st.sampled_from([AccountType.ADMIN, PodRange("10.0.0.1", "10.0.0.9"), IPv6Network("fd00::/64")]),
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.text(), inner),
        st.dictionaries(st.integers(), inner),
        st.lists(inner).map(tuple),
        st.lists(inner).map(lambda items: deque(items, maxlen=9)),
        st.sets(st.text()),
        st.frozensets(st.integers()),
    ),
    max_leaves=20,
)


KNOWN = vocabulary()


@settings(deadline=None)
@given(VALUES)
def test_values_come_back(value: Any) -> None:
    encoded = json.loads(json.dumps(Encoder(KNOWN, []).value(value)))
    back = Decoder(KNOWN, []).value(encoded)
    assert back == value
    assert type(back) is type(value)


def test_resources_come_back_as_one_and_those_of_no_table_too() -> None:
    cloud = Cloud()
    account = cloud.admin_user.account
    stray = InstanceGroup(account=account, name="stray")
    one, two = (cloud.store.add(InstanceGroup(account=account, name=name)) for name in ("one", "two"))
    for row in (one, two):
        row.details["x"] = "y"
        cloud.store.table(InstanceGroup)
    vm_of = cloud.store.table(UserVm)
    assert not len(vm_of)
    cloud.admin_user.keys.append(stray)  # type: ignore[arg-type]
    cloud.system_user.keys.append(stray)  # type: ignore[arg-type]
    copy = copied(cloud)
    (a,), (b,) = copy.admin_user.keys, copy.system_user.keys
    assert a is b
    assert isinstance(a, InstanceGroup)
    assert a.account is copy.admin_user.account
    assert a not in copy.store


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"x": 1},
        {"r": -1},
        {"r": 0},
        {"r": True},
        {"o": ["os.system", {}]},
        {"o": ["UserVm", {}]},
        {"o": ["PodRange", {}]},
        {"o": ["PodRange", {"start_ip": "", "end_ip": "", "more": 1}]},
        {"o": 5},
        {"e": ["AccountType", 99]},
        {"f": ["os.system", {"d": {}}]},
        {"f": ["state.save", {"d": {}}]},
        {"at": "yesterday"},
        {"ip": "10.0.0"},
        {"t": 7},
        {"m": [[{"d": {}}, 1]]},
        {"d": {"a": 1}, "t": []},
    ],
)
def test_what_is_no_value_is_refused(value: Any) -> None:
    with pytest.raises(Unreadable):
        Decoder(KNOWN, []).value(value)


def test_what_waits_for_the_clock_is_declared() -> None:
    """Every function that the simulator hands to its clock or to a background task can be named by a state."""
    undeclared = []
    for file in sorted(Path(package.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            place = CALLED_BACK.get(_called(node)) if isinstance(node, ast.Call) else None
            if place is None or file.name in ("clock.py", "background.py"):
                continue
            function = node.args[place]  # type: ignore[attr-defined]
            if isinstance(function, ast.Call) and ast.unparse(function.func) == "partial":
                function = function.args[0]
            name = ast.unparse(function)
            declared = [each for each in clock.TIMED if each.split(".")[1] == name.rsplit(".")[-1]]
            if not declared and name not in ENDED_BEFORE_SAVING:
                undeclared.append(f"{file.name}:{node.lineno}: {name}")  # type: ignore[attr-defined]
    assert not undeclared, "declare these with simulator.clock.timed"


CALLED_BACK = {"call_at": 1, "call_later": 1, "keep_looking": 3}
"""Functions that have another one called later, and the position of that."""
ENDED_BEFORE_SAVING = {"finish", "webhook.outbox.flush"}


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


KEPT_OTHERWISE = {"clock", "store", "configuration", "sessions", "system_user", "admin_user"}
OF_THE_PROCESS = {
    "api",
    "events",
    "extension_scripts",
    "faults",
    "limits",
    "lock",
    "registry",
    "takes_jobs",
    "throttling",
    "when_exiting",
}


def test_everything_that_a_cloud_has_is_kept_or_belongs_to_the_process() -> None:
    assert vars(Cloud()).keys() == {*state.FACTS, *KEPT_OTHERWISE, *OF_THE_PROCESS}


# Files


def test_a_simulator_goes_on_where_another_ended(tmp_path: Path) -> None:
    file = tmp_path / "cloud.json"
    with requests.Session() as session:
        with Simulator(state=file, api_port=0) as first:
            assert not first.was_loaded
            furnish(first.cloud)
            keys = first.admin_keys()
            login = {"command": "login", "username": "admin", "password": "password", "response": "json"}
            api = f"http://127.0.0.1:{first.api_port}/client/api"
            given = session.post(api, data=login, timeout=10).json()["loginresponse"]["sessionkey"]
            vms = Client(first).rows("listVirtualMachines", listall=True)
        with Simulator(state=file, api_port=0, hypervisor="kvm", networking="basic") as second:
            assert second.was_loaded
            assert second.admin_keys() == keys
            assert Client(second).rows("listVirtualMachines", listall=True) == vms
            assert Client(second).one("listZones")["networktype"] == "Advanced"
            # Its cookie is for the host, whatever the port.
            api = f"http://127.0.0.1:{second.api_port}/client/api"
            asked = {"command": "listUsers", "sessionkey": given, "response": "json"}
            assert session.get(api, params=asked, timeout=10).json()["listusersresponse"]["count"] >= 1


def test_the_file_is_its_owners_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "real" / "cloud.json.gz"
    file.parent.mkdir()
    link = tmp_path / "link.json.gz"
    link.symlink_to(file)
    for _ in range(2):
        with Simulator(ready=False, state=link, api_port=0):
            pass
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["cloud.json.gz"]
    document = json.loads(gzip.decompress(file.read_bytes()))
    assert document["schema"] == "cs-simulator-state/1"
    assert document["saved_by"].startswith("cs-matrix-pytest ")


def test_what_never_ran_is_not_saved(tmp_path: Path) -> None:
    Simulator(ready=False, state=tmp_path / "cloud.json").stop()
    assert not list(tmp_path.iterdir())


def a_state() -> bytes:
    return json.dumps(state.dump(Cloud())).encode()


def changed(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(content)
    change(document)
    return json.dumps(document).encode()


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "not JSON"),
    "truncated": (lambda content: content[:-100], "not JSON"),
    "truncated, compressed": (lambda content: gzip.compress(content)[:-20], "it is damaged"),
    "flipped, compressed": (lambda content: gzip.compress(content)[:-8] + b"\0" * 8, "it is damaged"),
    "no gzip": (lambda _: b"\x1f\x8b and more", "it is damaged"),
    "binary": (lambda _: bytes(range(256)), "not JSON"),
    "a pickle": (lambda _: b"\x80\x04\x95\x10\x00.", "not JSON"),
    "deep": (lambda _: b"[" * 100_000, "not JSON"),
    "a list": (lambda _: b"[]", "does not begin with"),
    "foreign": (lambda _: b'{"schema": "cs-matrix/1"}', "does not begin with"),
    "newer": (lambda _: b'{"schema": "cs-simulator-state/2", "saved_by": "cs-matrix-pytest 9.0"}', "9.0"),
    "only its head": (lambda _: b'{"schema": "cs-simulator-state/1"}', "damaged"),
    "a class that is none": (
        lambda content: changed(content, lambda d: d["tables"][0].update({"class": "Popen"})),
        "called 'Popen'",
    ),
    "a timer that is none": (
        lambda content: changed(content, lambda d: d["timers"].append([0, "os.system", []])),
        "os.system",
    ),
    "a resource that is none": (
        lambda content: changed(content, lambda d: d["users"].update(admin={"r": 999_999})),
        "999999",
    ),
    "not a user": (lambda content: changed(content, lambda d: d["users"].update(admin={"r": 5})), "place of a user"),
    "a row without a name": (
        lambda content: changed(content, lambda d: d["tables"][0]["live"][0].pop("name")),
        "without name",
    ),
    "a row with more": (
        lambda content: changed(content, lambda d: d["tables"][0]["live"][0].update(more=1)),
        "with 'more'",
    ),
    "tables that are none": (lambda content: changed(content, lambda d: d.update(tables=5)), "damaged"),
    "a clock that is none": (lambda content: changed(content, lambda d: d.update(clock={"now": "x"})), "damaged"),
    "settings that are none": (lambda content: changed(content, lambda d: d.update(settings={"a": 5})), "damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_no_state_is_told_and_left_as_it_is(damage: str, tmp_path: Path) -> None:
    spoil, said = DAMAGES[damage]
    file = tmp_path / "cloud.json"
    content = spoil(a_state())
    file.write_bytes(content)
    with pytest.raises(UserError, match=said) as told:
        Simulator(state=file)
    assert str(told.value).startswith(f"{file}: ")
    assert "Name another file" in str(told.value)
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_damage_is_a_user_error_or_none_at_all(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document: Any = json.loads(STATE)
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key, depth = document, "tables", 0
        while isinstance(holder[key], (dict, list)) and len(holder[key]) and (depth < 2 or data.draw(st.booleans())):
            holder, depth = holder[key], depth + 1
            key = data.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        holder[key] = data.draw(st.sampled_from([None, -1, "x", [], {}, {"r": 1}, {"d": {}}, [[]], 1e300, "é" * 9]))
    file = tmp_path_factory.mktemp("damaged") / "cloud.json"
    file.write_text(json.dumps(document))
    cloud = Cloud()
    try:
        state.load(cloud, file)
    except UserError:
        return
    for command in ("listVirtualMachines", "listZones", "listUsers"):
        cloud.execute(cloud.system_caller, command, {})


STATE = a_state()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("missing/cloud.json", "there is no such folder"),
        (".", "the state cannot be read"),
        ("locked/x", "cannot be written"),
    ],
)
def test_a_place_where_no_state_can_be_is_told_at_once(place: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    if place.startswith("locked") and os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(UserError, match=said):
        Simulator(state=tmp_path / place)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_program_saves_when_it_is_ended(end: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "cloud.json.gz"
    with simulator("--state", str(file)) as (process, said):
        api = client(said)
        home = {
            "zoneid": api.listZones()["zone"][0]["id"],
            "templateid": api.listTemplates(templatefilter="featured")["template"][0]["id"],
            "serviceofferingid": api.listServiceOfferings()["serviceoffering"][0]["id"],
        }
        vm = api.deployVirtualMachine(**home, fetch_result=True)["virtualmachine"]
        process.send_signal(end)
        assert process.wait(20) == 0
    with simulator("--state", str(file), "--networking", "basic") as (process, again):
        assert again["CLOUDSTACK_SECRET"] == said["CLOUDSTACK_SECRET"]
        api = client(again)
        (kept,) = api.listVirtualMachines()["virtualmachine"]
        assert (kept["id"], kept["state"]) == (vm["id"], "Running")
        api.stopVirtualMachine(id=vm["id"], fetch_result=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_the_program_saves_and_ends_when_it_is_shut_down_by_the_api(tmp_path: Path) -> None:
    file = tmp_path / "cloud.json"
    with simulator("--state", str(file)) as (process, said):
        asked = {"command": "listManagementServers", "response": "json"}
        (server,) = requests.get(said["integration"], params=asked, timeout=10).json()["listmanagementserversresponse"][
            "managementserver"
        ]
        order = {"command": "triggerShutdown", "managementserverid": server["id"], "response": "json"}
        assert requests.get(said["integration"], params=order, timeout=10).status_code == 200
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                requests.get(said["integration"], params=asked, timeout=10)
            time.sleep(0.1)
        assert process.poll() == 0
    with Simulator(state=file, api_port=0) as again:
        assert again.was_loaded
        assert Client(again).one("listManagementServers")["state"] == "Up"


def test_the_program_tells_a_broken_state_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "cloud.json"
    file.write_text("{")
    done = subprocess.run(
        [sys.executable, "-m", "cs_matrix_pytest", "simulator", "--port", "0", "--state", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"{file}: this is no state that can be loaded" in done.stderr
    assert file.read_text() == "{"
