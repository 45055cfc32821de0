"""matrix.json, schema ``cs-matrix/1``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cs_matrix_pytest.outcomes.matrix import Cell, Evidence, Matrix, MatrixRun
from cs_matrix_pytest.outcomes.model import Outcome

SCHEMA = "cs-matrix/1"
SCHEMA_FILE = Path(__file__).with_name("cs-matrix.schema.json")


def render(matrix: Matrix) -> str:
    """The matrix as JSON text, ASCII only, ending in a newline."""
    return json.dumps(as_dict(matrix), indent=1) + "\n"


def as_dict(matrix: Matrix) -> dict[str, Any]:
    """The matrix in the shape of ``cs-matrix/1``."""
    return {
        "schema": SCHEMA,
        "generated": matrix.generated,
        "runs": [_run(run) for run in matrix.runs],
        "contexts": {key: dict(context) for key, context in matrix.contexts.items()},
        "environments": {
            name: {"context": environment.context, "lab": environment.lab}
            for name, environment in matrix.environments.items()
        },
        "features": {
            feature.id: {"title": feature.title, "area": feature.area} for feature in matrix.features.values()
        },
        "cells": [_cell(cell) for cell in matrix.cells],
    }


def _run(run: MatrixRun) -> dict[str, Any]:
    data = {"run": run.run, "started": run.started, "lab": run.lab, "ended": run.ended}
    counts = [{key: value for key, value in vars(each).items() if value is not None} for each in run.counts]
    return data | ({"counts": counts} if counts else {})


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "acs_version": cell.acs_version,
        "feature": cell.feature,
        "context": cell.context,
        "by_environment": {name: share.outcome.value for name, share in cell.by_environment.items()},
        "outcome": cell.total.outcome.value,
        "tests": {outcome.value: cell.total.tests.get(outcome, 0) for outcome in Outcome},
        "attempts": cell.total.attempts,
        "blocked": cell.total.blocked,
        "evidence": [_evidence(evidence) for evidence in cell.total.evidence],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    optional = {
        "level": None if evidence.level == "test" else evidence.level,
        "signature": evidence.signature,
        "message": evidence.message,
        "phase": evidence.phase,
        "reason": evidence.reason and {"code": evidence.reason.code.value, "text": evidence.reason.text},
        "known": evidence.known,
    }
    return {
        "test": evidence.test,
        "outcome": evidence.outcome.value,
        "passed": evidence.passed,
        "failed": evidence.failed,
        "why": evidence.why,
        **{key: value for key, value in optional.items() if value is not None},
    }
