"""Asking a server on loopback: the facts of a good one, and what is said of each kind of bad one."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from cs_matrix_pytest.environments.facts import Facts, merge_facts, versions_agree
from cs_matrix_pytest.environments.model import Context, Environment, Hypervisor, Storage
from cs_matrix_pytest.environments.probe import endpoint, probe, reachable
from cs_matrix_pytest.environments.signing import signature, signed_query
from cs_matrix_pytest.errors import EnvironmentUnusable

Answer = tuple[int, str, str]
"""Status, content type, body."""

HTML = (200, "text/html", "<!doctype html><title>Welcome</title>")
REFUSED_LOGIN = (
    401,
    "application/json",
    '{"listcapabilitiesresponse":{"errorcode":401,"errortext":"unable to verify user credentials"}}',
)


def lists(command: str, key: str, *items: dict) -> Answer:
    inside = {"count": len(items), key: list(items)} if items else {}
    return 200, "application/json", json.dumps({f"{command.lower()}response": inside})


def host(state="Up", hypervisor="KVM", version=None, **more) -> dict:
    return {"state": state, "hypervisor": hypervisor, "hypervisorversion": version, **more}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: the client sees what went wrong, and stray requests of other programs are not the test's."""


class Cloud:
    """A management server of canned answers, by command."""

    def __init__(self) -> None:
        capability = {"capability": {"cloudstackversion": "4.22.0.0"}}
        self.answers: dict[str, Answer | Callable[[], Answer]] = {
            "listCapabilities": (200, "application/json", json.dumps({"listcapabilitiesresponse": capability})),
            "listZones": lists(
                "listZones",
                "zone",
                {"id": "z-1", "name": "zone1", "networktype": "Advanced", "securitygroupsenabled": False},
                {"id": "z-2", "name": "zone2", "networktype": "Advanced", "securitygroupsenabled": True},
                {"id": "z-3", "name": "zone3", "networktype": "Basic", "securitygroupsenabled": True},
            ),
            "listHosts": lists("listHosts", "host", host(), host("Down"), host()),
            "listStoragePools": lists(
                "listStoragePools", "storagepool", {"scope": "ZONE", "type": "NetworkFilesystem"}
            ),
        }
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                cloud.asked.append((parts.path, query))
                answer = cloud.answers[query["command"][0]]
                status, kind, body = answer() if callable(answer) else answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def config(self, **server: object) -> dict:
        return {"mgtSvr": [{"mgtSvrIp": "127.0.0.1", "port": self.port, **server}], "zones": [{"name": "zone1"}]}

    def everywhere(self, answer: Answer | Callable[[], Answer]) -> None:
        self.answers = dict.fromkeys(self.answers, answer)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def cloud():
    cloud = Cloud()
    yield cloud
    cloud.close()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_facts(cloud):
    assert probe(cloud.config()) == Facts(
        url=f"http://127.0.0.1:{cloud.port}/client/api",
        signed=False,
        acs_version="4.22.0.0",
        zones=("zone1", "zone2", "zone3"),
        zone="zone1",
        networking="advanced",
        hypervisors=(Hypervisor("kvm"),),
        storage=Storage("shared", "nfs"),
        hosts_up=2,
        hosts_total=3,
    )
    path, query = cloud.asked[2]
    assert path == "/client/api"
    assert query == {"command": ["listHosts"], "response": ["json"], "zoneid": ["z-1"], "type": ["Routing"]}


@pytest.mark.parametrize(("zone", "networking"), [("zone2", "advanced-sg"), ("zone3", "basic")])
def test_networking_of_the_zone_that_was_asked_for(cloud, zone, networking):
    facts = probe(cloud.config(), zone)
    assert (facts.zone, facts.networking) == (zone, networking)


def test_no_such_zone(cloud):
    facts = probe(cloud.config(), "zone9")
    assert (facts.zone, facts.zones, facts.acs_version) == (None, ("zone1", "zone2", "zone3"), "4.22.0.0")


def test_a_server_without_zones(cloud):
    cloud.answers["listZones"] = lists("listZones", "zone")
    assert probe(cloud.config()).zones == ()


@pytest.mark.parametrize(
    ("pools", "storage"),
    [
        ([], None),
        ([("HOST", "Filesystem")], Storage("local")),
        ([("HOST", "Filesystem"), ("CLUSTER", "IscsiLUN")], Storage("mixed", "iscsi")),
        ([("ZONE", "RBD"), ("CLUSTER", "NetworkFilesystem")], Storage("shared", "nfs+rbd")),
        ([("ZONE", "PowerFlex")], Storage("shared", "powerflex")),
    ],
)
def test_storage(cloud, pools, storage):
    items = [{"scope": scope, "type": kind} for scope, kind in pools]
    cloud.answers["listStoragePools"] = lists("listStoragePools", "storagepool", *items)
    assert probe(cloud.config()).storage == storage


