"""Reports: what people and other tools read. They know the matrix and nothing of how it came about."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.matrix import Matrix


def write_reports(folder: Path, matrix: Matrix, *, xunit_unstable: str = "passed") -> tuple[Path, Path]:
    """Writes matrix.json and matrix.xml into the folder, each at once or not at all; returns their paths.

    ``xunit_unstable`` as in `reports.xunit.render`. Raises UserError where a file cannot be written.
    """
    from cs_matrix_pytest.reports import matrix_json, xunit

    json_file, xml_file = folder / "matrix.json", folder / "matrix.xml"
    write_atomically(json_file, matrix_json.render(matrix).encode("ascii"))
    write_atomically(xml_file, xunit.render(matrix, unstable=xunit_unstable))
    return json_file, xml_file


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file so that readers see the old one or the new one. Raises UserError where that fails."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(f"the report cannot be written: {error.strerror or error}", file=path) from None
