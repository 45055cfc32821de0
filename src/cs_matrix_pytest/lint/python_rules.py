"""CS3xx and CS4xx: what newer Pythons have removed, and skipTest on a class."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cs_matrix_pytest.lint.findings import Finding
from cs_matrix_pytest.lint.suite import Module
from cs_matrix_pytest.marvin_bridge.removed_python import REMOVED_METHODS, REMOVED_NAMES, Removal, removed_module


def check_python(module: Module) -> Iterator[Finding]:
    """Every CS3xx and CS4xx finding of a module."""
    given = _imported_names(module)
    tried = _tried(module)
    for node in module.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in tried:
            yield from _imports(module, node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in given:
            name = f"{given[node.value.id]}.{node.attr}"
            if name in REMOVED_NAMES:
                yield _removed(module.file, node, "CS301", name, REMOVED_NAMES[name])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REMOVED_METHODS:
            yield _removed(module.file, node.func, "CS301", f".{node.func.attr}()", REMOVED_METHODS[node.func.attr])
        elif isinstance(node, ast.FunctionDef) and _is_classmethod(node):
            yield from _skips(module.file, node)


def _imports(module: Module, node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    given: dict[str, list[str]]  # what an import asks for → the names that the module has of it
    if isinstance(node, ast.ImportFrom):
        if node.level or not node.module:
            return
        given = {node.module: [alias.asname or alias.name for alias in node.names]}
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            if name in REMOVED_NAMES:
                yield _removed(module.file, node, "CS301", name, REMOVED_NAMES[name])
    else:
        given = {alias.name: [alias.asname or alias.name.partition(".")[0]] for alias in node.names}
    for name, bound in given.items():
        removal = removed_module(name)
        if removal is not None and not _lies_beside(module.file, name.partition(".")[0]):
            found = _removed(module.file, node, "CS302", f"the module {name}", removal)
            unused = "*" not in bound and module.words.isdisjoint(bound)
            yield replace(found, hint="remove the import: nothing here uses it") if unused else found


def _lies_beside(file: str, name: str) -> bool:
    """True for a module or package of the suite's own, whatever Python once had under its name."""
    folder = Path(file).parent
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def _removed(file: str, node: ast.expr | ast.stmt, code: str, name: str, removal: Removal) -> Finding:
    line = node.end_lineno if isinstance(node, ast.Attribute) and node.end_lineno else node.lineno
    return Finding(
        file,
        line,
        node.col_offset + 1,
        code,
        removal.about(name),
        f"use {removal.instead}",
    )


def _imported_names(module: Module) -> dict[str, str]:
    """What names of the module stand for: ``import inspect as i`` → i: inspect."""
    return {
        alias.asname or alias.name: alias.name
        for node in module.nodes
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def _tried(module: Module) -> set[ast.AST]:
    """Imports within ``try``: who writes them has thought of their absence."""
    return {
        node
        for block in module.nodes
        if isinstance(block, ast.Try) and block.handlers
        for node in [*block.body, *(line for handler in block.handlers for line in handler.body)]
        if isinstance(node, ast.Import | ast.ImportFrom)
    }


def _is_classmethod(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "classmethod" for each in node.decorator_list)


def _skips(file: str, method: ast.FunctionDef) -> Iterator[Finding]:
    if not method.args.args:
        return
    first = method.args.args[0].arg
    for node in ast.walk(method):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "skipTest"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == first
            and len(node.args) + len(node.keywords) < 2
        ):
            yield Finding(
                file,
                node.lineno,
                node.col_offset + 1,
                "CS401",
                f"{first}.skipTest() in {method.name} is a TypeError, not a skip: a class has no test to skip",
                "write: raise unittest.SkipTest(reason)",
            )
