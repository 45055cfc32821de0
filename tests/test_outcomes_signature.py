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
        ("test-account-TestVM-A1B2C3 exists", "test-account-TestVM-<random> exists"),
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
