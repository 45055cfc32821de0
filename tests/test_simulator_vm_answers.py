"""What the simulator answers about virtual machines where something is wrong, or asked for twice: which check comes first,
with which code and text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import SignedClient, signed_by

ISOLATED = "DefaultIsolatedNetworkOfferingWithSourceNatService"
EXTRA = "Internal error executing command, please contact your system administrator"


class Client(SignedClient):
    """An admin's client that has a zone, three networks and a running machine in the first of them at hand."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.zone = self.rows("listZones")[0]["id"]
        self.template = self.rows("listTemplates", templatefilter="featured")[0]["id"]
        self.size = self.rows("listServiceOfferings", name="Small Instance")[0]["id"]
        self.isolated = self.one("listNetworkOfferings", name=ISOLATED)["id"]
        self.networks = [self.network(f"n{number}") for number in range(3)]
        self.vm = self.deploy(name="first")

    def network(self, name: str) -> str:
        made = self.one("createNetwork", name=name, displaytext=name, zoneid=self.zone, networkofferingid=self.isolated)
        return made["id"]  # type: ignore[no-any-return]

    def wanted(self, **params: Any) -> dict[str, Any]:
        usual = {"zoneid": self.zone, "templateid": self.template, "serviceofferingid": self.size}
        given = usual | ({} if "iptonetworklist[0].networkid" in params else {"networkids": self.networks[0]}) | params
        return {name: value for name, value in given.items() if value is not None}

    def deploy(self, **params: Any) -> dict[str, Any]:
        return self.one("deployVirtualMachine", **self.wanted(**params))

    def now(self, vm: dict[str, Any]) -> dict[str, Any]:
        return self.one("listVirtualMachines", id=vm["id"])

    def failed(self, command: str, **params: Any) -> tuple[int, int | None, str]:
        """Error code, the server's own code and text of a command that must fail."""
        body = self.ask(command, **params)
        return body["errorcode"], body.get("cserrorcode"), body["errortext"]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator(networking="advanced") as simulator:
        yield Client(simulator)


@pytest.fixture(scope="module")
def grouped() -> Iterator[SignedClient]:
    """A client of a zone with security groups."""
    with Simulator(networking="advanced-sg") as simulator:
        yield SignedClient(simulator)


# Deploying: the first check that fails is told.


@pytest.mark.parametrize(
    ("params", "answer"),
    [
        ({"templateid": None, "rootdisksize": 0}, (530, 4250, "Please provide only one of the following parameters")),
        ({"details[0].minIops": "5", "boottype": "x"}, (431, 4350, "Invalid bootType xSpecified for vm null")),
        ({"details[0].minIops": "5", "userdata": "$"}, (431, 4350, "Either 'Min IOPS' and 'Max IOPS' must both be")),
        ({"userdata": "$", "macaddress": "x"}, (431, 4350, "User data is not base64 encoded.")),
        ({"userdata": "YWJj" * 1025}, (431, 4350, "User data is too long for http GET request")),
        ({"macaddress": "x", "hypervisor": "KVM"}, (431, 4350, "Mac address is not valid: x")),
        (
            {"affinitygroupnames": "none", "hypervisor": "KVM"},
            (431, 4350, "Unable to find affinity group by name none"),
        ),
        ({"networkids": None, "hypervisor": "KVM"}, (431, 4350, "More than 1 default Isolated networks are found for")),
        ({"hypervisor": "KVM", "rootdisksize": 0}, (431, 4350, "Hypervisor passed to the deployVm call, is different")),
        ({"rootdisksize": 0, "keypair": "none"}, (431, 4350, "Root disk size should be a positive number.")),
        ({"keypair": "none", "ipaddress": "x"}, (431, 4350, "Not all specified keypairs exist")),
        ({"ipaddress": "x", "name": "first"}, (431, 4350, "Invalid specified IPv4 address x")),
        ({"name": "first", "rootdisksize": 1}, (431, 4350, "The vm with hostName first already exists in the network")),
        ({"ipaddress": "1.2.3.4"}, (530, 0, "Unable to acquire Guest IP address for network Network {")),
        (
            {"iptonetworklist[0].networkid": "nope"},
            (431, 4350, "Unable to translate and find entity with networkId: nope"),
        ),
        ({"iptonetworklist[0].networkid": "9999"}, (431, 4350, "Unable to find network by id 9999")),
    ],
)
def test_deploying_is_refused_by_the_first_check_that_fails(
    client: Client, params: dict[str, Any], answer: tuple[int, int, str]
) -> None:
    code, cs_code, text = client.failed("deployVirtualMachine", **client.wanted(**params))
    assert (code, cs_code, text[: len(answer[2])]) == answer


