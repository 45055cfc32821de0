"""The same questions to nose's own attrib plugin and to --attr and --eval-attr must get the same answers."""

from __future__ import annotations

import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.selection.expressions import ExpressionError, Selection
from pynose import nose_module

attrib = nose_module("nose.plugins.attrib")

NAMES = ["tags", "required_hardware", "simulator_only", " tags", "Tags", "!tags"]
WORDS = ["advanced", "Basic", "false", "TRUE", "simulator only", "", "8", "!advanced"]

values = st.one_of(
    st.sampled_from(WORDS),
    st.booleans(),
    st.none(),
    st.integers(7, 9),
    st.lists(st.sampled_from([*WORDS, True, 8]), max_size=3),
    st.lists(st.sampled_from(WORDS), max_size=3).map(tuple),
    st.sets(st.sampled_from(WORDS), max_size=2),
)
attributes = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
terms = st.one_of(
    st.builds("{}={}".format, st.sampled_from(NAMES), st.sampled_from(WORDS)),
    st.sampled_from(NAMES),
    st.builds("!{}".format, st.sampled_from(NAMES)),
)
attr_texts = st.lists(terms, min_size=1, max_size=3).map(",".join)
eval_texts = st.sampled_from(
    [
        "tags",
        "not required_hardware",
        "tags and simulator_only",
        "required_hardware == 'false' or required_hardware is False",
        "'advanced' in tags",
        "simulator_only and 'Basic' in tags",
        "len(tags) > 1",
        "required_hardware > 7",
    ]
)


def nose_decides(attr, eval_attr, function, cls):
    plugin = attrib.AttributeSelector()
    plugin.configure(types.SimpleNamespace(attr=attr, eval_attr=eval_attr), None)
    return plugin.validateAttrib(function, cls) is None


@given(of_method=attributes, of_class=attributes, attr=st.lists(attr_texts, min_size=1, max_size=2))
def test_attr_decides_as_nose(of_method, of_class, attr):
    function, cls = build(of_method, of_class)
    assert Selection.parse(attr).decide(function, cls) is nose_decides(attr, [], function, cls)


@given(of_method=attributes, of_class=attributes, eval_attr=eval_texts)
def test_eval_attr_decides_as_nose_and_has_no_answer_where_nose_has_none(of_method, of_class, eval_attr):
    function, cls = build(of_method, of_class)
    try:
        expected = nose_decides([], [eval_attr], function, cls)
    except Exception as error:
        with pytest.raises(ExpressionError, match=type(error).__name__):
            Selection.parse((), [eval_attr]).decide(function, cls)
    else:
        assert Selection.parse((), [eval_attr]).decide(function, cls) is expected


def build(of_method, of_class):
    def test_it(self):
        pass

    test_it.__dict__.update(of_method)
    return test_it, type("TestIt", (), dict(of_class))
