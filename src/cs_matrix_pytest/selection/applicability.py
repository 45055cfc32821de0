"""Which test fits which environment: a table of rules, and the sentence that says why a test does not fit.

The shipped rules read upstream's tags as its suites use them: ``advancedns`` and ``eip`` stand for zones with a
NetScaler, ``sg`` for zones with security groups. The tag ``simulator`` says that a test runs on a simulator *too*, so
nothing follows from it. docs/selection.md shows the table and how an environments file extends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cs_matrix_pytest.environments.model import NETWORKING, STORAGE_SCOPES, Context
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.selection.attributes import values_of

HYPERVISORS: tuple[tuple[str, ...], ...] = (
    ("kvm",),
    ("vmware", "esxi", "esx", "vsphere"),
    ("xenserver", "xcp-ng", "xcpng", "xcp", "xen"),
    ("hyperv", "hyper-v"),
    ("lxc",),
    ("ovm",),
    ("ovm3",),
    ("baremetal",),
)
"""Spellings of one hypervisor, CloudStack's own name first. XCP-ng is a XenServer to CloudStack."""


@dataclass(frozen=True, eq=False)
class Rule:
    """A test with one of the values `when` (attribute → values) needs an environment with one of each of `needs`.

    `needs` maps a fact (a key of `FACTS`) to allowed values; all its facts must hold. Of the rules of one `group` that
    a test triggers one must hold (tags ``basic`` and ``advanced``: either zone will do); a rule without a group stands
    alone. Values compare as text, in lower case. `text` is the reason shown: "needs a Nicira controller". Rules
    themselves compare by identity: a row of the table.
    """

    when: Mapping[str, frozenset[str]]
    needs: Mapping[str, frozenset[str]]
    text: str
    group: str | None = None

    def applies_to(self, attributes: Mapping[str, object]) -> bool:
        """Whether the test has one of the values; an attribute that it lacks never counts."""
        return any(
            _fold(value) in wanted for name, wanted in self.when.items() for value in values_of(attributes.get(name))
        )


@dataclass(frozen=True)
class Fact:
    """A fact of an environment that rules can ask for: how to read it, how to say what was read, what it can be."""

    read: Callable[[Context, bool], Sequence[str | None]]
    """Its values, for a context and whether it is embedded; of several spellings the environment's own comes first."""
    say: Callable[[Sequence[str]], str]
    known: tuple[str, ...] = ()


def _has(what: str) -> Callable[[Sequence[str]], str]:
    return lambda values: f"has {what}{values[0] if values else 'unknown'}"


def _spellings(hypervisor: str) -> tuple[str, ...]:
    return next((row for row in HYPERVISORS if hypervisor.lower() in row), ())


def _is_simulator(context: Context, embedded: bool) -> bool:
    return embedded or context.hypervisor.type.lower() == "simulator"


FACTS: Mapping[str, Fact] = {
    "hypervisor.type": Fact(
        lambda context, _: (context.hypervisor.type, *_spellings(context.hypervisor.type)),
        _has(""),
    ),
    "hypervisor.version": Fact(lambda context, _: (context.hypervisor.version,), _has("hypervisor version ")),
    "networking": Fact(lambda context, _: (context.networking,), _has("networking "), NETWORKING),
    "storage.scope": Fact(lambda context, _: (context.storage.scope,), _has("storage scope "), STORAGE_SCOPES),
    "storage.protocol": Fact(lambda context, _: (context.storage.protocol,), _has("storage protocol ")),
    "management_os": Fact(lambda context, _: (context.management_os,), _has("management OS ")),
    "extras": Fact(
        lambda context, _: context.extras,
        lambda values: f"has extras {', '.join(values)}" if values else "has no extras",
    ),
    "simulator": Fact(
        lambda context, embedded: ("true" if _is_simulator(context, embedded) else "false",),
        lambda values: "is a simulator" if "true" in values else "is no simulator",
        ("true", "false"),
    ),
}


