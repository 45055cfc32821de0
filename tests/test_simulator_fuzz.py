"""No sequence of calls, right or wrong, breaks what a cloud must hold: no orphan, no address twice, no wrong count.

``CS_FUZZ_EXAMPLES`` says how many conversations are tried, for a deeper run by hand.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import pytest
import requests
from defusedxml import ElementTree
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.cloud import Cloud
from cs_matrix_pytest.simulator.families import FAMILIES
from cs_matrix_pytest.simulator.metadata import Command, Parameter, load_api
from cs_matrix_pytest.simulator.models.console_sessions import ConsoleSession
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain, Project, User
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.infra import Host, IpRange, ManagementServer, Zone
from cs_matrix_pytest.simulator.models.jobs import Event, Job
from cs_matrix_pytest.simulator.models.networks import (
    AclList,
    AclRule,
    FirewallRule,
    LoadBalancerRule,
    Network,
    Nic,
    PortForwardingRule,
    PublicIp,
    Router,
    SystemNic,
    Vpc,
)
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, NetworkOffering, ServiceOffering, VpcOffering
from cs_matrix_pytest.simulator.models.simulator_mocks import WatchedAgent
from cs_matrix_pytest.simulator.models.storage import Snapshot, SnapshotPolicy, Volume
from cs_matrix_pytest.simulator.models.usage import UsageEvent
from cs_matrix_pytest.simulator.models.vm import AffinityGroup, SystemVm, UserVm, VmSnapshot
from cs_matrix_pytest.simulator.models.vm_statistics import VmStatistics
from cs_matrix_pytest.simulator.models.vpc import InternalLoadBalancer
from cs_matrix_pytest.simulator.ready import build_ready_zone
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.wire.rendering import render
from cs_matrix_pytest.simulator.wire.server import AUTHENTICATORS

T = TypeVar("T")
Choose = Callable[[Sequence[Any]], Any]
"""Picks one of a sequence."""

EXAMPLES = int(os.environ.get("CS_FUZZ_EXAMPLES", "15"))
API = load_api()

SERVED = sorted(name for family in FAMILIES for name in (family.handlers.keys() | family.lists.keys()) if name in API)
"""Commands that have behaviour."""

ABSENT = None
"""A parameter that is left out."""
PERSON = {"firstname": "f", "lastname": "l", "email": "e@example.org", "password": "x"}
NAMES = ("n1", "n2", "n3", "n4")
FLAG = ("true", "false")
MAYBE = (ABSENT, "true", "false")
PORTS = ("22", "80", "443", "8080")
PROTOCOLS = ("tcp", "udp", "tcp", "icmp", "all")
CIDRS = ("10.1.1.0/24", "10.1.2.0/26", "10.2.1.0/24", "10.2.2.0/24", "0.0.0.0/0")
GUEST_IPS = (ABSENT, ABSENT, "10.1.1.10", "10.1.1.11", "10.1.2.10", "10.2.1.10")
WRONG = ("", " ", "x", "-1", "0", "1", "99999999999999999999", "1.5", "²", "true", "a" * 300, "10.1.1.300", "a,b", ",")
NOBODY = "00000000-0000-4000-8000-000000000000"


class Owner:
    """Whose the new resource is: the caller's, an account's or a project's."""


class Usable:
    """An offering or a template that the ready zone can use, by its name."""

    def __init__(self, kind: type[Resource], *names: str) -> None:
        self.kind, self.names = kind, names


SMALL = Usable(ServiceOffering, "Small Instance", "Medium Instance")
DISK = Usable(DiskOffering, "Small", "Medium", "Large")
IMAGE = Usable(Template, "CentOS 5.6 (64-bit) no GUI (Simulator)")
ISOLATED = Usable(
    NetworkOffering,
    "DefaultIsolatedNetworkOfferingWithSourceNatService",
    "DefaultIsolatedNetworkOffering",
    "DefaultL2NetworkOffering",
)
SHARED = Usable(NetworkOffering, "DefaultSharedNetworkOffering", "DefaultL2NetworkOfferingVlan")
TIER = Usable(
    NetworkOffering,
    "DefaultIsolatedNetworkOfferingForVpcNetworks",
    "DefaultIsolatedNetworkOfferingForVpcNetworksNoLB",
    "DefaultIsolatedNetworkOfferingForVpcNetworksWithInternalLB",
)
VPC = Usable(VpcOffering, "Default VPC offering", "Redundant VPC offering")