def test_without_security_groups_only_their_ids_are_refused(client: Client) -> None:
    group = client.one("createSecurityGroup", name="unused")["id"]
    text = "Can't create vm with security groups; security group feature is not enabled per zone"
    assert client.refused("deployVirtualMachine", **client.wanted(securitygroupids=group)) == (431, text)
    assert client.deploy(securitygroupnames="nobody's", startvm=False)["securitygroup"] == []


def test_a_deployment_that_is_refused_leaves_no_nic(client: Client) -> None:
    before = {each["ipaddress"] for vm in client.rows("listVirtualMachines") for each in vm["nic"]}
    client.refused("deployVirtualMachine", **client.wanted(ipaddress="10.1.1.1"))
    client.refused("deployVirtualMachine", **client.wanted(name="first"))
    after = {each["ipaddress"] for vm in client.rows("listVirtualMachines") for each in vm["nic"]}
    assert after == before


# Updating


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"haenable": True}, "Can't enable ha for the vm as it's created from the Service offering having HA disabled"),
        ({"securitygroupnames": "none"}, "Unable to find group by name none"),
        ({"userdata": "$"}, "User data is not base64 encoded."),
        ({"details[0].leaseexpiryaction": "STOP"}, "lease parameters should not be included in details as key"),
    ],
)
def test_whatever_keeps_a_vm_from_being_updated_is_one_kind_of_error(
    client: Client, params: dict[str, Any], text: str
) -> None:
    answer = client.failed("updateVirtualMachine", id=client.vm["id"], **params)
    assert answer == (530, 4250, f"Failed to update Instance, due to: {text}")


def test_why_a_vm_is_not_updated_only_admins_are_told(client: Client) -> None:
    user = signed_by(client, client.account("ursula"))
    mine = user.one("deployVirtualMachine", **client.wanted(networkids=None))
    assert user.refused("updateVirtualMachine", id=mine["id"], haenable=True) == (530, EXTRA)


def test_a_custom_id_is_looked_at_before_anything_else(client: Client) -> None:
    answer = client.failed("updateVirtualMachine", id=client.vm["id"], customid="x", haenable=True)
    assert answer == (431, 4350, "UUID: x doesn't follow the UUID format")


def test_of_several_maps_of_details_the_first_counts(client: Client) -> None:
    vm = client.deploy(startvm=False)
    given = {"details[0].a": "1", "details[1].b": "2"}
    assert client.one("updateVirtualMachine", id=vm["id"], **given)["details"] == {"a": "1"}


# Wrong states, and machines that are gone


