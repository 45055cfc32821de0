"""Which test fits which environment: the shipped table, rules of an environments file, and what is said."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.environments.model import NETWORKING, Context, Hypervisor, Storage
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.selection.applicability import FACTS, HYPERVISORS, SHIPPED_RULES, Rule, parse_rules, unfit


def context(hypervisor="kvm", networking="advanced", extras=(), **other):
    return Context(Hypervisor(hypervisor, other.pop("version", None)), networking, extras=extras, **other)


def reason(attributes, where, *, embedded=False, rules=SHIPPED_RULES):
    return unfit(attributes, where, embedded=embedded, rules=rules, environment="lab")


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ([], {"basic", "advanced", "advanced-sg"}),
        (["smoke", "simulator", "devcloud"], {"basic", "advanced", "advanced-sg"}),
        (["advanced"], {"advanced"}),
        (["Advanced"], {"advanced"}),
        (["basic"], {"basic"}),
        (["advanced", "basic"], {"basic", "advanced"}),
        (["advancedsg"], {"advanced-sg"}),
        (["advanced", "advancedsg"], {"advanced", "advanced-sg"}),
        (["sg"], {"basic", "advanced-sg"}),
        (["advanced", "basic", "sg"], {"basic", "advanced", "advanced-sg"}),
        (["advancedns"], set()),
        (["eip"], set()),
        (["advanced", "advancedns"], {"advanced"}),
        (["basic", "eip"], {"basic"}),
    ],
)
def test_zone_tags_name_the_networking_that_a_test_fits(tags, fits):
    assert {kind for kind in NETWORKING if reason({"tags": tags}, context(networking=kind)) is None} == fits


@pytest.mark.parametrize(("tag", "networking"), [("advancedns", "advanced"), ("eip", "basic")])
def test_netscaler_tags_fit_a_zone_that_has_one(tag, networking):
    assert reason({"tags": [tag]}, context(networking=networking, extras=("netscaler",))) is None


KVM, SIMULATOR = context("kvm"), context("simulator")


@pytest.mark.parametrize(
    ("attributes", "lab", "embedded", "simulator"),
    [
        ({}, True, True, True),
        ({"required_hardware": "false"}, True, True, True),
        ({"required_hardware": False}, True, True, True),
        ({"required_hardware": "true"}, True, False, False),
        ({"required_hardware": "True"}, True, False, False),
        ({"required_hardware": True}, True, False, False),
        ({"required_hardware": "simulator only"}, False, True, True),
        ({"simulator_only": True}, False, True, True),
        ({"simulator_only": False}, True, True, True),
        ({"tags": ["kvm"]}, True, True, True),
        ({"tags": ["vmware"]}, False, False, True),
        ({"hypervisor": "xenserver"}, False, False, True),
        ({"tags": ["vmware"], "required_hardware": "true"}, False, False, False),
        ({"tags": ["simulator"]}, True, True, True),
        ({"hypervisor": "simulator"}, False, True, True),
    ],
)
def test_hardware_and_simulators(attributes, lab, embedded, simulator):
    """An embedded simulator stands for its context's hypervisor, yet it is a simulator."""
    fits = (
        reason(attributes, KVM) is None,
        reason(attributes, KVM, embedded=True) is None,
        reason(attributes, SIMULATOR) is None,
    )
    assert fits == (lab, embedded, simulator)


@pytest.mark.parametrize(
    ("attributes", "hypervisor", "fits"),
    [
        ({"tags": ["vmware"]}, "vmware", True),
        ({"tags": ["vmware"]}, "kvm", False),
        ({"tags": ["esxi"]}, "vmware", True),
        ({"tags": ["vmware"]}, "ESXi", True),
        ({"tags": ["xenserver"]}, "xcp-ng", True),
        ({"tags": ["xcpng"]}, "xenserver", True),
        ({"hypervisor": "XenServer"}, "xenserver", True),
        ({"hypervisor": "KVM"}, "kvm", True),
        ({"hypervisor": "KVM"}, "vmware", False),
        ({"hypervisor": ["kvm", "vmware"]}, "vmware", True),
        ({"tags": ["vmware", "xenserver"]}, "xenserver", True),
        ({"tags": ["vmware", "xenserver"]}, "kvm", False),
        ({"tags": ["baremetal"]}, "kvm", False),
        ({"tags": ["ovm3"]}, "ovm", False),
        ({"tags": ["vmfs"]}, "kvm", True),
    ],
)
def test_hypervisor_tags_and_attributes(attributes, hypervisor, fits):
    assert (reason(attributes, context(hypervisor)) is None) is fits


@pytest.mark.parametrize(
    ("attributes", "where", "embedded", "sentence"),
    [
        ({"tags": ["vmware"]}, context(), False, "needs hypervisor vmware, lab has kvm"),
        (
            {"tags": ["vmware", "xenserver"]},
            context(),
            False,
            "needs hypervisor vmware or hypervisor xenserver, lab has kvm",
        ),
        (
            {"tags": ["advanced"]},
            context(networking="basic"),
            False,
            "needs an advanced zone, lab has networking basic",
        ),
        (
            {"tags": ["basic", "advanced", "advancedns", "eip"]},
            context(networking="advanced-sg"),
            False,
            "needs a basic zone or an advanced zone, lab has networking advanced-sg",
        ),
        ({"tags": ["advancedns"]}, context(), False, "needs an advanced zone with a NetScaler, lab has no extras"),
        (
            {"tags": ["eip"]},
            context(extras=("nicira", "tungsten")),
            False,
            "needs a basic zone with a NetScaler, lab has networking advanced and has extras nicira, tungsten",
        ),
        ({"required_hardware": "true"}, context(), True, "needs real hardware, lab is a simulator"),
        ({"simulator_only": True}, context(), False, "needs a simulator, lab is no simulator"),
    ],
)
def test_the_reason_is_one_sentence_with_what_is_needed_and_what_is_there(attributes, where, embedded, sentence):
    assert reason(attributes, where, embedded=embedded) == sentence