Recipe = dict[str, Any]
"""Parameters of a good request: a text, a choice of texts, the class of what an id names, `Usable` or `Owner`."""

RECIPES: dict[str, Recipe] = {
    "createDomain": {"name": NAMES, "parentdomainid": Domain},
    "updateDomain": {"id": Domain, "name": NAMES},
    "deleteDomain": {"id": Domain, "cleanup": MAYBE},
    "moveDomain": {"domainid": Domain, "parentdomainid": Domain},
    "createAccount": {**PERSON, "username": NAMES, "accounttype": ("0", "0", "2", "1"), "domainid": Domain},
    "createUser": {**PERSON, "username": (*NAMES, "u5"), "account": NAMES, "domainid": Domain},
    "deleteUser": {"id": User},
    "moveUser": {"id": User, "accountid": Account},
    "disableAccount": {"id": Account, "lock": FLAG},
    "enableAccount": {"id": Account},
    "deleteAccount": {"id": Account},
    "createProject": {"name": NAMES, "displaytext": "p", "owner": Owner},
    "addAccountToProject": {"projectid": Project, "account": NAMES},
    "deleteAccountFromProject": {"projectid": Project, "account": NAMES},
    "addUserToProject": {"projectid": Project, "username": NAMES},
    "suspendProject": {"id": Project},
    "activateProject": {"id": Project},
    "deleteProject": {"id": Project, "cleanup": MAYBE},
    "createNetwork": {"name": NAMES, "displaytext": "n", "zoneid": Zone, "networkofferingid": ISOLATED, "owner": Owner},
    "createNetwork shared": {
        "name": NAMES,
        "displaytext": "n",
        "zoneid": Zone,
        "networkofferingid": SHARED,
        "vlan": ("300", "301", "150"),
        "gateway": "10.7.1.1",
        "netmask": "255.255.255.0",
        "startip": "10.7.1.10",
        "endip": ("10.7.1.11", "10.7.1.40"),
        "acltype": (ABSENT, "Domain", "Account"),
        "owner": Owner,
    },
    "createNetwork tier": {
        "name": NAMES,
        "displaytext": "t",
        "zoneid": Zone,
        "networkofferingid": TIER,
        "vpcid": Vpc,
        "gateway": ("10.2.1.1", "10.2.2.1"),
        "netmask": "255.255.255.0",
        "aclid": (ABSENT, AclList),
        "owner": Owner,
    },
    "updateNetwork": {"id": Network, "name": NAMES, "networkofferingid": (ABSENT, ISOLATED)},
    "restartNetwork": {"id": Network, "cleanup": MAYBE},
    "deleteNetwork": {"id": Network, "forced": MAYBE},
    "createNetworkPermissions": {"networkid": Network, "accountids": Account},
    "createVPC": {
        "name": NAMES,
        "displaytext": "v",
        "zoneid": Zone,
        "vpcofferingid": VPC,
        "cidr": "10.2.0.0/16",
        "owner": Owner,
    },
    "restartVPC": {"id": Vpc, "cleanup": MAYBE},
    "deleteVPC": {"id": Vpc},
    "createNetworkACLList": {"name": NAMES, "vpcid": Vpc},
    "createNetworkACL": {"aclid": AclList, "protocol": PROTOCOLS, "startport": PORTS, "endport": "8080"},
    "deleteNetworkACL": {"id": AclRule},
    "deleteNetworkACLList": {"id": AclList},
    "replaceNetworkACLList": {"aclid": AclList, "networkid": Network},
    "associateIpAddress": {"networkid": (ABSENT, Network), "vpcid": (ABSENT, Vpc), "zoneid": Zone, "owner": Owner},
    "associateIpAddress network": {"networkid": Network},
    "disassociateIpAddress": {"id": PublicIp},
    "enableStaticNat": {"ipaddressid": PublicIp, "virtualmachineid": UserVm, "networkid": (ABSENT, Network)},
    "disableStaticNat": {"ipaddressid": PublicIp},
    "createIpForwardingRule": {"ipaddressid": PublicIp, "protocol": PROTOCOLS, "startport": PORTS},
    "createPortForwardingRule": {
        "ipaddressid": PublicIp,
        "virtualmachineid": UserVm,
        "protocol": PROTOCOLS,
        "publicport": PORTS,
        "privateport": PORTS,
        "networkid": (ABSENT, Network),
        "openfirewall": MAYBE,
    },
    "deletePortForwardingRule": {"id": PortForwardingRule},
    "createLoadBalancerRule": {
        "name": NAMES,
        "algorithm": ("roundrobin", "source"),
        "publicipid": PublicIp,
        "networkid": (ABSENT, Network),
        "publicport": PORTS,
        "privateport": PORTS,
        "openfirewall": MAYBE,
    },
    "assignToLoadBalancerRule": {"id": LoadBalancerRule, "virtualmachineids": UserVm},
    "removeFromLoadBalancerRule": {"id": LoadBalancerRule, "virtualmachineids": UserVm},
    "createLBStickinessPolicy": {"lbruleid": LoadBalancerRule, "name": NAMES, "methodname": "LbCookie"},
    "deleteLoadBalancerRule": {"id": LoadBalancerRule},
    "createLoadBalancer": {
        "name": NAMES,
        "algorithm": "source",
        "scheme": "Internal",
        "networkid": Network,
        "sourceipaddressnetworkid": Network,
        "sourceport": PORTS,
        "instanceport": PORTS,
    },
    "deleteLoadBalancer": {"id": InternalLoadBalancer},
    "createFirewallRule": {"ipaddressid": PublicIp, "protocol": PROTOCOLS, "startport": PORTS, "endport": "8080"},
    "deleteFirewallRule": {"id": FirewallRule},
    "createEgressFirewallRule": {"networkid": Network, "protocol": PROTOCOLS, "startport": PORTS, "endport": "8080"},
    "createRemoteAccessVpn": {"publicipid": PublicIp},
    "createVpnGateway": {"vpcid": Vpc},
    "deployVirtualMachine": {
        "serviceofferingid": SMALL,
        "templateid": IMAGE,
        "zoneid": Zone,
        "networkids": (ABSENT, Network),
        "name": (ABSENT, ABSENT, *NAMES),
        "diskofferingid": (ABSENT, DISK),
        "ipaddress": GUEST_IPS,
        "startvm": MAYBE,
        "affinitygroupids": (ABSENT, AffinityGroup),
        "owner": Owner,
    },
    "startVirtualMachine": {"id": UserVm},
    "stopVirtualMachine": {"id": UserVm, "forced": MAYBE},
    "rebootVirtualMachine": {"id": UserVm},
    "destroyVirtualMachine": {"id": UserVm, "expunge": MAYBE, "volumeids": (ABSENT, Volume)},
    "recoverVirtualMachine": {"id": UserVm},
    "expungeVirtualMachine": {"id": UserVm},
    "restoreVirtualMachine": {"virtualmachineid": UserVm, "templateid": (ABSENT, IMAGE, Template)},
    "scaleVirtualMachine": {"id": UserVm, "serviceofferingid": SMALL},
    "migrateVirtualMachine": {"virtualmachineid": UserVm, "hostid": Host},
    "assignVirtualMachine": {"virtualmachineid": UserVm, "networkids": (ABSENT, Network), "owner": Owner},
    "addNicToVirtualMachine": {"virtualmachineid": UserVm, "networkid": Network, "ipaddress": GUEST_IPS},
    "removeNicFromVirtualMachine": {"virtualmachineid": UserVm, "nicid": Nic},
    "updateDefaultNicForVirtualMachine": {"virtualmachineid": UserVm, "nicid": Nic},
    "updateVmNicIp": {"nicid": Nic, "ipaddress": GUEST_IPS},
    "addIpToNic": {"nicid": Nic, "ipaddress": GUEST_IPS},
    "createAffinityGroup": {"name": NAMES, "type": "host anti-affinity", "owner": Owner},
    "deleteAffinityGroup": {"id": AffinityGroup},
    "updateVMAffinityGroup": {"id": UserVm, "affinitygroupids": AffinityGroup},
    "createVMSnapshot": {"virtualmachineid": UserVm, "name": NAMES, "snapshotmemory": MAYBE},
    "revertToVMSnapshot": {"vmsnapshotid": VmSnapshot},
    "deleteVMSnapshot": {"vmsnapshotid": VmSnapshot},
    "createVolume": {
        "name": NAMES,
        "diskofferingid": (DISK, DISK, ABSENT),
        "snapshotid": (ABSENT, ABSENT, Snapshot),
        "zoneid": Zone,
        "owner": Owner,
    },
    "attachVolume": {"id": Volume, "virtualmachineid": UserVm},
    "detachVolume": {"id": Volume},
    "resizeVolume": {"id": Volume, "diskofferingid": DISK},
    "deleteVolume": {"id": Volume},
    "destroyVolume": {"id": Volume, "expunge": MAYBE},
    "recoverVolume": {"id": Volume},
    "assignVolume": {"volumeid": Volume, "accountid": (ABSENT, Account), "projectid": (ABSENT, Project)},
    "uploadVolume": {"name": NAMES, "format": "QCOW2", "url": "http://h/v.qcow2", "zoneid": Zone, "owner": Owner},
    "createSnapshot": {"volumeid": Volume, "name": (ABSENT, *NAMES)},
    "revertSnapshot": {"id": Snapshot},
    "deleteSnapshot": {"id": Snapshot},
    "createSnapshotPolicy": {
        "volumeid": Volume,
        "intervaltype": ("HOURLY", "DAILY"),
        "schedule": ("5", "00:05"),
        "timezone": "UTC",
        "maxsnaps": ("1", "2"),
    },
    "deleteSnapshotPolicies": {"id": SnapshotPolicy},
    "createTemplate": {
        "name": NAMES,
        "displaytext": "t",
        "ostypeid": "1",
        "volumeid": (ABSENT, Volume),
        "snapshotid": (ABSENT, Snapshot),
        "ispublic": MAYBE,
        "projectid": (ABSENT, Project),
    },
    "registerTemplate": {
        "name": NAMES,
        "displaytext": "t",
        "format": "QCOW2",
        "hypervisor": "Simulator",
        "url": "http://h/t.qcow2",
        "zoneid": Zone,
        "ispublic": MAYBE,
        "owner": Owner,
    },
    "registerIso": {
        "name": NAMES,
        "displaytext": "i",
        "url": "http://h/i.iso",
        "zoneid": Zone,
        "bootable": "false",
        "owner": Owner,
    },
    "attachIso": {"id": Iso, "virtualmachineid": UserVm},
    "detachIso": {"virtualmachineid": UserVm},
    "deleteIso": {"id": Iso},
    "updateTemplatePermissions": {"id": Template, "op": ("add", "remove", "reset"), "accounts": (ABSENT, *NAMES)},
    "deleteTemplate": {"id": Template, "forced": MAYBE},
    "createTags": {
        "resourceids": (UserVm, Volume, Network, Snapshot, PublicIp),
        "resourcetype": ("UserVm", "Volume", "Network", "Snapshot", "PublicIpAddress"),
        "tags[0].key": NAMES,
        "tags[0].value": NAMES,
    },
    "updateResourceLimit": {"resourcetype": tuple("01234"), "max": ("-1", "1", "2"), "owner": Owner},
    "dedicatePublicIpRange": {"id": IpRange, "account": NAMES, "domainid": Domain},
    "releasePublicIpRange": {"id": IpRange},
}
"""Good requests by command; a word after the command's name tells two recipes of one command apart."""


