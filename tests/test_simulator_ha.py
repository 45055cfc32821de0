"""Host HA and out-of-band management of the simulator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.families.host_ha_states import STATES
from cs_matrix_pytest.simulator.families.out_of_band_drivers import nested_power, signed_query
from simulator_over_http import Client

POLL = 4.0
"""Seconds between two looks of HA."""


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def host(client: Client) -> str:
    """The id of a hypervisor host."""
    return str(client.rows("listHosts", type="Routing")[0]["id"])


def hosts(client: Client, id: str) -> dict[str, Any]:
    return client.one("listHosts", id=id)


# Host HA


def with_ha(client: Client, host: str, **answers: bool) -> None:
    """Turn HA on for a host that answers its checks as told; those that are not told go well."""
    client.run("configureHAForHost", hostid=host, provider="SimulatorHAProvider")
    told = {"health": True, "activity": True, "recover": True, "fence": True, **answers}
    client.run("configureSimulatorHAProviderState", hostid=host, **told)
    client.run("enableHAForHost", hostid=host)


def changes(client: Client, host: str) -> list[tuple[str, str, str]]:
    """(before, event, after) of a host, without those that are told a second time."""
    rows = client.rows("listSimulatorHAStateTransitions", hostid=host)
    told = [(row["prevhastate"], row["event"], row["hastate"]) for row in rows]
    return [change for place, change in enumerate(told) if place == 0 or told[place - 1] != change]


def test_a_host_shows_its_ha(client: Client, host: str) -> None:
    assert hosts(client, host)["hostha"] == {"haenable": False, "hastate": "Disabled"}
    configured = client.one("configureHAForHost", hostid=host, provider="SimulatorHAProvider")
    assert configured == {"hostid": host, "haprovider": "simulatorhaprovider", "status": True}
    enabled = client.one("enableHAForHost", hostid=host)
    assert enabled == {"hostid": host, "haenable": True, "status": True}
    expected = {"haenable": True, "hastate": "Disabled", "haprovider": "simulatorhaprovider"}
    assert hosts(client, host)["hostha"] == expected
    assert client.rows("listHostHAResources") == [{"hostid": host, **expected}]
    assert client.one("disableHAForHost", hostid=host)["haenable"] is False


@pytest.mark.parametrize(
    ("hypervisor", "providers"),
    [("Simulator", ["SimulatorHAProvider"]), ("KVM", ["KVMHAProvider"]), ("Unknown", [])],
)
def test_providers(client: Client, hypervisor: str, providers: list[str]) -> None:
    rows = client.rows("listHostHAProviders", hypervisor=hypervisor)
    assert [row["haprovider"] for row in rows] == providers


@pytest.mark.parametrize(
    ("command", "params", "code", "text"),
    [
        ("listHostHAProviders", {"hypervisor": "VMware"}, 431, "Supported types are: [KVM, Simulator, Unknown]"),
        ("enableHAForHost", {"hostid": -1}, 431, "Unable to find host by ID: -1"),
        ("disableHAForHost", {"hostid": -1}, 431, "Unable to find host by ID: -1"),
        ("enableHAForCluster", {"clusterid": -1}, 431, "Unable to find cluster by ID: -1"),
        ("disableHAForZone", {"zoneid": -1}, 431, "Unable to find zone by ID: -1"),
        ("listHostHAResources", {"hostid": "nothing"}, 431, "due to incorrect long value format"),
        (
            "configureHAForHost",
            {"provider": "noprovider"},
            530,
            "Given HA provider [noprovider] does not exist.",
        ),
        ("configureHAForHost", {"provider": "kvmhaprovider"}, 431, "Incompatible haprovider provided [KVM]"),
        ("enableHAForHost", {}, 431, "HAProvider is not provided for the resource"),
        ("disableHAForHost", {}, 431, "HAProvider is not provided for the resource"),
    ],
)
def test_what_ha_refuses(client: Client, host: str, command: str, params: dict[str, Any], code: int, text: str) -> None:
    given = params if {"hostid", "clusterid", "zoneid", "hypervisor"} & params.keys() else {"hostid": host, **params}
    refused = client.refused(command, **given)
    assert refused[0] == code
    assert text in refused[1]


def test_a_healthy_host_becomes_available(client: Client, host: str) -> None:
    with_ha(client, host)
    client.pass_time(POLL)
    assert hosts(client, host)["hostha"]["hastate"] == "Available"
    assert changes(client, host) == [
        ("disabled", "enabled", "available"),
        ("available", "healthcheckpassed", "available"),
    ]


def test_a_sick_host_with_activity_is_degraded(client: Client, host: str) -> None:
    with_ha(client, host, health=False)
    client.pass_time(POLL * 4)
    suspicion = [("suspect", "performactivitycheck", "checking"), ("checking", "toofewactivitychecksamples", "suspect")]
    assert changes(client, host) == [
        ("disabled", "enabled", "available"),
        ("available", "healthcheckfailed", "suspect"),
        *suspicion,
        *suspicion,
        ("suspect", "performactivitycheck", "checking"),
        ("checking", "activitycheckfailureunderthresholdratio", "degraded"),
    ]
    last = client.rows("listSimulatorHAStateTransitions", hostid=host)[-1]
    assert (last["activitycounter"], last["recoverycounter"]) == (3, 0)


def test_a_dead_host_is_recovered_until_it_is_fenced(client: Client, host: str) -> None:
    with_ha(client, host, health=False, activity=False)
    client.pass_time(POLL * 40)
    seen = [after for _, _, after in changes(client, host)]
    assert seen.index("recovering") < seen.index("recovered") < seen.index("fencing") < seen.index("fenced")
    assert hosts(client, host)["resourcestate"] == "Maintenance"
    assert "ALERT.HA.ACTION" in {alert["name"] for alert in client.rows("listAlerts")}
    told = [event["description"] for event in client.rows("listEvents", type="HA.STATE.TRANSITION", listall=True)]
    assert any("from: Fencing to: Fenced" in text for text in told)


def test_a_host_that_cannot_be_fenced_stays_in_fencing(client: Client, host: str) -> None:
    with_ha(client, host, health=False, activity=False, recover=False, fence=False)
    client.pass_time(POLL * 20)
    assert hosts(client, host)["hostha"]["hastate"] == "Fencing"
    assert changes(client, host)[-1] == ("fencing", "retryfencing", "fencing")


def test_a_fenced_host_that_is_healthy_again_needs_somebody_to_take_it_back(client: Client, host: str) -> None:
    with_ha(client, host, health=False, activity=False, recover=False)
    client.pass_time(POLL * 10)
    assert hosts(client, host)["hostha"]["hastate"] == "Fenced"
    told = {"health": True, "activity": True, "recover": True, "fence": True}
    client.run("configureSimulatorHAProviderState", hostid=host, **told)
    client.pass_time(POLL * 10)
    assert hosts(client, host)["hostha"]["hastate"] == "Fenced"
    client.run("cancelHostMaintenance", id=host)
    client.pass_time(POLL)
    assert hosts(client, host)["hostha"]["hastate"] == "Available"


@pytest.mark.parametrize(("area", "field"), [("Cluster", "clusterid"), ("Zone", "zoneid")])
def test_an_area_turns_the_ha_of_its_hosts_off_and_on(client: Client, host: str, area: str, field: str) -> None:
    where = {field: hosts(client, host)[field]}
    with_ha(client, host)
    client.pass_time(POLL)
    # Not every host there has HA: that is what the answer says, though it is off now.
    assert client.run(f"disableHAFor{area}", **where)["success"] is False
    client.pass_time(POLL)
    assert hosts(client, host)["hostha"]["hastate"] == "Disabled"
    assert client.run(f"enableHAFor{area}", **where)["success"] is True
    client.pass_time(POLL)
    assert hosts(client, host)["hostha"]["hastate"] == "Available"


def test_a_host_in_maintenance_is_not_eligible(client: Client, host: str) -> None:
    with_ha(client, host)
    client.pass_time(POLL)
    client.run("prepareHostForMaintenance", id=host)
    client.pass_time(POLL * 2)
    assert hosts(client, host)["hostha"]["hastate"] == "Ineligible"


def test_the_state_machine_ends_nowhere_but_can_always_be_disabled() -> None:
    states = {"Disabled", *STATES.values()}
    assert all((state, "Disabled") in STATES for state in states - {"Disabled"})
    assert {before for before, _ in STATES} == states


def test_ha_of_kvm_hosts_goes_by_their_power(client: Client) -> None:
    with Simulator(hypervisor="kvm") as simulator:
        kvm = Client(simulator)
        host = kvm.rows("listHosts", type="Routing")[0]["id"]
        kvm.run("configureHAForHost", hostid=host, provider="KVMHAProvider")
        kvm.run("enableHAForHost", hostid=host)
        kvm.pass_time(POLL)
        assert hosts(kvm, host)["hostha"]["hastate"] == "Ineligible"
        reach(kvm, host)
        kvm.pass_time(POLL * 2)
        assert hosts(kvm, host)["hostha"]["hastate"] == "Available"


def test_machines_with_ha_leave_a_host_that_is_fenced(client: Client, host: str) -> None:
    client.run(
        "createServiceOffering", name="ha", displaytext="ha", cpunumber=1, cpuspeed=100, memory=128, offerha=True
    )
    template = next(
        row for row in client.rows("listTemplates", templatefilter="executable") if row["templatetype"] != "SYSTEM"
    )
    owner = {"account": "admin", "domainid": client.one("listDomains", name="ROOT")["id"], "hostid": host}
    ids = {"zoneid": client.one("listZones")["id"], "templateid": template["id"], **owner}
    offerings = {row["name"]: row["id"] for row in client.rows("listServiceOfferings")}
    protected = client.one("deployVirtualMachine", serviceofferingid=offerings["ha"], **ids)["id"]
    other = client.one("deployVirtualMachine", serviceofferingid=offerings["Small Instance"], **ids)["id"]
    with_ha(client, host, health=False, activity=False, recover=False)
    client.pass_time(POLL * 10)
    moved, stopped = (client.one("listVirtualMachines", id=id) for id in (protected, other))
    assert (moved["state"], moved["hostid"] == host) == ("Running", False)
    assert stopped["state"] == "Stopped"


# Out-of-band management


def reach(client: Client, host: str, **how: str) -> dict[str, Any]:
    """Configure a host's BMC and turn it on."""
    given = {"driver": "ipmitool", "address": "10.0.0.1", "port": "623", "username": "admin", "password": "secret"}
    configured = client.one("configureOutOfBandManagement", hostid=host, **{**given, **how})
    client.run("enableOutOfBandManagementForHost", hostid=host)
    return configured


