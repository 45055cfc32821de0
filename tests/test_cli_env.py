"""The program cs-matrix, and its `env` subcommands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from cs_matrix_pytest.cli import COMMANDS, main
from cs_matrix_pytest.environments.file import load_environments
from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage

ANSWERS = {
    "listCapabilities": {"capability": {"cloudstackversion": "4.22.0.0"}},
    "listZones": {"zone": [{"id": "1", "name": "zone1", "networktype": "Basic"}]},
    "listHosts": {"host": [{"state": "Up", "hypervisor": "KVM"}, {"state": "Down", "hypervisor": "KVM"}]},
    "listStoragePools": {"storagepool": [{"scope": "ZONE", "type": "NetworkFilesystem"}]},
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        command = parse_qs(urlsplit(self.path).query)["command"][0]
        body = json.dumps({f"{command.lower()}response": ANSWERS[command]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: the client sees what went wrong, and stray requests of other programs are not the test's."""


@pytest.fixture
def server():
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def config(port: int = 1, zone: str = "zone1") -> dict:
    cluster = {
        "hypervisor": "KVM",
        "hosts": [{"url": "http://10.1.1.5", "password": "host-password"}],
        "primaryStorages": [{"url": "nfs://10.1.1.9/export", "name": "ps"}],
    }
    return {
        "zones": [{"name": zone, "networktype": "Advanced", "pods": [{"clusters": [cluster]}]}],
        "dbSvr": {"passwd": "db-password"},
        "mgtSvr": [{"mgtSvrIp": "127.0.0.1", "port": port, "passwd": "root-password"}],
    }


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder with an environments file, and this process in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def lab(port: int = 1, more: str = "") -> Path:
        Path("kvm.cfg").write_text("# a lab\n" + json.dumps(config(port)))
        Path("cs-environments.yaml").write_text(
            "version: 1\ndefaults: {hypervisor: {type: kvm}, storage: {protocol: nfs}}\nenvironments:\n"
            "  kvm-adv: {marvin_config: kvm.cfg, zone: zone1, hypervisor: {version: ubuntu24}}\n"
            "  demo: {simulator: embedded, networking: basic, faults: {attachVolume: {fail_every: 3}}}\n" + more
        )
        return tmp_path

    return lab


def run(*words: str, capsys) -> tuple[int, str, str]:
    code = main(words)
    return (code, *capsys.readouterr())


def test_list(lab, capsys):
    lab()
    code, out, err = run("env", "list", capsys=capsys)
    rows = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert rows[0] == ["name", "hypervisor", "networking", "storage", "zone", "where"]
    assert rows[2:] == [
        ["kvm-adv", "kvm ubuntu24", "advanced", "shared nfs", "zone1", "kvm.cfg"],
        ["demo", "kvm", "basic", "shared nfs", "first", "embedded simulator"],
    ]
    assert "\x1b" not in out