def rows_of(cloud: Cloud, kind: type[Resource]) -> list[Any]:
    """What is there of a class, nics included, which their machines hold."""
    if kind is Nic:
        return [nic for vm in cloud.store.table(UserVm) for nic in vm.nics]
    return list(cloud.store.table(kind))


def filled(cloud: Cloud, recipe: Recipe, choose: Choose) -> dict[str, str]:
    """A recipe's parameters as a request has them."""
    params: dict[str, str] = {}
    for name, ingredient in recipe.items():
        while isinstance(ingredient, tuple):
            ingredient = choose(ingredient)
        if ingredient is Owner:
            params |= owner(cloud, choose)
        elif isinstance(ingredient, Usable):
            rows = cloud.store.table(ingredient.kind).where(lambda row, names=ingredient.names: row.name in names)
            params[name] = choose(rows).id if rows else NOBODY
        elif isinstance(ingredient, str):
            params[name] = ingredient
        elif ingredient is not ABSENT:
            rows = rows_of(cloud, ingredient)
            # What was made last is the likeliest to fit together.
            params[name] = choose(rows[::-1]).id if rows else NOBODY
    return params


def owner(cloud: Cloud, choose: Choose) -> dict[str, str]:
    accounts = [row for row in cloud.store.table(Account) if not row.is_default and row.type != AccountType.PROJECT]
    choices: list[dict[str, str]] = [{"account": row.name, "domainid": row.domain.id} for row in accounts[::-1]]
    choices += [{"projectid": row.id} for row in cloud.store.table(Project)]
    return choose([*choices, {}]) or {}


