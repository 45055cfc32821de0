"""Lookups by key: after any additions, changes and removals they give what a scan of the table gives."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.clock import Clock
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.families import nics
from cs_matrix_pytest.simulator.families.addresses import bounds
from cs_matrix_pytest.simulator.indexes import (
    Changed,
    Changes,
    Index,
    Lookup,
    Numbers,
    NumbersInUse,
    Rows,
    Runs,
    Sums,
    Tally,
)
from cs_matrix_pytest.simulator.ipv4 import to_int
from cs_matrix_pytest.simulator.models.networks import Network, Nic
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.store import Resource, Store, Table


@dataclass(eq=False, kw_only=True, repr=False)
class Brick(Resource):
    indexes = (
        Lookup("colour"),
        Lookup("house"),
        Lookup("walls", many=True),
        Lookup("is_big", of=("size",)),
        Tally("sizes", by="house", and_by=("colour",), sums=("size",)),
        Changes("news", of=("colour",)),
        NumbersInUse("marks", by="house", numbers=lambda brick: brick.marks, of=("marks",)),
    )

    colour: str = "red"
    house: str | None = None
    size: int = 0
    walls: tuple[str, ...] = ()
    marks: tuple[int, ...] = ()

    @property
    def is_big(self) -> bool:
        return self.size > 2


COLOURS, HOUSES, WALLS = ("red", "blue", "grey"), (None, "a", "b"), ("north", "south")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "colour": st.sampled_from(COLOURS),
    "house": st.sampled_from(HOUSES),
    "size": st.integers(0, 4),
    "walls": st.lists(st.sampled_from(WALLS), max_size=3).map(tuple),
    "marks": st.lists(st.integers(0, 12), max_size=4).map(tuple),
}
WHICH = st.integers(0, 9)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.fixed_dictionaries(VALUES)),
    *(st.tuples(st.just("change"), WHICH, st.just(name), values) for name, values in VALUES.items()),
    st.tuples(st.sampled_from(["remove", "forget", "rename", "add again"]), WHICH),
    st.tuples(st.just("restore")),
)


def take(store: Store, step: tuple[Any, ...]) -> None:
    table = store.table(Brick)
    live = list(table)
    match step:
        case ("add", given):
            store.add(Brick(**given))
        case ("change", which, name, value) if live:
            setattr(live[which % len(live)], name, value)
        case ("remove", which) if live:
            store.remove(live[which % len(live)])
        case ("forget", which) if live:
            store.forget(live[which % len(live)])
        case ("rename", which) if live:
            brick = live[which % len(live)]
            store.forget(brick)
            brick.id = f"{brick.id}'"
            store.add(brick)
        case ("add again", which) if live:
            store.add(live[which % len(live)])
        case ("restore",):
            table.restore(live[::-1], table.removed(), table.last_number)


def check(table: Table[Brick]) -> None:
    """Every lookup beside what the rows themselves say."""
    rows = list(table)
    for colour in COLOURS:
        assert table.where(colour=colour) == [row for row in rows if row.colour == colour]
        assert table.select("colour", colour.__ne__) == [row for row in rows if row.colour != colour]
        for house in HOUSES:
            both = [row for row in rows if row.colour == colour and row.house == house]
            assert table.where(colour=colour, house=house) == both
            assert table.first(house=house, colour=colour) is next(iter(both), None)
            big = [row for row in both if row.is_big]
            assert table.where(lambda row: row.size > 2, house=house, colour=colour) == big
            assert table.where(is_big=True, house=house, colour=colour) == big
    assert table.where() == rows
    assert table.where(size=1) == [row for row in rows if row.size == 1]
    assert table.select("size", bool) == [row for row in rows if row.size]
    for wall in WALLS:
        assert table.having("walls", wall) == [row for row in rows if wall in row.walls]
    assert table.having("walls", *WALLS) == [row for row in rows if row.walls]
    assert list(reversed(table)) == rows[::-1]
    expected: dict[Any, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for row in rows:
        total = expected[row.house][row.colour,]
        total[0], total[1] = total[0] + 1, total[1] + row.size
    assert table.totals("sizes") == expected
    for house in HOUSES:
        check_runs(
            table.numbers_in_use("marks", house), {mark for row in rows if row.house == house for mark in row.marks}
        )


def check_runs(runs: Runs, numbers: set[int]) -> None:
    assert bool(runs) is bool(numbers)
    for number in range(-1, 15):
        assert (number in runs) is (number in numbers)
        assert runs.first_missing(number) == next(each for each in range(number, 99) if each not in numbers)


@given(st.lists(STEPS, max_size=30))
def test_a_lookup_gives_what_a_scan_gives(steps: list[tuple[Any, ...]]) -> None:
    # Sums are brought up to date when they are asked for: after one step, or after several.
    for often in (1, 4):
        store = Store(Clock())
        for number, step in enumerate(steps, 1):
            take(store, step)
            if number % often == 0:
                check(store.table(Brick))
        check(store.table(Brick))


@given(st.lists(st.integers(0, 12), max_size=40), st.randoms())
def test_numbers_are_in_use_until_each_that_has_them_is_gone(numbers: list[int], order: random.Random) -> None:
    runs = Runs()
    for number in numbers:
        runs.add(number)
    check_runs(runs, set(numbers))
    left = Counter(numbers)
    for number in order.sample(numbers, len(numbers)):
        runs.discard(number)
        left[number] -= 1
        check_runs(runs, set(left.elements()))


def test_what_left_its_table_changes_alone() -> None:
    store = Store(Clock())
    kept, removed, forgotten = (store.add(Brick(colour="red")) for _ in range(3))
    store.remove(removed)
    store.forget(forgotten)
    removed.colour = forgotten.colour = "blue"
    assert (removed.colour, forgotten.colour) == ("blue", "blue")
    assert store.table(Brick).where(colour="red") == [kept]
    assert store.table(Brick).where(colour="blue") == []


def test_a_table_tells_what_came_went_and_changed() -> None:
    store = Store(Clock())
    table, (first, second, third, fourth) = store.table(Brick), [store.add(Brick()) for _ in range(4)]
    assert table.changes("news") == [first, second, third, fourth]
    assert table.changes("news") == []
    third.colour = "blue"
    third.colour = "grey"
    first.size = 3
    second.colour = "red"
    store.remove(fourth)
    passing = store.add(Brick())
    store.forget(passing)
    assert table.changes("news") == [third, fourth, passing]


def check_cloud(simulator: Simulator) -> None:
    """Every index of every table beside one that is made anew from its rows."""
    for kind in simulator.cloud.store.kinds:
        table = simulator.cloud.store.table(kind)
        for declared in kind.indexes:
            anew = declared.empty()
            for row in table:
                anew.add(row)
            assert contents(table._indexes[declared.name]) == contents(anew), f"{declared.name} of {kind.__name__}"


def contents(index: Index) -> Any:
    match index:
        case Rows():
            return index.by_value
        case Sums():
            return index.totals
        case Changed():
            return "what somebody has not asked for yet"
        case Numbers():
            return {value: vars(runs) for value, runs in index._used.items()}


@pytest.fixture
def simulator() -> Simulator:
    simulator = Simulator()
    simulator.run("updateConfiguration", name="vm.network.nic.max.secondary.ipaddresses", value=50)
    return simulator


class Life:
    """Somebody who does all sorts of things to virtual machines, in an order of chance."""

    def __init__(self, simulator: Simulator, seed: int) -> None:
        self.cloud, self.choose = simulator.cloud, random.Random(seed).choice
        zone = self.run("listZones")["zone"][0]["id"]
        given = {"displaytext": "x", "cpunumber": 1, "cpuspeed": 100, "memory": 64}
        self.machine = {
            "zoneid": zone,
            "templateid": self.run("listTemplates", templatefilter="featured")["template"][0]["id"],
            "serviceofferingid": self.run("createServiceOffering", name="s", **given)["serviceoffering"]["id"],
        }
        self.disk = self.run("createDiskOffering", name="d", displaytext="d", disksize=1)["diskoffering"]["id"]
        name = "DefaultIsolatedNetworkOfferingWithSourceNatService"
        (offering,) = self.run("listNetworkOfferings", name=name)["networkoffering"]
        self.networks = [
            self.run(
                "createNetwork",
                name=f"n{third}",
                zoneid=zone,
                networkofferingid=offering["id"],
                gateway=f"10.2.{third}.1",
                netmask="255.255.255.0",
            )["network"]["id"]
            for third in (1, 2)
        ]
        self.group = self.run("createAffinityGroup", name="g", type="host affinity")["affinitygroup"]["id"]
        domain = self.run("listDomains")["domain"][0]["id"]
        self.run(
            "createAccount",
            accounttype=0,
            email="a@example.org",
            firstname="A",
            lastname="B",
            username="u",
            password="p",
            domainid=domain,
        )
        self.owner = {"account": "u", "domainid": domain}

    def run(self, command: str, **params: Any) -> dict[str, Any]:
        return self.cloud.run(command, Caller(self.cloud.admin_user), **params)

    def machines(self) -> list[UserVm]:
        return list(self.cloud.store.table(UserVm))

    def deploy(self) -> None:
        more = self.choose([{}, {"affinitygroupids": self.group}, {"diskofferingid": self.disk}, {"startvm": False}])
        self.run("deployVirtualMachine", **self.machine, **more, networkids=self.choose(self.networks))

    def with_machine(self) -> None:
        vm = self.choose(self.machines())
        command = self.choose(
            ["startVirtualMachine", "stopVirtualMachine", "destroyVirtualMachine", "recoverVirtualMachine", "reboot"]
        )
        if command == "reboot":
            self.run("updateVirtualMachine", id=vm.id, displayvm=self.choose([True, False]), name=f"renamed{vm.number}")
        else:
            self.run(
                command, id=vm.id, **({"expunge": True} if command.startswith("destroy") and vm.number % 2 else {})
            )

    def with_nic(self) -> None:
        vm = self.choose(self.machines())
        nic = self.choose(vm.nics)
        match self.choose(["add", "remove", "more", "less", "move", "groups", "assign", "volume"]):
            case "add":
                self.run("addNicToVirtualMachine", virtualmachineid=vm.id, networkid=self.choose(self.networks))
            case "remove":
                self.run("removeNicFromVirtualMachine", virtualmachineid=vm.id, nicid=nic.id)
            case "more":
                self.run("addIpToNic", nicid=nic.id)
            case "less":
                self.run("removeIpFromNic", id=self.choose(nic.secondary).id)
            case "move":
                self.run("updateVmNicIp", nicid=nic.id)
            case "groups":
                self.run("updateVMAffinityGroup", id=vm.id, affinitygroupids=self.choose([self.group, ""]))
            case "assign":
                self.run("assignVirtualMachine", virtualmachineid=vm.id, **self.owner)
            case "volume":
                volume = self.choose([volume for volume in vm.volumes if not volume.is_root])
                self.run("detachVolume", id=volume.id)


STEPS_OF_LIFE: tuple[Callable[[Life], None], ...] = (Life.deploy, Life.with_machine, Life.with_nic, Life.with_nic)


@pytest.mark.parametrize("seed", range(4))
def test_the_indexes_of_a_cloud_stay_right_whatever_is_done(simulator: Simulator, seed: int, tmp_path: Path) -> None:
    life, done = Life(simulator, seed), Counter[str]()
    for _ in range(250):
        step = life.choose(STEPS_OF_LIFE)
        try:
            step(life)
            done[step.__name__] += 1
        except (ApiError, IndexError):
            done["refused"] += 1
    assert min(done[step.__name__] for step in STEPS_OF_LIFE) > 10
    check_cloud(simulator)
    addresses_are_unique(simulator)
    simulator.save(tmp_path / "state.json")
    with Simulator(state=tmp_path / "state.json") as again:
        check_cloud(again)
        assert again.run("listVirtualMachines", listall=True)["count"] == len(life.machines())


def addresses_are_unique(simulator: Simulator) -> None:
    for network in simulator.cloud.store.table(Network):
        used = [address for nic in nics.nics_in(simulator.cloud, network) for address in nic.addresses]
        assert len(used) == len(set(used))


def test_the_first_free_address_is_given(simulator: Simulator) -> None:
    life = Life(simulator, 0)
    cloud, (network, _) = simulator.cloud, life.networks
    made = [life.run("deployVirtualMachine", **life.machine, networkids=network, startvm=False) for _ in range(4)]
    ids = [answer["virtualmachine"]["id"] for answer in made]
    addresses = [cloud.store.table(UserVm).get(id).nics[0].ip_address for id in ids]  # type: ignore[union-attr]
    assert addresses == ["10.2.1.2", "10.2.1.3", "10.2.1.4", "10.2.1.5"]
    more = [life.run("addIpToNic", nicid=cloud.store.table(UserVm).get(ids[0]).nics[0].id) for _ in range(2)]  # type: ignore[union-attr]
    assert [answer["nicsecondaryip"]["ipaddress"] for answer in more] == ["10.2.1.6", "10.2.1.7"]
    for gone in (ids[1], ids[2]):
        life.run("destroyVirtualMachine", id=gone, expunge=True)
    life.run("removeIpFromNic", id=more[0]["nicsecondaryip"]["id"])
    given = [
        life.run("deployVirtualMachine", **life.machine, networkids=network, startvm=False)["virtualmachine"]
        for _ in range(4)
    ]
    assert [vm["nic"][0]["ipaddress"] for vm in given] == ["10.2.1.3", "10.2.1.4", "10.2.1.6", "10.2.1.8"]


def test_a_network_is_full_when_every_address_is_given(simulator: Simulator) -> None:
    life = Life(simulator, 0)
    (offering,) = life.run("listNetworkOfferings", name="DefaultIsolatedNetworkOfferingWithSourceNatService")[
        "networkoffering"
    ]
    small = life.run(
        "createNetwork",
        name="small",
        zoneid=life.machine["zoneid"],
        networkofferingid=offering["id"],
        gateway="10.3.0.3",
        netmask="255.255.255.248",
    )["network"]["id"]
    machine = {**life.machine, "networkids": small, "startvm": False}
    given = [life.run("deployVirtualMachine", **machine)["virtualmachine"] for _ in range(5)]
    assert [vm["nic"][0]["ipaddress"][-1] for vm in given] == ["1", "2", "4", "5", "6"]
    assert life.run("listNetworks", id=small)["network"][0]["canusefordeploy"] is False
    with pytest.raises(ApiError, match="Unable to acquire Guest IP address for network"):
        life.run("deployVirtualMachine", **machine)
    network = simulator.cloud.store.table(Network).get(small)
    assert network is not None
    first, last = bounds("10.3.0.0/29")
    used = nics.in_use(simulator.cloud, network)
    assert [number - first for number in range(first, last + 1) if number not in used] == [0, 3, 7]
    assert simulator.cloud.store.table(Nic).first(network=network, ip_address="10.3.0.4") is not None
    assert to_int("10.3.0.6") in used