ALL_TAGS = ["basic", "advanced", "advancedsg", "sg", "advancedns", "eip", "smoke", *itertools.chain(*HYPERVISORS)]


@given(
    st.lists(st.sampled_from(ALL_TAGS), max_size=4),
    st.sampled_from(ALL_TAGS),
    st.sampled_from(NETWORKING),
    st.sampled_from([row[0] for row in HYPERVISORS]),
    st.sampled_from([(), ("netscaler",)]),
)
def test_a_second_tag_of_a_kind_never_takes_an_environment_away(tags, more, networking, hypervisor, extras):
    """Tags of one kind are alternatives: with one of them present, another can only add environments."""
    where = context(hypervisor, networking, extras)
    kinds = [set(ALL_TAGS[:6]), set(ALL_TAGS[7:])]
    if any(more in kind and kind & set(tags) for kind in kinds) and reason({"tags": tags}, where) is None:
        assert reason({"tags": [*tags, more]}, where) is None


def test_an_environments_file_adds_rules():
    rules = parse_rules(
        [
            {"when": {"tags": ["nicira"]}, "needs": {"extras": ["nicira"]}, "text": "needs a Nicira controller"},
            {"when": {"tags": "vmfs"}, "needs": {"storage.protocol": "vmfs", "storage.scope": ["shared", "mixed"]}},
            {"when": {"requires_os": "el9"}, "needs": {"management_os": "el9"}, "group": "os"},
            {"when": {"tags": "advanced"}, "needs": {"networking": "advanced-sg"}, "group": "zone"},
            {"when": {"min_version": [8.0]}, "needs": {"hypervisor.version": "8.0"}},
        ]
    )
    both = (*SHIPPED_RULES, *rules)
    nicira = {"tags": ["nicira"]}
    assert reason(nicira, context(), rules=both) == "needs a Nicira controller, lab has no extras"
    assert reason(nicira, context(extras=("Nicira",)), rules=both) is None
    assert reason({"tags": ["vmfs"]}, context(storage=Storage("local")), rules=both) == (
        "needs storage.protocol vmfs and storage.scope mixed or shared, "
        "lab has storage protocol unknown and has storage scope local"
    )
    assert reason({"tags": ["vmfs"]}, context(storage=Storage("mixed", "vmfs")), rules=both) is None
    assert reason({"requires_os": "EL9"}, context(management_os="ubuntu24"), rules=both) is not None
    assert reason({"tags": ["advanced"]}, context(networking="advanced-sg"), rules=both) is None
    assert reason({"min_version": 8.0}, context(version="8.0"), rules=both) is None
    assert "hypervisor version unknown" in str(reason({"min_version": 8.0}, context(), rules=both))


def test_rules_without_a_group_must_all_hold():
    rules = parse_rules(
        [{"when": {"tags": tag}, "needs": {"extras": tag}} for tag in ("nicira", "tungsten")],
    )
    attributes = {"tags": ["nicira", "tungsten"]}
    assert (
        reason(attributes, context(extras=("nicira",)), rules=rules) == "needs extras tungsten, lab has extras nicira"
    )
    assert reason(attributes, context(extras=("nicira", "tungsten")), rules=rules) is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"when": {}}, "rules must be a list"),
        ("nicira", "rules must be a list"),
        (["nicira"], "0: a rule must be a mapping"),
        ([{"when": {"tags": "a"}, "needs": {"extras": "a"}}, {"wehn": 1}], "1.wehn: unknown key"),
        ([{"needs": {"extras": "a"}}], "0.when: must map"),
        ([{"when": {"tags": "a"}}], "0.needs: must map"),
        ([{"when": {"tags": "a"}, "needs": {}}], "0.needs: must map"),
        ([{"when": {"tags": []}, "needs": {"extras": "a"}}], "0.when.tags: must be a value"),
        ([{"when": {"tags": None}, "needs": {"extras": "a"}}], "0.when.tags: must be a value"),
        ([{"when": {"tags": [{"a": 1}]}, "needs": {"extras": "a"}}], "0.when.tags: must be a value"),
        ([{"when": {"tags": "a"}, "needs": {"hypervisor": "kvm"}}], "0.needs.hypervisor: not a fact"),
        ([{"when": {"tags": "a"}, "needs": {"networking": "advnced"}}], "0.needs.networking: 'advnced' is none of"),
        ([{"when": {"tags": "a"}, "needs": {"simulator": "yes"}}], "0.needs.simulator: 'yes' is none of true, false"),
        ([{"when": {"tags": "a"}, "needs": {"extras": "a"}, "text": 5}], "0.text: must be text"),
        ([{"when": {"tags": "a"}, "needs": {"extras": "a"}, "group": ["g"]}], "0.group: must be text"),
    ],
)
def test_a_bad_rule_says_what_and_where(raw, message):
    with pytest.raises(UserError) as error:
        parse_rules(raw)
    assert str(error.value).startswith(message)


def test_every_fact_can_be_asked_for_and_said():
    for fact in FACTS:
        rule = Rule({"tags": frozenset({"x"})}, {fact: frozenset({"impossible"})}, f"needs {fact}")
        assert str(reason({"tags": ["x"]}, context(), rules=[rule])).startswith(f"needs {fact}, lab ")
