"""Jobs of the backup service. Only the provider KBOSS has any, and nothing answers for it here."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, ParameterError
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("backup jobs")

TYPES = ("StartCompression", "FinalizeCompression", "BackupValidation")


@family.command("listBackupServiceJobs")
def list_backup_jobs(call: Call) -> Answer:
    kind = call.get("type")
    if kind is None:
        raise InternalError("Name is null", cs_code=9999)
    if kind not in TYPES:
        raise ParameterError(f"No enum constant org.apache.cloudstack.backup.InternalBackupServiceJobType.{kind}")
    return []
