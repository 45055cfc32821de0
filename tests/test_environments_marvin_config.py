"""Marvin configurations: read as Marvin reads them, secrets put in, handed over privately."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from cs_matrix_pytest.environments.marvin_config import load_marvin_config, resolve_config, write_private
from cs_matrix_pytest.environments.model import Context, Environment, Hypervisor
from cs_matrix_pytest.errors import UserError

PLAIN = {
    "zones": [{"name": "z#1", "networktype": "Advanced"}],
    "dbSvr": {"dbSvr": "db", "passwd": "db-password", "port": 3306},
    "mgtSvr": [{"mgtSvrIp": "10.1.1.2", "port": 8096, "user": "root", "passwd": "#root"}],
}

# The habits of generated configurations: tabs, several tokens on a line, numbers and strings mixed, blank lines.
GENERATED = """\
{
\t"zones": [{
\t\t"name": "pr1234-t5-kvm",
\t\t"physical_networks": [{
\t\t\t"traffictypes": [{
\t\t\t\t"type": "Guest",
\t\t\t\t"providers": [{
\t\t\t\t"name": "VirtualRouter"
\t\t\t}, {
\t\t\t\t"name": "VpcVirtualRouter"
\t\t\t}],
\t\t\t"isolationmethods": "VLAN"
\t\t\t}, {
\t\t\t\t"type": "Public"
\t\t\t}]
\t\t}],
\t\t"networktype": "Advanced",
\t\t"pods": [{
\t\t\t"clusters": [{
\t\t\t\t\t"hypervisor": "kvm",
\t\t\t\t\t"hosts": [
            {
\t\t\t\t\t\t"url": "http://10.0.32.1",
\t\t\t\t\t\t"password": "P@ss#word"
\t\t\t\t\t},            {
\t\t\t\t\t\t"url": "http://10.0.32.2",
\t\t\t\t\t\t"password": "P@ss#word"
\t\t\t\t\t}
\t\t\t\t\t],
\t\t\t\t\t"primaryStorages": [
\t\t\t{
\t\t\t\t\t\t"url": "nfs://10.0.32.4/acs/primary/pr1234-t5-kvm/pri1/",
\t\t\t\t\t\t"name": "pri1"}
\t\t\t\t\t]
\t\t\t\t}

\t\t\t]
\t\t}]
\t}],
\t"dbSvr": {
\t"dbSvr": "10.0.32.9",

\t\t"passwd": "cloud"
\t},
\t"globalConfig": [{
\t\t"name": "account.cleanup.interval",
\t\t"value": 60
\t}, {
\t\t"name": "vm.op.cleanup.wait",
\t\t"value": "600"
\t}],
\t"mgtSvr": [{
\t\t"mgtSvrIp": "10.0.32.9",
\t\t"port": 8096,
\t\t"passwd": "P@ss#word",
                "useHttps": "False",
                "certPath":  "NA"
\t}]
}
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "lab.cfg") -> Path:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


def environment(config: Path | None, **secrets: str) -> Environment:
    return Environment(
        "kvm",
        Context(Hypervisor("kvm")),
        marvin_config=config,
        secrets={path.replace("__", "."): value for path, value in secrets.items()},
        file=Path("cs-environments.yaml"),
        line=3,
        lines={"secrets." + path.replace("__", "."): 7 for path in secrets} | {"marvin_config": 4},
    )


def test_whole_line_comments_go_and_other_hashes_stay(write):
    text = "# a license\n  # indented\n" + json.dumps(PLAIN, indent=1).replace(
        '"dbSvr": {', '\n\t# here too\n"dbSvr": {', 1
    )
    assert load_marvin_config(write(text)) == PLAIN


def test_a_comment_behind_a_value_is_as_little_json_as_it_is_to_marvin(write):
    with pytest.raises(UserError, match=r"is not JSON") as caught:
        load_marvin_config(write('# one\n{"mgtSvr": [ # two\n]}\n'))
    assert caught.value.line == 2


def test_generated_with_tabs_and_lines_of_any_shape(write):
    config = load_marvin_config(write(GENERATED, "pr1234-t5-kvm-advanced-cfg"))
    assert config["zones"][0]["pods"][0]["clusters"][0]["hosts"][1]["password"] == "P@ss#word"
    assert config["globalConfig"][0]["value"] == 60


def test_yaml_of_the_same_shape(write):
    import yaml

    assert load_marvin_config(write(yaml.safe_dump(PLAIN), "lab.yaml")) == PLAIN
    assert load_marvin_config(write(yaml.safe_dump(PLAIN), "lab.YML")) == PLAIN


