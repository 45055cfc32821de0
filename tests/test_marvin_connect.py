"""One face for both Marvins: real Marvin 4.4.0 and a small package shaped like a modern one, against a real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

import pytest

from cs_matrix_pytest.errors import EnvironmentUnusable, UserError
from cs_matrix_pytest.marvin_bridge import activate, deactivate
from cs_matrix_pytest.marvin_bridge.connect import Connection, connect
from cs_matrix_pytest.marvin_bridge.locate import locate
from cs_matrix_pytest.outcomes.model import AttemptOutcome

SECRET = "s3cr3t-k3y-of-admin"
API_KEY = "api-k3y-of-admin"
DNS = {"dns1": "10.0.0.1", "internaldns1": "10.0.0.1"}


class TinyServer(ThreadingHTTPServer):
    """As much of CloudStack 4.23 as Marvin asks for before the first test; one port, signed requests are verified."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), TinyHandler)
        self.keys: dict[str, str] | None = {"apikey": API_KEY, "secretkey": SECRET}
        self.requests: list[dict[str, str]] = []
        self.refuse_signed = False
        self.html = False

    @property
    def port(self) -> int:
        return self.server_address[1]

    def commands(self) -> list[str]:
        return [request["command"] for request in self.requests]


class TinyHandler(BaseHTTPRequestHandler):
    server: TinyServer

    def do_GET(self) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        self.server.requests.append(parameters)
        if self.server.html:
            return self.answer(200, "<html><body>Apache Tomcat</body></html>", "text/html")
        if "signature" in parameters and (self.server.refuse_signed or not signed_rightly(parameters)):
            return self.api(401, "error", {"errorcode": 401, "errortext": "unable to verify user credentials"})
        return self.respond(parameters["command"], parameters)

    def respond(self, command: str, parameters: dict[str, str]) -> None:
        admin = {"id": "u-1", "username": "admin", "account": "admin"}
        if command == "listCapabilities":
            return self.api(200, command, {"capability": {"cloudstackversion": "4.23.0.0"}})
        if command == "listUsers":
            return self.api(
                200, command, {"count": 1, "user": [{**admin, "apikey": (self.server.keys or {}).get("apikey")}]}
            )
        if command == "getUserKeys":
            return self.api(200, command, {"userkeys": self.server.keys or {}})
        if command == "registerUserKeys":
            return self.api(200, command, {"jobid": "job-keys"})
        if command == "queryAsyncJobResult":
            self.server.keys = {"apikey": API_KEY, "secretkey": SECRET}
            return self.api(
                200,
                command,
                {"jobid": parameters["jobid"], "jobstatus": 1, "jobresult": {"userkeys": self.server.keys}},
            )
        if command == "listApis":
            return self.api(200, command, {"count": len(catalogue()), "api": catalogue()})
        if command == "listZones":
            wanted = parameters.get("name", "zone1")
            zones = [{"id": f"id-of-{wanted}", "name": wanted, "description": parameters.get("keyword")}]
            return self.api(200, command, {"count": 1, "zone": zones})
        return self.api(432, "error", {"errorcode": 432, "errortext": f"The given command:{command} does not exist"})

    def api(self, status: int, command: str, content: dict[str, Any]) -> None:
        self.answer(status, json.dumps({f"{command.lower()}response": content}), "application/json")

    def answer(self, status: int, text: str, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: Any) -> None:
        """Not on stderr."""


def signed_rightly(parameters: dict[str, str]) -> bool:
    """As ApiServer.verifyRequest with Java's URLEncoder."""
    rest = sorted((name.lower(), value) for name, value in parameters.items() if name != "signature")
    java = (
        f"{name}={quote_plus(value, safe='*').replace('+', '%20').replace('~', '%7E')}".lower() for name, value in rest
    )
    digest = hmac.new(SECRET.encode(), "&".join(java).encode(), hashlib.sha1).digest()
    return parameters["signature"] == base64.b64encode(digest).decode()


def silently(text: str) -> None:
    """An echo that is not heard."""