def spoiled(params: dict[str, str], choose: Choose) -> dict[str, str]:
    """The same request with one thing wrong."""
    if not params:
        return {"id": choose(WRONG)}
    name = choose(sorted(params))
    how = choose(("wrong", "lost", "nobody", "map"))
    rest = {key: value for key, value in params.items() if key != name}
    if how == "lost":
        return rest
    if how == "map":
        return {**rest, f"{name}{choose(('[0].key', '[0]', '[x].y', '[', '[].a', '[0].'))}": choose(WRONG)}
    return {**params, name: NOBODY if how == "nobody" else choose(WRONG)}


def request_of(cloud: Cloud, command: Command, choose: Choose) -> dict[str, str]:
    """Parameters of any command from what its metadata says of them: the required ones, and a few others."""
    optional = [parameter for parameter in command.params.values() if not parameter.required]
    chosen = list(command.required)
    if optional:
        chosen += [choose(optional) for _ in range(choose((0, 1, 1, 3)))]
    params: dict[str, str] = {}
    for parameter in chosen:
        if parameter.type in ("map", "object"):
            key = choose(("key", "name", "networkid", "service", "cpuNumber", "zoneid", "ip"))
            params[f"{parameter.name}[0].{key}"] = choose((*WRONG, "2"))
        else:
            params[parameter.name] = value_for(cloud, parameter, choose)
    return params


