"""A test module as its source says it is: classes, tests, and the attributes that ``@attr`` gives them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef

UNKNOWN = object()
"""The value of an attribute that only running the module could tell."""


@dataclass(frozen=True)
class Attribute:
    """One name that an ``@attr`` sets, and where; `bare` if it stood without a value, which makes it True."""

    name: str
    value: object
    node: ast.expr
    """The value, or the bare name: where a finding points to."""
    bare: bool
    decorator: ast.Call


@dataclass(frozen=True)
class Test:
    """A method that a runner takes for a test, or that ``@attr`` says is one."""

    __test__ = False

    name: str
    node: Function
    own: tuple[Attribute, ...]
    """In the order in which they are set, so the last of a name wins: decorators work from the bottom up."""


@dataclass(frozen=True)
class Suite:
    """A class with tests; `own` as for `Test`, `inherited` what its bases in the same module set."""

    name: str
    node: ast.ClassDef
    own: tuple[Attribute, ...]
    inherited: tuple[Attribute, ...]
    tests: tuple[Test, ...]

    def attributes(self, test: Test) -> dict[str, object]:
        """Name → value, the method's before its class's before its bases'."""
        return {each.name: each.value for each in (*self.inherited, *self.own, *test.own)}


@dataclass(frozen=True)
class Module:
    """A file that parses. `file` is its name as findings show it."""

    file: str
    tree: ast.Module = field(repr=False)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node; walking a tree costs more than what any rule does with it."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def words(self) -> frozenset[str]:
        """The names that its code uses."""
        return frozenset(node.id for node in self.nodes if isinstance(node, ast.Name))

    @cached_property
    def suites(self) -> tuple[Suite, ...]:
        """Its classes with tests, in their order."""
        classes = {node.name: node for node in self.nodes if isinstance(node, ast.ClassDef)}
        return tuple(
            Suite(node.name, node, tuple(attributes_of(node)), tuple(_inherited(node, classes)), tests)
            for node in self.nodes
            if isinstance(node, ast.ClassDef) and (tests := tuple(_tests(node)))
        )

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Every attribute that is set in the module, on whatever."""
        return tuple(
            attribute
            for node in self.nodes
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            for attribute in attributes_of(node)
        )


def attributes_of(node: ast.ClassDef | Function) -> Iterator[Attribute]:
    """What the ``@attr`` of a class or function set, the last of a name being the one that counts."""
    for decorator in reversed(node.decorator_list):
        if not (isinstance(decorator, ast.Call) and _is_attr(decorator.func)):
            continue
        for argument in decorator.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield Attribute(argument.value, True, argument, True, decorator)
        for keyword in decorator.keywords:
            if keyword.arg is not None:
                yield Attribute(keyword.arg, _value(keyword.value), keyword.value, False, decorator)


def texts(value: ast.expr) -> Iterator[ast.Constant]:
    """The texts of a value: of a list its members, else itself."""
    members = value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else [value]
    for member in members:
        if isinstance(member, ast.Constant) and isinstance(member.value, str):
            yield member


def _is_attr(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):  # attrib.attr, nose.plugins.attrib.attr
        return function.attr == "attr" and ast.unparse(function.value).endswith("attrib")
    return isinstance(function, ast.Name) and function.id == "attr"


def _value(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return UNKNOWN


def _tests(node: ast.ClassDef) -> Iterator[Test]:
    for method in node.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
            own = tuple(attributes_of(method))
            if own or method.name.startswith("test"):
                yield Test(method.name, method, own)


def _inherited(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> Iterator[Attribute]:
    """Of the bases in the same module, the farthest first."""
    bases: list[ast.ClassDef] = []
    queue = [node]
    while queue:
        for base in queue.pop(0).bases:
            found = classes.get(base.id) if isinstance(base, ast.Name) else None
            if found is not None and found is not node and found not in bases:
                bases.append(found)
                queue.append(found)
    for base_class in reversed(bases):
        yield from attributes_of(base_class)
