"""The simulator's database, through MySQL's own client library and through Marvin's DbConnection's way of using it."""

from __future__ import annotations

import contextlib
import datetime
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import mysql.connector
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.models.usage import UsageEvent

DEPLOYED = [
    "NETWORK.CREATE",
    "VOLUME.CREATE",
    "VM.CREATE",
    "NET.IPASSIGN",
    "NETWORK.UPDATE",
    "NETWORK.OFFERING.ASSIGN",
    "VM.START",
]
"""What a real server writes for an account's first VM."""


class Database:
    """A simulator with an account of its own, and its database."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.run = simulator.run
        names = {"username": "u", "password": "p", "firstname": "a", "lastname": "b", "email": "a@example.org"}
        self.account = self.run("createAccount", accounttype=0, **names)["account"]
        self.owner = {"account": "u", "domainid": self.account["domainid"]}
        self.zone = self.run("listZones")["zone"][0]["id"]

    def __call__(self, sql: str, params: tuple[object, ...] | None = None, db: str = "cloud", **options: Any) -> Any:
        """As Marvin: a connection per statement; the rows of a query, else []."""
        server = {"host": "127.0.0.1", "port": self.simulator.database_port, "user": "cloud", "password": "cloud"}
        with contextlib.closing(mysql.connector.connect(**{**server, "database": db, **options})) as connection:
            connection.autocommit = True
            with contextlib.closing(connection.cursor(buffered=True)) as cursor:
                cursor.execute(sql, params)
                return cursor.fetchall() if cursor.with_rows else []

    def refused(self, sql: str, **options: Any) -> tuple[int, str]:
        with pytest.raises(mysql.connector.Error) as refusal:
            self(sql, **options)
        return refusal.value.errno, refusal.value.msg

    def deploy(self, **params: Any) -> dict[str, Any]:
        size = self.run("listServiceOfferings")["serviceoffering"][0]["id"]
        template = self.run("listTemplates", templatefilter="featured")["template"][0]["id"]
        wanted = {"zoneid": self.zone, "serviceofferingid": size, "templateid": template, **self.owner, **params}
        vm: dict[str, Any] = self.run("deployVirtualMachine", **wanted)["virtualmachine"]
        return vm

    def usage(self) -> list[str]:
        """The account's usage events, as suites ask for them."""
        number = self("select id from account where uuid = '%s';" % self.account["id"])[0][0]  # noqa: UP031
        return [type for (type,) in self(f"select type from usage_event where account_id = '{number}';")]


@pytest.fixture
def database() -> Iterator[Database]:
    with Simulator(api_port=0) as simulator:
        yield Database(simulator)


def test_marvins_config_names_the_database(database):
    server = database.simulator.marvin_config()["dbSvr"]
    options = {"host": server["dbSvr"], "port": server["port"], "user": server["user"], "password": server["passwd"]}
    assert database("select account_name from account where id=2", db=server["db"], **options) == [("admin",)]


def test_ids_lead_from_one_table_to_the_next(database):
    vm = database.deploy()
    (vm_id, account_id), *_ = database("select id, account_id from vm_instance where uuid=%s", (vm["id"],))
    assert database("select account_name from account where id=%s", (account_id,)) == [("u",)]
    assert database(f"select volume_type from volumes where instance_id='{vm_id}' and removed is null") == [("ROOT",)]
    nic = database(
        "select n.ip4_address from nics n join vm_instance v on v.id = n.instance_id where v.uuid=%s", (vm["id"],)
    )
    assert nic == [(vm["nic"][0]["ipaddress"],)]


def test_machines_of_all_sorts_have_ids_of_their_own(database):
    database.deploy()
    rows = database("select id, type from vm_instance")
    assert {type for _, type in rows} == {"User", "DomainRouter", "ConsoleProxy", "SecondaryStorageVm"}
    assert len({id for id, _ in rows}) == len(rows)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("id = '2'", True),
        ("id = 2 and account_name = 'ADMIN'", True),
        ('account_name like "%DMI%"', True),
        ("removed is null and state in ('enabled')", True),
        ("created <= now() and uuid <> uuid()", True),
        ("id = 2 and removed is not null", False),
        ("id in (select account_id from user where username = 'admin')", True),
    ],
)
def test_conditions_hold_as_in_mysql(database, condition, found):
    assert (("admin",) in database(f"select account_name from account where {condition}")) is found


def test_times_are_times_and_nothing_is_null(database):
    (created, removed), *_ = database("select created, removed from account where id = 2")
    assert isinstance(created, datetime.datetime)
    assert removed is None
    assert database("SELECT max(end_date) FROM usage_job WHERE success=1;", db="cloud_usage") == [(None,)]