def value_for(cloud: Cloud, parameter: Parameter, choose: Choose) -> str:
    kinds = [kind for entity in parameter.entities for kind in cloud.registry.kinds.get(entity, ())]
    rows = [row for kind in kinds for row in rows_of(cloud, kind)]
    if rows:
        return choose(rows[::-1][:20]).id  # type: ignore[no-any-return]
    by_type = {
        "boolean": FLAG,
        "integer": ("1", "2", "80", "-1"),
        "long": ("1", "100", "-1"),
        "date": ("2030-01-01", "x"),
    }
    texts = (
        *NAMES,
        *CIDRS,
        "10.1.1.5",
        "tcp",
        "80",
        "255.255.255.0",
        "http://h/x.iso",
        "Simulator",
        "Enabled",
        "HOURLY",
    )
    return str(choose(by_type.get(parameter.type, (*texts, *WRONG))))


HISTORY = (ConsoleSession, Event, Job, UsageEvent, VmStatistics, WatchedAgent)
"""What tells of the past, and so names what is gone."""
MAY_BE_GONE: dict[str, set[str]] = {
    "UserVm": {"user", "last_host", "template", "service_offering", "iso", "registered_user_data"},
    "Volume": {"template", "snapshot", "disk_offering"},
    "Snapshot": {"volume", "policy"},
    "Template": {"source_volume", "source_snapshot", "source_template"},
    "Network": {"offering", "account"},  # one with another account's VMs in it outlives its own
    "Vpc": {"offering"},
    "PublicIp": {"account"},
    "Router": {"service_offering", "account"},
    "BackupOffering": {"domains"},
    "KubernetesCluster": {
        "offering",
        "node_offerings",
        "node_templates",
        "affinity_groups",
        "network",
        "cni_config",
        "security_group",
    },
    "KubernetesVersion": {"iso"},
    "SharedFileSystem": {"offering", "volume"},
    "TagCustomer": {"resource"},
    "HiddenDetail": {"resource"},
    "ObjectDownload": {"store"},
    "Account": {"default_zone"},
    "DirectDownloadCertificate": {"zone"},
    "LooseVolume": {"pool"},
    "OvsElement": {"provider"},
    "PodAddress": {"pod"},
    "SimulatorMock": {"zone", "pod", "cluster", "host"},
}
"""Fields by class that go on naming what is gone, as CloudStack keeps the rows of what was removed."""