def act(client: Client, host: str, action: str) -> dict[str, Any]:
    return client.one("issueOutOfBandManagementPowerAction", hostid=host, action=action)


def test_configuring_answers_what_is_kept_and_hides_the_password(client: Client, host: str) -> None:
    answer = reach(client, host)
    assert answer["description"].startswith('Out-of-band management successfully configured for Host {"id":')
    assert {name: answer[name] for name in ("driver", "port", "password", "powerstate", "enabled", "status")} == {
        "driver": "ipmitool",
        "port": "623",
        "password": "s****",
        "powerstate": "Disabled",
        "enabled": False,
        "status": True,
    }
    assert "secret" not in str(hosts(client, host))


@pytest.mark.parametrize("driver", ["ipmitool", "redfish"])
@pytest.mark.parametrize(
    ("action", "power"), [("ON", "On"), ("OFF", "Off"), ("CYCLE", "On"), ("RESET", "On"), ("SOFT", "Off")]
)
def test_power_actions(client: Client, host: str, driver: str, action: str, power: str) -> None:
    reach(client, host, driver=driver)
    done = act(client, host, action)
    assert (done["action"], done["status"], done["hostid"]) == (action, True, host)
    assert act(client, host, "STATUS")["powerstate"] == power
    assert hosts(client, host)["outofbandmanagement"]["powerstate"] == power