@pytest.mark.parametrize(
    ("command", "parameter", "answer"),
    [
        ("startVirtualMachine", "id", (431, None, "unable to find a virtual machine with id {}")),
        ("stopVirtualMachine", "id", (431, None, "unable to find a virtual machine with id {}")),
        ("rebootVirtualMachine", "id", (431, None, "Unable to find a Instance with ID {}")),
        ("scaleVirtualMachine", "id", (431, None, "Unable to find VM's UUID")),
        ("changeServiceForVirtualMachine", "id", (431, 4350, "unable to find an Instance with id {}")),
        ("restoreVirtualMachine", "virtualmachineid", (431, None, "Cannot find VM with ID {}")),
        ("assignVirtualMachine", "virtualmachineid", (431, 9999, "Failed to move Instance due to [{}].")),
        (
            "updateVirtualMachine",
            "id",
            (530, 4250, "Failed to update Instance, due to: unable to find virtual machine with id: {}"),
        ),
        ("listNics", "virtualmachineid", (530, 9999, "Virtual machine id does not exist")),
        ("getVirtualMachineUserData", "virtualmachineid", (431, 4350, "Unable to find virtual machine with id {}")),
        (
            "createVMSnapshot",
            "virtualmachineid",
            (530, 9999, 'Cannot invoke "com.cloud.uservm.UserVm.getAccountId()" because "userVM" is null'),
        ),
    ],
)
def test_a_vm_that_is_gone(client: Client, command: str, parameter: str, answer: tuple[int, int | None, str]) -> None:
    vm = client.deploy(startvm=False)
    number = client.ask("startVirtualMachine", id=vm["id"])["virtualmachine"]["instancename"].split("-")[2]
    client.run("destroyVirtualMachine", id=vm["id"], expunge=True)
    code, cs_code, text = answer
    failed = client.failed(command, **{parameter: vm["id"]}, serviceofferingid=client.size)
    assert failed == (code, cs_code, text.format(number))


def test_forced_a_protected_vm_is_destroyed(client: Client) -> None:
    vm = client.deploy(startvm=False)
    client.run("updateVirtualMachine", id=vm["id"], deleteprotection=True)
    assert client.refused("destroyVirtualMachine", id=vm["id"])[0] == 431
    assert client.one("destroyVirtualMachine", id=vm["id"], forced=True)["state"] == "Destroyed"


def test_booting_into_setup_is_refused_whatever_its_value(client: Client) -> None:
    vm = client.deploy(startvm=False)
    answer = client.refused("startVirtualMachine", id=vm["id"], bootintosetup=False)
    assert answer == (431, "bootintosetup makes no sense for Simulator")


def test_a_disk_that_is_not_there_yet_is_not_made_anew(client: Client) -> None:
    vm = client.deploy(startvm=False)
    disk = client.one("listVolumes", virtualmachineid=vm["id"])["id"]
    client.run("restoreVirtualMachine", virtualmachineid=vm["id"])
    assert client.one("listVolumes", virtualmachineid=vm["id"])["id"] == disk


def test_a_snapshot_that_cannot_be_taken_says_what_it_was_to_be(client: Client) -> None:
    vm = client.deploy(startvm=False)
    text = f"Failed to create Instance Snapshot: Unable to find root volume for the user Instance:{vm['id']}"
    assert client.failed("createVMSnapshot", virtualmachineid=vm["id"]) == (530, 4250, text)
    text = "Can not Snapshot memory when the Instance is not in Running state"
    answer = client.failed("createVMSnapshot", virtualmachineid=vm["id"], snapshotmemory=True)
    assert answer == (530, 4350, f"Failed to create Instance Snapshot: {text}")


def test_snapshots_of_vms_are_found_by_their_ids_whose_ever_they_are(client: Client) -> None:
    user = signed_by(client, client.account("sal"))
    mine = user.one("deployVirtualMachine", **client.wanted(networkids=None))
    taken = user.one("createVMSnapshot", virtualmachineid=mine["id"], name="Mine")["id"]
    assert client.rows("listVMSnapshot", name="mine") == []
    assert client.one("listVMSnapshot", vmsnapshotid=taken)["displayname"] == "Mine"
    text = "Specify either id or ids but not both parameters"
    assert client.refused("listVMSnapshot", vmsnapshotid=taken, vmsnapshotids=taken) == (431, text)


def test_new_keys_take_the_password_away(client: Client) -> None:
    client.run("createSSHKeyPair", name="new")
    vm = client.deploy(startvm=False)
    reset = client.one("resetSSHKeyForVirtualMachine", id=vm["id"], keypair="NEW")
    assert "password" not in reset
    answer = client.refused("resetSSHKeyForVirtualMachine", id=vm["id"], keypairs="new,new")
    assert answer == (431, "Not all specified keypairs exist")