class Unexpected(logging.Handler):
    """Errors that no command meant to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


def references(value: Any) -> Iterator[tuple[str, Resource]]:
    """Every resource that another names, with the field; parts that the store does not keep are looked into."""
    for name in field_names(type(value)):
        held = getattr(value, name)
        if not isinstance(held, PLAIN):
            yield from _inside(name, held)


@cache
def field_names(kind: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


PLAIN = (str, int, float, datetime, type(None))


def _inside(name: str, value: Any) -> Iterator[tuple[str, Resource]]:
    if isinstance(value, Resource):
        if value.number:
            yield name, value
        else:
            yield from ((f"{name}.{inner}", found) for inner, found in references(value) if found is not value)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _inside(name, each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _inside(name, each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from ((f"{name}.{inner}", found) for inner, found in references(value))


def orphans(cloud: Cloud) -> list[str]:
    """References of living resources to what is gone."""
    wrong = []
    for kind in list(cloud.store._tables):
        if kind in HISTORY:
            continue
        allowed = MAY_BE_GONE.get(kind.__name__, set())
        for row in cloud.store.table(kind):
            for name, found in references(row):
                if name not in allowed and found not in cloud.store:
                    wrong.append(f"{kind.__name__}.{name}: {row!r} names {found!r}, which is gone")
    return wrong


def twice(values: Sequence[Any]) -> list[Any]:
    return [value for value, times in Counter(values).items() if times > 1]


def nics_of(cloud: Cloud) -> list[Nic]:
    holders = [*cloud.store.table(UserVm), *cloud.store.table(Router)]
    balancers = {id(row.nic): row.nic for row in cloud.store.table(InternalLoadBalancer)}
    return [nic for holder in holders for nic in holder.nics] + list(balancers.values())


def duplicates(cloud: Cloud) -> list[str]:
    """Addresses that two have."""
    store, nics = cloud.store, nics_of(cloud)
    public = [(ip.zone.name, ip.address) for ip in store.table(PublicIp)]
    system = [
        nic for router in store.table(Router) for nic in (router.public, router.control) if isinstance(nic, SystemNic)
    ]
    ids = [nic.id for nic in nics]
    private = [(vm.zone.name, vm.private_ip) for vm in store.table(SystemVm) if vm.private_ip]
    vlans = [
        (row.physical_network.name, row.vlan)
        for row in store.table(Network)
        if row.vlan and row.physical_network and not row.offering.specify_vlan and row.traffic_type == "Guest"
    ]
    return [
        *(f"public address {each}" for each in twice(public)),
        *(f"guest address {each}" for each in twice([(nic.network.id, ip) for nic in nics for ip in nic.addresses])),
        *(f"MAC address {each}" for each in twice([nic.mac_address for nic in [*nics, *system]])),
        *(f"nic {each}" for each in twice(ids)),
        *(f"private address {each}" for each in twice(private)),
        *(f"VLAN {each}" for each in twice(vlans)),
        *(
            f"host name {each}"
            for each in twice([row.instance_name for row in store.table(UserVm) if row.instance_name])
        ),
    ]


def inconsistencies(cloud: Cloud) -> Iterator[str]:
    """Facts that two sides hold and that differ."""
    for volume in cloud.store.table(Volume):
        if volume.vm is not None and volume not in volume.vm.volumes:
            yield f"{volume!r} is of {volume.vm!r}, which does not have it"
    for vm in cloud.store.table(UserVm):
        for volume in vm.volumes:
            if volume.vm is not vm:
                yield f"{vm!r} has {volume!r}, which is of {volume.vm!r}"
        if twice([volume.device_id for volume in vm.volumes if volume.device_id is not None]):
            yield f"{vm!r} has two volumes of one device number"
        if twice([nic.device_id for nic in vm.nics]):
            yield f"{vm!r} has two nics of one device number"
        if vm.nics and [nic.is_default for nic in vm.nics].count(True) != 1:
            yield f"{vm!r} has not one default nic"
        if (vm.state == "Running") != (vm.host is not None):
            yield f"{vm!r} is {vm.state} on {vm.host!r}"
    for account in cloud.store.table(Account):
        if account.type == AccountType.PROJECT and (account.project is None or account.project.account is not account):
            yield f"{account!r} is of no project"
    for domain in cloud.store.table(Domain):
        siblings = [row.name for row in cloud.store.table(Domain) if row.parent is domain]
        if twice(siblings):
            yield f"{domain!r} has two domains of one name"


COUNTED = {
    "vm": ("listVirtualMachines", lambda row: row["state"] not in ("Destroyed", "Error", "Expunging")),
    "volume": ("listVolumes", lambda row: row["state"] not in ("Destroy", "Expunging", "Expunged")),
    "snapshot": ("listSnapshots", lambda row: row["state"] not in ("Error", "Destroyed")),
    "vpc": ("listVPCs", lambda row: True),
}
"""Response fields of totals, and the list whose rows are counted."""


def wrong_counts(cloud: Cloud) -> Iterator[str]:
    """Totals of accounts that are not what the lists show, or below nothing."""
    for account in cloud.store.table(Account):
        if account.type == AccountType.PROJECT or account.is_default:
            continue
        shown = cloud.run("listAccounts", id=account.id, listall=True)["account"][0]
        for field, value in shown.items():
            if field.endswith("total") and int(float(value)) < 0:
                yield f"{account!r}: {field} is {value}"
        where = {"account": account.name, "domainid": account.domain.id}
        for kind, (command, counts) in COUNTED.items():
            rows = next((value for value in cloud.run(command, **where).values() if isinstance(value, list)), [])
            there = sum(1 for row in rows if counts(row))
            if int(shown[f"{kind}total"]) != there:
                yield f"{account!r}: {kind}total is {shown[f'{kind}total']}, {command} shows {there}"


def broken(cloud: Cloud) -> list[str]:
    """Every law of a cloud that does not hold."""
    return [*orphans(cloud), *duplicates(cloud), *inconsistencies(cloud)]


def check_answer(command: Command | None, status: int, envelope: str, body: dict[str, Any]) -> None:
    """Check that an answer has the shape of its command's answers, in JSON and in XML."""
    assert "Traceback" not in str(body)
    ElementTree.fromstring(render(envelope, body, as_json=False).decode())
    assert json.loads(render(envelope, body, as_json=True)) == {envelope: json.loads(json.dumps(body))}
    if command is None or status == 432:
        assert envelope == "errorresponse"
    else:
        assert envelope == command.envelope
    if status != 200:
        assert body.keys() | {"errortext"} == {"uuidList", "errorcode", "cserrorcode", "errortext"}
        assert body["errorcode"] == status
        assert isinstance(body.get("errortext", ""), str)
    elif command is not None and command.is_async:
        assert body.keys() - {"id"} == {"jobid"}