def test_the_power_state_is_looked_up_in_the_background(client: Client, host: str) -> None:
    reach(client, host)
    assert hosts(client, host)["outofbandmanagement"]["powerstate"] == "Disabled"
    client.pass_time(POLL)
    assert hosts(client, host)["outofbandmanagement"]["powerstate"] == "On"
    assert [row["id"] for row in client.rows("listHosts", outofbandmanagementpowerstate="On")] == [host]
    assert [row["id"] for row in client.rows("listHosts", outofbandmanagementenabled=True)] == [host]
    assert client.one("listHostsMetrics", id=host)["powerstate"] == "On"


def test_a_changed_password_is_needed_from_then_on(client: Client, host: str) -> None:
    reach(client, host)
    act(client, host, "STATUS")
    assert client.one("changeOutOfBandManagementPassword", hostid=host, password="other")["status"] is True
    act(client, host, "STATUS")
    reach(client, host, password="secret")
    code, text = client.refused("issueOutOfBandManagementPowerAction", hostid=host, action="STATUS")
    assert code == 530
    assert "due to authentication error" in text
    assert hosts(client, host)["outofbandmanagement"]["powerstate"] == "Unknown"


@pytest.mark.parametrize(
    ("command", "params", "code", "text"),
    [
        (
            "configureOutOfBandManagement",
            {"driver": "none", "address": "a", "port": "1", "username": "u", "password": "p"},
            530,
            "Out-of-band management driver is not available. Please provide a valid driver name.",
        ),
        (
            "enableOutOfBandManagementForHost",
            {},
            530,
            "Out-of-band management is not configured for the host. "
            "Please configure the host before enabling/disabling it.",
        ),
        (
            "issueOutOfBandManagementPowerAction",
            {"action": "STATUS"},
            530,
            "Out-of-band management is disabled or not configured for the host. Aborting Operation.",
        ),
        (
            "changeOutOfBandManagementPassword",
            {"password": "x"},
            530,
            "Out-of-band management is disabled or not configured for the host. Aborting Operation.",
        ),
    ],
)
def test_what_out_of_band_management_refuses(
    client: Client, host: str, command: str, params: dict[str, str], code: int, text: str
) -> None:
    assert client.refused(command, hostid=host, **params) == (code, text)


