"""Uploading volumes, templates and ISOs from a browser: where to, and what becomes of them (ImageStoreUploadMonitorImpl).

The secondary storage VM that would take the upload is a simulated one. That of the simulator plugin says of whatever it is
asked for that it is complete; others say nothing, and the upload is given up after ``upload.operation.timeout``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.access import check_access, owner_of_new
from cs_matrix_pytest.simulator.background import keep_looking
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, ParameterError, PermissionDenied
from cs_matrix_pytest.simulator.families import volumes
from cs_matrix_pytest.simulator.families.images import check_new_image, copies_in, format_of
from cs_matrix_pytest.simulator.families.isos import checked_os_type, new_iso
from cs_matrix_pytest.simulator.families.templates import hypervisor_named, new_template, template_type_of
from cs_matrix_pytest.simulator.families.vm_deploy import check_usable
from cs_matrix_pytest.simulator.families.volume_changes import check_hypervisor, check_room
from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.infra import Cluster, ImageStore, Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import SystemVm
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import described

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("uploads")


@family.command("getUploadParamsForVolume")
def for_volume(call: Call) -> Answer:
    cloud, owner = call.cloud, owner_of_new(call)
    format, zone = format_of(call["format"]), call.one(Zone, "zoneid", missing="Unable to find zone by id {}")
    check_access(cloud, call.account, owner)
    offering = call.maybe(DiskOffering, "diskofferingid", missing="Please specify a valid disk offering.")
    wanted = offering or cloud.store.table(DiskOffering).first(customized=True, compute_only=False)
    if wanted is None:
        raise InvalidParameterValue("Please specify a custom sized disk offering.")
    check_room(call, owner, wanted, 1, 0)
    if zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(f"Cannot perform this operation, Zone is currently disabled: {zone.number}")
    cloud.limits.check(owner, "secondary_storage", 1)
    check_hypervisor(cloud, format, zone)
    if wanted.compute_only:
        raise InvalidParameterValue("Please specify a valid disk offering.")
    if not wanted.customized:
        raise InvalidParameterValue("Please specify a custom sized disk offering.")
    check_usable(owner, wanted, zone)
    store = _store(call, zone)
    address = _address(cloud, zone, store)
    volume = volumes.new_volume(
        cloud, owner, name=call["name"], zone=zone, type="DATADISK", size=0, disk_offering=wanted
    )
    volume.state, volume.details["format"] = "NotUploaded", format
    return _parameters(call, volume, address)


@family.command("getUploadParamsForTemplate")
def for_template(call: Call) -> Answer:
    cloud, as_is = call.cloud, call.flag("deployasis") and call["hypervisor"].lower() == "vmware"
    zone = _zone(call)
    if not as_is and "ostypeid" not in call:
        raise ParameterError("Missing parameter ostypeid")
    if as_is and "ostypeid" in call:
        raise ParameterError("Invalid parameter ostypeid, not applicable forVMware when deploy-as-is is set to true")
    owner = owner_of_new(call)
    cloud.limits.check(owner, "template", 1)
    check_access(cloud, call.account, owner)
    hypervisor = hypervisor_named(call["hypervisor"])
    template_type = template_type_of(call, "register Template with", False) or "USER"
    format = format_of(call["format"])
    check_new_image(call, owner, format)
    address = _address(cloud, zone, _store(call, zone))
    template = new_template(call, owner, hypervisor, format, template_type, copies_in(call, [zone]))
    return _parameters(call, _await(template), address)


@family.command("getUploadParamsForIso")
def for_iso(call: Call) -> Answer:
    cloud, zone, owner = call.cloud, _zone(call), owner_of_new(call)
    cloud.limits.check(owner, "template", 1)
    check_access(cloud, call.account, owner)
    os_type = checked_os_type(call)
    check_new_image(call, owner, "ISO")
    address = _address(cloud, zone, _store(call, zone))
    return _parameters(call, _await(new_iso(call, owner, os_type, copies_in(call, [zone]))), address)


def _await(image: Template) -> Template:
    for copy in image.copies:
        copy.percent, copy.awaited = 0, "NOT_DOWNLOADED"
    return image


def _zone(call: Call) -> Zone:
    zone = call["zoneid"]
    if not isinstance(zone, Zone):
        raise ParameterError("Invalid zoneid")
    return zone


def _store(call: Call, zone: Zone) -> ImageStore:
    table, wanted = call.cloud.store.table(ImageStore), call.get("imagestoreuuid")
    store = table.first(lambda row: row.zone in (zone, None) and not row.read_only) if not wanted else table.get(wanted)
    if store is None:
        raise InternalError(f"Cannot find an image store for zone [{zone.number}].")
    return store


def _address(cloud: Cloud, zone: Zone, store: ImageStore) -> str:
    """The public address of the secondary storage VM that takes uploads. Raises InternalError where there is none."""
    machine = cloud.store.table(SystemVm).first(zone=zone, type="secondarystoragevm", state="Running")
    if machine is None or machine.public_ip is None:
        raise InternalError(f"There is no secondary storage VM for image store {described(store)}")
    return machine.public_ip


def _parameters(call: Call, resource: Volume | Template, address: str) -> Answer:
    """Where to post, and until when. The metadata are for the secondary storage VM, and nothing that a client reads."""
    cloud, settings = call.cloud, call.cloud.configuration
    domain = settings.text("secstorage.ssl.cert.domain")
    host = address.replace(".", "-") + domain[1:] if domain.startswith("*") else domain or address
    scheme = "https" if settings.flag("use.https.to.upload", default=True) else "http"
    url = f"{scheme}://{host}/upload/{resource.id}"
    end = datetime.fromtimestamp(cloud.clock.now(), timezone.utc) + timedelta(minutes=_timeout(cloud))
    expires = end.strftime("%Y-%m-%dT%H:%M:%S.") + f"{end.microsecond // 1000:03d}Z"
    facts = {"entityUUID": resource.id, "entityId": resource.number, "name": resource.name}
    metadata = base64.b64encode(json.dumps(facts).encode()).decode()
    key = hashlib.sha256(cloud.identifier.encode()).digest()
    signature = hmac.new(key, f"{metadata}{url}{expires}".encode(), hashlib.sha1).digest()
    seconds = settings.number("upload.monitoring.interval", default=60)
    keep_looking(cloud, "uploads", seconds, look_at_uploads)
    return {
        "getuploadparams": {
            "id": resource.id,
            "postURL": url,
            "metadata": metadata,
            "expires": expires,
            "signature": base64.b64encode(signature).decode(),
        }
    }


def _timeout(cloud: Cloud) -> float:
    """Minutes that somebody has for an upload."""
    return cloud.configuration.number("upload.operation.timeout", default=60)


@timed
def look_at_uploads(cloud: Cloud, now: float) -> bool:
    """Ask after every upload that is awaited; False where there is none."""
    found = [volume for volume in cloud.store.table(Volume) if volume.state == "NotUploaded"]
    for volume in found:
        if _is_complete(cloud, volume.zone):
            volume.state = "Uploaded"
        elif _is_late(cloud, volume, now):
            volume.state = "UploadAbandoned"
    images = [image for kind in (Template, Iso) for image in cloud.store.table(kind) if _is_awaited(image)]
    for image in images:
        for copy in image.copies:
            if _is_complete(cloud, copy.zone):
                copy.percent, copy.awaited = 100, None
            elif _is_late(cloud, image, now):
                copy.awaited = "ABANDONED"
    return any(volume.state == "NotUploaded" for volume in found) or any(_is_awaited(image) for image in images)


def _is_awaited(image: Template) -> bool:
    return any(copy.awaited == "NOT_DOWNLOADED" for copy in image.copies)


def _is_complete(cloud: Cloud, zone: Zone) -> bool:
    clusters = cloud.store.table(Cluster).where(zone=zone)
    return any(hypervisor_facts(cluster.hypervisor).simulated for cluster in clusters)


def _is_late(cloud: Cloud, resource: Resource, now: float) -> bool:
    return now - resource.created.timestamp() > _timeout(cloud) * 60
