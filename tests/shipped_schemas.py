"""What commands write as JSON, held against the JSON Schema that ships with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator


def validate(instance: Any, schema_file: Path) -> None:
    """Raises jsonschema's ValidationError also for a key that the schema does not name, though readers may meet some."""
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(_closed(schema)).validate(instance)


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed.setdefault("unevaluatedProperties", False)
    return closed
