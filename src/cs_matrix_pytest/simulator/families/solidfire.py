"""What the integration tests of SolidFire storage ask the server (plugin solidfire-intg-test).

Paths and snapshots are looked up as for any volume; of SolidFire nothing is known where there is none.
"""

from __future__ import annotations

from typing import Any, TypeVar

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import StoragePool
from cs_matrix_pytest.simulator.models.storage import Snapshot, Volume
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource

family = Family("solidfire")

R = TypeVar("R", bound=Resource)


def _found(call: Call, kind: type[R], parameter: str, word: str = "Volume") -> R:
    """The live resource of a uuid; the real server calls most of them a volume."""
    found = call.cloud.store.table(kind).get(call[parameter])
    if found is None:
        raise InternalError(f"Unable to find {word} for ID: {call[parameter]}")
    return found


@family.command("getPathForVolume")
def path_of(call: Call) -> Answer:
    path = _found(call, Volume, "volumeid").path
    return {"apipathforvolume": {} if path is None else {"path": path}}


@family.command("getVolumeiScsiName")
def iscsi_name_of(call: Call) -> Answer:
    _found(call, Volume, "volumeid")
    shown: dict[str, Any] = {}
    return {"apivolumeiscsiname": shown}


@family.command("getVolumeSnapshotDetails")
def snapshot_details_of(call: Call) -> Answer:
    _found(call, Snapshot, "snapshotid")
    return None


@family.command("getSolidFireAccountId")
def account_id_of(call: Call) -> Answer:
    account, pool = _found(call, Account, "accountid", "Account"), _found(call, StoragePool, "storageid")
    raise InternalError(f"Unable to find SF account for storage {pool.id} for CS account {account.id}")


@family.command("getSolidFireVolumeAccessGroupIds")
def access_groups_of(call: Call) -> Answer:
    _found(call, StoragePool, "storageid")
    raise ApiError(
        'Cannot invoke "org.apache.cloudstack.storage.datastore.db.StoragePoolDetailVO.getValue()" because '
        '"storagePoolDetail" is null'
    )


@family.command("getSolidFireVolumeSize")
def size_of(call: Call) -> Answer:
    if call.cloud.store.table(Volume).get(call["volumeid"]) is None:
        raise ApiError('Cannot invoke "com.cloud.storage.VolumeVO.getId()" because "volume" is null')
    raise InternalError("Unable to determine the size of the SolidFire volume")
