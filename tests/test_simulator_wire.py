"""The wire protocol of both ports: real sockets, and every recorded probe of a real server."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from defusedxml import ElementTree

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.wire.authentication import signature

RECORDING = os.environ.get("CS_RECORDING")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(hypervisor="simulator", networking="advanced") as running:
        running.run("createDomain", name="d1")
        yield running


@pytest.fixture(scope="module")
def keys(simulator: Simulator) -> dict[str, str]:
    admin = simulator.cloud.admin_user.id
    simulator.run("registerUserKeys", id=admin)
    return simulator.run("getUserKeys", id=admin)["userkeys"]


def integration(simulator: Simulator, query: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{simulator.integration_port}/?{query}", timeout=10)


def signed(simulator: Simulator, keys: dict[str, str], **params: str) -> requests.Response:
    request = {"response": "json", "apiKey": keys["apikey"], **params}
    request["signature"] = signature(request, keys["secretkey"])
    return requests.get(f"http://127.0.0.1:{simulator.api_port}/client/api", params=request, timeout=10)


class TestIntegrationPort:
    def test_xml_is_the_default(self, simulator: Simulator) -> None:
        answer = integration(simulator, "command=listZones")
        assert answer.headers["Content-Type"] == "text/xml"
        assert ElementTree.fromstring(answer.text).tag == "listzonesresponse"

    def test_every_answer_closes_its_connection(self, simulator: Simulator) -> None:
        assert integration(simulator, "command=listZones&response=json").headers["Connection"] == "Close"

    def test_a_posted_body_is_not_read(self, simulator: Simulator) -> None:
        answer = requests.post(
            f"http://127.0.0.1:{simulator.integration_port}/client/api",
            data={"command": "listZones", "response": "json"},
            timeout=10,
        )
        assert answer.status_code == 432
        assert "no command sent" in answer.text

    @pytest.mark.parametrize("command", ["login", "LOGOUT", "listOauthProvider"])
    def test_what_is_for_login_pages_has_no_answer_here(self, simulator: Simulator, command: str) -> None:
        answer = integration(simulator, f"command={command}&response=json")
        assert (answer.status_code, answer.json()) == (200, {"error": {"description": "Internal Server Error"}})
        assert integration(simulator, f"command={command}").text == "<error>Internal Server Error</error>"

    def test_a_password_cannot_be_changed_here(self, simulator: Simulator) -> None:
        answer = integration(simulator, "command=updateUser&id=2&password=x&response=json")
        assert answer.status_code == 531
        assert answer.json()["updateuserresponse"]["errortext"] == (
            "Parameter password can't be passed through the API integration port"
        )

    def test_json_is_asked_for_in_lower_case(self, simulator: Simulator) -> None:
        assert integration(simulator, "command=listZones&response=JSON").text.startswith("<?xml")

    def test_of_a_parameter_that_is_given_twice_the_first_counts(self, simulator: Simulator) -> None:
        answer = integration(simulator, "command=listNothing&command=listZones&response=json")
        assert answer.json()["errorresponse"]["errortext"] == "Unknown API command: listNothing"
        url = f"http://127.0.0.1:{simulator.api_port}/client/api"
        answer = requests.get(f"{url}?command=listZones&command=listHosts&response=json", timeout=10)
        assert "listhostsresponse" in answer.json()

    def test_what_the_server_serves_but_the_simulator_cannot_do_says_so(self, simulator: Simulator) -> None:
        missing = next(
            name
            for name in simulator.cloud.api
            if simulator.cloud.api.get(name).served  # type: ignore[union-attr]
            and name not in simulator.cloud.registry.handlers
            and name not in simulator.cloud.registry.lists
            and not simulator.cloud.api.get(name).required  # type: ignore[union-attr]
        )
        body = integration(simulator, f"command={missing}&response=json").json()
        (error,) = body.values()
        assert error["errorcode"] == 530
        assert missing in error["errortext"]


class TestSignatures:
    def test_signed_by_get_and_by_post(self, simulator: Simulator, keys: dict[str, str]) -> None:
        assert signed(simulator, keys, command="listZones").status_code == 200
        request = {"response": "json", "apiKey": keys["apikey"], "command": "listZones"}
        request["signature"] = signature(request, keys["secretkey"])
        answer = requests.post(f"http://127.0.0.1:{simulator.api_port}/client/api", data=request, timeout=10)
        assert "listzonesresponse" in answer.json()

    @pytest.mark.parametrize("value", ["a b", "a~b", "a*b", "a+b", "a/b?&=", "é€"])
    def test_values_are_quoted_as_java_does(self, simulator: Simulator, keys: dict[str, str], value: str) -> None:
        assert signed(simulator, keys, command="listZones", keyword=value).status_code == 200

    def test_names_may_be_sorted_without_regard_to_case(self, simulator: Simulator, keys: dict[str, str]) -> None:
        request = {"response": "json", "apiKey": keys["apikey"], "command": "listZones", "Zoo": "1", "abc": "2"}
        request["signature"] = signature(request, keys["secretkey"], ignore_case=True)
        answer = requests.get(f"http://127.0.0.1:{simulator.api_port}/client/api", params=request, timeout=10)
        assert answer.status_code == 200

    def test_a_wrong_secret_is_401(self, simulator: Simulator, keys: dict[str, str]) -> None:
        answer = signed(simulator, {**keys, "secretkey": "other"}, command="listZones")
        assert answer.status_code == 401
        assert "cserrorcode" not in answer.json()["listzonesresponse"]

    @pytest.mark.parametrize(
        ("extra", "status"),
        [
            ({"signatureVersion": "3", "expires": "2036-01-01T00:00:00+0000"}, 200),
            ({"signatureVersion": "3", "expires": "2020-01-01T00:00:00+0000"}, 401),
            ({"signatureVersion": "3", "expires": "soon"}, 401),
            ({"signatureVersion": "3"}, 401),
        ],
    )
    def test_version_3_expires(
        self, simulator: Simulator, keys: dict[str, str], extra: dict[str, str], status: int
    ) -> None:
        assert signed(simulator, keys, command="listZones", **extra).status_code == status


class TestXml:
    def test_the_version_is_told_to_who_is_logged_in(self, simulator: Simulator, keys: dict[str, str]) -> None:
        told = f'<listhostsresponse cloud-stack-version="{simulator.cloud.api.acs_version}">'
        assert told in signed(simulator, keys, command="listHosts", response="xml").text
        assert "<listhostsresponse>" in integration(simulator, "command=listHosts").text
        simulator.run("updateConfiguration", name="expose.cloudstack.version.api.xml.response", value="false")
        assert "<listhostsresponse>" in signed(simulator, keys, command="listHosts", response="xml").text
        simulator.run("updateConfiguration", name="expose.cloudstack.version.api.xml.response", value="true")

    def test_maps_are_one_text_and_quotes_are_escaped(self, simulator: Simulator) -> None:
        zone = simulator.run("listZones")["zone"][0]["id"]
        simulator.run("updateZone", id=zone, **{"details[0].key": "a", "details[0].value": "'b'"})
        text = integration(simulator, f"command=listZones&id={zone}").text
        assert "<resourcedetails>{a=&apos;b&apos;}</resourcedetails>" in text

    def test_an_error_names_what_it_is_about(self, simulator: Simulator) -> None:
        query = "command=updateDomain&id=99&name=x"
        error = integration(simulator, f"{query}&response=json").json()["updatedomainresponse"]
        assert error["uuidList"] == [{"uuid": "99", "description": "domainId"}]
        named = "<uuidList><uuid>99</uuid><uuidProperty>domainId</uuidProperty></uuidList>"
        assert named in integration(simulator, query).text


class TestSessions:
    def login(self, simulator: Simulator, **more: str) -> tuple[requests.Session, requests.Response]:
        session = requests.Session()
        form = {"command": "login", "username": "admin", "password": "password", "response": "json", **more}
        return session, session.post(f"http://127.0.0.1:{simulator.api_port}/client/api", data=form, timeout=10)

    def test_login_use_logout(self, simulator: Simulator) -> None:
        session, entered = self.login(simulator)
        url = f"http://127.0.0.1:{simulator.api_port}/client/api"
        key = entered.json()["loginresponse"]["sessionkey"]
        params = {"command": "listZones", "response": "json", "sessionkey": key}
        assert session.get(url, params=params, timeout=10).status_code == 200
        assert session.get(url, params={**params, "command": "logout"}, timeout=10).status_code == 200
        assert session.get(url, params=params, timeout=10).status_code == 401

    def test_a_wrong_session_key_ends_the_session(self, simulator: Simulator) -> None:
        session, entered = self.login(simulator)
        url = f"http://127.0.0.1:{simulator.api_port}/client/api"
        params = {"command": "listZones", "response": "json"}
        key = entered.json()["loginresponse"]["sessionkey"]
        assert session.get(url, params={**params, "sessionkey": "x"}, timeout=10).status_code == 401
        assert session.get(url, params={**params, "sessionkey": key}, timeout=10).status_code == 401

    def test_a_session_s_key_is_needed_in_the_cookie_as_well(self, simulator: Simulator) -> None:
        url = f"http://127.0.0.1:{simulator.api_port}/client/api"
        for setting, status in (("CookieAndParameter", 401), ("ParameterOnly", 200)):
            simulator.run("updateConfiguration", name="api.sessionkey.check.locations", value=setting)
            session, entered = self.login(simulator)
            params = {"command": "listZones", "response": "json"}
            params["sessionkey"] = entered.json()["loginresponse"]["sessionkey"]
            only = {"JSESSIONID": session.cookies["JSESSIONID"]}
            answer = requests.get(url, params=params, cookies=only, timeout=10)
            assert answer.status_code == status
        simulator.run("updateConfiguration", name="api.sessionkey.check.locations", value="CookieAndParameter")

    def test_a_session_of_a_user_who_was_disabled_is_over(self, simulator: Simulator) -> None:
        person = {"firstname": "a", "lastname": "b", "email": "c@example.org", "password": "p", "username": "leaver"}
        account = simulator.run("createAccount", accounttype=0, **person)["account"]
        session, entered = self.login(simulator, username="leaver", password="p")
        simulator.run("disableUser", id=account["user"][0]["id"])
        params = {"command": "listZones", "response": "json"}
        params["sessionkey"] = entered.json()["loginresponse"]["sessionkey"]
        answer = session.get(f"http://127.0.0.1:{simulator.api_port}/client/api", params=params, timeout=10)
        assert answer.status_code == 401
        assert answer.json()["listzonesresponse"]["errortext"] == "unable to verify user credentials"

    @pytest.mark.parametrize(
        ("form", "status", "text"),
        [
            ({"domain": "nowhere"}, 531, "Unable to find the domain from the path /nowhere/"),
            ({"domain": "ROOT"}, 531, "Unable to find the domain from the path /ROOT/"),
            ({"domainid": "999"}, 531, "Unable to find the domain from the path null"),
            ({"domainid": "x"}, 401, "Invalid domain id entered, please enter a valid one"),
            (
                {"username": "baremetal-system-account"},
                531,
                "Failed to authenticate user baremetal-system-account in domain 1; please provide valid credentials",
            ),
        ],
    )
    def test_who_is_not_let_in(self, simulator: Simulator, form: dict[str, str], status: int, text: str) -> None:
        answer = self.login(simulator, **form)[1]
        assert (answer.status_code, answer.json()["loginresponse"]["errortext"]) == (status, text)

    def test_what_is_not_there_is_not_available(self, simulator: Simulator) -> None:
        person = {"firstname": "a", "lastname": "b", "email": "c@example.org", "password": "p", "username": "asker"}
        simulator.run("createAccount", accounttype=0, **person)
        url = f"http://127.0.0.1:{simulator.api_port}/client/api"
        for who, text in (
            ({}, "Unknown API command: listNothing"),
            (
                {"username": "asker", "password": "p"},
                "The API [listNothing] does not exist or is not available for the account asker.",
            ),
        ):
            session, entered = self.login(simulator, **who)
            key = entered.json()["loginresponse"]["sessionkey"]
            params = {"command": "listNothing", "response": "json", "sessionkey": key}
            answer = session.get(url, params=params, timeout=10)
            assert (answer.status_code, answer.json()["errorresponse"]["errortext"]) == (432, text)

    def test_names_are_found_in_any_case(self, simulator: Simulator) -> None:
        entered = self.login(simulator, username="ADMIN", domain="/")[1]
        assert entered.json()["loginresponse"]["username"] == "admin"

    def test_a_wrong_password_is_531(self, simulator: Simulator) -> None:
        assert self.login(simulator, password="wrong")[1].status_code == 531


class TestRubbish:
    def test_half_a_request_holds_nobody_up(self, simulator: Simulator) -> None:
        with socket.create_connection(("127.0.0.1", simulator.api_port)) as half:
            half.sendall(b"GET /client/api?command=listZo")
            assert integration(simulator, "command=listZones&response=json").status_code == 200

    def test_a_query_of_ten_megabytes_is_refused(self, simulator: Simulator) -> None:
        for port in (simulator.integration_port, simulator.api_port):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                try:
                    client.sendall(b"GET /?command=listZones&keyword=" + b"x" * 10_000_000 + b" HTTP/1.1\r\n\r\n")
                    first = client.recv(64)
                except OSError:
                    continue
                assert not first or b" 414 " in first
        assert integration(simulator, "command=listZones&response=json").status_code == 200

    def test_two_hundred_connections_at_once(self, simulator: Simulator) -> None:
        statuses: list[int] = []

        def ask() -> None:
            statuses.append(integration(simulator, "command=listZones&response=json").status_code)

        threads = [threading.Thread(target=ask) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 200

    def test_two_hundred_signed_connections_at_once(self, simulator: Simulator, keys: dict[str, str]) -> None:
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(lambda _: signed(simulator, keys, command="listZones").status_code, range(200)))
        assert answers == [200] * 200

    @pytest.mark.parametrize(
        "sent",
        [
            b"GET /client/api?command=listZo",
            b"GET /client/api?command=listZones HTTP/1.1\r\nHost: x\r\nCookie: a",
            b"POST /client/api HTTP/1.1\r\nContent-Length: 1000\r\n\r\ncommand=list",
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"\r\n",
        ],
        ids=["half a line", "half a header", "half a body", "TLS", "an empty line"],
    )
    def test_fifty_that_stop_half_way_hold_nobody_up(self, simulator: Simulator, sent: bytes) -> None:
        with ExitStack() as halves:
            for port in (simulator.api_port, simulator.integration_port):
                for _ in range(25):
                    client = halves.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                    client.sendall(sent)
            assert integration(simulator, "command=listZones&response=json").status_code == 200
        assert integration(simulator, "command=listZones&response=json").status_code == 200

    def test_a_form_may_come_in_pieces_and_the_connection_goes_on(self, simulator: Simulator) -> None:
        url = f"http://127.0.0.1:{simulator.api_port}/client/api"
        form = b"command=login&username=admin&password=password&response=json"
        with requests.Session() as session:
            for _ in range(2):
                answer = session.post(
                    url,
                    data=iter([form[:9], form[9:30], form[30:]]),
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    timeout=10,
                )
                assert answer.request.headers["Transfer-Encoding"] == "chunked"
                assert answer.json()["loginresponse"]["username"] == "admin"

    @pytest.mark.parametrize(
        "pieces",
        [b"zz\r\n", b"-1\r\n", b"1000001\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"ffffffffff\r\n", b"\r\n"],
    )
    def test_pieces_that_are_malformed_or_too_many_are_refused(self, simulator: Simulator, pieces: bytes) -> None:
        with socket.create_connection(("127.0.0.1", simulator.api_port), timeout=10) as client:
            client.sendall(b"POST /client/api HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces)
            assert b" 400 " in client.recv(64)

    def test_head_is_get_without_its_body(self, simulator: Simulator) -> None:
        url = f"http://127.0.0.1:{simulator.api_port}/client/api?command=listZones&response=json"
        got, head = requests.get(url, timeout=10), requests.head(url, timeout=10)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["Content-Length"] == str(len(got.content))
        assert requests.head(f"http://127.0.0.1:{simulator.api_port}/client/", timeout=10).status_code == 200

    @pytest.mark.parametrize("length", ["17000000", "99999999999999999999", "-1", "x"])
    def test_a_body_that_is_too_large_or_has_no_size_is_refused(self, simulator: Simulator, length: str) -> None:
        with socket.create_connection(("127.0.0.1", simulator.api_port), timeout=10) as client:
            client.sendall(f"POST /client/api HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
            assert b" 413 " in client.recv(64)

    @pytest.mark.parametrize(
        "name",
        [
            "tags[",
            "tags[]",
            "tags[].key",
            "tags[x].key",
            "tags[0]",
            "tags[0][1].key",
            "tags[0]].key",
            "tags.key[0]",
            "tags]0[.key",
            "tags[99999999999].key",
        ],
    )
    def test_a_malformed_map_is_430(self, simulator: Simulator, keys: dict[str, str], name: str) -> None:
        query = urlencode({"command": "createTags", "response": "json", "resourceids": "x", name: "1"})
        by_signature = signed(simulator, keys, **dict(parse_qsl(query)))
        for answer in (integration(simulator, query), by_signature):
            error = answer.json()["createtagsresponse"]
            assert (answer.status_code, error["errorcode"], error["cserrorcode"]) == (430, 430, 9999)
            assert error["errortext"] == (
                f"Unable to decode parameter {name}; if specifying an object array, please use "
                "parameter[index].field=XXX, e.g. userGroupList[0].group=httpGroup"
            )

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            (
                "command=listZones&available=x&id[0].key=a",
                "Invalid parameter id value={0={key=a}} due to incorrect long",
            ),
            ("command=listZones&id=x", "Invalid parameter id value=x due to incorrect long value format"),
            ("command=listZones&page=x&pagesize=1", "due to invalid value x for parameter page"),
            ("command=listZones&page=1.5&pagesize=1", "due to invalid value 1.5 for parameter page"),
            ("command=listZones&page=99999999999999999999&pagesize=1", "for parameter page"),
            ("command=listZones&tags=a", "due to invalid value a for parameter tags"),
            ("command=listZones&page=1", '"pagesize" parameter is required when "page" is specified'),
            ("command=listZones&page=1&pagesize=501", "Page size can't exceed max allowed page size value: 500"),
            ("command=listZones&page=1&pagesize=2147483647", "Page size can't exceed max allowed page size value: 500"),
            ("command=listEvents&startdate=soon", "Unable to parse date soon for command listevents"),
            ("command=listZones&keyword=%00", "illegal ASCII non-printable characters for parameter keyword"),
        ],
    )
    def test_a_value_of_the_wrong_type_is_431(self, simulator: Simulator, query: str, text: str) -> None:
        answer = integration(simulator, f"{query}&response=json")
        (error,) = answer.json().values()
        assert (answer.status_code, error["errorcode"]) == (431, 431)
        assert text in error["errortext"]

    @pytest.mark.parametrize("page", ["2147483647", "0", "-1"])
    def test_a_page_far_away_is_no_error(self, simulator: Simulator, page: str) -> None:
        answer = integration(simulator, f"command=listOsTypes&response=json&page={page}&pagesize=500")
        body = answer.json()["listostypesresponse"]
        assert answer.status_code == 200
        assert len(body.get("ostype", [])) <= 500

    @pytest.mark.parametrize("key", ["1", "a b", "<a>", "\ufffe"])
    def test_keys_that_users_choose_leave_xml_readable(self, simulator: Simulator, key: str) -> None:
        simulator.run(
            "createServiceOffering",
            name="n",
            displaytext=key,
            cpunumber=1,
            cpuspeed=1,
            memory=128,
            **{f"serviceofferingdetails[0].{name}": key for name in ("key", "value")},
        )
        answer = integration(simulator, "command=listServiceOfferings")
        assert ElementTree.fromstring(answer.content).tag == "listserviceofferingsresponse"

    def test_no_traceback_is_answered(self, simulator: Simulator) -> None:
        answer = integration(simulator, "command=createTags&response=json&resourceids=x&resourcetype=%00&tags[=1")
        assert "Traceback" not in answer.text


# What an answer says about that one server's data: compared by shape only.
VOLATILE_HEADERS = {"content-length", "set-cookie", "last-modified", "date", "server", "location", "accept-ranges"}
CUT = 1500
"""Characters of an answer that the recording kept."""
SERVERS_OWN_PAGE = {"client path"}
"""Probes whose answer is a page of CloudStack's user interface."""


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.skipif(not RECORDING, reason="CS_RECORDING names no recording of a real server")
def test_wire_samples_of_a_real_server() -> None:
    samples = json.loads((Path(str(RECORDING)) / "wire-samples.json").read_text())
    with Simulator(hypervisor="simulator", networking="advanced") as simulator:
        simulator.run("createDomain", name="d1")
        admin = simulator.cloud.admin_user
        simulator.run("registerUserKeys", id=admin.id)
        keys = simulator.run("getUserKeys", id=admin.id)["userkeys"]
        ids = known_ids(simulator)
        session: dict[str, str] = {}
        wrong = [
            f"{sample['name']}: {difference}"
            for sample in samples
            for difference in replay(simulator, sample, ids, keys, session)
        ]
    assert not wrong, "\n".join(wrong)


