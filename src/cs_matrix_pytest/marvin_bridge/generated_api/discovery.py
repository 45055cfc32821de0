"""The API of a CloudStack tree, from its annotations, in the form in which a live server's ``listApis`` gives it.

The rules are those of CloudStack's own ``ApiDiscoveryServiceImpl``; where two classes have one command's name, those of
its ``ApiXmlDocWriter``: the more derived class, which is the administrator's, wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .java import Field, JavaClass
from .sources import Sources

Api = dict[str, Any]
"""One command as in ``listApis``: name, description, isasync, params, response."""

_ASYNC = frozenset(("BaseAsyncCmd", "BaseAsyncCreateCmd"))
_WITHOUT_PARAMETERS = frozenset(("BaseCmd", *_ASYNC))
"""Classes whose own parameters (``response``, ``ctxUserId`` …) are every command's, and are not listed."""
_RESPONSE = "BaseResponse"


def discover(sources: Sources) -> list[Api]:
    """Every command of the tree, by name."""
    chosen: dict[str, JavaClass] = {}
    for command in sources.commands():
        if sources.value(command.annotations["APICommand"].arguments.get("includeInApiDoc", ()), command) == "false":
            continue
        name = _text(sources, command, "name")
        if name and (name not in chosen or chosen[name] in sources.lineage(command)):
            chosen[name] = command
    return [_api(sources, name, chosen[name]) for name in sorted(chosen)]


def _text(sources: Sources, command: JavaClass, key: str) -> str | None:
    tokens = command.annotations["APICommand"].arguments.get(key)
    return sources.value(tokens, command) if tokens else None


def _api(sources: Sources, name: str, command: JavaClass) -> Api:
    response = command.annotations["APICommand"].arguments.get("responseObject", ())
    answer = _class_literal(sources, response, command)
    return {
        "name": name,
        "description": _text(sources, command, "description") or name,
        "isasync": any(_simple(each) in _ASYNC for each in sources.lineage(command)),
        "params": list(_parameters(sources, command)),
        "response": list(_fields_of_all(sources, answer)) if answer else [],
    }


def _parameters(sources: Sources, command: JavaClass) -> Iterator[Api]:
    seen = set()
    for each in sources.lineage(command):
        if _simple(each) in _WITHOUT_PARAMETERS:
            continue
        for field in each.fields.values():
            if "Parameter" not in field.annotations:
                continue
            given = field.annotations["Parameter"].arguments
            said = {
                key: sources.value(given[key], each)
                for key in ("required", "expose", "includeInApiDoc")
                if key in given
            }
            name = sources.value(given.get("name", ()), each)
            if not name or name in seen or "false" in (said.get("expose"), said.get("includeInApiDoc")):
                continue
            seen.add(name)
            kind = given.get("type", ("OBJECT",))[-1].lower()
            yield {"name": name, "type": kind, "required": said.get("required") == "true"}


def _fields_of_all(sources: Sources, answer: JavaClass) -> Iterator[Api]:
    """The fields of a response, those that it inherits too."""
    seen = set()
    for each in sources.lineage(answer):
        for field in _fields(sources, each, ()):
            if field["name"] not in seen:
                seen.add(field["name"])
                yield field


def _fields(sources: Sources, answer: JavaClass, around: tuple[str, ...]) -> Iterator[Api]:
    """The fields that a response itself declares; ``around`` are the responses that it lies in."""
    for field in answer.fields.values():
        if "SerializedName" not in field.annotations or "Param" not in field.annotations:
            continue
        name = sources.value(field.annotations["SerializedName"].arguments.get("value", ()), answer)
        if not name:
            continue
        found: Api = {"name": name, "type": field.type.lower()}
        inner = _nested(sources, field, answer)
        if inner is not None and inner.name not in around:
            found["response"] = list(_fields(sources, inner, (*around, inner.name)))
        yield found


def _nested(sources: Sources, field: Field, answer: JavaClass) -> JavaClass | None:
    """The response that a field holds. Only one that extends BaseResponse directly is shown with its fields."""
    tokens = field.annotations["Param"].arguments.get("responseObject", ())
    inner = _class_literal(sources, tokens, answer)
    parent = sources.superclass(inner) if inner else None
    return inner if parent and _simple(parent) == _RESPONSE else None


def _class_literal(sources: Sources, tokens: tuple[str, ...], within: JavaClass) -> JavaClass | None:
    return sources.named("".join(tokens[:-2]), within) if tokens[-2:] == (".", "class") else None


def _simple(each: JavaClass) -> str:
    return each.name.rpartition(".")[2]