@pytest.mark.parametrize(("area", "field"), [("Cluster", "clusterid"), ("Zone", "zoneid")])
def test_an_area_turns_out_of_band_management_off(client: Client, host: str, area: str, field: str) -> None:
    where = {field: hosts(client, host)[field]}
    reach(client, host)
    assert client.one(f"disableOutOfBandManagementFor{area}", **where) == {"enabled": False, "status": True}
    refused = client.refused("issueOutOfBandManagementPowerAction", hostid=host, action="ON")
    assert refused == (
        530,
        f"Out-of-band management is disabled for the host's {area.lower()}. Aborting Operation.",
    )
    client.run(f"enableOutOfBandManagementFor{area}", **where)
    assert act(client, host, "ON")["status"] is True


def test_an_unknown_action_is_refused(client: Client, host: str) -> None:
    reach(client, host)
    code, text = client.refused("issueOutOfBandManagementPowerAction", hostid=host, action="EXPLODE")
    assert (code, text.split(".")[-1]) == (530, "EXPLODE")


def test_a_host_that_is_a_vm_of_another_cloudstack(client: Client, host: str) -> None:
    with Simulator() as outside:
        other = Client(outside)
        zone, offering = other.one("listZones"), other.rows("listServiceOfferings")[0]
        templates = other.rows("listTemplates", templatefilter="executable")
        template = next(row for row in templates if row["templatetype"] != "SYSTEM")
        ids = {"zoneid": zone["id"], "templateid": template["id"], "serviceofferingid": offering["id"]}
        key, secret = outside.admin_keys()
        admin = {"account": "admin", "domainid": other.one("listDomains", name="ROOT")["id"]}
        machine = other.one("deployVirtualMachine", **ids, **admin)["id"]
        address = f"http://127.0.0.1:{outside.api_port}/client/api"
        how = {"driver": "nestedcloudstack", "address": address, "port": machine, "username": key}
        reach(client, host, **how, password=secret)
        assert act(client, host, "STATUS")["powerstate"] == "On"
        act(client, host, "OFF")
        assert other.one("listVirtualMachines", id=machine)["state"] == "Stopped"
        assert act(client, host, "STATUS")["powerstate"] == "Off"
        reach(client, host, **how, password="wrong")
        code, text = client.refused("issueOutOfBandManagementPowerAction", hostid=host, action="ON")
        assert code == 530
        assert "due to authentication error: HTTP error code: 401" in text
        refused = client.refused("changeOutOfBandManagementPassword", hostid=host, password="new")
        assert "Change password operation is not supported" in refused[1]


