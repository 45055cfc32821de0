"""--attr and --eval-attr: nose's rules, each as examples. That nose itself agrees is test_selection_nose.py."""

from __future__ import annotations

import pytest

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.selection.expressions import AttrExpression, EvalExpression, ExpressionError, Selection


def a_test(**attributes):
    def test_it(self):
        pass

    test_it.__dict__.update(attributes)
    return test_it


RULES = [
    # 1. a missing attribute counts as False
    ("required_hardware=false", {}, True),
    ("required_hardware=False", {}, True),
    ("tags=advanced", {}, False),
    # 2. a comma means and (several options mean or: below)
    ("tags=advanced,required_hardware=false", {"tags": ["advanced"], "required_hardware": "false"}, True),
    ("tags=advanced,required_hardware=false", {"tags": ["advanced"], "required_hardware": "true"}, False),
    ("tags=advanced,tags=basic", {"tags": ["basic", "advanced"]}, True),
    ("tags=advanced,,", {"tags": ["advanced"]}, True),
    # 3. values compare as text in any case, names exactly, lists by membership
    ("tags=ADVANCED", {"tags": ["Advanced"]}, True),
    ("tags=advanced", {"tags": ("basic", "advanced")}, True),
    ("tags=adv", {"tags": ["advanced"]}, False),
    ("tags=advanced", {"tags": "advanced"}, True),
    ("tags=advanced", {"tags": {"advanced"}}, False),
    ("Tags=advanced", {"tags": ["advanced"]}, False),
    ("required_hardware=true", {"required_hardware": True}, True),
    ("required_hardware=simulator only", {"required_hardware": "Simulator only"}, True),
    ("priority=2", {"priority": 2}, True),
    ("note=a=b", {"note": "a=b"}, True),
    ("note=", {"note": ""}, True),
    ("note=", {}, False),
    # 4. name and !name ask for truth; "false" is true; ! does not combine with =
    ("simulator_only", {"simulator_only": True}, True),
    ("simulator_only", {}, False),
    ("!simulator_only", {}, True),
    ("!simulator_only", {"simulator_only": True}, False),
    ("required_hardware", {"required_hardware": "false"}, True),
    ("!required_hardware", {"required_hardware": "false"}, False),
    ("!tags", {"tags": []}, True),
    ("!tags=advanced", {"tags": ["advanced"]}, False),
    ("!tags=advanced", {"tags": ["basic"]}, False),
    ("tags=!advanced", {"tags": ["advanced"]}, False),
    ("tags=!advanced", {"tags": ["basic"]}, False),
    # 5. a space after the comma belongs to the name (but not one around the whole)
    ("tags=advanced, required_hardware=true", {"tags": ["advanced"], "required_hardware": "true"}, False),
    ("tags=advanced, required_hardware=false", {"tags": ["advanced"], "required_hardware": "true"}, True),
    (" tags=advanced ", {"tags": ["advanced"]}, True),
    ("tags= advanced", {"tags": ["advanced"]}, False),
]


@pytest.mark.parametrize(("text", "attributes", "selected"), RULES)
def test_attr_answers_as_nose(text, attributes, selected):
    assert Selection.parse([text]).decide(a_test(**attributes), None) is selected


def test_several_options_mean_or_of_both_kinds():
    selection = Selection.parse(["tags=basic", "simulator_only"], ["speed == 'slow'"])
    chosen = [{"tags": ["basic"]}, {"simulator_only": True}, {"speed": "slow"}]
    assert all(selection.decide(a_test(**attributes), None) for attributes in chosen)
    assert not selection.decide(a_test(tags=["advanced"]), None)


def test_a_method_s_attribute_wins_over_its_class_s():
    class TestIt:
        tags = ["advanced"]
        hypervisor = "kvm"

    selection = Selection.parse(["tags=advanced,hypervisor=kvm"])
    assert selection.decide(a_test(), TestIt)
    assert not selection.decide(a_test(tags=["basic"]), TestIt)


def test_no_expression_selects_every_test():
    assert Selection.parse().decide(a_test(), None)
    assert not Selection.parse()


def test_a_native_test_is_selected_by_its_markers():
    assert Selection.parse(["tags=advanced"]).decide(a_test(), None, {"tags": ["advanced"]})


@pytest.mark.parametrize("text", ["", "  ", ",", "!", "=x", "tags=a,!"])
def test_attr_without_a_name_is_a_user_s_slip(text):
    with pytest.raises(UserError, match="--attr: ") as error:
        AttrExpression.parse(text)
    assert "tags=advanced" in str(error.value)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("tags=advanced, required_hardware=false", "' required_hardware'"),
        ("tags =advanced", "'tags '"),
        ("!tags=advanced", "does not negate"),
        ("tags=!advanced", "does not negate"),
    ],
)
def test_what_is_hardly_meant_is_said(text, doubt):
    (said,) = AttrExpression.parse(text).doubts
    assert doubt in said


def test_a_plain_expression_raises_no_doubt():
    assert AttrExpression.parse("tags=advanced,required_hardware=false,!disruptive").doubts == ()


@pytest.mark.parametrize(
    ("text", "attributes", "selected"),
    [
        ("'advanced' in tags", {"tags": ["advanced"]}, True),
        ("'advanced' in tags", {"tags": ["basic"]}, False),
        ("tags and 'advanced' in tags", {}, False),
        ("not required_hardware or required_hardware == 'false'", {"required_hardware": "false"}, True),
        ("priority > 5 and not slow", {"priority": 9}, True),
        ("speed == 'slow'", {"speed": "SLOW"}, False),
        ("  simulator_only", {"simulator_only": True}, True),
        ("missing is False", {}, True),
        ("{'advanced', 'smoke'} <= {*(tags or ())}", {"tags": ["smoke", "advanced", "x"]}, True),
        ("[t for t in tags if t == wanted]", {"tags": ["a", "b"], "wanted": "b"}, True),
        ("(lambda: speed == 'slow')()", {"speed": "slow"}, True),
        ("len", {}, False),
    ],
)
def test_eval_attr_takes_every_name_as_an_attribute_or_False(text, attributes, selected):
    assert Selection.parse((), [text]).decide(a_test(**attributes), None) is selected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("'advanced' in tags", "TypeError: .*has no tags"),
        ("len(tags)", "TypeError: 'bool' object is not callable .*has no len"),
        ("__import__('os')", "TypeError"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_test_that_an_expression_cannot_answer_is_an_error_of_that_test(text, reason):
    selection = Selection.parse((), [text])
    with pytest.raises(ExpressionError, match=reason) as error:
        selection.decide(a_test(), None)
    assert error.value.expression == text


def test_an_expression_without_an_answer_does_not_matter_where_another_selects():
    assert Selection.parse(["!tags"], ["'advanced' in tags"]).decide(a_test(), None)
    assert Selection.parse((), ["'advanced' in tags", "not tags"]).decide(a_test(), None)


@pytest.mark.parametrize(
    ("text", "column"),
    [("'a' in", 7), ("tags =", 6), ("", None), ("tags == 'x'; 1", 12), ("import os", 1), ("a\0b", None)],
)
def test_an_expression_that_does_not_parse_names_itself_and_the_column(text, column):
    with pytest.raises(UserError, match="--eval-attr: ") as error:
        EvalExpression.parse(text)
    assert repr(text) in str(error.value)
    assert column is None or f"at column {column} " in str(error.value)
