"""Failure signatures: one cause, one signature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.outcomes.signature import normalise, signature


@pytest.mark.parametrize(
    ("message", "normal"),
    [
        ("VM 5f2b9c1e-0f6a-4b7e-9d5a-0a1b2c3d4e5f is Stopped", "VM <uuid> is Stopped"),
        ("started 2026-01-02T03:04:05+0000", "started <time>"),
        ("at 2026-01-02 03:04:05,123 UTC", "at <time> UTC"),
        ("NIC 02:00:4c:5f:00:0a missing", "NIC <mac> missing"),
        ("10.1.1.7 is not in 10.1.1.0/24", "<ip> is not in <ip>"),
        ("fe80:0:0:1:2:3:4:5 unreachable", "<ip> unreachable"),
        ("connect to 10.1.1.7:8096 refused", "connect to <ip> refused"),
        ("Max retries at mgmt-3.lab.example:8096", "Max retries at <host>"),
        ("HTTPConnectionPool(host='mgmt7', port=8080)", "HTTPConnectionPool(host=<host>, port=<n>)"),
        ("object at 0x7f00deadbeef", "object at <hex>"),
        ("test-account-TestVM-A1B2C3 exists", "<name> exists"),
        ("account test-a-TestVolumes-test_01_root_volume-A1B2C3 exists", "account <name> exists"),
        ("Project-A1B2C3 and a group named aff_grp_VS1I2U", "Project-<random> and a group named aff_grp_<random>"),
        ("STOPPED is not RUNNING", "STOPPED is not RUNNING"),
        ('pool StoragePool {"id":12,"name":"Primary XEN"} in use', 'pool StoragePool {"id":<n>,"name":<name>} in use'),
        ("no file /tmp/pytest-1/a_b/x.cfg here", "no file <path> here"),
        ("errorCode: 530, waited 12.5 s", "errorCode: <n>, waited <n> s"),
        ("digest 9f86d081884c7d65 differs", "digest <hex> differs"),
        ("i-2-33-VM", "i-<n>-<n>-VM"),
        ("two\n  lines\there", "two lines here"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("VM state: Running != Stopped", "VM state: Running != Stopped"),
        ("and/or, n/a", "and/or, n/a"),
    ],
)
def test_what_varies_is_taken_out(message, normal):
    assert normalise(message) == normal


def test_a_cause_has_one_signature_across_environments_and_runs():
    one = signature("CloudstackAPIException", "Job failed: 1f0c2a9b-0f6a-4b7e-9d5a-0a1b2c3d4e5f on 10.0.0.1")
    other = signature("marvin.x.CloudstackAPIException", "Job failed: 2a9b1f0c-1111-4b7e-9d5a-ffffffffffff on 10.9.9.9")
    assert one == other
    assert one.startswith("CloudstackAPIException: Job failed: <uuid> on <ip> [")


def test_different_causes_differ():
    signatures = {
        signature("AssertionError", "VM is not Running"),
        signature("AssertionError", "VM is not Stopped"),
        signature("ValueError", "VM is not Running"),
        signature("AssertionError", ""),
        signature("AssertionError", "", "smoke/test_x.py::TestX::test_a"),
        signature("AssertionError", "", "smoke/test_x.py::TestX::test_b"),
    }
    assert len(signatures) == 6


JOB = (
    "Job failed: {{accountid : 'a3702e27-e53e-11f1-bbdc-02fc00000001', account : '{account}', domainpath : 'ROOT', "
    "cmd : 'org.apache.cloudstack.api.command.user.vm.{command}', jobstatus : 2, jobresultcode : {code}, "
    "jobresult : {{errorcode : {code}, errortext : {text!r}}}, jobinstancetype : 'Host', created : '{created}'}}"
)


def job(account="admin", command="StartVMCmdByAdmin", code=530, text="it's down", created="2026-11-21T00:31:59+0000"):
    return JOB.format(account=account, command=command, code=code, text=text, created=created)


@pytest.mark.parametrize(
    ("message", "normal"),
    [
        (job(), "StartVM job failed with 530: it's down"),
        (job(text='no "host" left, pod\'s full'), 'StartVM job failed with 530: no "host" left, pod\\\'s full'),
        (
            job(command="StopVMCmd", code=533, text="it was cut off").partition(" off")[0],
            "StopVM job failed with 533: it was cut",
        ),
        (
            "Execute cmd: asyncquery failed, due to: {errorcode : 530, errortext : u'no space'}",
            "job failed with 530: no space",
        ),
        (
            "Execute cmd: deployvirtualmachine failed, due to: errorCode: 533, errorText:Unable to deploy 3",
            "deployvirtualmachine failed with 533: Unable to deploy <n>",
        ),
        ("Job failed: {", "Job failed: {"),
        ("Job failed: None", "Job failed: None"),
    ],
)
def test_of_a_refused_call_or_a_failed_job_the_command_and_the_error_stay(message, normal):
    assert normalise(message) == normal


def test_a_job_fails_for_one_cause_whoever_asked_and_for_another_where_command_or_error_differ():
    same = {signature("Exception", job(account=f"test-a-TestVM-A1B2C{n}", created=f"2026-11-2{n}")) for n in range(3)}
    assert len(same) == 1
    others = [job(command="StopVMCmd"), job(code=431), job(text="it's gone")]
    assert len(same | {signature("Exception", message) for message in others}) == 4


@pytest.mark.parametrize("bare", ["", "False is not true", "7 != 1", "assert 2 == 3", "unexpectedly None", "'' != ''"])
def test_an_assertion_without_a_message_is_told_apart_by_its_place(bare):
    one, other = (signature("AssertionError", bare, f"a.py::A::test_0{n}") for n in range(2))
    assert one != other


def test_the_place_counts_only_where_the_message_says_nothing():
    assert signature("E", "no capacity", "a.py::A::test_a") == signature("E", "no capacity", "b.py::B::test_b")


def test_a_long_message_is_cut_and_still_tells_causes_apart():
    one, other = signature("E", "word " * 100 + "this"), signature("E", "word " * 100 + "that")
    assert one != other
    assert max(len(one), len(other)) < 90


@given(st.text())
def test_any_text_gives_one_short_line(text):
    result = signature("E", text)
    assert len(result) < 90
    assert "\n" not in result
    assert signature("E", text) == result


@given(st.uuids(), st.ip_addresses(v=4), st.integers(min_value=0))
def test_any_uuid_address_and_number(uuid, address, number):
    assert normalise(f"a {uuid} b {address}:80 c {number} d") == "a <uuid> b <ip> c <n> d"
