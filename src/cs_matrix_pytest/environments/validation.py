"""Checking a YAML document against its JSON Schema, in words that name file, line and key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import resources
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.environments.yaml_source import Document, Where, dotted
from cs_matrix_pytest.errors import UserError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_PYTHON_TYPES = (
    (type(None), "empty"),
    (bool, "true or false"),
    (str, "text"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a mapping"),
)


def shipped_schema(name: str) -> dict[str, Any]:
    """A JSON Schema that ships beside this module."""
    text = resources.files("cs_matrix_pytest.environments").joinpath(name).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def validate(document: Document, schema: Mapping[str, Any]) -> None:
    """Raises UserError for the first thing (by line) that the schema does not allow; its hint names the others."""
    from jsonschema import Draft202012Validator

    problems = sorted(
        (problem for error in Draft202012Validator(schema).iter_errors(document.value) for problem in _explain(error)),
        key=lambda problem: (document.line(problem[0]), dotted(problem[0])),
    )
    if not problems:
        return
    (where, what, hint), *others = problems
    also = [f"also line {document.line(other)}: {dotted(other)}: {text}" for other, text, _ in others]
    raise UserError(
        what,
        file=document.file,
        line=document.line(where),
        key=dotted(where) or None,
        hint="\n  ".join(filter(None, [hint, *also])) or None,
    )


def near(word: str, words: list[str]) -> str | None:
    """``did you mean …?`` where one of ``words`` is spelt almost like ``word``."""
    matches = get_close_matches(word, words, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(matches)}?" if matches else None


def kind_of(value: Any) -> str:
    """What a value is, in words and without showing it: it may be a secret."""
    return next((words for python, words in _PYTHON_TYPES if isinstance(value, python)), "something else")


Problem = tuple[Where, str, "str | None"]
"""Where, what is wrong there, and what may help."""


def _explain(error: ValidationError) -> list[Problem]:
    explain = _EXPLANATIONS.get(str(error.validator), _other)
    return explain(error, tuple(error.absolute_path))


def _type(error: ValidationError, where: Where) -> list[Problem]:
    if not where and error.instance is None:
        return [(where, "this file is empty", None)]
    hint = "leave the key out if there is nothing to say" if error.instance is None else None
    wanted = error.validator_value
    words = " or ".join(_TYPES[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted))
    return [(where, f"must be {words}, is {kind_of(error.instance)}", hint)]


def _unknown_key(error: ValidationError, where: Where) -> list[Problem]:
    known = list(error.schema["properties"])
    unknown = [key for key in error.instance if key not in known]
    return [((*where, key), "unknown key", near(key, known) or f"known here: {', '.join(known)}") for key in unknown]


def _missing(error: ValidationError, where: Where) -> list[Problem]:
    key = next(key for key in error.validator_value if key not in error.instance and repr(key) in error.message)
    return [((*where, key), "missing", "the file starts with `version: 1`" if key == "version" else None)]


def _one_of(error: ValidationError, where: Where) -> list[Problem]:
    allowed = [str(value) for value in error.validator_value]
    if not isinstance(error.instance, str):
        return [(where, f"must be one of {', '.join(allowed)}, is {kind_of(error.instance)}", None)]
    what = f"{error.instance!r} is none of {', '.join(allowed)}"
    return [(where, what, near(error.instance.lower(), allowed))]


def _const(error: ValidationError, where: Where) -> list[Problem]:
    return [(where, f"must be {error.validator_value!r}: this is the format that this release reads", None)]


def _name(error: ValidationError, where: Where) -> list[Problem]:
    # An error of `propertyNames` has the name as its instance and stands at the mapping.
    named = (*where, str(error.instance)) if "propertyNames" in error.absolute_schema_path else where
    rule = "letters, digits and . _ + - only, starting with a letter or digit"
    return [(named, f"{error.instance!r} cannot be a name", f"{rule}: it becomes part of test ids")]


def _empty(_: ValidationError, where: Where) -> list[Problem]:
    return [(where, "is empty", None)]


def _too_small(error: ValidationError, where: Where) -> list[Problem]:
    return [(where, f"must be at least {error.validator_value}", None)]


def _length(error: ValidationError, where: Where) -> list[Problem]:
    return [(where, f"must have {error.validator_value} items" if error.instance else "is empty", None)]


def _repeated(_: ValidationError, where: Where) -> list[Problem]:
    return [(where, "an item is given twice", None)]


def _other(error: ValidationError, where: Where) -> list[Problem]:
    return [(where, f"breaks the rule {error.validator}: {error.validator_value}", None)]


_EXPLANATIONS: Mapping[str, Callable[[ValidationError, Where], list[Problem]]] = {
    "type": _type,
    "additionalProperties": _unknown_key,
    "required": _missing,
    "enum": _one_of,
    "const": _const,
    "pattern": _name,
    "minProperties": _empty,
    "minLength": _empty,
    "minItems": _length,
    "minimum": _too_small,
    "maxItems": _length,
    "uniqueItems": _repeated,
}
