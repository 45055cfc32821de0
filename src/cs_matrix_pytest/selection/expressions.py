"""nose's two selection languages, ``-a`` and ``-A``, as ``--attr`` and ``--eval-attr``: same grammar, same answers.

The rules are those of nose's attrib plugin (1.3.7 and pynose); docs/selection.md has them as a table with examples.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.selection.attributes import Lookup, lookup_of

ATTR_OPTION = "--attr"
EVAL_OPTION = "--eval-attr"


class ExpressionError(Exception):
    """An expression has no answer for one test: `expression` is what was asked, `reason` why there is none."""

    def __init__(self, expression: str, reason: str) -> None:
        super().__init__(f"{EVAL_OPTION} {expression!r} has no answer for this test: {reason}")
        self.expression = expression
        self.reason = reason


@dataclass(frozen=True)
class AttrTerm:
    """One condition of ``--attr``: `wanted` is the text to compare with; True or False asks for truth instead."""

    name: str
    wanted: str | bool

    def matches(self, lookup: Lookup) -> bool:
        value = lookup(self.name)
        if isinstance(self.wanted, bool):
            return bool(value) is self.wanted
        members = value if type(value) in (list, tuple) else (value,)  # nose takes no other container for a list
        return self.wanted.lower() in (str(member).lower() for member in members)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class AttrExpression:
    """One ``--attr``: terms between commas, all of which a test must meet."""

    text: str
    terms: tuple[AttrTerm, ...]

    @classmethod
    def parse(cls, text: str) -> AttrExpression:
        """`text` as nose's -a reads it: ``name=value``, ``name``, ``!name``, between commas; a space is part of a name.

        Raises UserError for what can only be a slip (nose would select every test, or none, in silence): no term at
        all, or a term without a name.
        """
        terms = tuple(_attr_term(part, text) for part in text.strip().split(",") if part)
        if not terms:
            raise UserError("the expression is empty", key=ATTR_OPTION, hint=_ATTR_HINT)
        return cls(text, terms)

    def matches(self, lookup: Lookup) -> bool:
        return all(term.matches(lookup) for term in self.terms)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What parses but is hardly meant, a sentence each, for a warning; the answers stay nose's."""
        return tuple(_doubts(self.terms))


@dataclass(frozen=True)
class EvalExpression:
    """One ``--eval-attr``: a Python expression in which every name is an attribute of the test, or False.

    So there are no builtins (``len`` is the test's attribute `len`), as at the top level of nose's -A. Within a
    comprehension or lambda nose's answer depends on the Python version; here names mean the same everywhere.
    """

    text: str
    code: CodeType
    names: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> EvalExpression:
        """Raises UserError, with the expression and the column, where `text` is not one Python expression."""
        source = text.strip()
        try:
            tree = ast.parse(source, f"<{EVAL_OPTION}>", "eval")
            code = compile(tree, f"<{EVAL_OPTION}>", "eval")
        except SyntaxError as error:
            column = error.offset or len(source) + 1  # without one it is the end that comes too early
            what = f"{error.msg} at column {column} of {source!r}"
            raise UserError(what, key=EVAL_OPTION, hint=_EVAL_HINT) from None
        except ValueError as error:
            raise UserError(f"{error} in {source!r}", key=EVAL_OPTION, hint=_EVAL_HINT) from None
        return cls(text, code, frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))

    def matches(self, lookup: Lookup) -> bool:
        """Raises ExpressionError where the expression cannot be computed for this test."""
        # As globals, not locals: nested scopes (comprehensions, lambdas) see only globals.
        scope: dict[str, object] = {name: lookup(name) for name in self.names}
        scope["__builtins__"] = {}
        try:
            return bool(eval(self.code, scope))
        except Exception as error:
            lacking = sorted(name for name in self.names if lookup(name) is False)
            because = f" (the test has no {' and no '.join(lacking)}; that counts as False)" if lacking else ""
            raise ExpressionError(self.text, f"{type(error).__name__}: {error}{because}") from error


@dataclass(frozen=True)
class Selection:
    """All ``--attr`` and ``--eval-attr`` of a session: any of them that matches selects a test; none selects all."""

    attr: tuple[AttrExpression, ...] = ()
    eval_attr: tuple[EvalExpression, ...] = ()

    @classmethod
    def parse(cls, attr: Iterable[str] = (), eval_attr: Iterable[str] = ()) -> Selection:
        return cls(tuple(map(AttrExpression.parse, attr)), tuple(map(EvalExpression.parse, eval_attr)))

    def __bool__(self) -> bool:
        return bool(self.attr or self.eval_attr)

    def decide(self, function: object, cls: type | None, marked: Mapping[str, object] | None = None) -> bool:
        """Whether the test is selected; `marked` as for `attributes.lookup_of`.

        Raises ExpressionError where no expression selects the test and one of them has no answer for it.
        """
        lookup = lookup_of(function, cls, marked)
        if not self or any(expression.matches(lookup) for expression in self.attr):
            return True
        unanswered: ExpressionError | None = None
        for expression in self.eval_attr:
            try:
                if expression.matches(lookup):
                    return True
            except ExpressionError as error:
                unanswered = unanswered or error
        if unanswered is not None:
            raise unanswered
        return False


_ATTR_HINT = "write it as tags=advanced,required_hardware=false or simulator_only or !disruptive (docs/selection.md)"
_EVAL_HINT = "a Python expression over attribute names, such as: \"tags and 'advanced' in tags\" (docs/selection.md)"


def _attr_term(part: str, text: str) -> AttrTerm:
    name, equals, value = part.partition("=")
    wanted: str | bool = value
    if not equals:
        wanted = not name.startswith("!")
        name = name.removeprefix("!")
    if not name:
        raise UserError(f"{part!r} in {text!r} names no attribute", key=ATTR_OPTION, hint=_ATTR_HINT)
    return AttrTerm(name, wanted)


def _doubts(terms: tuple[AttrTerm, ...]) -> Iterator[str]:
    for term in terms:
        if term.name != term.name.strip():
            yield f"the space is part of the name {term.name!r}, which no test has: write no space beside a comma or ="
        elif isinstance(term.wanted, str) and term.name.startswith("!"):
            yield f"{term.name}={term.wanted} does not negate: it asks for an attribute called {term.name!r}"
        elif isinstance(term.wanted, str) and term.wanted.startswith("!"):
            yield f"{term.name}={term.wanted} does not negate: it asks for the value {term.wanted!r}"