def catalogue() -> list[dict[str, Any]]:
    """The real API's commands, with as much of each as Marvin's generator cannot do without."""
    text = resources.files("cs_matrix_pytest.simulator.metadata").joinpath("commands-4.23.json").read_text()
    commands = json.loads(text)["commands"].items()
    return [
        {
            "name": name,
            "description": "-",
            "isasync": about.get("async", False),
            "params": [],
            "response": [{"name": each, "type": "string", "description": "-"} for each in about["response"]],
        }
        for name, about in commands
    ]


@pytest.fixture
def server() -> Iterator[TinyServer]:
    with TinyServer() as tiny:
        threading.Thread(target=tiny.serve_forever, args=(0.01,), daemon=True).start()
        yield tiny
        tiny.shutdown()


MODERN = {
    "__init__.py": "",
    "codes.py": "SUCCESS = 'SUCCESS'\nFAILED = 'FAILED'\n",
    "cloudstackAPI/__init__.py": "",
    "cloudstackAPI/cloudstackAPIClient.py": """
class CloudStackAPIClient:
    def __init__(self, connection):
        self.connection = connection
        self.id = None
    def call(self, command, **parameters):
        return self.connection.call(command, parameters)
""",
    "cloudstackConnection.py": r'''
"""Answers are PASS\FAIL."""
import requests
from marvin.codes import FAILED
class CSConnection:
    def __init__(self, server, logger):
        self.url = "http://%s:%d/client/api" % (server.mgtSvrIp, server.port)
        self.logger = logger
        self.__lastError = ""
    def getLastError(self):
        return self.__lastError
    def __sendCmdToCS(self, command, auth=True, payload={}, method="GET"):
        try:
            payload["command"] = command
            payload["signature"] = b"c2lnbmF0dXJl"
            self.logger.debug("Payload: %s" % str(payload))
            payload.pop("signature")
            return requests.get(self.url, params=payload)
        except Exception as error:
            self.__lastError = error
            return FAILED
    def call(self, command, parameters):
        response = self.__sendCmdToCS(command, payload=dict(parameters))
        if response == FAILED:
            raise self.__lastError
        body = next(iter(response.json().values()))
        self.logger.debug("Response: %s", body)
        if "errorcode" in body:
            raise Exception(body["errortext"])
        return body
''',
    "cloudstackTestClient.py": """
from marvin.cloudstackConnection import CSConnection
from marvin.cloudstackAPI.cloudstackAPIClient import CloudStackAPIClient
class CSTestClient:
    def __init__(self, server, database, logger, zone, hypervisor):
        self.database = database.dbSvr or "localhost"
        self.identifier, self.zone, self.hypervisor = None, zone, hypervisor
        self.client = CloudStackAPIClient(CSConnection(server, logger))
        keys = self.client.call("getUserKeys", id="u-1")["userkeys"]
        logger.debug("keys: %s", keys)
    def getApiClient(self):
        self.client.id = self.identifier
        return self.client
    def getZoneForTests(self):
        return self.zone
    def getHypervisorInfo(self):
        return self.hypervisor
    def getUserApiClient(self, UserName=None, DomainName=None, type=0):
        self.user = (UserName, DomainName, type)
        return self.client if UserName != "nobody" else "FAILED"
""",
    "cloudstackTestCase.py": "import unittest\nclass cloudstackTestCase(unittest.TestCase):\n    pass\n",
    "configGenerator.py": "def getSetupConfig(file):\n    raise NotImplementedError\n",
    "jsonHelper.py": """
class jsonLoader:
    def __init__(self, values):
        for name, value in values.items():
            self.__dict__[name] = jsonLoader(value) if isinstance(value, dict) else (
                [jsonLoader(each) if isinstance(each, dict) else each for each in value] if isinstance(value, list) else value)
    def __getattr__(self, name):
        return None
""",
    "marvinLog.py": """
import logging, os
class MarvinLog:
    _instance = None
    def __new__(cls, name):
        if not cls._instance:
            cls._instance = super(MarvinLog, cls).__new__(cls)
            return cls._instance
    def __init__(self, name):
        self.logger = logging.getLogger(name)
        self.logger.setLevel(logging.DEBUG)
    def createLogs(self, folder):
        self.folder = os.path.join(folder, "MarvinLogs", "run_%d" % id(self))
        os.makedirs(self.folder)
        for file, level in (("runinfo.txt", logging.DEBUG), ("failed_plus_exceptions.txt", logging.FATAL)):
            handler = logging.FileHandler(os.path.join(self.folder, file))
            handler.setLevel(level)
            self.logger.addHandler(handler)
""",
    "marvinInit.py": """
from marvin.configGenerator import getSetupConfig
from marvin.marvinLog import MarvinLog
from marvin.cloudstackTestClient import CSTestClient
import os
class MarvinInit:
    def __init__(self, config_file, deploy_dc_flag=False, test_mod_name="deploydc", zone=None, hypervisor_type=None, user_logfolder_path=None):
        self.config_file, self.deploy, self.zone = config_file, deploy_dc_flag, zone
        self.hypervisor, self.folder = hypervisor_type, user_logfolder_path
    def init(self):
        try:
            assert os.path.isfile(self.config_file)
            self.config = getSetupConfig(self.config_file)
            log = MarvinLog("CSLog")
            if not log:
                print("no logger")
                return "FAILED"
            log.createLogs(self.folder)
            self.log = log
            self.client = CSTestClient(self.config.mgtSvr[0], self.config.dbSvr, log.logger, self.zone, self.hypervisor)
            if self.deploy:
                self.client.client.call("createZone", name="new")
            return "SUCCESS"
        except Exception as error:
            print("Exception Occurred Under init", error)
            return "FAILED"
    def getParsedConfig(self):
        return self.config
    def getTestClient(self):
        return self.client
    def getLogger(self):
        return self.log.logger
    def getLogFolderPath(self):
        return self.log.folder
    def getResultFile(self):
        return open(self.log.folder + "/results.txt", "w")
""",
    "lib/__init__.py": "",
    "lib/base.py": "class Account:\n    pass\n",
    "lib/common.py": "from marvin.lib.base import Account\n",
    "lib/utils.py": "",
}


