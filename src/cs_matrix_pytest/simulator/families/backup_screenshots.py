"""Pictures of the console that validating a backup took (InternalBackupServiceImpl.downloadScreenshot)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.models.backups import Backup
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("backup_screenshots")


@family.command("downloadValidationScreenshot")
def download(call: Call) -> Answer:
    """No backup of the provider ``dummy`` was ever validated: there is none."""
    call.one(Backup, "backupid")
    return {"downloadvalidationscreenshotresponse": {"state": "DOWNLOAD_URL_NOT_CREATED"}}