def test_list_of_a_named_file_and_of_one_above(lab, capsys, monkeypatch):
    folder = lab()
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    assert run("env", "list", capsys=capsys)[0] == 0
    (folder / "cs-environments.yaml").rename(folder / "labs.yaml")
    assert run("env", "list", "--file", "../labs.yaml", capsys=capsys)[0] == 0
    code, out, err = run("env", "list", capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith("cs-matrix: no environments file")


def test_show_masks_secrets(lab, capsys, monkeypatch):
    import yaml

    lab(
        more="  secret: {marvin_config: kvm.cfg, secrets: {mgtSvr.0.passwd: '${LAB_PW}', dbSvr.passwd: '${NOT_SET}',"
        " mgtSvr.0.mgtSvrIp: hidden-host}}\n"
    )
    monkeypatch.setenv("LAB_PW", "hunter22")
    monkeypatch.delenv("NOT_SET", raising=False)
    code, out, _ = run("env", "show", "secret,demo", capsys=capsys)
    assert code == 0
    demo, secret = (next(iter(each.values())) for each in yaml.safe_load_all(out))
    assert demo["faults"] == {
        "attachVolume": {"fail": False, "fail_every": 3, "error": [530, "Injected fault"], "delay": 0.0}
    }
    assert secret["key"] == "kvm/advanced/nfs"
    assert secret["file"].endswith("cs-environments.yaml:6")
    assert secret["secrets"] == {
        "mgtSvr.0.passwd": "${LAB_PW} (set)",
        "dbSvr.passwd": "${NOT_SET} (not set)",
        "mgtSvr.0.mgtSvrIp": "********",
    }
    assert secret["config"]["mgtSvr"] == [{"mgtSvrIp": "********", "port": 1, "passwd": "********"}]
    assert not any(word in out for word in ("hunter22", "hidden-host", "-password", "127.0.0.1"))


def test_show_of_what_is_not_there(lab, capsys):
    lab()
    code, out, err = run("env", "show", "kvm-avd", capsys=capsys)
    assert (code, out) == (2, "")
    assert "there is no environment 'kvm-avd'" in err
    assert "did you mean kvm-adv?" in err


def test_check_of_a_usable_lab(lab, capsys, server):
    lab(server)
    code, out, err = run("env", "check", capsys=capsys)
    rows = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    assert code == 0
    assert rows[2] == ["kvm-adv", "yes", "yes", "not needed", "4.22.0.0", "kvm", "zone1", "1/2"]
    assert rows[3][:4] == ["demo", "yes", "yes", "accepted"]
    assert (
        err
        == "warning: kvm-adv: the environments file says networking advanced, the server basic; the server's counts\n"
    )


def test_check_tells_what_is_wrong_with_each(lab, capsys, server, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    lab(
        server,
        more="  elsewhere: {marvin_config: kvm.cfg, zone: zone9}\n"
        "  nowhere: {marvin_config: dead.cfg}\n"
        "  missing: {marvin_config: missing.cfg}\n"
        "  unset: {marvin_config: kvm.cfg, secrets: {mgtSvr.0.passwd: '${NOT_SET}'}}\n",
    )
    Path("dead.cfg").write_text(json.dumps(config(1)))
    code, out, err = run("env", "check", capsys=capsys)
    assert code == 3
    usable = {words[0]: words[1] for words in map(str.split, out.splitlines()[2:])}
    assert usable == {
        "kvm-adv": "yes",
        "demo": "yes",
        "elsewhere": "no",
        "nowhere": "no",
        "missing": "no",
        "unset": "no",
    }
    assert re.search(r"elsewhere cannot be used: \S+ has no zone zone9: it has zone1", err)
    assert re.search(r"nowhere cannot be used: http://127.0.0.1:1/client/api refuses connections", err)
    assert re.search(
        r"missing cannot be used: .*yaml:8: environments.missing.marvin_config: .*missing.cfg does not", err
    )
    assert re.search(r"unset cannot be used: .*yaml:9: .*the environment variable NOT_SET is not set", err)
    assert "password" not in err
    assert run("env", "check", "kvm-*", "demo", capsys=capsys)[0] == 0


def test_check_of_a_zone_without_a_host(lab, capsys, server, monkeypatch):
    monkeypatch.setitem(ANSWERS, "listHosts", {"host": [{"state": "Down", "hypervisor": "KVM"}]})
    lab(server)
    code, _, err = run("env", "check", "kvm-adv", capsys=capsys)
    assert code == 3
    assert "kvm-adv cannot be used: no host in zone zone1 is Up" in err


def test_init_writes_a_file_that_can_be_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("labs", "old", "out"):
        Path(folder).mkdir()
    Path("labs/kvm.cfg").write_text(json.dumps(config(zone="zone: 1")))
    secured = config()
    secured["zones"][0] |= {"securitygroupenabled": "true", "localstorageenabled": True}
    Path("old/kvm.cfg").write_text(json.dumps(secured))
    Path("labs/my lab-advanced-cfg").write_text('{"mgtSvr": [{"mgtSvrIp": "h"}]}')
    code, out, err = run(
        "env",
        "init",
        "labs/kvm.cfg",
        "old/kvm.cfg",
        "labs/my lab-advanced-cfg",
        "--output",
        "out/labs.yaml",
        capsys=capsys,
    )
    assert (code, err) == (0, "")
    assert out == "wrote out/labs.yaml with 3 environments: labs-kvm, old-kvm, my-lab-advanced-cfg\n"
    text = Path("out/labs.yaml").read_text()
    assert not any(secret in text for secret in ("host-password", "db-password", "root-password"))
    assert '#   mgtSvr.0.passwd: "${LABS_KVM_MGTSVR_0_PASSWD}"' in text
    one, two, three = load_environments(Path("out/labs.yaml")).environments.values()
    assert one.context == Context(Hypervisor("kvm"), "advanced", Storage("shared", "nfs"))
    assert (one.zone, one.marvin_config.resolve()) == ("zone: 1", tmp_path / "labs" / "kvm.cfg")
    assert two.context == Context(Hypervisor("kvm"), "advanced-sg", Storage("mixed", "nfs"))
    assert (three.zone, three.context.hypervisor.type) == (None, "unknown")


def test_what_init_suggests_for_secrets_works(tmp_path, monkeypatch, capsys):
    from cs_matrix_pytest.environments.marvin_config import resolve_config

    monkeypatch.chdir(tmp_path)
    Path("kvm.cfg").write_text(json.dumps(config()))
    assert run("env", "init", "kvm.cfg", capsys=capsys)[0] == 0
    file = Path("cs-environments.yaml")
    file.write_text(re.sub(r"    # (secrets:|  \S+: )", r"    \1", file.read_text()))
    environment = load_environments(file).environments["kvm"]
    variables = {raw[2:-1]: "moved-out" for raw in environment.secrets.values()}
    assert len(variables) == 3
    assert resolve_config(environment, variables).secrets == {"moved-out"}


def test_init_replaces_nothing_unless_forced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("kvm.cfg").write_text(json.dumps(config()))
    Path("cs-environments.yaml").write_text("mine")
    code, _, err = run("env", "init", "kvm.cfg", capsys=capsys)
    assert (code, Path("cs-environments.yaml").read_text()) == (2, "mine")
    assert "exists already\n  --force replaces it" in err
    assert run("env", "init", "kvm.cfg", "--force", capsys=capsys)[0] == 0
    assert run("env", "init", "kvm.cfg", "--output", "no/such/folder/f.yaml", capsys=capsys)[0] == 2
    assert run("env", "init", "missing.cfg", "--force", capsys=capsys)[0] == 2


@pytest.mark.parametrize(
    "words",
    [[], ["nope"], ["env"], ["env", "nope"], ["env", "check", "--timeout", "0"], ["env", "check", "--timeout", "soon"]],
)
def test_wrong_use_is_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: cs-matrix" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["env", "--help"], ["env", "check", "--help"], ["--version"]])
def test_help(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    assert "cs-matrix" in capsys.readouterr().out


# As a program.


def program(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "FORCE_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "cs_matrix_pytest", *words],
        capture_output=True,
        text=True,
        env=clean,
        check=False,
        **options,
    )


def test_a_users_mistake_is_no_traceback(tmp_path):
    done = program("env", "list", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("cs-matrix: no environments file")
    assert "Traceback" not in done.stderr


def test_help_imports_no_command():
    script = "import sys; from cs_matrix_pytest.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    heavy = ("yaml", "jsonschema", "rich", "requests", "cs_matrix_pytest.commands.")
    script += f"print([name for name in sys.modules if name.startswith({heavy!r})])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert set(COMMANDS) <= set(done.stdout.split())


def test_a_closed_pipe_is_no_traceback(lab):
    folder = lab(
        more="".join(
            f"  demo-{number}: {{simulator: embedded, zone: a-rather-long-name-of-a-zone}}\n" for number in range(1000)
        )
    )
    pipe = subprocess.Popen(
        [sys.executable, "-m", "cs_matrix_pytest", "env", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
    )
    assert pipe.stdout is not None
    assert pipe.stderr is not None
    pipe.stdout.readline()
    pipe.stdout.close()
    stderr = pipe.stderr.read()
    pipe.stderr.close()
    assert (pipe.wait(), stderr) == (128 + 13, b"")


def test_ctrl_c_is_no_traceback(monkeypatch, lab, capsys):
    from cs_matrix_pytest.commands import env

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    lab()
    monkeypatch.setattr(env, "run", interrupted)
    assert run("env", "list", capsys=capsys) == (130, "", "")