def test_a_password_has_no_blanks(client: Client) -> None:
    text = "A valid password for this virtual machine was not provided."
    assert client.deploy(password="a b")["state"] == "Running"  # the template takes none: not looked at
    client.run("updateTemplate", id=client.template, passwordenabled=True)
    try:
        assert client.refused("deployVirtualMachine", **client.wanted(password="a b")) == (431, text)
        assert client.deploy(password="secret")["password"] == "secret"
    finally:
        client.run("updateTemplate", id=client.template, passwordenabled=False)


def test_not_even_an_admin_deploys_to_the_network_of_a_project_that_is_not_his(client: Client) -> None:
    owner = client.account("pro")
    whose = {"account": "pro", "domainid": owner["domainid"]}
    project = client.one("createProject", name="pro", displaytext="pro", **whose)["id"]
    usual = {"displaytext": "n", "zoneid": client.zone, "networkofferingid": client.isolated}
    network = client.one("createNetwork", name="of the project", projectid=project, **usual)["id"]
    text = f"Unable to use network with id= {network}, permission denied"
    assert client.refused("deployVirtualMachine", **client.wanted(networkids=network)) == (531, text)
    assert client.deploy(networkids=network, projectid=project)["project"] == "pro"


def test_no_machine_is_given_to_others(client: Client) -> None:
    text = "Failed to move Instance due to [-1]."
    assert client.refused("assignVirtualMachine", virtualmachineid=-1) == (431, text)


# Other sizes, other hosts


def test_to_scaling_a_limit_is_one_more_internal_error(client: Client) -> None:
    owner = client.account("lim")
    whose = {"account": "lim", "domainid": owner["domainid"]}
    vm = client.deploy(networkids=None, startvm=False, **whose)
    client.run("updateResourceLimit", resourcetype=8, max=1, **whose)
    big = client.one("createServiceOffering", name="big", displaytext="big", cpunumber=4, cpuspeed=100, memory=512)[
        "id"
    ]
    code, cs_code, text = client.failed("scaleVirtualMachine", id=vm["id"], serviceofferingid=big)
    assert (code, cs_code, text.startswith("Maximum amount of resources of Type = 'cpu'")) == (530, None, True), text
    assert client.failed("changeServiceForVirtualMachine", id=vm["id"], serviceofferingid=big)[0] == 535


def test_tags_that_an_offering_must_have(client: Client) -> None:
    usual = {"displaytext": "x", "cpunumber": 1, "cpuspeed": 100, "memory": 128}
    one, two = (client.one("createServiceOffering", name=tag, tags=tag, **usual)["id"] for tag in ("fast,near", "far"))
    vm = client.deploy(serviceofferingid=one, startvm=False)
    code, text = client.refused("scaleVirtualMachine", id=vm["id"], serviceofferingid=two)
    assert (code, text.partition("tags. ")[2]) == (
        431,
        "Current service offering tags: [fast, near]; new service offering tags: [far]",
    )


def test_only_what_runs_finds_another_host(client: Client) -> None:
    vm = client.deploy(startvm=False)
    text = "Instance is not Running, cannot migrate the instance with specified id"
    assert client.refused("findHostsForMigration", virtualmachineid=vm["id"]) == (431, text)
    answer = client.refused("startVirtualMachine", id=vm["id"], deploymentplanner="none")
    assert answer == (431, "Can't find a planner by name none")


# NICs


def test_a_vm_is_in_a_network_once(client: Client) -> None:
    vm, network = client.vm, client.networks[0]
    text = f"A NIC already exists for VM:{vm['instancename']} in network: {network}"
    assert client.refused("addNicToVirtualMachine", virtualmachineid=vm["id"], networkid=network) == (530, text)


