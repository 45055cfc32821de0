"""Asking a live management server: whether it answers, and its facts."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.environments.facts import Facts, merge_facts
from cs_matrix_pytest.environments.marvin_config import INTEGRATION_PORT
from cs_matrix_pytest.environments.masking import Masker, secrets_in
from cs_matrix_pytest.environments.model import Hypervisor, Storage
from cs_matrix_pytest.environments.signing import encoded, signed_query
from cs_matrix_pytest.errors import EnvironmentUnusable

if TYPE_CHECKING:
    import requests

__all__ = ["Facts", "endpoint", "list_apis", "merge_facts", "probe", "reachable"]

SIGNED_PORT = 8080

STORAGE_PROTOCOLS = {
    "networkfilesystem": "nfs",
    "iscsilun": "iscsi",
    "sharedmountpoint": "sharedmountpoint",
    "presetup": "presetup",
    "fiberchannel": "fc",
    "datastorecluster": "vmfs",
}
"""What listStoragePools calls a pool's type → the protocol; a type that is not here is its own name in lower case."""


@dataclass(frozen=True)
class Endpoint:
    """Where and how a server is asked. ``keys`` are (API key, secret key); None on the integration port."""

    url: str
    keys: tuple[str, str] | None = field(default=None, repr=False)
    certificates: tuple[str, str] | None = None

    def address(self, command: str, parameters: Mapping[str, str]) -> str:
        """The URL of one GET request, signed if there are keys."""
        query = {"command": command, "response": "json", **parameters}
        if self.keys is None:
            return f"{self.url}?" + "&".join(f"{name}={encoded(value)}" for name, value in query.items())
        return f"{self.url}?{signed_query(query, *self.keys)}"


def endpoint(config: Mapping[str, Any]) -> Endpoint:
    """How Marvin would reach the first management server of its configuration.

    Without keys (or with only one of them) requests are not signed, as in Marvin's connection; with keys they are, and
    go to 8080 where the configuration has the integration port.
    """
    server = config["mgtSvr"][0]
    port = server.get("port", INTEGRATION_PORT)
    keys = (str(server["apiKey"]), str(server["securityKey"])) if _has_keys(server) else None
    if keys and port == INTEGRATION_PORT:
        port = SIGNED_PORT
    # Marvin compares with the string: a JSON true means http to it.
    scheme = "https" if server.get("useHttps") == "True" else "http"
    files = (server.get("certCAPath"), server.get("certPath"))
    certificates = (str(files[0]), str(files[1])) if all(file and file != "NA" for file in files) else None
    return Endpoint(f"{scheme}://{server['mgtSvrIp']}:{port}/client/api", keys, certificates)


def _has_keys(server: Mapping[str, Any]) -> bool:
    return bool(server.get("apiKey") and server.get("securityKey"))


def probe(config: Mapping[str, Any], zone: str | None = None, timeout: float = 5.0) -> Facts:
    """The facts of the server that a Marvin configuration names. ``timeout`` is in seconds, for each request.

    ``zone`` is the name of the zone that tests run in; None for the first one of the configuration, else of the server.
    Raises EnvironmentUnusable: refused, timed out, unknown host, HTML or anything else that is not its API, 401.
    """
    import requests

    where = endpoint(config)
    with requests.Session() as session:
        api = _Api(where, session, timeout, Masker(secrets_in(config)))
        version = _acs_version(api.ask("listCapabilities"))
        zones = _items(api.ask("listZones"), "zone")
        names = tuple(str(each.get("name")) for each in zones)
        found = _zone(zones, zone or _configured_zone(config))
        facts = Facts(url=where.url, signed=where.keys is not None, acs_version=version, zones=names)
        if found is None:
            return facts
        zone_id = str(found.get("id"))
        hosts = api.listing("listHosts", "host", zoneid=zone_id, type="Routing")
        kinds = api.listing("listHypervisors", "hypervisor", zoneid=zone_id) if not hosts else []
        pools = api.listing("listStoragePools", "storagepool", zoneid=zone_id)
    return Facts(
        url=facts.url,
        signed=facts.signed,
        acs_version=version,
        zones=names,
        zone=str(found.get("name")),
        networking=_networking(found),
        hypervisors=_hypervisors(hosts, version) or tuple(Hypervisor(str(each["name"]).lower()) for each in kinds),
        storage=_storage(pools),
        hosts_up=sum(1 for host in hosts if host.get("state") == "Up"),
        hosts_total=len(hosts),
    )