class Conversation:
    """One cloud, and everything that is said to it."""

    def __init__(self) -> None:
        self.cloud = Cloud(api=API)
        build_ready_zone(self.cloud, "advanced")
        self.unexpected = Unexpected()
        self.said: list[str] = []

    def say(self, name: str, params: dict[str, str], caller: User | None = None) -> int:
        """Send one command, look at the answer; its code, or its job's."""
        command = API.get(name)
        log = logging.getLogger("cs_matrix_pytest.simulator.cloud")
        log.addHandler(self.unexpected)
        log.propagate = False
        try:
            who = Caller(caller) if caller else self.cloud.system_caller
            status, envelope, body = self.cloud.execute(who, name, params)
        finally:
            log.removeHandler(self.unexpected)
            log.propagate = True
        self.said.append(f"{name} {params}")
        check_answer(command, status, envelope, body)
        if status == 200 and command is not None and command.is_async and "jobid" in body:
            job = self.cloud.run("queryAsyncJobResult", jobid=body["jobid"])
            status = int(job["jobresult"].get("errorcode", 200))
        return status

    def pass_time(self, seconds: float) -> None:
        with self.cloud.lock:
            self.cloud.clock.advance(seconds)


PEOPLED = (
    "createDomain",
    "createAccount",
    "createProject",
    "createNetwork",
    "deployVirtualMachine",
    "associateIpAddress network",
    "createPortForwardingRule",
    "createVolume",
    "attachVolume",
    "createSnapshot",
    "createVPC",
    "createNetwork tier",
)
"""Recipes, each with its first choices, for a cloud in which there is something to change."""


