"""Kubernetes in the simulator: versions, clusters of CloudStack's own that never come up, clusters of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, signed_by

ISO = "http://downloads.example.org/k8s.iso"
LEAST = {"mincpunumber": 2, "minmemory": 2048}
ENDPOINT = "http://10.2.2.2:8080/client/api"


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def owner(client: Client) -> dict[str, str]:
    account = client.account("bob")
    return {"account": "bob", "domainid": account["domainid"]}


def version(client: Client, number: str = "1.28.4", **params: Any) -> dict[str, Any]:
    return client.one("addKubernetesSupportedVersion", semanticversion=number, **{"url": ISO, **LEAST, **params})


@pytest.fixture
def wanted(client: Client, owner: dict[str, str]) -> dict[str, Any]:
    """The parameters of a cluster that can be made."""
    client.run("updateConfiguration", name="endpoint.url", value=ENDPOINT)
    offering = client.one("createServiceOffering", name="k", displaytext="k", cpunumber=2, cpuspeed=500, memory=2048)
    return {
        "name": "Cluster 1",
        "zoneid": client.one("listZones")["id"],
        "kubernetesversionid": version(client)["id"],
        "serviceofferingid": offering["id"],
        "size": 2,
        **owner,
    }


def failed(client: Client, wanted: dict[str, Any]) -> dict[str, Any]:
    """A cluster whose machines run and do not answer."""
    assert client.refused("createKubernetesCluster", **wanted) == (
        530,
        f"Failed to setup Kubernetes cluster : {wanted['name']} is not in usable state as the system is unable to access "
        "control node VMs of the cluster",
    )
    return client.one("listKubernetesClusters", listall=True, name=wanted["name"])


# Versions


def test_life_of_a_version(client: Client) -> None:
    made = version(client)
    assert {name: made[name] for name in ("name", "state", "supportsha", "supportsautoscaling", "isostate")} == {
        "name": "v1.28.4",
        "state": "Enabled",
        "supportsha": True,
        "supportsautoscaling": True,
        "isostate": "Ready",
    }
    iso = client.one("listIsos", isofilter="all", id=made["isoid"], listall=True)
    assert (iso["name"], iso["account"], iso["url"]) == ("v1.28.4-Kubernetes-Binaries-ISO", "system", ISO)
    assert client.one("updateKubernetesSupportedVersion", id=made["id"], state="Disabled")["state"] == "Disabled"
    client.run("deleteKubernetesSupportedVersion", id=made["id"])
    assert client.rows("listKubernetesSupportedVersions") == []
    assert client.rows("listIsos", isofilter="all", id=made["isoid"], listall=True) == []


def test_versions_are_found_by_what_they_are(client: Client) -> None:
    zone = client.one("listZones")
    old, new = version(client, "1.11.0"), version(client, "1.28.4", zoneid=zone["id"])
    assert new["name"] == f"v1.28.4-{zone['name']}"
    rows = client.rows

    def listed(**params: Any) -> list[str]:
        return [row["semanticversion"] for row in rows("listKubernetesSupportedVersions", **params)]

    assert listed() == ["1.11.0", "1.28.4"]
    assert listed(minimumsemanticversion="1.20.0") == ["1.28.4"]
    assert listed(minimumkubernetesversionid=old["id"]) == ["1.11.0", "1.28.4"]
    assert listed(zoneid=zone["id"], keyword="28") == ["1.28.4"]
    assert listed(arch="aarch64") == []
    # The count is that of all, however old.
    assert client.run("listKubernetesSupportedVersions", minimumsemanticversion="1.20.0")["count"] == 2


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        (
            {"semanticversion": "1.10.9"},
            (
                530,
                "New supported Kubernetes version cannot be added as 1.11.0 is minimum version supported by Kubernetes "
                "Service",
            ),
        ),
        (
            {"semanticversion": "one"},
            (431, "Invalid version format, one. Semantic version should be specified in MAJOR.MINOR.PATCH format"),
        ),
        ({"mincpunumber": 1}, (530, "Invalid value for mincpunumber parameter. Minimum 2 vCPUs required.")),
        ({"minmemory": 1024}, (530, "Invalid value for minmemory parameter. Minimum 2048MB memory required")),
        ({"arch": "pdp11"}, (431, "Unsupported arch type: pdp11")),
    ],
)
def test_versions_that_are_refused(client: Client, params: dict[str, Any], refusal: tuple[int, str]) -> None:
    given = {"semanticversion": "1.28.4", "url": ISO, **LEAST, **params}
    assert client.refused("addKubernetesSupportedVersion", **given) == refusal


def test_a_version_can_be_uploaded(client: Client) -> None:
    zone = client.one("listZones")["id"]
    given = {"name": "mine", "semanticversion": "1.28.4", "format": "ISO", "zoneid": zone, **LEAST}
    upload = client.one("getUploadParamsForKubernetesSupportedVersion", **given)
    assert upload["postURL"].endswith(f"/upload/{upload['id']}")
    assert client.one("listKubernetesSupportedVersions")["isoid"] == upload["id"]


def test_the_service_can_be_off(client: Client) -> None:
    client.run("updateConfiguration", name="cloud.kubernetes.service.enabled", value=False)
    refusal = (530, "Kubernetes Service plugin is disabled")
    assert client.refused("listKubernetesSupportedVersions") == refusal
    assert client.refused("listKubernetesClusters") == refusal


# Clusters of CloudStack's own


def test_nodes_must_know_where_the_api_is(client: Client, wanted: dict[str, Any]) -> None:
    client.run("updateConfiguration", name="endpoint.url", value="http://localhost:8080/client/api")
    assert client.refused("createKubernetesCluster", **wanted) == (
        530,
        "Unable to complete this operation. Contact your cloud admin.",
    )
    assert client.rows("listKubernetesClusters", listall=True) == []


def test_a_cluster_never_comes_up(client: Client, wanted: dict[str, Any]) -> None:
    cluster = failed(client, wanted)
    assert (cluster["state"], cluster["size"], cluster["controlnodes"]) == ("Error", 2, 1)
    assert (cluster["cpunumber"], cluster["memory"], cluster["clustertype"]) == ("6", "6144", "CloudManaged")
    machines = cluster["virtualmachines"]
    assert [machine["state"] for machine in machines] == ["Running"] * 3
    assert [machine["name"].rpartition("-")[0] for machine in machines] == [
        "k8s-cluster1-control",
        "k8s-cluster1-node",
        "k8s-cluster1-node",
    ]
    network = client.one("listNetworks", id=cluster["networkid"], listall=True)
    assert network["name"] == "Cluster 1-network"
    ports = {row["publicport"] for row in client.rows("listPortForwardingRules", listall=True)}
    assert ports == {"2222", "2223", "2224"}
    assert client.one("listLoadBalancerRules", listall=True)["publicport"] == "6443"


def test_what_can_be_done_with_a_failed_cluster(client: Client, wanted: dict[str, Any]) -> None:
    cluster = failed(client, wanted)["id"]
    client.run("stopKubernetesCluster", id=cluster)
    stopped = client.one("listKubernetesClusters", id=cluster)
    assert {machine["state"] for machine in stopped["virtualmachines"]} == {"Stopped"}
    refused = client.refused
    assert refused("startKubernetesCluster", id=cluster) == (
        530,
        "Kubernetes cluster : Cluster 1 has invalid API endpoint. Can not verify if cluster is in ready state",
    )
    assert refused("scaleKubernetesCluster", id=cluster, size=3) == (
        530,
        "Kubernetes cluster Cluster 1 is in Error state and can not be scaled",
    )
    assert refused("upgradeKubernetesCluster", id=cluster, kubernetesversionid=wanted["kubernetesversionid"]) == (
        530,
        "Kubernetes cluster : Cluster 1 is not in running state",
    )
    assert refused("updateKubernetesClusterAffinityGroups", id=cluster) == (
        530,
        "Kubernetes cluster Cluster 1 must be stopped before updating affinity groups (current state: Error)",
    )
    assert refused("getKubernetesClusterConfig", id=cluster) == (
        530,
        "Config not found for Kubernetes cluster : Cluster 1",
    )


def test_a_node_goes_with_its_cluster_only(client: Client, wanted: dict[str, Any]) -> None:
    cluster = failed(client, wanted)
    machine = cluster["virtualmachines"][0]["id"]
    text = (
        "Instance is a part of a Kubernetes cluster: Cluster 1. Use Instance delete option from Kubernetes cluster details "
        "or scale API for Kubernetes clusters with 'nodeids' to destroy the instance."
    )
    assert client.refused("destroyVirtualMachine", id=machine) == (530, text)
    assert client.refused("updateVMAffinityGroup", id=machine, affinitygroupids="")[0] == 530
    assert client.refused("deleteKubernetesSupportedVersion", id=wanted["kubernetesversionid"])[1].endswith(
        "Existing clusters currently using the version."
    )
    client.run("deleteKubernetesCluster", id=cluster["id"])
    assert client.rows("listVirtualMachines", listall=True) == []
    assert client.rows("listNetworks", listall=True) == []
    client.run("deleteKubernetesSupportedVersion", id=wanted["kubernetesversionid"])


def test_a_network_that_others_use_stays(client: Client, wanted: dict[str, Any]) -> None:
    offering = client.one("listNetworkOfferings", name="DefaultNetworkOfferingforKubernetesService")["id"]
    owner = {name: wanted[name] for name in ("account", "domainid", "zoneid")}
    network = client.one("createNetwork", name="n", displaytext="n", networkofferingid=offering, **owner)["id"]
    cluster = failed(client, wanted | {"networkid": network})
    assert client.refused("createKubernetesCluster", **(wanted | {"networkid": network, "name": "other"})) == (
        530,
        f"Network ID: {network} is already under use by another Kubernetes cluster",
    )
    client.run("deleteKubernetesCluster", id=cluster["id"])
    assert client.one("listNetworks", listall=True)["id"] == network


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"size": 0}, "Invalid cluster size: 0"),
        ({"size": 10}, "Maximum cluster size can not exceed 10. Please contact your administrator"),
        ({"controlnodes": 0}, "Invalid cluster control nodes count: 0"),
        ({"noderootdisksize": 7}, "Provided node root disk size is lesser than default size of 8GB"),
        ({"keypair": "mine"}, "Given SSH key pair with name: mine was not found for the account bob"),
        (
            {"dockerregistryurl": "http://r"},
            "All the docker private registry parameters (username, password, url) required are specified",
        ),
        (
            {"nodeofferings[0].node": "boss", "nodeofferings[0].offering": "x"},
            "The provided value 'boss' for Node Type is invalid",
        ),
        (
            {"nodeofferings[0].node": "worker"},
            "Incomplete Node Type to Service Offering ID mapping: 'worker' -> 'null'",
        ),
        (
            {"externalloadbalanceripaddress": "10.0.0.1"},
            "externalloadbalanceripaddress parameter must be specified along with networkid parameter",
        ),
    ],
)
def test_clusters_that_are_refused(client: Client, wanted: dict[str, Any], params: dict[str, Any], text: str) -> None:
    assert client.refused("createKubernetesCluster", **(wanted | params)) == (530, text)
    assert client.rows("listKubernetesClusters", listall=True) == []
    assert client.rows("listNetworks", listall=True) == []


def test_each_sort_of_node_can_have_its_own_offering(client: Client, wanted: dict[str, Any]) -> None:
    big = client.one("createServiceOffering", name="b", displaytext="b", cpunumber=4, cpuspeed=100, memory=4096)["id"]
    del wanted["serviceofferingid"]
    assert client.refused("createKubernetesCluster", **wanted)[1].startswith("When serviceofferingid is not specified")
    for index, kind in enumerate(("control", "worker")):
        wanted |= {f"nodeofferings[{index}].node": kind, f"nodeofferings[{index}].offering": big}
    cluster = failed(client, wanted)
    assert (cluster["cpunumber"], cluster["workerofferingid"], cluster["controlofferingid"]) == ("12", big, big)


def test_nodes_have_a_security_group_where_there_are_such() -> None:
    with Simulator(networking="advanced-sg") as simulator:
        client = Client(simulator)
        owner = {"account": "bob", "domainid": client.account("bob")["domainid"]}
        client.run("updateConfiguration", name="endpoint.url", value=ENDPOINT)
        offering = client.one(
            "createServiceOffering", name="k", displaytext="k", cpunumber=2, cpuspeed=500, memory=2048
        )
        wanted = {"name": "c", "zoneid": client.one("listZones")["id"], "size": 1, "serviceofferingid": offering["id"]}
        network = client.one("listNetworks", listall=True)["id"]
        cluster = failed(
            client, {**wanted, **owner, "networkid": network, "kubernetesversionid": version(client)["id"]}
        )
        (group,) = {row["name"] for machine in cluster["virtualmachines"] for row in group_of(client, machine)}
        assert group.startswith("CKSSecurityGroup-")
        rules = client.one("listSecurityGroups", securitygroupname=group, listall=True)["ingressrule"]
        assert sorted(rule["startport"] for rule in rules) == [22, 6443]


def group_of(client: Client, machine: dict[str, Any]) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = client.one("listVirtualMachines", id=machine["id"])["securitygroup"]
    return groups


# Clusters of others


def external(client: Client, owner: dict[str, str], **params: Any) -> dict[str, Any]:
    zone = client.one("listZones")["id"]
    given = {"name": "theirs", "zoneid": zone, "clustertype": "ExternalManaged", **owner, **params}
    return client.one("createKubernetesCluster", **given)


@pytest.fixture
def machine(client: Client, owner: dict[str, str]) -> dict[str, Any]:
    zone = client.one("listZones")["id"]
    offering = client.one("listNetworkOfferings", name="DefaultIsolatedNetworkOfferingWithSourceNatService")["id"]
    network = client.one("createNetwork", name="n", displaytext="n", zoneid=zone, networkofferingid=offering, **owner)
    template = next(
        row for row in client.rows("listTemplates", templatefilter="all") if row["templatetype"] == "BUILTIN"
    )
    return client.one(
        "deployVirtualMachine",
        zoneid=zone,
        networkids=network["id"],
        templateid=template["id"],
        serviceofferingid=client.rows("listServiceOfferings")[0]["id"],
        **owner,
    )


def test_machines_of_an_external_cluster(client: Client, owner: dict[str, str], machine: dict[str, Any]) -> None:
    cluster = external(client, owner)
    assert (cluster["state"], cluster["size"], cluster["virtualmachines"]) == ("Running", 0, [])
    both = {"id": cluster["id"], "virtualmachineids": machine["id"]}
    client.run("addVirtualMachinesToKubernetesCluster", iscontrolnode=True, **both)
    listed = client.one("listKubernetesClusters", id=cluster["id"])
    assert (listed["controlnodes"], listed["size"]) == (1, 0)
    assert [row["id"] for row in listed["virtualmachines"]] == [machine["id"]]
    removed = client.run("removeVirtualMachinesFromKubernetesCluster", **both)
    rows = removed["removevirtualmachinesfromkubernetesclusterresponse"]
    assert rows == [{"id": machine["id"], "success": True}]
    again = client.rows("removeVirtualMachinesFromKubernetesCluster", **both)
    assert again == [{"id": machine["id"], "displaytext": "VM is not part of the cluster", "success": False}]


def test_an_external_cluster_leaves_its_machines_or_takes_them(
    client: Client, owner: dict[str, str], machine: dict[str, Any]
) -> None:
    for params, left in (({}, 1), ({"expunge": True}, 0)):
        cluster = external(client, owner)["id"]
        client.run("addVirtualMachinesToKubernetesCluster", id=cluster, virtualmachineids=machine["id"])
        client.run("deleteKubernetesCluster", id=cluster, **params)
        assert len(client.rows("listVirtualMachines", listall=True)) == left


@pytest.mark.parametrize(
    ("command", "params", "text"),
    [
        (
            "startKubernetesCluster",
            {},
            "Start kubernetes cluster is not supported for an externally managed cluster (theirs)",
        ),
        (
            "stopKubernetesCluster",
            {},
            "Stop kubernetes cluster is not supported for an externally managed cluster (theirs)",
        ),
        (
            "scaleKubernetesCluster",
            {"size": 2},
            "Scale kubernetes cluster is not supported for an externally managed cluster (theirs)",
        ),
        (
            "scaleKubernetesCluster",
            {},
            "Kubernetes cluster theirs cannot be scaled, either service offering or cluster size or nodeids to be removed "
            "or autoscaling must be passed",
        ),
        (
            "updateKubernetesClusterAffinityGroups",
            {},
            "Affinity groups can only be updated for CloudManaged Kubernetes clusters",
        ),
    ],
)
def test_what_an_external_cluster_does_not_do(
    client: Client, owner: dict[str, str], command: str, params: dict[str, Any], text: str
) -> None:
    assert client.refused(command, id=external(client, owner)["id"], **params) == (530, text)


def test_nodes_are_added_to_clusters_with_a_network(
    client: Client, owner: dict[str, str], machine: dict[str, Any]
) -> None:
    cluster = external(client, owner)["id"]
    code, text = client.refused("addNodesToKubernetesCluster", id=cluster, nodeids=machine["id"])
    assert code == 530
    assert text.startswith("Failed to add nodes to cluster ID 1 due to: ")
    failure = "Failed to remove node(s) from Kubernetes cluster ID: 1 due to: Failed to find network with id: null"
    assert client.refused("removeNodesFromKubernetesCluster", id=cluster, nodeids=machine["id"]) == (530, failure)


def test_clusters_are_their_owners(client: Client, owner: dict[str, str]) -> None:
    cluster = external(client, owner)["id"]
    eve = signed_by(client, client.account("eve"))
    assert eve.rows("listKubernetesClusters", listall=True) == []
    assert eve.refused("deleteKubernetesCluster", id=cluster)[0] == 530
    assert client.one("listKubernetesClusters", id=cluster)["account"] == "bob"


def test_kinds_of_clusters(client: Client, owner: dict[str, str]) -> None:
    text = "Unable to resolve cluster type Other to a supported value (CloudManaged, ExternalManaged)"
    zone = client.one("listZones")["id"]
    assert client.refused("createKubernetesCluster", name="a", zoneid=zone, clustertype="Other") == (431, text)
    assert client.refused("listKubernetesClusters", clustertype="Other") == (530, text)
    external(client, owner)
    assert client.rows("listKubernetesClusters", listall=True, clustertype="CloudManaged") == []
    assert len(client.rows("listKubernetesClusters", listall=True, clustertype="ExternalManaged")) == 1


def test_a_cluster_leaves_events(client: Client, owner: dict[str, str]) -> None:
    external(client, owner)
    events = client.rows("listEvents", type="KUBERNETES.CLUSTER.CREATE", listall=True)
    assert {event["state"] for event in events} == {"Created", "Scheduled", "Started", "Completed"}
    assert {event["account"] for event in events} == {"bob"}


def test_an_account_takes_its_clusters_with_it(client: Client, owner: dict[str, str]) -> None:
    external(client, owner)
    client.run("deleteAccount", id=client.one("listAccounts", name="bob", listall=True)["id"])
    assert client.rows("listKubernetesClusters", listall=True) == []