def test_what_was_removed_stays_in_the_tables(database):
    vm = database.deploy()
    database.run("destroyVirtualMachine", id=vm["id"], expunge=True)
    ((state, removed),) = database("select state, removed from cloud.vm_instance where uuid=%s", (vm["id"],))
    assert state == "Expunging"
    assert isinstance(removed, datetime.datetime)


def test_a_job_has_the_columns_of_a_real_server_in_their_order(database):
    job = database.simulator.cloud.run("listAsyncJobs", listall=True)["asyncjobs"][0]["jobid"]
    ((*row,),) = database(f"select * from async_job where uuid='{job}'")
    assert len(row) == 24
    assert (row[8], row[10], row[18], row[21]) == (1, 0, job, "ApiAsyncJobDispatcher")
    assert isinstance(row[17], datetime.datetime)


# Statements that change something


def test_settings_change(database):
    database("update configuration set value='7' where name='expunge.delay'")
    assert database.run("listConfigurations", name="expunge.delay")["configuration"][0]["value"] == "7"


def test_hosts_get_another_status(database):
    uuid = database.run("listHosts", type="Routing")["host"][0]["id"]
    database("UPDATE host SET status = 'Alert' WHERE uuid = %s", (uuid,))
    assert database.run("listHosts", id=uuid)["host"][0]["state"] == "Alert"


def test_users_get_another_source(database):
    user = database.account["user"][0]["id"]
    number = database("select id from user where uuid=%s", (user,))[0][0]
    for source, shown in (("SAML2", "saml2"), ("UNKNOWN", "native")):
        database(f"update user set source='{source}' where id={number}")
        assert database.run("listUsers", id=user)["user"][0]["usersource"] == shown


def test_a_roles_rules_follow_what_is_inserted(database):
    role = database.run("createRole", name="r", type="User")["role"]["id"]
    number = database("select id from roles where uuid=%s", (role,))[0][0]
    for order, (rule, permission) in enumerate([("listApis", "ALLOW"), ("list*", "DENY")]):
        database(
            "insert into role_permissions (uuid, role_id, rule, permission, sort_order) values (UUID(), %s, %s, %s, %s)",
            (number, rule, permission, order),
        )
    rules = database.run("listRolePermissions", roleid=role)["rolepermission"]
    assert [(rule["rule"], rule["permission"]) for rule in rules] == [("listApis", "allow"), ("list*", "deny")]


def test_a_hidden_detail_is_in_the_table_alone(database):
    vm = database.deploy()
    number = database("select id from vm_instance where uuid=%s", (vm["id"],))[0][0]
    for name, display in (("seen", 1), ("hidden", 0)):
        database(
            "insert into vm_instance_details (vm_id, name, value, display) values (%s, %s, 'x', %s)",
            (number, name, display),
        )
    shown = database.run("listVirtualMachines", id=vm["id"])["virtualmachine"][0]["details"]
    assert "seen" in shown
    assert "hidden" not in shown
    database.run("updateVirtualMachine", id=vm["id"], cleanupdetails=True)
    assert database("select name from vm_instance_details where vm_id=%s", (number,)) == [("hidden",)]


def test_a_management_server_can_be_faked_and_forgotten(database):
    assert len(database("select msid from mshost where removed is NULL and state='Up'")) == 1
    database("insert into mshost (msid, runid, name, state, version) values (5, 77, 'fake', 'Down', '4.23')")
    assert database("select msid, name from mshost where runid=77") == [(5, "fake")]
    database("update mshost set removed=now() where runid=77")
    assert database("select name from mshost where removed is null") == [("localhost",)]
    database("delete from mshost where runid=77")
    assert database("select count(*) from mshost") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "code", "text"),
    [
        ("select nope from account", 1054, "Unknown column 'nope': this simulator does not keep it in cloud.account"),
        ("update account set nope=1", 1054, "Unknown column 'nope': this simulator does not keep it in cloud.account"),
        ("select * from nope", 1146, "Table 'cloud.nope' is not kept by this simulator"),
        ("select * from other.account", 1049, "Unknown database 'other'"),
        (
            "update account set account_name='x'",
            1235,
            "This simulator cannot update column account_name of cloud.account",
        ),
        ("delete from account", 1235, "This simulator cannot delete from cloud.account"),
        ("insert into account (id) values (1)", 1235, "This simulator cannot insert into cloud.account"),
        ("insert into role_permissions (role_id, rule) values (999, '*')", 1235, "There is no role with id 999"),
        ("insert into mshost (msid, runid) values (1)", 1136, "Column count doesn't match value count at row 1"),
        ("drop table account", 1235, "This simulator's database does not do DROP"),
        ("update vm_instance set removed='soon'", 1235, "Incorrect datetime value: 'soon'"),
    ],
)
def test_what_cannot_be_done_is_said_with_table_and_column(database, sql, code, text):
    before = database("select * from account")
    assert database.refused(sql) == (code, text)
    assert database("select * from account") == before