def test_windows_line_ends_and_byte_order_mark(tmp_path):
    file = tmp_path / "lab.cfg"
    file.write_bytes(b"\xef\xbb\xbf# comment\r\n" + json.dumps(PLAIN, indent=1).replace("\n", "\r\n").encode())
    assert load_marvin_config(file) == PLAIN


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "is empty"),
        ("# only this\n", None, "is empty"),
        ('{"mgtSvr": [\n  {"port" 8096}]}', 2, r"is not JSON: .*line 2, column 11"),
        ("mgtSvr:\n- port: 8096\n", 1, r"must be called \.yaml"),
        ("[1]", None, "must be a mapping, this is a list"),
        ('{"zones": []}', None, "mgtSvr: this Marvin configuration names no management server"),
        ('{"mgtsvr": []}', None, "did you mean mgtsvr"),
        ('{"mgtSvr": []}', None, "mgtSvr: is empty"),
        ('{"mgtSvr": {"port": 1}}', None, "mgtSvr: must be a list of mappings"),
        ('{"mgtSvr": [{"port": 1}]}', None, r"mgtSvr\.0\.mgtSvrIp: missing"),
        ('{"mgtSvr": [{"mgtSvrIp": "a", "port": "8096"}]}', None, r"mgtSvr\.0\.port: must be a whole number, is text"),
    ],
)
def test_a_bad_configuration(write, text, line, message):
    with pytest.raises(UserError, match=message) as caught:
        load_marvin_config(write(text))
    assert caught.value.line == line
    assert str(caught.value.file).endswith("lab.cfg")


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"lab\.cfg: this Marvin configuration does not exist"):
        load_marvin_config(tmp_path / "lab.cfg")
    with pytest.raises(UserError, match=r"cs-environments\.yaml:4: environments\.kvm\.marvin_config: .*lab\.cfg does"):
        resolve_config(environment(tmp_path / "lab.cfg"))


def test_secrets_reach_their_paths(write):
    file = write(json.dumps(PLAIN))
    resolved = resolve_config(
        environment(file, mgtSvr__0__passwd="${PW}", mgtSvr__0__apiKey="a-${PW}-$${b}", dbSvr__dbSvr="hidden-host"),
        {"PW": "s3cret"},
    )
    server = resolved.config["mgtSvr"][0]
    assert (server["passwd"], server["apiKey"]) == ("s3cret", "a-s3cret-${b}")
    assert resolved.secrets == {"s3cret", "a-s3cret-${b}", "hidden-host", "db-password"}
    assert "s3cret" not in repr(resolved)
    assert load_marvin_config(file) == PLAIN


def test_a_port_that_the_configuration_leaves_out_is_the_integration_port(write):
    resolved = resolve_config(environment(write('{"mgtSvr": [{"mgtSvrIp": "a"}]}')))
    assert resolved.config["mgtSvr"][0]["port"] == 8096


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("mgtSvr__0__passwd", "${NOT_SET}", "the environment variable NOT_SET is not set"),
        ("mgtSvr__0__passwd", "${LAB_PASSWORT}", r"(?s)LAB_PASSWORT is not set.*did you mean LAB_PASSWORD"),
        ("mgtSvr__0__passwd", "x${oops", "not well formed"),
        ("mgtSvr__0__passwd", "x${hunter 2}", "not well formed"),
        ("mgtSvr__0__paswd", "hunter2", "did you mean passwd"),
        ("mgtSvr__1__passwd", "hunter2", r"has no mgtSvr\.1\n  there are: 0"),
        ("mgtSvr__passwd", "hunter2", "has no mgtSvr.passwd"),
        ("mgtServer__0__passwd", "hunter2", "has no mgtServer\n  did you mean mgtSvr"),
        ("dbSvr__passwd__x", "hunter2", "has no dbSvr.passwd.x"),
        ("mgtSvr__0", "hunter2", "is a mapping, not a value to replace"),
        ("mgtSvr", "hunter2", "is a list, not a value to replace"),
    ],
)
def test_a_bad_secret(write, path, value, message):
    bad = environment(write(json.dumps(PLAIN)), **{path: value})
    with pytest.raises(UserError, match=message) as caught:
        resolve_config(bad, {"LAB_PASSWORD": "topsecret"})
    dotted = path.replace("__", ".")
    assert str(caught.value).startswith(f"cs-environments.yaml:7: environments.kvm.secrets.{dotted}: ")
    assert not any(secret in str(caught.value) for secret in ("topsecret", "hunter", "#root", "db-password"))


def test_an_environment_without_configuration():
    with pytest.raises(UserError, match="has no Marvin configuration"):
        resolve_config(environment(None))


def test_the_private_file_is_private_and_goes_away():
    with write_private(PLAIN) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert load_marvin_config(path) == PLAIN
    assert not path.exists()
    with pytest.raises(ZeroDivisionError), write_private(PLAIN) as path:
        _ = 1 / 0
    assert not path.exists()
