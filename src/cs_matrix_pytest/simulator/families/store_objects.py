"""Looking into storage: what lies in pools and image stores (StorageBrowserImpl). Simulated hosts cannot tell."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError
from cs_matrix_pytest.simulator.families.capacity import reaches
from cs_matrix_pytest.simulator.models.infra import Host, ImageStore, StoragePool
from cs_matrix_pytest.simulator.models.object_storage import ObjectDownload
from cs_matrix_pytest.simulator.models.vm import SystemVm
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import new_uuid

family = Family("objects in storage")

FORMATS = frozenset(
    ["qcow2", "raw", "vhd", "iso", "ova", "vhdx", "baremetal", "vmdk", "vdi", "tar", "zip", "dir", "external"]
)
"""Endings of what can be downloaded (Storage.ImageFormat)."""
NOBODY = "No remote endpoint to send command"
CANNOT = "Failed to list datastore objects"


@family.command("listStoragePoolObjects")
def list_pool_objects(call: Call) -> Answer:
    pool = call.one(StoragePool)
    hosts = call.cloud.store.table(Host)
    raise InternalError(CANNOT if any(reaches(pool, host) and host.takes_vms for host in hosts) else NOBODY)


@family.command("listImageStoreObjects")
def list_image_store_objects(call: Call) -> Answer:
    raise InternalError(CANNOT if has_server(call, call.one(ImageStore)) else NOBODY)


def has_server(call: Call, store: ImageStore) -> bool:
    """True where a secondary storage VM serves an image store."""
    machines = call.cloud.store.table(SystemVm).where(type="secondarystoragevm", state="Running")
    return any(store.zone in (None, machine.zone) for machine in machines)


@family.command("downloadImageStoreObject")
def download(call: Call) -> Answer:
    store, path = call.one(ImageStore), "/" + call.get("path", "").strip("/")
    table = call.cloud.store.table(ObjectDownload)
    known = table.first(store=store, path=path)
    if known is None:
        ending = path.rpartition(".")[2].lower()
        if ending not in FORMATS:
            raise InternalError("Failed to create download url for image store object")
        if not has_server(call, store):
            return {call.command.envelope: {"accountid": call.account.id, "state": "DOWNLOAD_URL_NOT_CREATED"}}
        url = f"http://{call.caller.remote}/userdata/{new_uuid()}.{ending}"
        known = call.cloud.store.add(ObjectDownload(store=store, path=path, url=url))
    shown = {
        "accountid": call.account.id,
        "name": path.rpartition("/")[2],
        "url": known.url,
        "state": "DOWNLOAD_URL_CREATED",
    }
    return {call.command.envelope: shown}