@pytest.mark.parametrize("sql", ["select (id from account", "selec", "select id account where"])
def test_bad_sql_is_a_syntax_error(database, sql):
    code, text = database.refused(sql)
    assert code == 1064
    assert text.startswith("You have an error in your SQL syntax")


def test_changes_that_meet_no_row_change_nothing(database):
    assert database("update account set account_name='x' where id=99") == []
    assert database("delete from ha_config where resource_type='Host'") == []


def test_only_the_clouds_user_gets_in(database):
    code, text = database.refused("select 1", password="wrong")
    assert code == 1045
    assert "cloud" in text


@pytest.fixture(scope="module")
def shared() -> Iterator[Database]:
    with Simulator(api_port=0) as simulator:
        yield Database(simulator)


@settings(max_examples=50, deadline=None)
@given(junk=st.text(max_size=60))
def test_no_statement_breaks_the_server(shared, junk):
    with contextlib.suppress(mysql.connector.Error):
        shared(f"select {junk} from account")
    assert shared("select account_name from account where id = 2") == [("admin",)]


def test_many_clients_at_once(database):
    answers: list[Any] = []
    clients = [
        threading.Thread(target=lambda: answers.append(database("select id from account where account_name='u'")))
        for _ in range(20)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join(30)
    assert len(answers) == 20
    assert all(answer == answers[0] and answer for answer in answers)


def test_a_client_that_says_nothing_keeps_nobody_waiting(database):
    with socket.create_connection(("127.0.0.1", database.simulator.database_port)):
        assert database("select count(*) from data_center") == [(1,)]


def test_a_missing_library_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "mysql_mimic", None)
    with Simulator(api_port=0) as simulator:
        database = Database(simulator)
        text = "The simulator's database needs more: pip install 'cs-matrix-pytest[sql]'"
        assert database.refused("select 1") == (1105, text)
        assert database.refused("select 1") == (1105, text)


# Usage events


def test_a_vms_life_is_metered_as_a_real_server_does(database):
    vm = database.deploy()
    assert database.usage() == DEPLOYED
    database.run("stopVirtualMachine", id=vm["id"])
    database.run("destroyVirtualMachine", id=vm["id"], expunge=True)
    gone = ["VM.STOP", "NETWORK.OFFERING.REMOVE", "VM.DESTROY", "VOLUME.DELETE"]
    assert database.usage() == [*DEPLOYED, *gone]


def use_address(database: Database, vm: dict[str, Any]) -> str:
    network = vm["nic"][0]["networkid"]
    return str(database.run("associateIpAddress", networkid=network, **database.owner)["ipaddress"]["id"])


def release(database: Database, vm: dict[str, Any]) -> None:
    database.run("disassociateIpAddress", id=use_address(database, vm))


def balance(database: Database, vm: dict[str, Any]) -> None:
    ip, ports = use_address(database, vm), {"name": "x", "algorithm": "roundrobin", "privateport": 1, "publicport": 2}
    rule = database.run("createLoadBalancerRule", publicipid=ip, openfirewall=False, **ports)["loadbalancer"]
    database.run("deleteLoadBalancerRule", id=rule["id"])


def forward(database: Database, vm: dict[str, Any]) -> None:
    ports = {"protocol": "tcp", "privateport": 22, "publicport": 22, "openfirewall": False}
    wanted = {"ipaddressid": use_address(database, vm), "virtualmachineid": vm["id"], **ports}
    rule = database.run("createPortForwardingRule", **wanted)["portforwardingrule"]
    database.run("deletePortForwardingRule", id=rule["id"])


def root_of(database: Database, vm: dict[str, Any]) -> str:
    return str(database.run("listVolumes", virtualmachineid=vm["id"], listall=True)["volume"][0]["id"])


def snapshot(database: Database, vm: dict[str, Any]) -> None:
    taken = database.run("createSnapshot", volumeid=root_of(database, vm))["snapshot"]
    database.run("deleteSnapshot", id=taken["id"])


def vm_snapshot(database: Database, vm: dict[str, Any]) -> None:
    taken = database.run("createVMSnapshot", virtualmachineid=vm["id"], snapshotmemory=True)["vmsnapshot"]
    database.run("deleteVMSnapshot", vmsnapshotid=taken["id"])


def disk(database: Database, vm: dict[str, Any]) -> None:
    offering = database.run("createDiskOffering", name="d", displaytext="d", customized=True)["diskoffering"]["id"]
    wanted = {"name": "d", "zoneid": database.zone, "diskofferingid": offering, "size": 1, **database.owner}
    made = database.run("createVolume", **wanted)["volume"]["id"]
    database.run("attachVolume", id=made, virtualmachineid=vm["id"])
    database.run("detachVolume", id=made)
    database.run("resizeVolume", id=made, size=2)
    database.run("deleteVolume", id=made)