def test_an_address_that_a_network_cannot_give(client: Client) -> None:
    params = {"virtualmachineid": client.vm["id"], "networkid": client.networks[1]}
    code, text = client.refused("addNicToVirtualMachine", **params, ipaddress="9.9.9.9")
    assert code == 530
    assert text.startswith("Insufficient capacity when adding NIC to VM instance {")
    assert ": com.cloud.exception.InsufficientVirtualNetworkCapacityException: Unable to acquire Guest IP" in text
    assert text.endswith("}Scope=interface com.cloud.dc.DataCenter; id=1")
    assert client.refused("addNicToVirtualMachine", **params, macaddress="x", ipaddress="x") == (
        431,
        "Mac address is not valid: x",
    )


def test_secondary_addresses_are_refused_as_the_server_refuses_them(client: Client) -> None:
    nic, network = client.vm["nic"][0], client.networks[0]
    answer = client.failed("addIpToNic", nicid=nic["id"], ipaddress="nonsense")
    assert answer[:2] == (431, 4350)
    assert answer[2].startswith(
        "Allocating guest IP for NIC failed : There is no IPv6 address available in the network"
    )
    assert answer[2].endswith(f"uuid={network}]")
    made = client.one("addIpToNic", nicid=nic["id"], ipaddress="10.1.1.200")
    rows = client.run("listNics", virtualmachineid=client.vm["id"], nicid=nic["id"], keyword="1.200")["nic"]
    assert rows == [{"secondaryip": [made]}]
    client.run("removeIpFromNic", id=made["id"])
    # Nothing is kept of it.
    assert "entity does not exist" in client.refused("removeIpFromNic", id=made["id"])[1]


def test_a_new_address_of_a_nic(client: Client) -> None:
    vm = client.deploy()
    nic = vm["nic"][0]["id"]
    assert client.refused("updateVmNicIp", nicid=nic, ipaddress="x") == (530, "Invalid IP address x")
    client.run("stopVirtualMachine", id=vm["id"])
    changed = client.one("updateVmNicIp", nicid=nic, ipaddress="10.1.1.201")
    assert changed["nic"][0]["ipaddress"] == "10.1.1.201"
    # Even an admin is shown what the owner sees.
    assert "instancename" not in changed
    code, text = client.refused("updateVmNicIp", nicid=nic, ipaddress="10.1.1.201")
    assert (code, '"iPv4Address":"10.1.1.201"' in text, text.endswith("please choose another IP")) == (431, True, True)
    assert "isolationuri" not in client.one("listNics", virtualmachineid=vm["id"])
    text = "Updating the VM NIC is only supported by the KVM hypervisor."
    assert client.refused("updateVmNic", nicid=nic, enabled=False) == (431, text)


def test_nics_are_not_listed_in_pages(client: Client) -> None:
    vm = client.deploy(networkids=",".join(client.networks[:2]))
    assert len(client.rows("listNics", virtualmachineid=vm["id"], page=1, pagesize=1)) == 2


# Lists


def test_what_was_not_asked_for_is_left_out_of_the_first_row_only(client: Client) -> None:
    one = client.deploy(startvm=False)
    two = client.deploy(startvm=False, networkids=",".join(client.networks[1:]))
    shown = {vm["id"]: vm["nic"] for vm in client.rows("listVirtualMachines", details="min")}
    assert (shown[one["id"]], [nic["networkid"] for nic in shown[two["id"]]]) == ([], client.networks[2:])


def test_an_unknown_architecture(client: Client) -> None:
    assert client.failed("listVirtualMachines", arch="vax") == (431, 9999, "Unsupported arch type: vax")
    assert client.rows("listVirtualMachines", arch="aarch64") == []


def test_key_pairs_and_user_data_of_others_are_not_found_by_their_ids(client: Client) -> None:
    user = signed_by(client, client.account("kim"))
    user.run("createSSHKeyPair", name="k")
    pair, data = user.one("listSSHKeyPairs")["id"], user.one("registerUserData", name="d", userdata="YWJj")["id"]
    for command, id in (("listSSHKeyPairs", pair), ("listUserData", data)):
        assert client.rows(command, id=id) == []
        assert len(client.rows(command, id=id, listall=True)) == 1
    params = {"command": "deleteSSHKeyPair", "name": "none", "response": "json"}
    (body,) = client.answer(params).json().values()
    root = client.one("listDomains", name="ROOT")["id"]
    assert body["uuidList"] == [{"uuid": root, "description": "domainId"}]