class AnyConversation(RuleBasedStateMachine):
    """Commands in any order. What has to hold is looked at after each."""

    def __init__(self) -> None:
        super().__init__()
        self.talk = Conversation()

    @property
    def cloud(self) -> Cloud:
        return self.talk.cloud

    @initialize(peopled=st.booleans())
    def begin(self, peopled: bool) -> None:
        for name in PEOPLED if peopled else ():
            code = self.talk.say(name.split()[0], filled(self.cloud, RECIPES[name], lambda rows: rows[0]))
            assert code == 200, self.talk.said[-1]

    @rule(data=st.data(), name=st.sampled_from(sorted(RECIPES)))
    def ask_well(self, data: st.DataObject, name: str) -> None:
        self.talk.say(name.split()[0], filled(self.cloud, RECIPES[name], chooser(data)))

    @rule(data=st.data(), name=st.sampled_from(sorted(RECIPES)))
    def ask_as_somebody(self, data: st.DataObject, name: str) -> None:
        choose = chooser(data)
        params = filled(self.cloud, RECIPES[name], choose)
        self.talk.say(name.split()[0], params, choose(list(self.cloud.store.table(User))[::-1]))

    @rule(data=st.data(), name=st.sampled_from(sorted(RECIPES)))
    def ask_badly(self, data: st.DataObject, name: str) -> None:
        choose = chooser(data)
        self.talk.say(name.split()[0], spoiled(filled(self.cloud, RECIPES[name], choose), choose))

    @rule(data=st.data(), name=st.sampled_from(SERVED))
    def ask_anything(self, data: st.DataObject, name: str) -> None:
        command = API.get(name)
        assert command is not None
        self.talk.say(name, request_of(self.cloud, command, chooser(data)))

    @rule(seconds=st.sampled_from((60, 3600, 90_000)))
    def wait(self, seconds: int) -> None:
        self.talk.pass_time(seconds)

    @invariant()
    def laws_hold(self) -> None:
        assert not broken(self.cloud), "\n".join([*broken(self.cloud), *self.talk.said])

    @invariant()
    def nothing_was_unexpected(self) -> None:
        for record in self.talk.unexpected.seen:
            assert record.exc_info
            raise AssertionError("\n".join(self.talk.said)) from record.exc_info[1]

    def teardown(self) -> None:
        wrong = list(wrong_counts(self.cloud))
        assert not wrong, "\n".join([*wrong, *self.talk.said])
        self.remove_everybody()

    def remove_everybody(self) -> None:
        """Nothing is left of accounts and domains once they are deleted."""
        cloud = self.cloud
        for server in cloud.store.table(ManagementServer):
            # It takes no jobs while it is to be shut down.
            self.talk.say("cancelShutdown", {"managementserverid": server.id})
            self.talk.say("cancelMaintenance", {"managementserverid": server.id})
        for vm in cloud.store.table(UserVm):
            vm.delete_protection = False
            if vm.account.is_default:
                # It may be in a network of a project or a domain, which could not be deleted then.
                assert self.talk.say("destroyVirtualMachine", {"id": vm.id, "expunge": "true"}) == 200, self.talk.said
        for project in cloud.store.table(Project):
            assert self.talk.say("deleteProject", {"id": project.id, "cleanup": "true"}) == 200, self.talk.said
        for domain in [row for row in cloud.store.table(Domain) if row.level == 1]:
            assert self.talk.say("deleteDomain", {"id": str(domain.number), "cleanup": "true"}) == 200, self.talk.said
        for account in [row for row in cloud.store.table(Account) if not row.is_default]:
            assert self.talk.say("deleteAccount", {"id": str(account.number)}) == 200, self.talk.said
        assert not broken(cloud), "\n".join([*broken(cloud), *self.talk.said])
        left = [row for kind in (UserVm, Vpc, Project) for row in cloud.store.table(kind) if not row.account.is_default]
        assert not left, "\n".join([*map(str, left), *self.talk.said])
        self.nothing_was_unexpected()


def chooser(data: st.DataObject) -> Choose:
    return lambda rows: data.draw(st.sampled_from(list(rows)))


def test_any_conversation() -> None:
    run_state_machine_as_test(
        AnyConversation,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # To explain a failure takes minutes, for each of many steps looks at everything.
            phases=[phase for phase in Phase if phase is not Phase.explain],
        ),
    )


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(api_port=0, database_port=None) as running:
        yield running


ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.one_of(
    st.sampled_from(
        ["id", "name", "details[0].key", "details[0]", "details[", "tags[x].key", "page", "pagesize", "ids"]
    ),
    ODD,
)


@settings(max_examples=EXAMPLES * 4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.one_of(st.sampled_from(SERVED), ODD),
    params=st.dictionaries(KEYS, st.one_of(st.sampled_from(WRONG), ODD), max_size=4),
    as_json=st.booleans(),
)
def test_any_request_over_http(simulator: Simulator, name: str, params: dict[str, str], as_json: bool) -> None:
    response = requests.get(
        f"http://127.0.0.1:{simulator.integration_port}/client/api",
        params={**params, "command": name, "response": "json" if as_json else "xml"},
        timeout=30,
    )
    assert "Traceback" not in response.text
    command = API.get(name)
    allowed = {"errorresponse", command.envelope if command else "errorresponse"}
    if name.lower() in AUTHENTICATORS:
        allowed = {"error"}
    if as_json:
        ((envelope, body),) = response.json().items()
        code = body.get("errorcode", 200)
    else:
        root = ElementTree.fromstring(response.content)
        envelope, code = root.tag, int(root.findtext("errorcode") or 200)
    assert envelope in allowed
    assert code == response.status_code
