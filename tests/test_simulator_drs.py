"""Cluster DRS of the simulator, and the lists that show what the system itself has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.families.cluster_drs import GAINS, Measure, imbalance_of
from simulator_over_http import Client

COMPLETED_BY = 60.0
"""Seconds by which a plan whose migrations are over is completed."""


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def cluster(client: Client) -> tuple[str, list[str]]:
    """The id of a cluster, and of its hosts."""
    rows = client.rows("listHosts", type="Routing")
    id = rows[0]["clusterid"]
    return str(id), [str(row["id"]) for row in rows if row["clusterid"] == id]


def deploy(client: Client, host: str, **params: Any) -> str:
    """The id of a new VM of 1 GiB on a host."""
    name = f"one-gib-{len(client.rows('listVirtualMachines', listall=True))}"
    size = {"cpunumber": 1, "cpuspeed": 100, "memory": 1024}
    offering = client.one("createServiceOffering", name=name, displaytext=name, **size)
    templates = client.rows("listTemplates", templatefilter="executable")
    template = next(row for row in templates if row["templatetype"] != "SYSTEM")
    owner = {"account": "admin", "domainid": client.one("listDomains", name="ROOT")["id"]}
    ids = {"zoneid": client.one("listZones")["id"], "templateid": template["id"], **owner}
    machine = client.one("deployVirtualMachine", serviceofferingid=offering["id"], hostid=host, **ids, **params)
    return str(machine["id"])


def host_of(client: Client, machine: str) -> str:
    return str(client.one("listVirtualMachines", id=machine)["hostid"])


def use(client: Client, cluster: str, algorithm: str) -> None:
    for name, value in (("drs.algorithm", algorithm), ("drs.imbalance", "1.0")):
        client.run("updateConfiguration", name=name, value=value, clusterid=cluster)


def proposed(client: Client, cluster: str, **params: Any) -> list[dict[str, Any]]:
    plan = client.run("generateClusterDrsPlan", id=cluster, **params)["generateclusterdrsplanresponse"]
    assert (plan["status"], plan["type"], "created" in plan) == ("UNDER_REVIEW", "MANUAL", False)
    return list(plan["migrations"])


def move(client: Client, cluster: str, migrations: list[dict[str, Any]]) -> dict[str, Any]:
    """Execute a plan of some migrations."""
    params = {}
    for place, each in enumerate(migrations):
        params[f"migrateto[{place}].vm"] = each["virtualmachineid"]
        params[f"migrateto[{place}].host"] = each["destinationhostid"]
    return client.one("executeClusterDrsPlan", id=cluster, **params)


def test_balancing_spreads_machines_over_hosts(client: Client, cluster: tuple[str, list[str]]) -> None:
    id, hosts = cluster
    machines = [deploy(client, hosts[0]) for _ in range(2)]
    use(client, id, "balanced")
    migrations = proposed(client, id)
    assert migrations
    assert {each["sourcehostid"] for each in migrations} == {hosts[0]}
    executed = move(client, id, migrations)
    assert (executed["status"], "migrationjobid" in executed["migrations"][0]) == ("IN_PROGRESS", False)
    assert len({host_of(client, machine) for machine in machines}) == 2
    listed = client.one("listClusterDrsPlan", id=executed["id"])
    assert [each["migrationjobstatus"] for each in listed["migrations"]] == ["SUCCEEDED"] * len(migrations)
    client.pass_time(COMPLETED_BY)
    done = client.one("listClusterDrsPlan", clusterid=id)
    assert (done["status"], "created" in done) == ("COMPLETED", True)


def test_condensing_gathers_machines_on_a_host(client: Client, cluster: tuple[str, list[str]]) -> None:
    id, hosts = cluster
    machines = [deploy(client, host) for host in hosts[:2]]
    use(client, id, "condensed")
    move(client, id, proposed(client, id, migrations=1))
    assert len({host_of(client, machine) for machine in machines}) == 1


def test_a_machine_may_stay_out_of_it(client: Client, cluster: tuple[str, list[str]]) -> None:
    id, hosts = cluster
    for _ in range(2):
        deploy(client, hosts[0], **{"details[0].skip.drs": "true"})
    use(client, id, "balanced")
    assert proposed(client, id) == []


def test_a_plan_has_no_more_migrations_than_asked_for(client: Client, cluster: tuple[str, list[str]]) -> None:
    id, hosts = cluster
    for _ in range(4):
        deploy(client, hosts[0])
    use(client, id, "balanced")
    assert len(proposed(client, id, migrations=1)) == 1


@pytest.mark.parametrize(
    ("command", "params", "text"),
    [
        ("generateClusterDrsPlan", {"migrations": 0}, "as the number of migrations [0] is invalid"),
        ("generateClusterDrsPlan", {"id": -1}, "Unable to find the cluster by id=-1"),
        ("executeClusterDrsPlan", {}, "migrateto can not be empty."),
        (
            "executeClusterDrsPlan",
            {"migrateto[0].vm": "1", "migrateto[0].host": "99"},
            "Unable to find the vm/host for vmId=1, destHostId=99",
        ),
        ("listClusterDrsPlan", {}, "Only one of clusterId or planId can be specified"),
    ],
)
def test_what_drs_refuses(
    client: Client, cluster: tuple[str, list[str]], command: str, params: dict[str, Any], text: str
) -> None:
    given = {"id": cluster[0], **params}
    if command == "listClusterDrsPlan":
        machine = deploy(client, cluster[1][0])
        plan = move(client, cluster[0], [{"virtualmachineid": machine, "destinationhostid": cluster[1][1]}])
        given = {"id": plan["id"], "clusterid": cluster[0]}
    code, said = client.refused(command, **given)
    assert (code, text in said) == (431, True), said


def test_one_plan_at_a_time(client: Client, cluster: tuple[str, list[str]]) -> None:
    id, hosts = cluster
    machine = deploy(client, hosts[0])
    there = {"virtualmachineid": machine, "destinationhostid": hosts[1]}
    plan = move(client, id, [there])
    given = {"migrateto[0].vm": machine, "migrateto[0].host": hosts[0]}
    code, text = client.refused("executeClusterDrsPlan", id=id, **given)
    assert (code, plan["id"] in text) == (431, True)
    client.pass_time(COMPLETED_BY)
    assert move(client, id, [{**there, "destinationhostid": hosts[0]}])["migrations"]


def test_a_disabled_cluster_has_no_drs(client: Client, cluster: tuple[str, list[str]]) -> None:
    client.run("updateCluster", id=cluster[0], allocationstate="Disabled")
    code, text = client.refused("generateClusterDrsPlan", id=cluster[0])
    assert (code, text.endswith("as it is disabled")) == (431, True)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.sampled_from(["used", "free"]), st.booleans())
def test_imbalance_is_none_where_all_are_alike(used: list[int], type: str, as_ratio: bool) -> None:
    measure, same = Measure("memory", type, as_ratio), dict.fromkeys(range(len(used)), float(used[0]))
    totals = dict.fromkeys(range(len(used)), 2.0 * 10**6)
    assert imbalance_of(same, totals, measure) == pytest.approx(0)  # type: ignore[arg-type]
    assert imbalance_of(dict(enumerate(map(float, used))), totals, measure) >= 0  # type: ignore[arg-type]


@given(st.floats(0, 9), st.floats(0, 9))
def test_what_balances_does_not_condense(before: float, after: float) -> None:
    assert GAINS["balanced"](before, after) == -GAINS["condensed"](before, after)


# What the system itself has


def test_root_admins_may_list_the_disks_of_routers_and_system_vms(
    client: Client, cluster: tuple[str, list[str]]
) -> None:
    machine = deploy(client, cluster[1][0])
    client.pass_time(60)
    (router,) = client.rows("listRouters", listall=True)
    mine = client.rows("listVolumes", listall=True)
    assert [volume["virtualmachineid"] for volume in mine] == [machine]
    volumes = client.rows("listVolumes", listall=True, listsystemvms=True)
    kinds = {volume["vmtype"]: volume for volume in volumes}
    assert {"User", "DomainRouter"} <= kinds.keys()
    root = kinds["DomainRouter"]
    assert (root["name"], root["vmname"], root["type"]) == (
        f"ROOT-{router['name'].split('-')[1]}",
        router["name"],
        "ROOT",
    )
    only = client.rows("listVolumes", listall=True, listsystemvms=True, virtualmachineid=router["id"])
    assert [volume["id"] for volume in only] == [root["id"]]
    system = client.rows("listSystemVms")
    assert {row["name"] for row in system} <= {volume["vmname"] for volume in volumes}


def test_the_database_has_metrics(client: Client) -> None:
    metrics = client.one("listDbMetrics")
    assert metrics["hostname"] == "localhost"
    assert len(metrics["replicas"]) == 2
    assert isinstance(metrics["uptime"], int)


def test_metrics_of_volumes_add_to_what_lists_show(client: Client, cluster: tuple[str, list[str]]) -> None:
    deploy(client, cluster[1][0])
    (plain,), (measured,) = (client.rows(command, listall=True) for command in ("listVolumes", "listVolumesMetrics"))
    assert measured["sizegb"] == f"{plain['size'] / 1024**3:.2f} GiB"
    assert measured["storagetype"] == "Shared (ROOT)"
    assert {name: measured[name] for name in plain if name != "storagetype"} == {
        name: value for name, value in plain.items() if name != "storagetype"
    }
