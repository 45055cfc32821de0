"""Where backups are kept, as far as the server knows it (BackupRepositoryServiceImpl)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError
from cs_matrix_pytest.simulator.models.backup_repositories import BackupRepository
from cs_matrix_pytest.simulator.models.backups import Backup, BackupOffering
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.views import when

family = Family("backup repositories")


@family.view(BackupRepository)
def repository_view(repository: BackupRepository, _call: Call) -> dict[str, Any]:
    return {
        "id": repository.id,
        "name": repository.name,
        "created": when(repository.created),
        "address": repository.address,
        "provider": repository.provider,
        "type": repository.type,
        "mountopts": repository.mount_options if repository.mount_options.strip() else None,
        "capacitybytes": repository.capacity,
        "crosszoneinstancecreation": repository.cross_zone,
        "zoneid": repository.zone.id,
        "zonename": repository.zone.name,
    }


@family.command("addBackupRepository")
def add_repository(call: Call) -> Answer:
    return call.cloud.store.add(
        BackupRepository(
            name=call["name"],
            zone=call.one(Zone, "zoneid"),
            provider=call.get("provider"),
            type=call["type"],
            address=call["address"],
            mount_options=call.get("mountopts", ""),
            capacity=call.get("capacitybytes"),
            cross_zone=call.flag("crosszoneinstancecreation"),
        )
    )


def _named(call: Call, refusal: str) -> BackupRepository:
    repository = call.get("id")
    if not isinstance(repository, BackupRepository) or repository not in call.cloud.store:
        raise ApiError(refusal)
    return repository


@family.command("updateBackupRepository")
def update_repository(call: Call) -> Answer:
    repository = _named(call, "Failed to update the backup repository")
    repository.name = call.get("name", repository.name)
    repository.address = call.get("address", repository.address)
    repository.mount_options = call.get("mountopts", repository.mount_options)
    repository.cross_zone = call.flag("crosszoneinstancecreation", repository.cross_zone)
    return repository


@family.command("deleteBackupRepository")
def delete_repository(call: Call) -> Answer:
    repository, store = _named(call, "Failed to delete backup repository"), call.cloud.store
    offering = store.table(BackupOffering).first(external_id=repository.id, zone=repository.zone)
    if offering is not None and store.table(Backup).first(offering=offering):
        raise InternalError("Failed to delete backup repository as there are backups present on it")
    store.remove(repository)
    return Success()


@family.command("listBackupRepositories")
def list_repositories(call: Call) -> Answer:
    zone, keyword = call.maybe(Zone, "zoneid"), call.get("keyword", "").lower()
    rows = [
        row
        for row in call.cloud.store.table(BackupRepository)
        if ("id" not in call or call["id"] is row)
        and zone in (None, row.zone)
        and row.name.lower() == call.get("name", row.name).lower()
        and row.provider == call.get("provider", row.provider)
        and (keyword in row.name.lower() or keyword in (row.provider or "").lower())
    ]
    return Listing(rows, len(rows))
