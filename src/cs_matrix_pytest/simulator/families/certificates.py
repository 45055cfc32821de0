"""The certificate authority: issuing, provisioning and revoking certificates (CAManagerImpl, RootCAProvider)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, ParameterError
from cs_matrix_pytest.simulator.families.host_ha import named
from cs_matrix_pytest.simulator.families.host_ha_states import come_back
from cs_matrix_pytest.simulator.models.certificates import CertificateAuthority, RevokedCertificate
from cs_matrix_pytest.simulator.models.infra import Host
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.x509 import (
    Authority,
    Terms,
    issue,
    issue_for_request,
    need_cryptography,
    self_signed,
)

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("certificates")

PROVIDERS = {"root": "CloudStack's Root CA provider plugin"}
"""The CA provider plugins and how they describe themselves."""
AUTHORITY_DAYS = 365 * 30
RECONNECTS_AFTER = 5.0
"""Seconds that an agent takes to connect with its new certificate."""
SYSTEM_VM_AGENTS = ("ConsoleProxy", "SecondaryStorageVM")


def check_provider(cloud: Cloud, name: str | None) -> None:
    """Raise InternalError for a provider that there is not; without a name it is the configured one."""
    if name:
        if name.lower() not in PROVIDERS:
            raise InternalError(f"CA provider plugin '{name.lower()}' not found")
    elif cloud.configuration.text("ca.framework.provider.plugin", default="root") not in PROVIDERS:
        raise InternalError("Failed to find default configured CA provider plugin")


def _bits(cloud: Cloud) -> int:
    return int(cloud.configuration.number("ca.framework.cert.keysize", default=2048))


def _terms(cloud: Cloud, days: int) -> Terms:
    algorithm = cloud.configuration.text("ca.framework.cert.signature.algorithm", default="SHA256withRSA")
    return Terms(cloud.clock.datetime(), days, algorithm.partition("with")[0].upper())


def authority_of(cloud: Cloud) -> Authority:
    """The root CA; made when it is first needed, as its key takes a moment. Raises InternalError without cryptography."""
    need_cryptography()
    known = cloud.store.table(CertificateAuthority).first()
    if known is None:
        subject = cloud.configuration.text("ca.plugin.root.issuer.dn", default="CN=ca.cloudstack.apache.org")
        made = self_signed(subject, 2 * _bits(cloud), _terms(cloud, AUTHORITY_DAYS))
        known = CertificateAuthority(certificate=made.certificate, private_key=made.private_key)
        cloud.store.add(known)
    return Authority(known.certificate, known.private_key)


def _items(text: str | None) -> list[str]:
    return [item.strip() for item in text.split(",")] if text else []


@family.command("listCAProviders")
def list_providers(call: Call) -> Answer:
    wanted = call.get("name")
    rows = [{"name": name, "description": text} for name, text in PROVIDERS.items() if wanted in (None, name)]
    return {"count": len(rows), "caprovider": rows} if rows else None


@family.command("listCaCertificate")
def list_ca_certificate(call: Call) -> Answer:
    check_provider(call.cloud, call.get("provider"))
    return {"cacertificates": {"certificate": authority_of(call.cloud).certificate}}


@family.command("issueCertificate")
def issue_certificate(call: Call) -> Answer:
    cloud, csr, names, addresses = (
        call.cloud,
        call.get("csr"),
        _items(call.get("domain")),
        _items(call.get("ipaddress")),
    )
    if not csr and not names:
        raise ParameterError("Please provide the domains or the CSR, none of them are provided")
    check_provider(cloud, call.get("provider"))
    if not csr and not names[0]:
        raise InternalError("No domain name is specified, cannot generate certificate")
    days = call.get("duration")
    if days is None:
        days = int(cloud.configuration.number("ca.framework.cert.validity.period", default=365))
    if days <= 0:
        raise InternalError("Failed to generate certificate due to:a certificate cannot end before it begins")
    authority, terms = authority_of(cloud), _terms(cloud, days)
    shown: dict[str, str] = {}
    if csr:
        shown["certificate"] = issue_for_request(authority, csr, names, addresses, terms)
    else:
        shown["certificate"], shown["privatekey"] = issue(authority, names, addresses, terms, _bits(cloud))
    return {"certificates": {**shown, "cacertificates": authority.certificate}}


@family.command("provisionCertificate")
def provision_certificate(call: Call) -> Answer:
    host, cloud = named(call, Host, "hostid"), call.cloud
    if call.flag("forced") and not (host.type in SYSTEM_VM_AGENTS or host.hypervisor == "KVM"):
        raise InternalError("Forced certificate provisioning is only supported for KVM hosts and SystemVMs.")
    check_provider(cloud, call.get("provider"))
    if host.state != "Up":
        raise InternalError(f"Failed to generate keystore and get CSR from the host/agent {host.name}")
    days = int(cloud.configuration.number("ca.framework.cert.validity.period", host.cluster, default=365))
    names, terms = [host.name, host.ip_address], _terms(cloud, days)
    issue(authority_of(cloud), names, [host.ip_address], terms, _bits(cloud))
    if call.flag("reconnect", True):
        host.state = "Disconnected"
        cloud.clock.call_later(RECONNECTS_AFTER, come_back, cloud, host)
    return Success()


@family.command("revokeCertificate")
def revoke_certificate(call: Call) -> Answer:
    serial = call["serial"]
    try:
        number = int(serial, 16)
    except ValueError:
        raise InternalError(f'For input string: "{serial}"') from None
    store, text = call.cloud.store, f"{number:x}"
    if store.table(RevokedCertificate).first(serial=text) is None:
        store.add(RevokedCertificate(serial=text, common_name=call.get("cn"), revoker=call.caller.user))
    check_provider(call.cloud, call.get("provider"))
    return Success()
