"""Certificates for hosts that download templates themselves (DirectDownloadManagerImpl). For KVM."""

from __future__ import annotations

import re
from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, ParameterError
from cs_matrix_pytest.simulator.models.direct_download import DirectDownloadCertificate
from cs_matrix_pytest.simulator.models.infra import Host, Zone
from cs_matrix_pytest.simulator.parameters import HOST_LABEL
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.x509 import read_certificate

family = Family("direct_download")

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
ONLY_KVM = "Currently supporting KVM hosts only"


@family.view(DirectDownloadCertificate)
def certificate_view(row: DirectDownloadCertificate, call: Call) -> dict[str, Any]:
    found = read_certificate(row.pem)
    shown: dict[str, Any] = {
        "id": row.id,
        "alias": row.alias,
        "zoneid": row.zone.id,
        "zonename": row.zone.name,
        "hypervisor": row.hypervisor,
        "version": found.version,
        "subject": found.subject,
        "issuer": found.issuer,
        "serialnum": found.serial,
        "validity": found.validity,
    }
    if call.flag("listhosts"):
        shown["hostsmap"] = [
            {"hostid": host.id, "hostname": host.name, "status": "REVOKED" if revoked else "UPLOADED"}
            for host, revoked in row.hosts.items()
        ]
    return shown


@family.command("uploadTemplateDirectDownloadCertificate")
def upload(call: Call) -> Answer:
    if call["hypervisor"].lower() != "kvm":
        raise ParameterError(ONLY_KVM)
    try:
        row, hosts = _uploaded(call)
    except InternalError as error:
        raise ApiError(error.text) from None
    shown = call.cloud.view(row, call) | {"hostsmap": [_give(row, host) for host in hosts]}
    return {"uploadtemplatedirectdownloadcertificate": shown}


def _uploaded(call: Call) -> tuple[DirectDownloadCertificate, list[Host]]:
    """A certificate, new or known, and the hosts that are to have it. Raises InternalError."""
    alias, zone = call["name"], call.one(Zone, "zoneid")
    if alias.lower() == "cloud" or alias.startswith("cloudca"):
        raise InternalError("Please provide a different alias name for the certificate")
    if not HOST_LABEL.fullmatch(alias):
        raise InternalError("The provided certificate name is invalid, please provide a valid name")
    table = call.cloud.store.table(DirectDownloadCertificate)
    known = table.first(alias=alias, zone=zone)
    if "hostid" in call:
        if known is None:
            raise InternalError("Unable to upload certificate")
        return known, [call.one(Host, "hostid")]
    pem = _pretty(call["certificate"])
    found = read_certificate(pem)
    now = call.cloud.clock.datetime()
    if now < found.starts or now > found.ends:
        which = f"NotBefore: {found.starts_text}" if now < found.starts else f"NotAfter: {found.ends_text}"
        raise InternalError(f"Certificate is invalid. Please provide a valid certificate. Error: {which}")
    if known is not None:
        raise InternalError(f"Certificate alias {alias} has been already created")
    row = call.cloud.store.add(DirectDownloadCertificate(alias=alias, pem=pem, hypervisor="KVM", zone=zone))
    hosts = call.cloud.store.table(Host).where(zone=zone, hypervisor="KVM", state="Up", type="Routing")
    return row, hosts


def _pretty(text: str) -> str:
    """A certificate in lines of 64 letters, with the lines around it that it may lack."""
    lines = re.sub(r"(.{64})", r"\1\n", text)
    return lines if lines.startswith(BEGIN) or lines.endswith(END) else f"{BEGIN}\n{lines}\n{END}"


def _give(row: DirectDownloadCertificate, host: Host) -> dict[str, Any]:
    row.hosts[host] = False
    return {"hostid": host.id, "hostname": host.name, "status": "UPLOADED", "details": ""}


family.listing("listTemplateDirectDownloadCertificates", DirectDownloadCertificate, keyword=())


@family.command("provisionTemplateDirectDownloadCertificate")
def provision(call: Call) -> Answer:
    host = call.one(Host, "hostid", missing="Cannot find a host with ID {}", error=InternalError)
    row = call["id"]
    if not isinstance(row, DirectDownloadCertificate) or row not in call.cloud.store:
        raise InternalError(f"Could not find certificate with id {row.number} to upload to host: {described(host)}")
    if host.hypervisor != "KVM":
        raise InternalError(f"Cannot provision certificate to host {host.name} since it is not KVM")
    return {"directdownloadcertificatehoststatus": _give(row, host) | {"details": "OK"}}


@family.command("revokeTemplateDirectDownloadCertificate")
def revoke(call: Call) -> Answer:
    hypervisor = call.get("hypervisor")
    if "id" not in call and not ("name" in call and hypervisor is not None):
        raise ParameterError("Please specify the hypervisor and thecertificate name to revoke or the certificate ID")
    if hypervisor and hypervisor.lower() != "kvm":
        raise ParameterError(ONLY_KVM)
    try:
        rows = _revoked(call)
    except InternalError as error:
        raise ApiError(f"Failed revoking certificate: {error.text}") from None
    return {"count": len(rows), "directdownloadcertificatehoststatus": rows} if rows else None


def _revoked(call: Call) -> list[dict[str, Any]]:
    zone, alias = call.one(Zone, "zoneid"), call.get("name")
    row = call.maybe(
        DirectDownloadCertificate, "id", missing="Could not find certificate with ID {}", error=InternalError
    ) or call.cloud.store.table(DirectDownloadCertificate).first(alias=alias, zone=zone)
    if row is None:
        raise InternalError(f"Could not find certificate with alias {alias} and hypervisor {call.get('hypervisor')}")
    if row.zone is not zone:
        raise InternalError(
            f"The certificate with alias {row.alias} was uploaded  to the zone with ID={row.zone.number} instead of the "
            f"zone with ID={zone.number}"
        )
    host = call.maybe(Host, "hostid")
    if host is not None and host not in row.hosts:
        raise InternalError(
            f"Certificate {row.alias} cannot be revoked from host {described(host)} as it is not available on the host"
        )
    chosen = [each for each, revoked in row.hosts.items() if not revoked and host in (None, each)]
    for each in chosen:
        row.hosts[each] = True
    return [{"hostid": each.id, "hostname": each.name, "status": "REVOKED"} for each in chosen]
