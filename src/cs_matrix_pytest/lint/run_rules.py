"""CS2xx: tests that never run."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from cs_matrix_pytest.environments.model import NETWORKING, STORAGE_SCOPES, Context, Hypervisor, Storage
from cs_matrix_pytest.lint.findings import Finding
from cs_matrix_pytest.lint.suite import UNKNOWN, Module, Suite
from cs_matrix_pytest.selection.applicability import HYPERVISORS, SHIPPED_RULES, Rule, unfit

_NOSE_TEST = re.compile(r"(?:^|[\b_./-])[Tt]est")
"""nose's default testMatch."""


def check_tests(module: Module) -> Iterator[Finding]:
    """Every CS2xx finding of a module."""
    for suite in module.suites:
        seen: dict[str, int] = {}
        for test in reversed(suite.tests):
            if test.name in seen:
                yield _at(
                    module.file,
                    test.node,
                    "CS202",
                    f"{suite.name}.{test.name} never runs: line {seen[test.name]} defines it again",
                    "rename one of the two, or remove the one that is not meant",
                )
                continue
            seen[test.name] = test.node.lineno
            reason = never_runs(suite.attributes(test))
            if reason is not None:
                yield _at(
                    module.file,
                    test.node,
                    "CS201",
                    f"no environment can run {suite.name}.{test.name}: it {reason}",
                    "say only what it needs (docs/selection.md has the rules)",
                )
        yield from _no_tests(module.file, suite)


def _no_tests(file: str, suite: Suite) -> Iterator[Finding]:
    """One finding for a class: where there are several, a person looks at them together."""
    named = [test for test in suite.tests if not _NOSE_TEST.search(test.name)]
    if named:
        names = ", ".join(test.name for test in named[:3]) + (" …" if len(named) > 3 else "")
        yield _at(
            file,
            named[0].node,
            "CS203",
            f"@attr on {len(named)} methods of {suite.name} whose names do not make them tests: {names}"
            if len(named) > 1
            else f"{suite.name}.{names} has @attr, but its name does not make it a test",
            "begin the name with test, or remove the @attr of what is a helper",
        )


def never_runs(attributes: Mapping[str, object], rules: Sequence[Rule] = SHIPPED_RULES) -> str | None:
    """Why no environment fits a test with these attributes: what it needs, or None if one does."""
    known = {name: value for name, value in attributes.items() if value is not UNKNOWN}
    asked = [rule for rule in rules if rule.applies_to(known)]
    if len(asked) < 2:
        return None
    if any(unfit(known, context, embedded=embedded, rules=asked) is None for context, embedded in _environments(asked)):
        return None
    return " and it ".join(dict.fromkeys(rule.text for rule in asked))


def _environments(rules: Sequence[Rule]) -> Iterator[tuple[Context, bool]]:
    """One of each kind that the rules can tell apart; extras only add, so all of them are there."""

    def asked(fact: str, *other: str | None) -> list[str | None]:
        return [*other, *sorted({value for rule in rules for value in rule.needs.get(fact, ())})]

    extras = tuple(filter(None, asked("extras")))
    for hypervisor, version, networking, scope, protocol, system, embedded in itertools.product(
        asked("hypervisor.type", "simulator", HYPERVISORS[0][0]),
        asked("hypervisor.version", None),
        NETWORKING,
        STORAGE_SCOPES if any("storage.scope" in rule.needs for rule in rules) else STORAGE_SCOPES[:1],
        asked("storage.protocol", None),
        asked("management_os", None),
        (False, True),
    ):
        yield (
            Context(Hypervisor(str(hypervisor), version), networking, Storage(scope, protocol), system, extras),
            embedded,
        )


def _at(file: str, node: ast.stmt, code: str, message: str, hint: str) -> Finding:
    return Finding(file, node.lineno, node.col_offset + 1, code, message, hint)
