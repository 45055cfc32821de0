"""Running Marvin's own code generator, unmodified, on a list of commands."""

from __future__ import annotations

import json
import keyword
import py_compile
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from cs_matrix_pytest.errors import UserError

from .discovery import Api

PACKAGE = "cloudstackAPI"
CLIENT = "cloudstackAPIClient.py"

# The generator reads no URL that does not contain this, as it stands.
_ANSWER = "response=json"
_SAFE_TYPE = re.compile(r"[^\w\[\]. ]")


def generate(generator: Path, apis: Iterable[Api], folder: Path, final: Path) -> int:
    """Have ``generator`` (Marvin's codegenerator.py) write the package ``cloudstackAPI`` into ``folder``, and compile it.

    ``final`` is where the folder will be moved to. Returns the number of commands. Raises `UserError` where the generator
    fails, or writes what is no Python.
    """
    commands = list(prepared(apis))
    package = folder / PACKAGE
    package.mkdir()
    answer = folder / _ANSWER
    document = {"listapisresponse": {"count": len(commands), "api": commands}}
    answer.write_text(json.dumps(document), encoding="ascii")
    with warnings.catch_warnings():
        # Whatever Marvin's generator warns of is not for who runs tests.
        warnings.simplefilter("ignore")
        try:
            _loaded(generator).CodeGenerator(str(folder)).generateCodeFromJSON(f"{folder.as_uri()}/{_ANSWER}")
            _compile(package, final / PACKAGE)
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            raise UserError(
                f"Marvin's code generator failed on the {len(commands)} commands: {cause}",
                file=generator,
                hint="Is that file as its release has it? A generated marvin/cloudstackAPI in the tree is used as it is.",
            ) from error
    answer.unlink()
    return len(commands)


def prepared(apis: Iterable[Api]) -> Iterator[Api]:
    """The commands as the generator can take them, from whatever server.

    It stops at a field without a name, and copies names, types and descriptions into Python source as they are, where an
    empty description already is a syntax error: fields lose theirs, and what is no Python name is left out.
    """
    for api in apis:
        if not _is_name(api.get("name")):
            continue
        text = api.get("description") or api["name"]
        yield {
            "name": api["name"],
            "description": str(text).translate({ord('"'): "'", ord("\\"): "/"}).encode("ascii", "replace").decode(),
            "isasync": bool(api.get("isasync")),
            "params": [
                {**_field(each), "required": bool(each.get("required"))} for each in _with_names(api.get("params"))
            ],
            "response": list(map(_field, _with_names(api.get("response")))),
        }


def _field(given: Api) -> Api:
    found: dict[str, Any] = {
        "name": given["name"],
        "description": None,
        "type": _SAFE_TYPE.sub("", str(given.get("type", ""))),
    }
    if inner := [_field(each) for each in _with_names(given.get("response"))]:
        found["response"] = inner
    return found


def _with_names(fields: Any) -> list[Api]:
    listed = fields if isinstance(fields, list) else []
    return [each for each in listed if isinstance(each, dict) and _is_name(each.get("name"))]


def _is_name(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isidentifier() and not keyword.iskeyword(text)


def _loaded(generator: Path) -> Any:
    """The generator's module, fresh (it collects names in its class) and unknown to the import system."""
    module = ModuleType("codegenerator")
    exec(compile(generator.read_bytes(), str(generator), "exec"), vars(module))
    return module


def _compile(package: Path, final: Path) -> None:
    for file in package.glob("*.py"):
        py_compile.compile(str(file), dfile=str(final / file.name), doraise=True)
    if not (package / CLIENT).is_file():
        raise FileNotFoundError(f"it wrote no {CLIENT}")