def unfit(
    attributes: Mapping[str, object],
    context: Context,
    *,
    embedded: bool,
    rules: Sequence[Rule],
    environment: str = "the environment",
) -> str | None:
    """Why a test with `attributes` does not fit, as one sentence ("needs hypervisor vmware, kvm-adv has kvm"), or None.

    `embedded` tells an in-process simulator, which stands for what `context` says but runs on no hardware. A fact that
    the context leaves open meets no need. `environment` is the name to show.
    """
    return unmet(needs_of(attributes, rules), context, embedded=embedded, environment=environment)


Needs = tuple[tuple[Rule, ...], ...]
"""What a test needs: of each group of rules one must hold."""


def needs_of(attributes: Mapping[str, object], rules: Sequence[Rule]) -> Needs:
    """What a test with `attributes` needs of its environment; one answer for all environments."""
    grouped: dict[object, list[Rule]] = {}
    for number, rule in enumerate(rules):
        if rule.applies_to(attributes):
            grouped.setdefault(rule.group or number, []).append(rule)
    return tuple(map(tuple, grouped.values()))


def unmet(needs: Needs, context: Context, *, embedded: bool, environment: str = "the environment") -> str | None:
    """The first of `needs` that an environment does not meet, as the sentence of `unfit`, or None."""
    for alternatives in needs:
        if all(_lacking(rule, context, embedded) for rule in alternatives):
            return _sentence(_least(alternatives), context, embedded, environment)
    return None


