"""The certificate authority of the simulator: what it issues is real X.509."""

from __future__ import annotations

import datetime
import ipaddress
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client

x509 = pytest.importorskip("cryptography.x509")

SMALL_KEYS = {"name": "ca.framework.cert.keysize", "value": "1024"}
"""Keys are slow to make; small ones do for most of what is tested here."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        client = Client(simulator)
        client.run("updateConfiguration", **SMALL_KEYS)
        yield client


def certificate(pem: str) -> Any:
    return x509.load_pem_x509_certificate(pem.encode())


def request(subject: str, *names: str) -> str:
    """A signing request."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name.from_rfc4514_string(subject))
    if names:
        wanted = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(wanted, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_the_only_provider_is_root(client: Client) -> None:
    described = {"name": "root", "description": "CloudStack's Root CA provider plugin"}
    assert client.rows("listCAProviders") == [described]
    assert client.rows("listCAProviders", name="root") == [described]
    assert client.rows("listCAProviders", name="other") == []


def test_the_root_signs_itself_and_stays_the_same(client: Client) -> None:
    pem = client.one("listCaCertificate")["certificate"]
    root = certificate(pem)
    root.verify_directly_issued_by(root)
    assert root.subject.rfc4514_string() == "CN=ca.cloudstack.apache.org"
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert client.one("listCaCertificate", provider="ROOT")["certificate"] == pem


def test_a_certificate_for_names_and_addresses(client: Client) -> None:
    issued = client.one("issueCertificate", domain="a.example.org, b.example.org", ipaddress="10.0.0.1,10.0.0.2")
    leaf, root = certificate(issued["certificate"]), certificate(issued["cacertificates"])
    leaf.verify_directly_issued_by(root)
    assert leaf.subject.rfc4514_string() == "CN=a.example.org"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example.org", "b.example.org"]
    addresses = [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("10.0.0.2")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    assert issued["privatekey"].startswith("-----BEGIN PRIVATE KEY-----")
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == datetime.timedelta(days=365, hours=12)


def test_a_certificate_for_a_request_has_its_key_and_names(client: Client) -> None:
    csr = request("CN=v-1-VM,O=Example,C=DE", "v.example.org")
    issued = client.one("issueCertificate", csr=csr, domain="more.example.org", duration=10)
    leaf = certificate(issued["certificate"])
    assert "privatekey" not in issued
    asked = x509.load_pem_x509_csr(csr.encode())
    assert leaf.public_key().public_numbers() == asked.public_key().public_numbers()
    assert [part.value for part in leaf.subject] == [part.value for part in reversed(list(asked.subject))]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["more.example.org", "v.example.org"]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == datetime.timedelta(days=10, hours=12)


@pytest.mark.parametrize(
    ("command", "params", "code", "text"),
    [
        (
            "issueCertificate",
            {},
            431,
            "Please provide the domains or the CSR, none of them are provided",
        ),
        ("issueCertificate", {"csr": "no request"}, 530, "Unable to read/process CSR: no request"),
        ("issueCertificate", {"domain": "a", "ipaddress": "nowhere"}, 530, "IP Address is invalid"),
        ("issueCertificate", {"domain": "a", "provider": "Other"}, 530, "CA provider plugin 'other' not found"),
        ("issueCertificate", {"domain": "a", "duration": -1}, 530, "Failed to generate certificate due to:"),
        ("issueCertificate", {"domain": ","}, 530, "No domain name is specified, cannot generate certificate"),
        ("issueCertificate", {"domain": "é.example.org"}, 530, "Failed to generate certificate due to:"),
        ("listCaCertificate", {"provider": "Other"}, 530, "CA provider plugin 'other' not found"),
        ("revokeCertificate", {"serial": "no number"}, 530, 'For input string: "no number"'),
        ("provisionCertificate", {"hostid": -1}, 431, "Unable to find host by ID: -1"),
    ],
)
def test_what_it_refuses(client: Client, command: str, params: dict[str, Any], code: int, text: str) -> None:
    refused = client.refused(command, **params)
    assert refused[0] == code
    assert refused[1].startswith(text)


def test_an_agent_connects_again_with_its_new_certificate(client: Client) -> None:
    agent = client.rows("listHosts", type="Routing")[0]["id"]
    assert client.run("provisionCertificate", hostid=agent, reconnect=True)["success"] is True
    assert client.rows("listHosts", id=agent, state="Up") == []
    client.pass_time(10)
    assert client.one("listHosts", id=agent)["state"] == "Up"


def test_only_some_hosts_can_be_forced(client: Client) -> None:
    host = client.rows("listHosts", type="Routing")[0]["id"]
    refused = client.refused("provisionCertificate", hostid=host, forced=True)
    assert refused == (530, "Forced certificate provisioning is only supported for KVM hosts and SystemVMs.")


def test_without_the_package_it_says_what_is_missing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    code, text = client.refused("listCaCertificate")
    assert (code, "pip install" in text) == (530, True)
    assert client.rows("listCAProviders")


def test_revoking_is_kept_once(client: Client) -> None:
    for _ in range(2):
        assert client.run("revokeCertificate", serial="ABC123", cn="example.org")["success"] is True
    from cs_matrix_pytest.simulator.models.certificates import RevokedCertificate

    kept = list(client.simulator.cloud.store.table(RevokedCertificate))
    assert [(row.serial, row.common_name) for row in kept] == [("abc123", "example.org")]
