"""The Kubernetes versions that clusters can be made of (KubernetesVersionManagerImpl)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.images import Iso
from cs_matrix_pytest.simulator.models.infra import ImageStore, Zone
from cs_matrix_pytest.simulator.models.kubernetes import KubernetesCluster, KubernetesVersion
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("Kubernetes versions")

OLDEST = "1.11.0"
OLDEST_WITH_HA = "1.16.0"
OLDEST_WITH_AUTOSCALING = "1.15.0"
NODE_CPUS = 2
NODE_MEMORY = 2048
"""MiB. With `NODE_CPUS` what the smallest node has."""
STATES = ("Disabled", "Enabled")
ARCHITECTURES = ("x86_64", "i686", "aarch64", "s390x")
INVALID = "Invalid Kubernetes version id specified"


@contextmanager
def refused_as_internal() -> Iterator[None]:
    """What these commands refuse is an internal error to a client, whatever it was, with its text."""
    try:
        yield
    except (InvalidParameterValue, PermissionDenied, InternalError) as error:
        raise ApiError(error.text) from error


def check_enabled(cloud: Cloud) -> None:
    """Raise where the service is switched off."""
    if not cloud.configuration.flag("cloud.kubernetes.service.enabled", default=True):
        raise InternalError("Kubernetes Service plugin is disabled")


def numbers(version: str) -> list[int]:
    """A semantic version's numbers. Raises ParameterError where it is none."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+){2,}", version):
        raise ParameterError(
            f"Invalid version format, {version}. Semantic version should be specified in MAJOR.MINOR.PATCH format"
        )
    return [int(part) for part in version.split(".")]


def is_before(version: str, other: str) -> bool:
    """True where a semantic version is older than another (compareSemanticVersions)."""
    pairs = list(zip_longest(numbers(version), numbers(other), fillvalue=0))
    return [mine for mine, _ in pairs] < [theirs for _, theirs in pairs]


@family.view(KubernetesVersion)
def version_view(version: KubernetesVersion, call: Call) -> dict[str, Any]:
    iso, zone = version.iso, version.zone
    shown = {
        "id": version.id,
        "name": version.name,
        "semanticversion": version.semantic_version,
        "state": version.state,
        "mincpunumber": version.cpu_number,
        "minmemory": version.memory,
        "zoneid": zone.id if zone else None,
        "zonename": zone.name if zone else None,
        "supportsha": not is_before(version.semantic_version, OLDEST_WITH_HA),
        # Compared as text, as the server does it.
        "supportsautoscaling": version.semantic_version >= OLDEST_WITH_AUTOSCALING,
        "created": when(version.created),
    }
    if iso in call.cloud.store:
        shown |= {
            "isoid": iso.id,
            "isoname": iso.name,
            "isostate": "Ready" if iso.is_ready else None,
            "isourl": iso.url if call.is_root_admin else None,
            "arch": iso.arch,
            "directdownload": iso.direct_download,
        }
    return shown


def check_new(call: Call, version: str, *, direct: bool) -> Zone | None:
    """Raise unless a version may be added; its zone, None for all of them."""
    cpus, memory, zone = call["mincpunumber"], call["minmemory"], call.get("zoneid")
    if cpus < NODE_CPUS:
        raise InvalidParameterValue(f"Invalid value for mincpunumber parameter. Minimum {NODE_CPUS} vCPUs required.")
    if memory < NODE_MEMORY:
        raise InvalidParameterValue(f"Invalid value for minmemory parameter. Minimum {NODE_MEMORY}MB memory required")
    if is_before(version, OLDEST):
        raise InvalidParameterValue(
            f"New supported Kubernetes version cannot be added as {OLDEST} is minimum version supported by Kubernetes "
            "Service"
        )
    if zone is None:
        return None
    if not isinstance(zone, Zone) or zone not in call.cloud.store:
        raise InvalidParameterValue("Invalid zone specified")
    if zone.is_edge and not direct:
        raise InvalidParameterValue(f"Zone: {zone.name} supports only direct download Kubernetes versions")
    return zone


def check_image_stores(cloud: Cloud, zone: Zone | None) -> None:
    """Raise where there is nothing to keep the ISO on."""
    stored = {store.zone for store in cloud.store.table(ImageStore)}
    if None in stored:
        return
    if zone is not None:
        if zone not in stored:
            raise InvalidParameterValue(
                f"Unable to register Kubernetes version ISO. No image store available in zone: {zone.name}"
            )
        return
    without = [each.name for each in cloud.store.table(Zone) if each not in stored]
    if without:
        raise InvalidParameterValue(
            "Unable to register Kubernetes version ISO for all zones. The following zones have no image store: "
            + ", ".join(without)
        )