def known_ids(simulator: Simulator) -> dict[str, str]:
    """The recorded server's ids of what every server has, and ours."""
    fresh = json.loads((Path(str(RECORDING)) / "fresh-install.json").read_text())["lists"]
    user = next(user for user in fresh["listUsers"]["user"] if user["username"] == "admin")
    domain = fresh["listDomains"]["domain"][0]
    return {user["id"]: simulator.cloud.admin_user.id, domain["id"]: simulator.cloud.admin_user.account.domain.id}


def replay(
    simulator: Simulator,
    sample: dict[str, Any],
    ids: dict[str, str],
    keys: dict[str, str],
    session: dict[str, str],
) -> Iterator[str]:
    """Send a recorded probe again; yield what differs from the recorded answer."""
    path, body = translate(sample["path"], ids, keys, session), sample["body"]
    if body is not None:
        body = translate(f"?{body}", ids, keys, session)[1:]
    port = simulator.integration_port if sample["port"] == 8096 else simulator.api_port
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
    if "cookie" in session and sample["name"] in USES_SESSION:
        headers["Cookie"] = session["cookie"]
    client.request(sample["method"], path, body=body, headers=headers)
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    if answer.status != sample["status"]:
        yield f"status {answer.status}, recorded {sample['status']}: {text[:200]}"
        return
    ours = {name.lower() for name in answer.headers} - VOLATILE_HEADERS
    theirs = {name.lower() for name in sample["headers"]} - VOLATILE_HEADERS
    if ours != theirs:
        yield f"headers {sorted(ours ^ theirs)}"
    if sample["name"] not in SERVERS_OWN_PAGE:
        yield from compare(sample["answer"], text, ids)
    cookies = [cookie.split(";")[0] for cookie in answer.headers.get_all("Set-Cookie") or ()]
    for cookie in cookies:
        if cookie.startswith("JSESSIONID=") and answer.status == 200:
            session["cookie"] = "; ".join(cookies)
            session["key"] = json.loads(text)["loginresponse"]["sessionkey"]