def template(database: Database, vm: dict[str, Any]) -> None:
    database.run("stopVirtualMachine", id=vm["id"])
    os_type = database.run("listOsTypes")["ostype"][0]["id"]
    wanted = {"name": "t", "displaytext": "t", "ostypeid": os_type, "volumeid": root_of(database, vm)}
    made = database.run("createTemplate", **wanted, **database.owner)["template"]
    database.run("deleteTemplate", id=made["id"])


def vpn_user(database: Database, vm: dict[str, Any]) -> None:
    database.run("addVpnUser", username="vera", password="secret", **database.owner)
    database.run("removeVpnUser", username="vera", **database.owner)


def grow(database: Database, vm: dict[str, Any]) -> None:
    database.run("stopVirtualMachine", id=vm["id"])
    size = {"name": "big", "displaytext": "big", "cpunumber": 2, "cpuspeed": 100, "memory": 512}
    offering = database.run("createServiceOffering", **size)["serviceoffering"]["id"]
    database.run("changeServiceForVirtualMachine", id=vm["id"], serviceofferingid=offering)


def look(database: Database, vm: dict[str, Any]) -> None:
    database.run("listVirtualMachines", id=vm["id"])
    database.run("updateVirtualMachine", id=vm["id"], displayname="other")


STOPPED = ["VM.STOP", "NETWORK.OFFERING.REMOVE"]


@pytest.mark.parametrize(
    ("use", "events"),
    [
        (release, ["NET.IPASSIGN", "NET.IPRELEASE"]),
        (balance, ["NET.IPASSIGN", "LB.CREATE", "LB.DELETE"]),
        (forward, ["NET.IPASSIGN", "NET.RULEADD", "NET.RULEDELETE"]),
        (snapshot, ["SNAPSHOT.ON_PRIMARY", "SNAPSHOT.CREATE", "SNAPSHOT.DELETE"]),
        (vm_snapshot, ["VMSNAPSHOT.CREATE", "VMSNAPSHOT.ON_PRIMARY", "VMSNAPSHOT.DELETE", "VMSNAPSHOT.OFF_PRIMARY"]),
        (disk, ["VOLUME.CREATE", "VOLUME.ATTACH", "VOLUME.DETACH", "VOLUME.RESIZE", "VOLUME.DELETE"]),
        (template, [*STOPPED, "TEMPLATE.CREATE", "TEMPLATE.DELETE"]),
        (vpn_user, ["VPN.USER.ADD", "VPN.USER.REMOVE"]),
        (grow, [*STOPPED, "VM.UPGRADE"]),
        (look, []),
    ],
)
def test_what_is_begun_and_ended_is_metered(database, use, events):
    use(database, database.deploy())
    assert database.usage() == [*DEPLOYED, *events]


def test_whoever_is_deleted_uses_nothing_any_more(database):
    database.deploy()
    database.deploy()
    database.run("deleteAccount", id=database.account["id"])
    events = [event.type for event in database.simulator.cloud.store.table(UsageEvent)]
    for begun, ended in (
        ("VM.CREATE", "VM.DESTROY"),
        ("VM.START", "VM.STOP"),
        ("VOLUME.CREATE", "VOLUME.DELETE"),
        ("NETWORK.OFFERING.ASSIGN", "NETWORK.OFFERING.REMOVE"),
        ("NET.IPASSIGN", "NET.IPRELEASE"),
        ("NETWORK.CREATE", "NETWORK.DELETE"),
    ):
        assert events.count(begun) == events.count(ended) > 0, begun


def test_what_is_used_is_told_with_its_numbers(database):
    vm = database.deploy()
    asked = "select resource_name, resource_id, size, zone_id from usage_event where type='VOLUME.CREATE'"
    ((name, id, size, zone),) = database(asked)
    assert database("select name, id, size, data_center_id from volumes where uuid is not null") == [
        (name, id, size, zone)
    ]
    assert database("select size from usage_event where type='NET.IPASSIGN'") == [(1,)]
    assert database("select resource_name from cloud.usage_event where type='VM.START'") == [(vm["name"],)]
    assert database("select type from usage_event where type='VM.START'", db="cloud_usage") == [("VM.START",)]


def test_usage_commands_without_a_usage_server(database):
    run = database.run
    types = run("listUsageTypes")["usagetype"]
    assert {"id": 1, "name": "RUNNING_VM"}.items() <= types[0].items()
    assert run("generateUsageRecords", startdate="2026-01-01", enddate="2026-01-02") == {"success": True}
    assert run("listUsageRecords", startdate="2026-01-01", enddate="2026-01-02") == {}
    with pytest.raises(Exception, match="Incorrect Date Range"):
        run("listUsageRecords", startdate="2026-01-03", enddate="2026-01-02")