def test_no_cloudstack_of_another_machine_is_contacted(client: Client, host: str) -> None:
    reach(client, host, driver="nestedcloudstack", address="http://192.0.2.1/client/api")
    code, text = client.refused("issueOutOfBandManagementPowerAction", hostid=host, action="STATUS")
    assert (code, "of this machine only" in text) == (530, True)


@given(st.text())
def test_any_answer_of_another_cloudstack_is_a_power_state(text: str) -> None:
    assert nested_power(text) in ("On", "Off", "Unknown")


def test_a_signature_does_not_depend_on_the_order_of_parameters() -> None:
    one = signed_query({"command": "x", "id": "a b"}, "secret")
    other = signed_query({"id": "a b", "command": "x"}, "secret")
    assert one.rpartition("&")[2] == other.rpartition("&")[2]


# In the database


def query(client: Client, sql: str) -> list[Any]:
    """The rows of a statement, by MySQL's own client library."""
    connector = pytest.importorskip("mysql.connector")
    server = {"host": "127.0.0.1", "port": client.simulator.database_port, "user": "cloud", "password": "cloud"}
    with contextlib.closing(connector.connect(**server, database="cloud", autocommit=True)) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.with_rows else []


def test_ha_in_the_database(client: Client, host: str) -> None:
    with_ha(client, host)
    client.pass_time(POLL)
    columns = "resource_type, enabled, ha_state, provider"
    assert query(client, f"select {columns} from ha_config") == [("Host", 1, "Available", "simulatorhaprovider")]
    query(client, "delete from ha_config where resource_type='Host'")
    assert client.rows("listHostHAResources") == []
    assert hosts(client, host)["hostha"] == {"haenable": False, "hastate": "Disabled"}


def test_what_a_management_server_looked_after_is_anybodys_once_it_has_left(client: Client, host: str) -> None:
    with_ha(client, host, health=False)
    client.pass_time(POLL)
    (mine,) = query(client, "select mgmt_server_id from ha_config")
    query(
        client,
        "insert into mshost (msid, runid, name, state, version, service_ip, service_port, last_update) "
        "values (77, 7700, 'other', 'Down', '4.23.0.0-SNAPSHOT', '127.0.0.1', '22', now())",
    )
    query(client, "update ha_config set mgmt_server_id=77 where enabled=1")
    told = len(changes(client, host))
    client.pass_time(POLL * 3)
    assert len(changes(client, host)) == told
    assert query(client, "select peer_runid from mshost_peer") == [(7700,)]
    query(client, "update mshost set removed=now() where runid=7700")
    query(client, "update mshost_peer set peer_state='Down' where peer_runid=7700")
    client.pass_time(POLL * 2)
    assert len(changes(client, host)) > told
    assert query(client, "select mgmt_server_id from ha_config") == [mine]
    query(client, "delete from mshost_peer where peer_runid=7700")
    assert query(client, "select * from mshost_peer") == []


def test_out_of_band_management_in_the_database(client: Client, host: str) -> None:
    reach(client, host)
    client.pass_time(POLL)
    columns = "driver, address, port, power_state"
    assert query(client, f"select {columns} from oobm where enabled=1") == [("ipmitool", "10.0.0.1", "623", "On")]
    query(client, "delete from oobm where port=623")
    assert hosts(client, host)["outofbandmanagement"] == {"powerstate": "Disabled", "enabled": False}


def test_revoked_certificates_in_the_database(client: Client) -> None:
    client.run("revokeCertificate", serial="ABC123", cn="example.org")
    assert query(client, "select serial, cn from crl") == [("abc123", "example.org")]