def parse_rules(raw: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules from their written form: ``{when: {tags: [nicira]}, needs: {extras: [nicira]}, text: …, group: …}``.

    A single value may stand without its list; `text` and `group` may be left out. Raises UserError whose `key` is the
    place in `raw` (``1.needs.networking``), for the caller to add the file and line.
    """
    if isinstance(raw, str | Mapping) or not isinstance(raw, Sequence):
        raise UserError("rules must be a list", hint=_RULE_HINT)
    return tuple(_rule(entry, str(number)) for number, entry in enumerate(raw))


def _least(alternatives: Sequence[Rule]) -> list[Rule]:
    """Without the rules that ask for more than another one does: an advanced zone, so not one with a NetScaler too."""

    def asks_no_more(rule: Rule, other: Rule) -> bool:
        return all(fact in other.needs and other.needs[fact] <= allowed for fact, allowed in rule.needs.items())

    least: list[Rule] = []
    for rule in alternatives:
        if not any(asks_no_more(kept, rule) for kept in least):
            least = [kept for kept in least if not asks_no_more(rule, kept)] + [rule]
    return least


def _sentence(rules: Sequence[Rule], context: Context, embedded: bool, environment: str) -> str:
    texts = list(dict.fromkeys(rule.text for rule in rules))
    needs = " or ".join([texts[0], *(text.removeprefix("needs ") for text in texts[1:])])
    facts = dict.fromkeys(fact for rule in rules for fact in _lacking(rule, context, embedded))
    has = " and ".join(FACTS[fact].say(_values(fact, context, embedded)) for fact in facts)
    return f"{needs}, {environment} {has}"


def _lacking(rule: Rule, context: Context, embedded: bool) -> list[str]:
    return [
        fact for fact, allowed in rule.needs.items() if allowed.isdisjoint(map(_fold, _values(fact, context, embedded)))
    ]


def _values(fact: str, context: Context, embedded: bool) -> list[str]:
    return [value for value in FACTS[fact].read(context, embedded) if value is not None]


def _fold(value: object) -> str:
    return str(value).lower()


_RULE_HINT = "a rule is written {when: {tags: [nicira]}, needs: {extras: [nicira]}, text: needs a Nicira controller}"


def _rule(entry: object, place: str) -> Rule:
    if not isinstance(entry, Mapping):
        raise UserError("a rule must be a mapping", key=place, hint=_RULE_HINT)
    for key in entry:
        if key not in ("when", "needs", "text", "group"):
            raise UserError(
                "unknown key; a rule has when, needs, text and group", key=f"{place}.{key}", hint=_RULE_HINT
            )
    when = dict(_conditions(entry, "when", place))
    needs = dict(_conditions(entry, "needs", place))
    for fact, values in needs.items():
        if fact not in FACTS:
            raise UserError(
                "not a fact of an environment", key=f"{place}.needs.{fact}", hint=f"facts: {', '.join(FACTS)}"
            )
        known = FACTS[fact].known
        if known and (wrong := sorted(values - set(known))):
            raise UserError(f"{wrong[0]!r} is none of {', '.join(known)}", key=f"{place}.needs.{fact}")
    for key in ("text", "group"):
        if not isinstance(entry.get(key, ""), str):
            raise UserError("must be text", key=f"{place}.{key}", hint=_RULE_HINT)
    return Rule(when, needs, entry.get("text") or _wording(needs), entry.get("group"))


def _conditions(entry: Mapping[str, Any], part: str, place: str) -> Iterator[tuple[str, frozenset[str]]]:
    conditions = entry.get(part)
    if not isinstance(conditions, Mapping) or not conditions:
        raise UserError("must map names to values", key=f"{place}.{part}", hint=_RULE_HINT)
    for name, value in conditions.items():
        values = values_of(value)
        if not isinstance(name, str) or not values or not all(isinstance(v, str | int | float) for v in values):
            raise UserError("must be a value or a list of values", key=f"{place}.{part}.{name}", hint=_RULE_HINT)
        yield name, frozenset(map(_fold, values))


def _wording(needs: Mapping[str, frozenset[str]]) -> str:
    return "needs " + " and ".join(f"{fact} {' or '.join(sorted(values))}" for fact, values in needs.items())


SHIPPED_RULES: tuple[Rule, ...] = parse_rules(
    [
        {"group": "zone", "when": {"tags": "basic"}, "needs": {"networking": "basic"}, "text": "needs a basic zone"},
        {
            "group": "zone",
            "when": {"tags": "advanced"},
            "needs": {"networking": "advanced"},
            "text": "needs an advanced zone",
        },
        {
            "group": "zone",
            "when": {"tags": "advancedsg"},
            "needs": {"networking": "advanced-sg"},
            "text": "needs an advanced zone with security groups",
        },
        {
            "group": "zone",
            "when": {"tags": "sg"},
            "needs": {"networking": ["basic", "advanced-sg"]},
            "text": "needs a zone with security groups",
        },
        {
            "group": "zone",
            "when": {"tags": "advancedns"},
            "needs": {"networking": "advanced", "extras": "netscaler"},
            "text": "needs an advanced zone with a NetScaler",
        },
        {
            "group": "zone",
            "when": {"tags": "eip"},
            "needs": {"networking": "basic", "extras": "netscaler"},
            "text": "needs a basic zone with a NetScaler",
        },
        *(
            {
                "group": "hypervisor",
                "when": {"tags": row, "hypervisor": row},
                # CloudStack's own simulator stands for any hypervisor, as upstream's CI has it.
                "needs": {"hypervisor.type": [row[0], "simulator"]},
                "text": f"needs hypervisor {row[0]}",
            }
            for row in HYPERVISORS
        ),
        {
            "group": "hypervisor",
            "when": {"hypervisor": "simulator"},
            "needs": {"simulator": True},
            "text": "needs a simulator",
        },
        {"when": {"required_hardware": True}, "needs": {"simulator": False}, "text": "needs real hardware"},
        {
            "when": {"required_hardware": "simulator only", "simulator_only": True},
            "needs": {"simulator": True},
            "text": "needs a simulator",
        },
    ]
)
"""The rules that ship, in the very form that an environments file uses; its own are added to them."""