def list_apis(config: Mapping[str, Any], timeout: float = 60.0) -> list[dict[str, Any]]:
    """Every command as the server's ``listApis`` describes it, for the account of a Marvin configuration.

    Raises EnvironmentUnusable, as `probe` does.
    """
    import requests

    with requests.Session() as session:
        return _items(_Api(endpoint(config), session, timeout, Masker(secrets_in(config))).ask("listApis"), "api")


def reachable(config: Mapping[str, Any], timeout: float = 5.0) -> str | None:
    """None where the server is up, else what is wrong. One request; a refused login counts as up."""
    import requests

    where = endpoint(config)
    with requests.Session() as session:
        try:
            _Api(where, session, timeout, Masker(secrets_in(config))).ask("listCapabilities")
        except _Refused:
            return None
        except EnvironmentUnusable as error:
            return error.what
    return None


class _Refused(EnvironmentUnusable):
    """The server is up and speaks its API, and said no."""


@dataclass(frozen=True)
class _Api:
    """One server, asked command by command."""

    where: Endpoint
    session: requests.Session
    timeout: float
    mask: Masker

    def ask(self, command: str, **parameters: str) -> dict[str, Any]:
        """The inside of the answer's envelope. Raises EnvironmentUnusable."""
        import requests

        try:
            response = self.session.get(
                self.where.address(command, parameters),
                timeout=self.timeout,
                cert=self.where.certificates,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # Never the exception's own text: it holds the URL with key and signature.
            what, hint = self._transport_failure(error)
            raise EnvironmentUnusable(what, hint=hint) from None
        return self._content(response)

    def listing(self, command: str, key: str, **parameters: str) -> list[dict[str, Any]]:
        """The items of a list command; none where this account may not call it."""
        try:
            return _items(self.ask(command, **parameters), key)
        except _Refused:
            return []

    def _transport_failure(self, error: Exception) -> tuple[str, str]:
        import requests

        url = self.where.url
        if isinstance(error, requests.Timeout):
            return (
                f"{url} did not answer within {self.timeout:g} s",
                "is the management server busy, or a firewall on the way?",
            )
        causes = list(_causes(error))
        for kind, what, hint in _TRANSPORT_FAILURES:
            if any(isinstance(cause, kind) for cause in causes):
                return what.format(url=url), hint
        return f"the connection to {url} broke", "is a management server listening there?"

    def _content(self, response: requests.Response) -> dict[str, Any]:
        url = self.where.url
        try:
            envelope = json.loads(response.text)
        except ValueError:
            envelope = None
        body = next(iter(envelope.values())) if isinstance(envelope, dict) and len(envelope) == 1 else None
        if response.status_code == 401:
            if self.where.keys is None:
                hint = "the configuration has no apiKey and securityKey, and this is not the integration port"
            else:
                hint = "check apiKey and securityKey of mgtSvr, and that their user is enabled"
            raise _Refused(f"{url} refuses the credentials (HTTP 401)", hint=hint)
        if isinstance(body, dict) and "errorcode" in body:
            text = self.mask.mask(str(body.get("errortext") or "no reason given"))
            raise _Refused(f"{url} answers error {body['errorcode']}: {text}")
        if body is None and _is_html(response):
            what = f"{url} answers with a web page (HTTP {response.status_code}), not with the CloudStack API"
            raise EnvironmentUnusable(what, hint="check mgtSvrIp and port: something else listens there")
        if response.status_code != 200:
            raise EnvironmentUnusable(f"{url} answers HTTP {response.status_code} {response.reason}".rstrip())
        if not isinstance(body, dict):
            what = f"{url} answers, but not with the CloudStack API: no JSON envelope"
            raise EnvironmentUnusable(what, hint="check mgtSvrIp and port: something else listens there")
        return body


_TRANSPORT_FAILURES: tuple[tuple[type[BaseException], str, str], ...] = (
    (socket.gaierror, "the host name in {url} is not known", "check mgtSvrIp, and your DNS or VPN"),
    (ConnectionRefusedError, "{url} refuses connections", "is the management server running, and its port right?"),
    (ssl.SSLError, "no TLS connection to {url}", "check useHttps, certCAPath and certPath of mgtSvr"),
    (ConnectionResetError, "{url} closed the connection without an answer", "is a management server listening there?"),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and whatever it wraps: requests and urllib3 use arguments and ``reason`` as well as chaining."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def _is_html(response: requests.Response) -> bool:
    return "html" in response.headers.get("Content-Type", "") or response.text.lstrip()[:5].lower() in (
        "<html",
        "<!doc",
    )


def _items(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return [item for item in body.get(key, ()) if isinstance(item, dict)]


def _acs_version(body: Mapping[str, Any]) -> str | None:
    capability = body.get("capability")
    # Before 4.0 it was a list of one.
    first = capability[0] if isinstance(capability, list) and capability else capability
    version = first.get("cloudstackversion") if isinstance(first, dict) else None
    return None if version is None else str(version)


def _configured_zone(config: Mapping[str, Any]) -> str | None:
    zones = config.get("zones") or [{}]
    name = zones[0].get("name")
    return None if name is None else str(name)


def _zone(zones: list[dict[str, Any]], name: str | None) -> dict[str, Any] | None:
    if name is None:
        return zones[0] if zones else None
    return next((zone for zone in zones if zone.get("name") == name), None)


def _networking(zone: Mapping[str, Any]) -> str | None:
    kind = str(zone.get("networktype") or "").lower()
    secured = kind == "advanced" and zone.get("securitygroupsenabled") is True
    return "advanced-sg" if secured else kind or None


def _hypervisors(hosts: list[dict[str, Any]], acs_version: str | None) -> tuple[Hypervisor, ...]:
    """Types and versions, the type of most hosts first."""
    kinds = [str(host["hypervisor"]).lower() for host in hosts if host.get("hypervisor")]
    found = {
        Hypervisor(str(host["hypervisor"]).lower(), _host_version(host, acs_version))
        for host in hosts
        if host.get("hypervisor")
    }
    return tuple(sorted(found, key=lambda each: (-kinds.count(each.type), each.type, each.version or "")))


def _host_version(host: Mapping[str, Any], acs_version: str | None) -> str | None:
    """The hypervisor's version; for KVM the host's system and its version, as it is the system that matters there."""
    details = host.get("details") or {}
    system, release = details.get("Host.OS"), details.get("Host.OS.Version")
    if str(host.get("hypervisor")).lower() == "kvm" and system and release:
        return f"{system}{release}".replace(" ", "").lower()
    version = host.get("hypervisorversion")
    # A simulated host gives CloudStack's own version, which says nothing of a hypervisor.
    return None if version in (None, "", acs_version) else str(version)


def _storage(pools: list[dict[str, Any]]) -> Storage | None:
    local = [pool for pool in pools if pool.get("scope") == "HOST"]
    shared = [pool for pool in pools if pool.get("scope") != "HOST"]
    if not pools:
        return None
    kinds = sorted({str(pool.get("type") or "").lower() for pool in shared} - {""})
    protocol = "+".join(STORAGE_PROTOCOLS.get(kind, kind) for kind in kinds) or None
    scope = "mixed" if local and shared else "local" if local else "shared"
    return Storage(scope, protocol)