@pytest.mark.parametrize(
    ("hosts", "hypervisors"),
    [
        ([host(hypervisor="VMware", version="8.0.3")], ("vmware 8.0.3",)),
        ([host(hypervisor="Simulator", version="4.22.0.0")], ("simulator",)),
        ([host(details={"Host.OS": "Ubuntu", "Host.OS.Version": "24.04"})], ("kvm ubuntu24.04",)),
        (
            [host(hypervisor="XenServer", version="8.2.1"), host(version="a"), host(version="b")],
            ("kvm a", "kvm b", "xenserver 8.2.1"),
        ),
    ],
)
def test_hypervisors(cloud, hosts, hypervisors):
    cloud.answers["listHosts"] = lists("listHosts", "host", *hosts)
    found = probe(cloud.config()).hypervisors
    assert tuple(" ".join(filter(None, (each.type, each.version))) for each in found) == hypervisors


def test_what_an_account_may_not_list_stays_unknown(cloud):
    refused = (432, "application/json", '{"errorresponse":{"errorcode":432,"errortext":"Unknown API command"}}')
    cloud.answers |= {"listHosts": refused, "listStoragePools": refused}
    cloud.answers["listHypervisors"] = lists("listHypervisors", "hypervisor", {"name": "XenServer"})
    facts = probe(cloud.config())
    assert (facts.hypervisors, facts.storage, facts.hosts_total) == ((Hypervisor("xenserver"),), None, 0)


def test_requests_are_signed_with_the_keys_of_the_configuration(cloud):
    facts = probe(cloud.config(apiKey="the-key", securityKey="the-secret"))
    assert facts.signed
    query = {name: values[0] for name, values in cloud.asked[0][1].items()}
    assert query.pop("signature") == signature(query, "the-secret")
    assert query["apiKey"] == "the-key"


@pytest.mark.parametrize(
    ("server", "url", "signed"),
    [
        ({}, "http://h:8096/client/api", False),
        ({"port": 9096}, "http://h:9096/client/api", False),
        ({"apiKey": "a", "securityKey": "b"}, "http://h:8080/client/api", True),
        ({"port": 8096, "apiKey": "a", "securityKey": "b"}, "http://h:8080/client/api", True),
        ({"port": 8443, "apiKey": "a", "securityKey": "b", "useHttps": "True"}, "https://h:8443/client/api", True),
        ({"port": 8443, "apiKey": "a"}, "http://h:8443/client/api", False),
    ],
)
def test_where_a_server_is_asked(server, url, signed):
    where = endpoint({"mgtSvr": [{"mgtSvrIp": "h", "certPath": "NA", "certCAPath": "NA", **server}]})
    assert (where.url, where.keys is not None, where.certificates) == (url, signed, None)
    assert "keys" not in repr(where)


def test_signing_quotes_as_java_does():
    query = signed_query({"command": "listZones", "keyword": "a b~c*d+e/ü"}, "KEY", "SECRET")
    assert "keyword=a%20b%7Ec*d%2Be%2F%C3%BC" in query
    assert "apiKey=KEY" in query
    # Sorting ignores the case of names and the signature that of values, so these are one request to the server.
    assert signature({"b": "X", "A": "y"}, "s") == signature({"a": "Y", "B": "x"}, "s")


def hang() -> Answer:
    threading.Event().wait(0.5)
    return HTML


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (HTML, "answers with a web page (HTTP 200), not with the CloudStack API"),
        ((404, "text/html", "<html>not found</html>"), "answers with a web page (HTTP 404)"),
        ((401, "text/html", "<html>who?</html>"), "refuses the credentials (HTTP 401)"),
        (REFUSED_LOGIN, "refuses the credentials (HTTP 401)"),
        ((302, "text/plain", ""), "answers HTTP 302 Found"),
        ((503, "text/plain", "starting"), "answers HTTP 503 Service Unavailable"),
        ((200, "text/plain", "hello"), "no JSON envelope"),
        ((200, "application/json", '{"listcapabilitiesresponse": '), "no JSON envelope"),
        ((200, "application/json", '["a"]'), "no JSON envelope"),
        ((430, "application/json", '{"x":{"errorcode":430,"errortext":"bad the-key"}}'), "answers error 430: bad ****"),
        (hang, "did not answer within 0.1 s"),
    ],
)
def test_what_is_no_cloudstack(cloud, answer, message):
    cloud.everywhere(answer)
    with pytest.raises(EnvironmentUnusable) as caught:
        probe(cloud.config(apiKey="the-key", securityKey="the-secret"), timeout=0.1 if answer is hang else 5)
    assert message in str(caught.value)
    assert caught.value.exit_code == 3
    assert f"http://127.0.0.1:{cloud.port}/client/api" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("the-key", "the-secret", "signature="))


def test_401_says_what_to_do_with_and_without_keys(cloud):
    cloud.everywhere(REFUSED_LOGIN)
    with pytest.raises(EnvironmentUnusable, match="check apiKey and securityKey"):
        probe(cloud.config(apiKey="the-key", securityKey="the-secret"))
    with pytest.raises(EnvironmentUnusable, match="has no apiKey and securityKey"):
        probe(cloud.config())