USES_SESSION = {"session", "session without key", "session wrong key", "logout", "after logout"}


def translate(path: str, ids: dict[str, str], keys: dict[str, str], session: dict[str, str]) -> str:
    """The probe's path with our ids, keys and session, signed anew where it was rightly signed."""
    for theirs, ours in ids.items():
        path = path.replace(theirs, ours)
    split = urlsplit(path)
    params = dict(parse_qsl(split.query, keep_blank_values=True))
    if params.get("sessionkey", "x") != "x":
        params["sessionkey"] = session["key"]
    if "APIKEY" in params.values():
        name = next(key for key, value in params.items() if value == "APIKEY")
        params[name] = keys["apikey"]
        if params.get("signature") != "x" and "~" not in split.query:
            params["signature"] = signature(params, keys["secretkey"])
    else:
        return path if "sessionkey" not in params else f"{split.path}?{urlencode(params)}"
    return f"{split.path}?{urlencode(params)}"


def compare(recorded: str, text: str, ids: dict[str, str]) -> Iterator[str]:
    """What differs between two answers: errors to the letter, successes by envelope and shape."""
    for theirs, ours in ids.items():
        recorded = recorded.replace(theirs, ours)
    if len(recorded) >= CUT:
        # Only the beginning was kept: the envelope, and that it is a success.
        recorded_start, start = (re.match(r"(<\?xml.*?\?>)?[<{]\W*\w+", each) for each in (recorded, text))
        if start is None or recorded_start is None or start[0] != recorded_start[0]:
            yield f"answer {text[:200]}, recorded {recorded[:200]}"
        return
    if not recorded.startswith("{"):
        if recorded.startswith("<?xml"):
            mine, real = ElementTree.fromstring(text), ElementTree.fromstring(recorded)
            if mine.tag != real.tag or (mine.find("errorcode") is not None and text != recorded):
                yield f"answer {text[:300]}, recorded {recorded[:300]}"
        elif text != recorded:
            yield f"answer {text[:200]}, recorded {recorded[:200]}"
        return
    mine, real = json.loads(text), json.loads(recorded)
    if list(mine) != list(real):
        yield f"envelope {list(mine)}, recorded {list(real)}"
        return
    (ours_body,), (real_body,) = mine.values(), real.values()
    if "errorcode" in real_body:
        if strip_numbers(ours_body) != strip_numbers(real_body):
            yield f"error {ours_body}, recorded {real_body}"
        return
    lacking = lacks(shape(real_body), shape(ours_body))
    if lacking:
        yield f"lacks {lacking}"


def strip_numbers(body: dict[str, Any]) -> dict[str, Any]:
    """Internal numbers in error texts are that server's own."""
    return {name: re.sub(r"\b\d+\b", "N", value) if isinstance(value, str) else value for name, value in body.items()}


def lacks(real: Any, ours: Any, path: str = "") -> list[str]:
    if isinstance(real, dict) and isinstance(ours, dict):
        return [
            lost
            for name, kind in real.items()
            for lost in ([f"{path}.{name}"] if name not in ours else lacks(kind, ours[name], f"{path}.{name}"))
        ]
    if isinstance(real, list) and isinstance(ours, list):
        return lacks(real[0], ours[0], f"{path}[]") if real and ours else []
    return [] if real == ours else [f"{path}: {ours} for {real}"]
