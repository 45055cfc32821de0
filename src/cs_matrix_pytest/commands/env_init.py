"""``cs-matrix env init``: a first environments file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cs_matrix_pytest.environments.file import load_environments
from cs_matrix_pytest.environments.starter import starter_file
from cs_matrix_pytest.errors import UserError


def init(configs: Sequence[Path], output: Path, *, force: bool) -> int:
    """Write ``output`` from Marvin configurations. Raises UserError: one is not readable, or ``output`` exists."""
    text = starter_file(configs, output.parent)
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError("this file exists already", file=output, hint="--force replaces it") from None
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", file=output) from None
    names = list(load_environments(output).environments)
    count = "1 environment" if len(names) == 1 else f"{len(names)} environments"
    print(f"wrote {output} with {count}: {', '.join(names)}")
    return 0
