"""Moving what secondary storage holds: single images, or all of it to object storage (StorageOrchestrator, StorageManagerImpl)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.image_stores import add_image_store
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.infra import ImageStore, StagingStore
from cs_matrix_pytest.simulator.models.storage import Snapshot
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("image_migration")

NO_STORE = "Cannot find secondary storage with id: {}"


@family.command("migrateResourceToAnotherSecondaryStorage")
def migrate_resources(call: Call) -> Answer:
    source = call.one(ImageStore, "srcpool", missing=NO_STORE, error=InternalError)
    target = call.one(ImageStore, "destpool", missing=NO_STORE, error=InternalError)
    if source is target:
        raise InvalidParameterValue("Source and destination image stores cannot be same")
    if source.provider != "NFS" or target.provider != "NFS":
        raise InvalidParameterValue("Migration of datastore objects is supported only for NFS based image stores")
    if target.read_only:
        raise InvalidParameterValue("Destination image store is read-only. Cannot migrate resources to it")
    if source.zone is not None and target.zone is not None and source.zone is not target.zone:
        raise InvalidParameterValue("Source and destination stores are not in the same zone.")
    copies = [copy for image in call.many(Template, "templates") for copy in image.copies if copy.store is source]
    snapshots = [row for row in call.many(Snapshot, "snapshots") if row.zone is source.zone]
    if any(not copy.is_ready for copy in copies) or any(row.state != "BackedUp" for row in snapshots):
        raise InternalError(
            "Migration failed as there are data objects which are not Ready - i.e, they may be in Migrating, creating, "
            "copying, etc. states"
        )
    if not copies and not snapshots:
        return {"imagestore": {"message": f"No files in Image store: {source.id} to migrate", "success": True}}
    for copy in copies:
        copy.store = target
    done = len(copies) + len(snapshots)
    return {"imagestore": {"message": f"Migration completed. successful migrations: {done}", "success": True}}


@family.command("updateCloudToUseObjectStore")
def use_object_store(call: Call) -> Answer:
    """Have all secondary storage be staging stores in front of a new object store, which has what they have."""
    stores, cloud = list(call.cloud.store.table(ImageStore)), call.cloud
    if any(store.provider != "NFS" for store in stores):
        raise InvalidParameterValue("We only support migrate NFS secondary storage to use object store!")
    for store in stores:
        cloud.store.forget(store)
    try:
        target = add_image_store(call)
    except Exception:
        for store in stores:
            cloud.store.add(store)
        raise
    assert isinstance(target, ImageStore)
    for store in stores:
        cloud.store.add(
            StagingStore(
                id=store.id,
                name=store.name,
                zone=store.zone,
                url=store.url,
                protocol=store.protocol,
                details=store.details,
            )
        )
    images = [image for kind in (Template, Iso) for image in cloud.store.table(kind)]
    for copy in (copy for image in images for copy in image.copies):
        copy.store = target if copy.store in stores else copy.store
    return target
