"""Checking the file of a volume (VolumeApiServiceImpl.checkAndRepairVolume). For KVM."""

from __future__ import annotations

from cs_matrix_pytest.simulator.access import check_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("volume_check")

REPAIRS = ("leaks", "all")
CLUSTER = 64 * 1024
"""Bytes of one cluster of a QCOW2 file."""


@family.command("checkVolume")
def check(call: Call) -> Answer:
    # The server trips over a volume that is gone.
    gone = 'Cannot invoke "org.apache.cloudstack.acl.ControlledEntity.getAccountId()" because "entity" is null'
    volume, repair = call.one(Volume, missing=gone, error=ApiError), call.get("repair")
    if repair and repair.lower() not in REPAIRS:
        raise InvalidParameterValue(
            f"Repair parameter can only take the following values: [{', '.join(name.upper() for name in REPAIRS)}]"
        )
    check_owner(call.account, volume.account)
    if volume.vm is not None and volume.vm.state != "Stopped":
        raise InvalidParameterValue(f"VM to which the volume {volume.name} is attached should be in stopped state")
    if volume.state != "Ready":
        raise InvalidParameterValue(f"Volume: {volume.name} is not in Ready state")
    if volume.hypervisor != "KVM":
        raise InvalidParameterValue("Check and Repair volumes is supported only for KVM hypervisor")
    result = {
        "check-errors": "0",
        "filename": volume.path,
        "format": "qcow2",
        "image-end-offset": str(4 * CLUSTER),
        "total-clusters": str(volume.size // CLUSTER),
    }
    return {"volume": {**call.cloud.view(volume, call), "volumecheckresult": result}}