def test_where_a_console_is(client: Client) -> None:
    told = client.one("createConsoleEndpoint", virtualmachineid=client.vm["id"], token="t")
    proxy = client.one("listSystemVms", systemvmtype="consoleproxy")["publicip"]
    socket = told["websocket"]
    assert (socket["host"], socket["port"], socket["path"], socket["extra"]) == (proxy, "8080", "websockify", "t")
    assert told["url"].startswith(f"http://{proxy}/resource/noVNC/vnc.html?")
    vm = client.deploy(startvm=False)
    told = client.one("createConsoleEndpoint", virtualmachineid=vm["id"])
    assert told["details"].startswith("Server Internal Error: VM VM instance {")


# Security groups


def at_once(client: SignedClient, command: str, **params: Any) -> str:
    """The text of a command's refusal before a job is made of it."""
    (body,) = client.answer({"command": command, "response": "json", **params}).json().values()
    return body["errortext"]  # type: ignore[no-any-return]


@pytest.fixture
def web(grouped: SignedClient) -> Iterator[str]:
    id = grouped.one("createSecurityGroup", name="web", description="d")["id"]
    yield id
    grouped.ask("deleteSecurityGroup", id=id)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {"securitygroupname": "web", "securitygroupid": "…"},
            "securityGroupId and securityGroupName parameters are mutually exclusive",
        ),
        (
            {},
            "Either securityGroupId or securityGroupName is required by authorizeSecurityGroupIngress command",
        ),
        ({"securitygroupname": "none"}, "Unable to find security group none for account id=2"),
        ({"securitygroupname": "web", "account": "a"}, "Account must be specified with domainId parameter"),
    ],
)
@pytest.mark.parametrize("way", ["Ingress", "Egress"])
def test_the_group_of_a_rule_is_looked_for_at_once(
    grouped: SignedClient, web: str, way: str, params: dict[str, str], text: str
) -> None:
    given = {name: web if value == "…" else value for name, value in params.items()}
    assert at_once(grouped, f"authorizeSecurityGroup{way}", **given, protocol="all", cidrlist="0.0.0.0/0") == text


@pytest.mark.parametrize(
    ("params", "answer"),
    [
        ({"protocol": "ah"}, (431, "Invalid protocol ah")),
        ({"protocol": "icmp"}, (530, "Invalid ICMP type/code specified, icmpType = null, icmpCode = null")),
        ({"protocol": "icmp", "icmptype": -1, "icmpcode": 3}, (530, "Invalid icmp code")),
        ({"protocol": "icmp", "icmptype": 3, "icmpcode": -1}, (530, "Invalid icmp code: need non-negative icmp code ")),
        ({"protocol": "icmp", "icmptype": 300, "icmpcode": 3}, (530, "Invalid icmp type/code ")),
    ],
)
def test_rules_that_no_group_has(
    grouped: SignedClient, web: str, params: dict[str, Any], answer: tuple[int, str]
) -> None:
    given = {"securitygroupid": web, "cidrlist": "0.0.0.0/0"} | params
    assert grouped.refused("authorizeSecurityGroupIngress", **given) == answer


def test_a_rule_is_revoked_once_and_the_way_it_leads(grouped: SignedClient, web: str) -> None:
    asked = {"securitygroupid": web, "protocol": "tcp", "startport": 1, "endport": 2, "cidrlist": "10.0.0.0/8"}
    rule = grouped.one("authorizeSecurityGroupIngress", **asked)["ingressrule"][0]["ruleid"]
    code, text = grouped.refused("revokeSecurityGroupEgress", id=rule)
    assert (code, text.startswith('Mismatch in rule type for security rule SecurityGroupRule {"id":')) == (431, True)
    assert f'"type":"ingress","uuid":"{rule}"' in text
    grouped.run("revokeSecurityGroupIngress", id=rule)
    assert "entity does not exist" in at_once(grouped, "revokeSecurityGroupIngress", id=rule)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, "Either id or name parameter is required by deleteSecurityGroup command"),
        ({"name": "none"}, "Unable to find security group by name none for the account id=2"),
        ({"name": "DEFAULT"}, "The network group default is reserved"),
    ],
)
def test_groups_that_cannot_be_deleted(grouped: SignedClient, params: dict[str, str], text: str) -> None:
    assert grouped.refused("deleteSecurityGroup", **params) == (431, text)


