"""Secondary storage (StorageManagerImpl.discoverImageStore, ImageStoreJoinDaoImpl)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, ParameterError, as_internal_errors
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.infra import ImageStore, StagingStore, Zone
from cs_matrix_pytest.simulator.models.storage import Snapshot
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.urls import parts_of

family = Family("image_stores")

SCOPES = ("ZONE", "CLUSTER", "HOST", "REGION", "GLOBAL")
"""Of storage of any sort (ScopeType)."""
PROVIDERS = ("NFS", "SMB", "Swift", "S3")
ZONE_PROVIDERS = ("NFS", "SMB")
"""Providers whose stores belong to a zone; object storage serves a region."""
MIGRATION_POLICIES = ("BALANCE", "COMPLETE")
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
def image_store_view(store: ImageStore, call: Call) -> dict[str, Any]:
    return {
        "id": store.id,
        "zoneid": store.zone.id if store.zone else None,
        "zonename": store.zone.name if store.zone else None,
        "name": store.name or None,
        "url": store.url or None,
        "protocol": store.protocol,
        "providername": store.provider,
        "scope": store.scope,
        "readonly": store.read_only,
        "disksizetotal": store.capacity,
        "details": dict(store.details) or None,
        "hasannotations": has_annotations(store, call),
    }


@family.command("addSecondaryStorage", object_name="secondarystorage")
@family.command("addImageStore")
def add_image_store(call: Call) -> Answer:
    cloud, provider = call.cloud, call.get("provider", "NFS")
    provider = {each.lower(): each for each in PROVIDERS}.get(provider.lower(), "NFS")
    url = call.get("url") or call.map("details").get("endpoint", "")
    name = call.get("name") or url
    stores = cloud.store.table(ImageStore)
    if stores.first(name=name):
        raise InvalidParameterValue(f"The image store with name {name} already exists, try creating with another name")
    scope = "ZONE" if call.get("zoneid", NO_ID) != NO_ID else "REGION"
    if (scope == "ZONE") != (provider in ZONE_PROVIDERS):
        raise InvalidParameterValue(f"Image store provider {provider} does not support scope {scope}")
    other = stores.first(lambda row: row.provider != provider)
    if other is not None:
        raise InvalidParameterValue(
            f"You can only add new image stores from the same provider {other.provider} already added"
        )
    zone = call.maybe(Zone, "zoneid", missing="Can't find zone by id {}")
    protocol = parts_of(url).scheme or provider.lower()
    if provider in ZONE_PROVIDERS and not (parts_of(url).netloc and parts_of(url).path):
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
    store = call.one(ImageStore, missing="Unable to find image store with ID: {}", error=ParameterError)
    store.name = call.get("name", "").strip() or store.name
    store.read_only = call.flag("readonly", store.read_only)
    store.capacity = call.get("capacitybytes", store.capacity)
    return store


@family.command("deleteImageStore")
def delete_image_store(call: Call) -> Answer:
    store, cloud = call.one(ImageStore, missing="Image store with id {} doesn't exist"), call.cloud
    last = not cloud.store.table(ImageStore).first(lambda row: row is not store and row.zone is store.zone)
    if last and any(row.zone is store.zone and row.state == "BackedUp" for row in cloud.store.table(Snapshot)):
        raise InvalidParameterValue("Cannot delete image store with active snapshots backup!")
    images: list[Template] = [*cloud.store.table(Template), *cloud.store.table(Iso)]
    users = [row for row in images if row.template_type not in ("SYSTEM", "BUILTIN")]
    if any(copy.store is store for row in users for copy in row.copies):
        raise InvalidParameterValue("Cannot delete image store with active Templates backup!")
    for template in images:
        template.copies[:] = [copy for copy in template.copies if copy.store is not store]
    cloud.store.remove(store)
    return Success()


@family.command("migrateSecondaryStorageData")
def migrate_secondary_storage_data(call: Call) -> Answer:
    """Move images from one store of files to others (ImageStoreServiceImpl.migrateData, StorageOrchestrator.migrateData)."""
    policy, source = str(call.get("migrationtype", "complete")).upper(), call.one(ImageStore, "srcpool")
    if policy not in MIGRATION_POLICIES:
        raise InternalError("Not a valid migration policy")
    if source.provider != "NFS":
        raise InvalidParameterValue("Migration of datastore objects is supported only for NFS based image stores")
    fit = [
        store
        for store in call.many(ImageStore, "destpools")
        if store is not source and not store.read_only and store.provider == "NFS" and store.zone is source.zone
    ]
    if not fit:
        raise InternalError(
            "No destination valid store(s) available to migrate. Couldbe due to invalid store ID(s) or store(s) are "
            "read-only. Terminating Migration of data"
        )
    images = [*call.cloud.store.table(Template), *call.cloud.store.table(Iso)]
    real = [image for image in images if image.hypervisor != "Simulator"]
    ready = [copy for image in real for copy in image.copies if copy.store is source and copy.is_ready]
    if not ready:
        message = f"No files in Image store: {source.name} to migrate"
    elif policy == "BALANCE":
        message = "Migration not required as system seems balanced"
    else:
        source.read_only = True
        for number, copy in enumerate(ready):
            copy.store = fit[number % len(fit)]
        message = f"Migration completed. successful migrations: {len(ready)}"
    return {"message": message, "migrationtype": policy, "success": True}


family.listing(
    "listImageStores",
    ImageStore,
    keyword=("name", "provider"),
    filters={"readonly": lambda store, value, _call: store.read_only is value},
)


@family.command("createSecondaryStagingStore", object_name="secondarystorage")
@as_internal_errors()
def create_staging_store(call: Call) -> Answer:
    scope = call.get("scope", "ZONE")
    if scope.upper() not in SCOPES:
        raise InvalidParameterValue(f"invalid scope for cache store {scope}")
    if scope.upper() != "ZONE":
        raise InvalidParameterValue("Only zone wide cache storage is supported")
    zone, url = call.maybe(Zone, "zoneid", missing="Can't find zone by id {}"), call["url"]
    if zone is None:
        raise InvalidParameterValue("zone id can't be null, if scope is zone")
    if not (parts_of(url).netloc and parts_of(url).path):
        raise InternalError(
            "Failed to add data store: Your host and/or path is wrong.  Make sure it's of the format nfs://hostname/path"
        )
    return call.cloud.store.add(
        StagingStore(
            name=url,
            zone=zone,
            url=url,
            protocol=parts_of(url).scheme,
            provider=call.get("provider", "NFS"),
            details=call.map("details"),
        )
    )


@family.command("deleteSecondaryStagingStore")
def delete_staging_store(call: Call) -> Answer:
    call.cloud.store.remove(call.one(StagingStore, missing="Cache store with id {} doesn't exist"))
    return Success()


family.listing("listSecondaryStagingStores", StagingStore, keyword=("name", "provider"))


@family.command("listStorageProviders", object_name="dataStoreProvider")
def list_storage_providers(call: Call) -> Answer:
    kind = call["type"]
    if kind not in STORAGE_PROVIDERS:
        raise InvalidParameterValue(f"Invalid parameter: {kind}")
    return page(call, [{"name": name, "type": kind.upper()} for name in STORAGE_PROVIDERS[kind]])
