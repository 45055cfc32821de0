"""The program ``cs-matrix``, as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def cs_matrix(*arguments: object, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder; its output is 120 columns wide unless ``COLUMNS`` says otherwise."""
    return subprocess.run(
        [sys.executable, "-m", "cs_matrix_pytest", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "120", **environ},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
