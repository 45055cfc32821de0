"""What a Marvin configuration says of the deployment that it describes: the facts of its zones, and a name for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cs_matrix_pytest.environments.model import UNKNOWN, Context, Hypervisor, Storage


def environment_name(word: str) -> str:
    """`word` (a file's stem) as the name of an environment, which becomes part of test ids."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", word).lstrip("._+-") or "environment"


def zones_of(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The zones of a configuration, in its order."""
    return _mappings(config.get("zones"))


def configured_context(config: Mapping[str, Any], zone: Mapping[str, Any]) -> Context:
    """The facts of one of the configuration's zones; an empty zone has those of the management server, and defaults.

    A hypervisor that is said nowhere has the type `UNKNOWN`.
    """
    scope, protocol = _storage(zone)
    return Context(Hypervisor(_hypervisor(config, zone)), _networking(zone), Storage(scope, protocol))


def _hypervisor(config: Mapping[str, Any], zone: Mapping[str, Any]) -> str:
    """Of the zone's first cluster, as Marvin takes it, else of the management server."""
    found = [cluster.get("hypervisor") for cluster in _clusters(zone)] + [config["mgtSvr"][0].get("hypervisor")]
    return str(next(filter(None, found), UNKNOWN)).lower()


def _networking(zone: Mapping[str, Any]) -> str:
    kind = str(zone.get("networktype") or Context.networking).lower()
    return "advanced-sg" if kind == "advanced" and _is_true(zone.get("securitygroupenabled")) else kind


def _storage(zone: Mapping[str, Any]) -> tuple[str, str | None]:
    pools = [pool for holder in (zone, *_clusters(zone)) for pool in _mappings(holder.get("primaryStorages"))]
    protocols = sorted({urlsplit(str(pool.get("url"))).scheme.lower() for pool in pools if pool.get("url")} - {""})
    local = _is_true(zone.get("localstorageenabled"))
    scope = "mixed" if local and pools else "local" if local else "shared"
    return scope, "+".join(protocols) or None


def _clusters(zone: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cluster for pod in _mappings(zone.get("pods")) for cluster in _mappings(pod.get("clusters"))]


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list; of what is no list, none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _is_true(value: Any) -> bool:
    """Marvin's configurations have the string as well as the JSON value."""
    return str(value).lower() == "true"