def test_a_server_that_dies_while_it_is_asked(cloud):
    cloud.answers["listHosts"] = (500, "text/plain", "")
    with pytest.raises(EnvironmentUnusable, match="HTTP 500"):
        probe(cloud.config())


def test_refused():
    config = {"mgtSvr": [{"mgtSvrIp": "127.0.0.1", "port": closed_port()}]}
    with pytest.raises(EnvironmentUnusable, match="refuses connections\n  is the management server running"):
        probe(config)
    assert "refuses connections" in reachable(config)


def test_unknown_host():
    config = {"mgtSvr": [{"mgtSvrIp": "no-such-host.invalid", "port": 8096}]}
    with pytest.raises(
        EnvironmentUnusable, match=r"the host name in http://no-such-host\.invalid:8096/.* is not known"
    ):
        probe(config)


def test_a_server_that_hangs_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(EnvironmentUnusable, match=r"closed the connection|broke"):
            probe({"mgtSvr": [{"mgtSvrIp": "127.0.0.1", "port": listener.getsockname()[1]}]})
        thread.join()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, None),
        (REFUSED_LOGIN, None),
        ((430, "application/json", '{"x":{"errorcode":430,"errortext":"no"}}'), None),
        (HTML, "answers with a web page"),
        ((503, "text/plain", ""), "answers HTTP 503"),
        (hang, "did not answer within 0.1 s"),
    ],
)
def test_reachable(cloud, answer, reason):
    if answer is not None:
        cloud.everywhere(answer)
    found = reachable(cloud.config(), timeout=0.1 if answer is hang else 5)
    assert (found is None) == (reason is None)
    assert reason is None or reason in found
    assert len(cloud.asked) == 1


# Live facts against the file's.

SAID = Environment("kvm-adv", Context(Hypervisor("kvm", "ubuntu24"), "advanced", Storage("shared", "nfs")))


def facts(**found) -> Facts:
    return Facts(url="http://h/", signed=False, **found)


def test_facts_that_agree_change_nothing_and_warn_of_nothing():
    found = facts(
        networking="advanced",
        hypervisors=(Hypervisor("kvm", "ubuntu24.04"),),
        storage=Storage("shared", "nfs"),
    )
    assert merge_facts(SAID, found) == (SAID, [])
    assert merge_facts(SAID, facts()) == (SAID, [])


def test_live_facts_win_with_a_warning_each():
    found = facts(
        zone="zone1",
        networking="basic",
        hypervisors=(Hypervisor("vmware", "8.0.3"),),
        storage=Storage("local"),
    )
    merged, warnings = merge_facts(SAID, found)
    assert merged.context == Context(Hypervisor("vmware", "8.0.3"), "basic", Storage("local"))
    assert merged.zone == "zone1"
    assert [warning.split("says ")[1].split(", the server ") for warning in warnings] == [
        ["hypervisor kvm", "vmware; the server's counts"],
        ["hypervisor version ubuntu24", "8.0.3; the server's counts"],
        ["networking advanced", "basic; the server's counts"],
        ["storage scope shared", "local; the server's counts"],
        ["storage protocol nfs", "none; the server's counts"],
    ]


def test_what_the_file_leaves_open_is_filled_in_silently():
    open_file = Environment("a", Context(Hypervisor("kvm"), storage=Storage("shared")))
    found = facts(hypervisors=(Hypervisor("kvm", "rockylinux9.4"),), storage=Storage("shared", "rbd"))
    merged, warnings = merge_facts(open_file, found)
    assert merged.context.key == "kvm-rockylinux9.4/advanced/rbd"
    assert warnings == []


def test_other_names_of_a_hypervisor_stay():
    xcpng = Environment("x", Context(Hypervisor("xcpng", "82")))
    assert merge_facts(xcpng, facts(hypervisors=(Hypervisor("xenserver", "8.2.1"),))) == (xcpng, [])


def test_the_hypervisor_of_the_file_is_found_among_several():
    found = facts(hypervisors=(Hypervisor("vmware", "8.0.3"), Hypervisor("kvm", "ubuntu24.04")))
    assert merge_facts(SAID, found) == (SAID, [])


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("8.0", "8.0.3", True),
        ("8.0.3", "8.0", True),
        ("80u3", "8.0.3", True),
        ("8.0u3", "8.0.3", True),
        ("70u3", "8.0.3", False),
        ("ubuntu24", "Ubuntu24.04", True),
        ("ubuntu2404", "ubuntu24.04", True),
        ("ubuntu22", "ubuntu24.04", False),
        ("24.04", "ubuntu24.04", True),
        ("rocky9", "rockylinux9.4", True),
        ("ol8", "oraclelinuxserver8.9", True),
        ("ol8", "rockylinux8.9", False),
        ("xcpng82", "8.2.1", True),
        ("8.1", "8.10", False),
        ("debian12", "ubuntu12.04", False),
    ],
)
def test_versions_agree(one, other, agree):
    assert versions_agree(one, other) is agree
    assert versions_agree(other, one) is agree
