"""Secondary storage (StorageManagerImpl.discoverImageStore, ImageStoreJoinDaoImpl)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import ImageStore, StagingStore, Zone
from cs_matrix_pytest.simulator.models.storage import Snapshot
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

family = Family("image_stores")

PROVIDERS = ("NFS", "SMB", "Swift", "S3")
ZONE_PROVIDERS = ("NFS", "SMB")
"""Providers whose stores belong to a zone; object storage serves a region."""
STORAGE_PROVIDERS = {
    "primary": (
        "DefaultPrimary",
        "SolidFire",
        "SolidFireShared",
        "CloudByte",
        "Nexenta",
        "Elastistor",
        "PowerFlex",
        "Primera",
        "Flash Array",
        "StorPool",
    ),
    "image": ("NFS", "SMB", "S3", "Swift", "Sample"),
    "cache": ("NFS",),
}


@family.view(ImageStore, StagingStore)
def image_store_view(store: ImageStore, _call: Call) -> dict[str, Any]:
    return {
        "id": store.id,
        "zoneid": store.zone.id if store.zone else None,
        "zonename": store.zone.name if store.zone else None,
        "name": store.name,
        "url": store.url,
        "protocol": store.protocol,
        "providername": store.provider,
        "scope": store.scope,
        "readonly": store.read_only,
        "disksizetotal": store.capacity,
        "details": dict(store.details) or None,
        "hasannotations": False,
    }


@family.command("addImageStore", "addSecondaryStorage")
def add_image_store(call: Call) -> Answer:
    zone, cloud, provider = call.maybe(Zone, "zoneid"), call.cloud, call.get("provider", "NFS")
    provider = {each.lower(): each for each in PROVIDERS}.get(provider.lower(), "NFS")
    url = call.get("url") or call.map("details").get("endpoint", "")
    name = call.get("name") or url
    stores = cloud.store.table(ImageStore)
    if stores.first(name=name):
        raise InvalidParameterValue(f"The image store with name {name} already exists, try creating with another name")
    scope = "ZONE" if zone else "REGION"
    if (scope == "ZONE") != (provider in ZONE_PROVIDERS):
        raise InvalidParameterValue(f"Image store provider {provider} does not support scope {scope}")
    other = stores.first(lambda row: row.provider != provider)
    if other is not None:
        raise InvalidParameterValue(
            f"You can only add new image stores from the same provider {other.provider} already added"
        )
    protocol = urlsplit(url).scheme or provider.lower()
    if provider in ZONE_PROVIDERS and not (urlsplit(url).netloc and urlsplit(url).path):
        raise InternalError(
            "Failed to add data store: Your host and/or path is wrong.  Make sure it's of the format nfs://hostname/path"
        )
    if stores.first(url=url):
        raise InternalError(f"Failed to add data store: Image store already exists for {url}")
    store = cloud.store.add(
        ImageStore(
            name=name,
            zone=zone,
            url=url,
            protocol=protocol,
            provider=provider,
            scope=scope,
            details=call.map("details"),
        )
    )
    if zone is not None:
        from cs_matrix_pytest.simulator.families.system_vms import expect_system_vms
        from cs_matrix_pytest.simulator.families.templates import install_builtin_templates

        install_builtin_templates(cloud, zone)
        expect_system_vms(cloud, zone)
    return store


@family.command("updateImageStore")
def update_image_store(call: Call) -> Answer:
    store = call.one(ImageStore)
    store.name = call.get("name", store.name)
    store.read_only = call.flag("readonly", store.read_only)
    store.capacity = call.get("capacitybytes", store.capacity)
    return store


@family.command("deleteImageStore")
def delete_image_store(call: Call) -> Answer:
    store, cloud = call.one(ImageStore), call.cloud
    last = not cloud.store.table(ImageStore).first(lambda row: row is not store and row.zone is store.zone)
    if last and any(row.zone is store.zone and row.state == "BackedUp" for row in cloud.store.table(Snapshot)):
        raise InvalidParameterValue("Cannot delete image store with active snapshots backup!")
    templates = [row for row in cloud.store.table(Template) if row.template_type not in ("SYSTEM", "BUILTIN")]
    if any(copy.store is store for row in templates for copy in row.copies):
        raise InvalidParameterValue("Cannot delete image store with active Templates backup!")
    for template in cloud.store.table(Template):
        template.copies[:] = [copy for copy in template.copies if copy.store is not store]
    cloud.store.remove(store)
    return Success()


family.listing(
    "listImageStores",
    ImageStore,
    keyword=("name", "provider"),
    filters={"readonly": lambda store, value, _call: store.read_only is value},
)


@family.command("createSecondaryStagingStore")
def create_staging_store(call: Call) -> Answer:
    zone, url = call.maybe(Zone, "zoneid"), call["url"]
    if zone is None:
        raise InvalidParameterValue("zone id can't be null, if scope is zone")
    if not (urlsplit(url).netloc and urlsplit(url).path):
        raise InternalError(
            "Failed to add data store: Your host and/or path is wrong.  Make sure it's of the format nfs://hostname/path"
        )
    return call.cloud.store.add(
        StagingStore(
            name=url,
            zone=zone,
            url=url,
            protocol=urlsplit(url).scheme,
            provider=call.get("provider", "NFS"),
            details=call.map("details"),
        )
    )


@family.command("deleteSecondaryStagingStore")
def delete_staging_store(call: Call) -> Answer:
    call.cloud.store.remove(call.one(StagingStore))
    return Success()


family.listing("listSecondaryStagingStores", StagingStore, keyword=("name", "provider"))


@family.command("listStorageProviders", object_name="dataStoreProvider")
def list_storage_providers(call: Call) -> Answer:
    kind = call["type"]
    if kind not in STORAGE_PROVIDERS:
        raise InvalidParameterValue(f"Invalid parameter: {kind}")
    return page(call, [{"name": name, "type": kind.upper()} for name in STORAGE_PROVIDERS[kind]])