def test_names_of_groups_differ_by_more_than_their_case(grouped: SignedClient, web: str) -> None:
    text = "Unable to create security group, a group with name WEB already exists."
    assert grouped.refused("createSecurityGroup", name="WEB") == (431, text)
    default = grouped.one("listSecurityGroups", securitygroupname="Default")
    assert default["description"] == "Default Security Group"


def test_the_groups_of_a_vm(grouped: SignedClient, web: str) -> None:
    wanted = {
        "zoneid": grouped.rows("listZones")[0]["id"],
        "templateid": grouped.rows("listTemplates", templatefilter="featured")[0]["id"],
        "serviceofferingid": grouped.rows("listServiceOfferings", name="Small Instance")[0]["id"],
    }
    vm = grouped.one("deployVirtualMachine", **wanted, securitygroupnames="web")
    assert [group["name"] for group in vm["securitygroup"]] == ["web"]
    # Nothing else counts beside the VM.
    assert grouped.one("listSecurityGroups", virtualmachineid=vm["id"], keyword="none")["id"] == web
    assert grouped.refused("deleteSecurityGroup", id=web)[0] == 536
    default = grouped.one("listSecurityGroups", securitygroupname="default")["id"]
    text = f"Failed to update Instance, due to: VM {vm['id']} must be stopped prior to update security groups"
    assert grouped.refused("updateVirtualMachine", id=vm["id"], securitygroupids=default) == (530, text)
    grouped.run("stopVirtualMachine", id=vm["id"])
    changed = grouped.one("updateVirtualMachine", id=vm["id"], securitygroupids=default)
    assert [group["name"] for group in changed["securitygroup"]] == ["default"]


# Schedules and affinity groups


def test_the_newest_schedule_comes_first(client: Client) -> None:
    vm = client.deploy(startvm=False)["id"]
    usual = {"virtualmachineid": vm, "schedule": "0 1 * * *", "timezone": "Asia/Kolkata"}
    made = [client.one("createVMSchedule", action=action, **usual)["id"] for action in ("START", "STOP")]
    assert [row["id"] for row in client.rows("listVMSchedule", virtualmachineid=vm)] == made[::-1]
    code, text = client.refused("createVMSchedule", action="STOP", **usual, startdate="2001-01-01 05:06:00")
    start = (
        "Invalid value for start date. Start date [2001-01-01T05:06+05:30[Asia/Kolkata]] can't be before current time ["
    )
    assert (code, text[: len(start)], text[-16:]) == (431, start, "[Asia/Kolkata]].")


@pytest.mark.parametrize(
    ("kind", "text"),
    [("volume", "Scheduling is not supported for resource type: Volume"), ("Moon", "Unknown resource type: Moon")],
)
def test_what_cannot_be_scheduled(client: Client, kind: str, text: str) -> None:
    usual = {"resourceid": client.vm["id"], "action": "STOP", "schedule": "0 1 * * *", "timezone": "UTC"}
    assert client.refused("createResourceSchedule", resourcetype=kind, **usual) == (431, text)
    assert client.run("deleteResourceSchedule", resourcetype="VirtualMachine", resourceid=client.vm["id"])["success"]


def test_whose_an_affinity_group_is_to_be_is_looked_at_first(client: Client) -> None:
    text = "AccountName and domainId must be specified together"
    for command in ("createAffinityGroup", "deleteAffinityGroup"):
        assert at_once(client, command, name="a", type="none", account="admin") == text