def cloudstack_tree(top: Path) -> Path:
    package = top / "tools" / "marvin" / "marvin"
    for name, text in MODERN.items():
        file = package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (package.parent / "setup.py").write_text('VERSION = "4.99.0.0"\n')
    return top


def has_44() -> bool:
    try:
        return locate().kind == "4.4.0"
    except UserError:
        return False


only_44 = pytest.mark.skipif(not has_44(), reason='needs Marvin 4.4.0: pip install "cs-matrix-pytest[marvin]"')


@pytest.fixture(params=[pytest.param("4.4.0", marks=only_44), "modern"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Where Marvin comes from: what is installed (None), or a tree."""
    return None if request.param == "4.4.0" else cloudstack_tree(tmp_path / "cloudstack")


@pytest.fixture
def config(server: TinyServer, tmp_path: Path) -> Path:
    return written(tmp_path, server.port)


def written(folder: Path, port: int, **of_server: Any) -> Path:
    cluster = {"clustername": "c1", "hypervisor": "KVM", "hosts": []}
    settings = {
        "zones": [{"name": "zone1", "networktype": "Basic", **DNS, "pods": [{"name": "p1", "clusters": [cluster]}]}],
        "mgtSvr": [{"mgtSvrIp": "127.0.0.1", "port": port, "passwd": "root-passw0rd", **of_server}],
    }
    file = folder / "lab.cfg"
    file.write_text("# a comment\n" + json.dumps(settings), encoding="utf-8")
    return file


@pytest.fixture
def connected(source: Path | None, config: Path, tmp_path: Path) -> Iterator[Connection]:
    connection = connect(activate(source), config, log_folder=tmp_path / "logs")
    yield connection
    connection.close(silently)
    deactivate()


@pytest.fixture(autouse=True)
def _bridge_removed() -> Iterator[None]:
    yield
    deactivate()
    for handler in list(logging.getLogger("CSLog").handlers):
        handler.close()


def test_both_marvins_give_clients_and_facts_in_one_way(connected: Connection) -> None:
    client = connected.test_client
    assert (client.getZoneForTests(), client.getHypervisorInfo()) == ("zone1", "KVM")
    assert (connected.zone, connected.hypervisor) == ("zone1", "KVM")
    assert connected.config.zones[0].name == "zone1"
    assert connected.config.mgtSvr[0].mgtSvrIp == "127.0.0.1"
    assert connected.api_client() is client.getApiClient()


def test_a_class_gets_what_the_nose_plugin_gives_it(connected: Connection) -> None:
    class TestSomething:
        pass

    assert connected.api_client().id == "marvinTest"
    connected.bind(TestSomething)
    names = {"debug", "info", "warn", "error", "testClient", "config", "clstestclient"}
    assert names == {name for name in vars(TestSomething) if not name.startswith("__")}
    assert TestSomething.testClient is TestSomething.clstestclient is connected.test_client
    assert connected.test_client.identifier == "TestSomething"
    connected.before_test("TestSomething", "test_a", "test_a (module.TestSomething)")
    assert connected.test_client.identifier == "TestSomething-test_a"
    assert connected.api_client().id == "TestSomething-test_a"
    assert connected.logger.name == "test_a (module.TestSomething)"


def test_results_are_written_as_the_nose_plugin_writes_them(connected: Connection) -> None:
    class TestSomething:
        pass

    TestSomething.__module__ = "smoke.test_volumes"
    connected.bind(TestSomething)
    for name, outcome, text in (
        ("test_a", AttemptOutcome.PASSED, None),
        ("test_b", AttemptOutcome.FAILED, "AssertionError: 1 != 2"),
        ("test_c", AttemptOutcome.ERRORED, "KeyError: 'x'"),
        ("test_d", AttemptOutcome.SKIPPED, "no hosts"),
    ):
        connected.before_test("TestSomething", name, f"{name} (smoke.test_volumes.TestSomething)")
        connected.after_test(name, outcome, 2.5, text)
    said: list[str] = []
    working = connected.log_folder
    connected.close(said.append)
    connected.close(said.append)
    moved = connected.moved
    assert moved is not None
    assert not working.exists()
    assert moved.parent.name == "MarvinLogs"
    assert moved.name.startswith("test_volumes_")
    assert said == [f"=== Final results are now copied to: {moved} ==="]
    results = (moved / "results.txt").read_text().splitlines()
    assert results[:7] == [
        "test_a (smoke.test_volumes.TestSomething) ... === TestName: test_a | Status : SUCCESS ===",
        "ok",
        "test_b (smoke.test_volumes.TestSomething) ... === TestName: test_b | Status : FAILED ===",
        "FAIL",
        "test_c (smoke.test_volumes.TestSomething) ... === TestName: test_c | Status : EXCEPTION ===",
        "ERROR",
        "test_d (smoke.test_volumes.TestSomething) ... SKIP: no hosts",
    ]
    assert results[-1] == "FAILED (SKIP=1, errors=1, failures=1)"
    failures = (moved / "failed_plus_exceptions.txt").read_text()
    assert "FAILED: test_b: AssertionError: 1 != 2" in failures
    assert "test_a" not in failures
    log = (moved / "runinfo.txt").read_text()
    assert "::::::::::::STARTED : TC: test_a :::::::::::" in log
    assert "TestCaseName: test_c; Time Taken: 2 Seconds; StartTime:" in log
    assert "Result: EXCEPTION" in log


def test_connections_of_one_process_keep_their_logs_apart(
    source: Path | None, server: TinyServer, tmp_path: Path
) -> None:
    config = written(tmp_path, server.port)
    marvin = activate(source)
    first = connect(marvin, config, log_folder=tmp_path / "a")
    second = connect(marvin, config, log_folder=tmp_path / "b")
    first.logger.debug("only in the first")
    second.logger.debug("only in the second")
    assert next(line for line in first.take_trace().log if "only" in line).endswith("only in the first")
    for connection, own, other in ((first, "first", "second"), (second, "second", "first")):
        connection.close(silently)
        assert connection.moved is not None
        log = (connection.moved / "runinfo.txt").read_text()
        assert f"only in the {own}" in log
        assert f"only in the {other}" not in log


def test_no_secret_reaches_marvins_logs(connected: Connection) -> None:
    connected.logger.error("login with password=root-passw0rd and %s", {"apiKey": API_KEY})
    try:
        raise ValueError(f"secretkey: {SECRET}")
    except ValueError:
        connected.logger.exception("it failed")
    connected.after_test("test_a", AttemptOutcome.FAILED, 0.1, f"secretkey={SECRET}")
    trace = "\n".join(connected.take_trace().log)
    connected.close(silently)
    assert connected.moved is not None
    for text in (trace, *(file.read_text() for file in connected.moved.iterdir())):
        for secret in ("root-passw0rd", API_KEY, SECRET, "c2lnbmF0dXJl"):
            assert secret not in text
    assert "it failed" in trace
    assert "root-passw0rd" not in repr(connected)


@only_44
def test_marvin_44_takes_the_keys_that_the_user_has(server: TinyServer, config: Path, tmp_path: Path) -> None:
    connection = connect(activate(), config, log_folder=tmp_path)
    assert server.commands() == ["listCapabilities", "listUsers", "getUserKeys"]
    assert connection.config.mgtSvr[0].securityKey == SECRET
    connection.close(silently)


@only_44
def test_marvin_44_registers_keys_at_a_server_that_answers_with_a_job(
    server: TinyServer, config: Path, tmp_path: Path
) -> None:
    server.keys = None
    connection = connect(activate(), config, log_folder=tmp_path)
    assert server.commands()[-2:] == ["registerUserKeys", "queryAsyncJobResult"]
    assert connection.config.mgtSvr[0].securityKey == SECRET
    connection.close(silently)


@only_44
@pytest.mark.parametrize("value", ["plain", "a~b", "a*b", "a b+c", "ä/&=?", "x.y-z_0", "[1,2]"])
def test_marvin_44_signs_what_the_server_accepts(server: TinyServer, config: Path, tmp_path: Path, value: str) -> None:
    connection = connect(activate(), config, log_folder=tmp_path)
    from marvin.cloudstackAPI import listZones

    command = listZones.listZonesCmd()
    command.keyword = value
    zones = connection.api_client().listZones(command)
    assert "signature" in server.requests[-1]
    assert zones[0].description == value
    connection.close(silently)


@only_44
def test_marvin_44_has_test_data_and_a_copy_for_each(config: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text('{"ostype": "Ubuntu", "mine": 1}')
    settings = json.loads(config.read_text().partition("\n")[2])
    settings["TestData"] = {"Path": str(own)}
    config.write_text(json.dumps(settings))
    connection = connect(activate(), config, log_folder=tmp_path)
    data = connection.test_client.getParsedTestDataConfig()
    assert (data["ostype"], data["mine"]) == ("Ubuntu", 1)
    assert data["service_offerings"]["tiny"]["memory"] == 128
    data.clear()
    assert connection.test_client.getParsedTestDataConfig()["account"]["username"] == "account"
    connection.close(silently)


@only_44
def test_marvin_44_does_without_test_data_that_is_not_there(config: Path, tmp_path: Path) -> None:
    settings = json.loads(config.read_text().partition("\n")[2])
    settings["TestData"] = {"Path": "config/nowhere.cfg"}
    config.write_text(json.dumps(settings))
    connection = connect(activate(), config, log_folder=tmp_path)
    assert connection.test_client.getParsedTestDataConfig()["service_offerings"]["tiny"]["memory"] == 128
    connection.close(silently)


@only_44
def test_a_suite_of_today_finds_its_library_on_44(connected_44: Connection) -> None:
    from marvin.cloudstackException import CloudstackAPIException
    from marvin.integration.lib import base
    from marvin.lib.base import Account
    from marvin.lib.common import get_zone

    assert Account is base.Account
    api = connected_44.api_client()
    assert get_zone(api, "zone7").id == "id-of-zone7"
    assert get_zone(api, {"zoneid": "any"}).id == "id-of-zone1"
    with pytest.raises(CloudstackAPIException, match="432"):
        Account.list(api)


@pytest.fixture
def connected_44(config: Path, tmp_path: Path) -> Iterator[Connection]:
    connection = connect(activate(), config, log_folder=tmp_path)
    yield connection
    connection.close(silently)


@only_44
def test_the_trace_has_calls_with_their_answers(connected_44: Connection, server: TinyServer) -> None:
    from marvin.lib.base import Account, Zone

    api = connected_44.api_client()
    Zone.list(api, name="zone1", keyword="pässword")
    with pytest.raises(Exception, match="432"):
        Account.list(api)
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match="refused"):
        Zone.list(api)
    trace = connected_44.take_trace()
    listed, refused, lost = trace.calls
    assert (listed.command, listed.status, listed.error, listed.error_code) == ("listZones", 200, None, None)
    assert listed.parameters == {"name": "zone1", "keyword": "pässword"}
    assert listed.seconds > 0
    assert (refused.command, refused.status, refused.error_code) == ("listAccounts", 432, 432)
    assert refused.error == "The given command:listAccounts does not exist"
    assert (lost.status, lost.error_code) == (None, None)
    assert "refused" in (lost.error or "")
    assert API_KEY not in str(lost)
    assert any("sending GET request: listZones" in line for line in trace.log)
    assert connected_44.take_trace().calls == ()


@only_44
def test_polls_of_a_job_are_one_call_of_the_trace(connected_44: Connection) -> None:
    from marvin.lib.base import User

    keys = User.registerUserKeys(connected_44.api_client(), "u-1")
    assert keys.apikey == API_KEY
    connection = connected_44.api_client().connection
    connection.poll("job-keys", None)
    trace = connected_44.take_trace()
    assert [(call.command, call.job, call.times) for call in trace.calls] == [
        ("registerUserKeys", "job-keys", 1),
        ("queryAsyncJobResult", "job-keys", 2),
    ]
    assert trace.jobs == ("job-keys",)


def test_a_class_for_a_user_gets_that_users_client(config: Path, tmp_path: Path) -> None:
    connected = connect(activate(cloudstack_tree(tmp_path / "tree")), config, log_folder=tmp_path)

    class TestAsUser:
        user = True
        UserName, DomainName, AcctType = "someone", "ROOT", 0

    connected.bind(TestAsUser)
    assert connected.test_client.user == ("someone", "ROOT", 0)
    TestAsUser.UserName = "nobody"
    with pytest.raises(EnvironmentUnusable, match="no API client for the user 'nobody'"):
        connected.bind(TestAsUser)
    connected.close(silently)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_refuses_connections(source: Path | None, tmp_path: Path, capfd: Any) -> None:
    with pytest.raises(EnvironmentUnusable, match="refuses connections"):
        connect(activate(source), written(tmp_path, unused_port()), log_folder=tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_server_that_does_not_answer(source: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cs_matrix_pytest.marvin_bridge.connect._PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(EnvironmentUnusable, match="did not answer"):
        connect(activate(source), written(tmp_path, silent.getsockname()[1]), log_folder=tmp_path)


def test_a_server_that_is_not_cloudstack(source: Path | None, server: TinyServer, config: Path, tmp_path: Path) -> None:
    server.html = True
    with pytest.raises(EnvironmentUnusable, match="web page"):
        connect(activate(source), config, log_folder=tmp_path)


@only_44
def test_a_server_that_refuses_the_keys(server: TinyServer, tmp_path: Path) -> None:
    config = written(tmp_path, server.port, apiKey="WRONG-APIKEY", securityKey="WRONG-SECRET")
    connection = connect(activate(), config, log_folder=tmp_path)
    from marvin.lib.base import Zone

    with pytest.raises(Exception, match="401"):
        Zone.list(connection.api_client())
    assert connection.take_trace().calls[-1].status == 401
    connection.close(silently)


def test_a_deployment_that_fails_says_what_the_server_said(
    source: Path | None, config: Path, tmp_path: Path, capfd: Any
) -> None:
    with pytest.raises(EnvironmentUnusable) as caught:
        connect(activate(source), config, log_folder=tmp_path, deploy=True)
    assert "could not deploy the data center: createZone: HTTP 432, The given command:createZone" in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist"),
        ("{", "not JSON"),
        ('{"zones": []}', "names no management server"),
    ],
)
def test_a_config_that_cannot_be_used(source: Path | None, tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "lab.cfg"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=message):
        connect(activate(source), file, log_folder=tmp_path)


def test_a_log_folder_that_cannot_be_made(source: Path | None, config: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="logs cannot be written"):
        connect(activate(source), config, log_folder=tmp_path / "taken")


def test_a_library_that_is_missing_is_named(config: Path, tmp_path: Path) -> None:
    tree = cloudstack_tree(tmp_path / "tree")
    (tree / "tools/marvin/marvin/marvinInit.py").write_text("import no_such_library\n")
    with pytest.raises(UserError, match="pip install no_such_library"):
        connect(activate(tree), config, log_folder=tmp_path)


@pytest.mark.upstream
@pytest.mark.parametrize("known", [True, False], ids=["keys known", "keys registered"])
def test_the_marvin_of_a_real_tree(
    server: TinyServer, config: Path, tmp_path: Path, known: bool, cs_source: Path
) -> None:
    tree = tmp_path / "cloudstack"
    package = tree / "tools/marvin/marvin"
    shutil.copytree(cs_source / "tools/marvin", package.parent)
    shutil.rmtree(package / "cloudstackAPI", ignore_errors=True)
    (package / "cloudstackAPI").mkdir()
    generate = "import sys, codegenerator; codegenerator.CodeGenerator('.').generateCodeFromJSON(sys.argv[1])"
    address = f"http://127.0.0.1:{server.port}/client/api?command=listApis&response=json"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", generate, address], cwd=package, check=True, env={**os.environ}
    )
    server.keys = server.keys if known else None

    connection = connect(activate(tree), config, log_folder=tmp_path)
    assert connection.marvin.kind == "modern"
    assert connection.test_client.getZoneForTests() == "zone1"
    assert "virtual_machine" in connection.test_client.getParsedTestDataConfig()
    assert ("registerUserKeys" in server.commands()) is not known
    from marvin.cloudstackAPI import listZones

    command = listZones.listZonesCmd()
    command.keyword = "a b*c"
    assert connection.api_client().listZones(command)[0].description == "a b*c"
    (call,) = connection.take_trace().calls
    assert (call.command, call.status, call.parameters["keyword"]) == ("listZones", 200, "a b*c")
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match="refused"):
        connection.api_client().listZones(command)
    assert "refused" in (connection.take_trace().calls[0].error or "")
    connection.close(silently)
    assert connection.moved is not None
    assert SECRET not in (connection.moved / "runinfo.txt").read_text()


def test_suites_of_both_ages_run_on_a_modern_marvin(tmp_path: Path) -> None:
    activate(cloudstack_tree(tmp_path))
    from marvin.integration.lib import common
    from marvin.integration.lib.base import Account
    from marvin.lib import base

    assert Account is common.Account is base.Account
    assert sys.modules["marvin.lib.base"].__spec__.name == "marvin.lib.base"
    with pytest.raises(ModuleNotFoundError, match=r"marvin\.integration\.lib\.nothing"):
        import marvin.integration.lib.nothing  # noqa: F401