def register_iso(call: Call, name: str, zone: Zone | None) -> Iso:
    """Register the binaries of a version in the name of the system."""
    cloud, system = call.cloud, call.cloud.system_account
    title = f"{name}-Kubernetes-Binaries-ISO"
    answer = cloud.run(
        "registerIso",
        name=title,
        displaytext=title,
        ispublic=True,
        bootable=False,
        url=call["url"],
        directdownload=call.flag("directdownload"),
        arch=call.get("arch") or ARCHITECTURES[0],
        account=system.name,
        domainid=system.domain.id,
        zoneid=zone.id if zone else NO_ID,
        **({"checksum": call["checksum"]} if call.get("checksum") else {}),
    )
    iso = cloud.store.table(Iso).get(answer["iso"][0]["id"])
    assert iso is not None
    return iso


@family.command("addKubernetesSupportedVersion")
def add_version(call: Call) -> Answer:
    cloud, semantic, direct = call.cloud, call["semanticversion"], call.flag("directdownload")
    with refused_as_internal():
        check_enabled(cloud)
        if call.get("arch") and call["arch"] not in ARCHITECTURES:
            raise ParameterError(f"Unsupported arch type: {call['arch']}")
        zone = check_new(call, semantic, direct=direct)
        if not call.get("url"):
            raise InvalidParameterValue(f"Invalid URL for ISO specified, {call.get('url', 'null')}")
        name = call.get("name") or (f"v{semantic}-{zone.name}" if zone else f"v{semantic}")
        if not direct:
            check_image_stores(cloud, zone)
        iso = register_iso(call, name, zone)
        return cloud.store.add(
            KubernetesVersion(
                name=name,
                semantic_version=semantic,
                iso=iso,
                zone=zone,
                cpu_number=call["mincpunumber"],
                memory=call["minmemory"],
            )
        )


@family.command("getUploadParamsForKubernetesSupportedVersion")
def upload_version(call: Call) -> Answer:
    """Where the binaries of a new version can be posted to."""
    cloud, system, name = call.cloud, call.cloud.system_account, call["name"]
    with refused_as_internal():
        check_enabled(cloud)
        zone = check_new(call, call["semanticversion"], direct=False)
        if zone is None:
            raise ParameterError("Invalid zoneid")
        title = f"{name}-Kubernetes-Binaries-ISO"
        answer = cloud.run(
            "getUploadParamsForIso",
            name=title,
            displaytext=title,
            format="ISO",
            ispublic=True,
            bootable=False,
            zoneid=zone.id,
            account=system.name,
            domainid=system.domain.id,
            **({"checksum": call["checksum"]} if call.get("checksum") else {}),
        )
        iso = cloud.store.table(Iso).get(answer["getuploadparams"]["id"])
        assert iso is not None
        cloud.store.add(
            KubernetesVersion(
                name=name,
                semantic_version=call["semanticversion"],
                iso=iso,
                zone=zone,
                cpu_number=call["mincpunumber"],
                memory=call["minmemory"],
            )
        )
    return answer


@family.command("listKubernetesSupportedVersions")
def list_versions(call: Call) -> Answer:
    least, minimum = call.get("minimumsemanticversion"), call.get("minimumkubernetesversionid")
    with refused_as_internal():
        check_enabled(call.cloud)
        if least and minimum is not None:
            raise InternalError(
                "Both parameters minimumsemanticversion and minimumkubernetesversionid can not be passed together"
            )
        if minimum is not None:
            if minimum not in call.cloud.store.table(KubernetesVersion):
                raise InvalidParameterValue("Invalid minimumkubernetesversionid passed")
            least = minimum.semantic_version
    wanted, zone, keyword, arch = call.get("id"), call.get("zoneid"), call.get("keyword", "").lower(), call.get("arch")
    rows = [
        row
        for row in call.cloud.store.table(KubernetesVersion)
        if (wanted is None or row is wanted)
        and (zone is None or row.zone in (None, zone))
        and keyword in row.name.lower()
        and (not arch or row.iso.arch == arch)
    ]
    found = page(call, rows)
    # The count is that of all versions, the older ones included.
    return Listing([row for row in found.rows if not _is_too_old(row, least)], found.total)


def _is_too_old(version: Any, least: str | None) -> bool:
    if not least:
        return False
    try:
        return is_before(version.semantic_version, least)
    except ParameterError:
        return True


def version_of(call: Call) -> KubernetesVersion:
    version = call.get("id")
    if not isinstance(version, KubernetesVersion) or version not in call.cloud.store:
        raise InvalidParameterValue(INVALID)
    return version


@family.command("updateKubernetesSupportedVersion")
def update_version(call: Call) -> Answer:
    with refused_as_internal():
        check_enabled(call.cloud)
        version = version_of(call)
        if call["state"] not in STATES:
            raise InvalidParameterValue("Invalid value for state parameter")
        version.state = call["state"]
    return version


@family.command("deleteKubernetesSupportedVersion")
def delete_version(call: Call) -> Answer:
    with refused_as_internal():
        check_enabled(call.cloud)
        version = version_of(call)
        if call.cloud.store.table(KubernetesCluster).first(version=version):
            raise InternalError(
                f"Unable to delete Kubernetes version ID: {version.id}. Existing clusters currently using the version."
            )
        if version.iso in call.cloud.store:
            call.cloud.run("deleteIso", id=version.iso.id)
        call.cloud.store.remove(version)
    return Success()
