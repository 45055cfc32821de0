"""The counts behind --cs-list-tags."""

from __future__ import annotations

from cs_matrix_pytest.selection.tags import TagRow, ValueRow, render, tag_table

TESTS = [
    {"tags": ["advanced", "quick-test"], "required_hardware": "false"},
    {"tags": ["advanced", "advanced"], "required_hardware": "true", "simulator_only": True},
    {"tags": "skip", "required_hardware": False},
    {"mode": ["a", "b"]},
    {},
]


def test_each_tag_and_bare_name_is_counted_once_per_test_with_its_marker():
    table = tag_table(TESTS)
    assert table.tests == 5
    assert table.tags == (
        TagRow("advanced", "advanced", 2),
        TagRow("quick-test", "quick_test", 1),
        TagRow("simulator_only", "simulator_only", 1),
        TagRow("skip", "tag_skip", 1),
    )


def test_attributes_keep_the_spelling_of_their_values_apart():
    assert tag_table(TESTS).attributes == (
        ValueRow("mode", "'a'", 1),
        ValueRow("mode", "'b'", 1),
        ValueRow("required_hardware", "'false'", 1),
        ValueRow("required_hardware", "'true'", 1),
        ValueRow("required_hardware", "False", 1),
        ValueRow("simulator_only", "True", 1),
    )


def test_rendering_lines_up():
    assert render(tag_table(TESTS[:2])) == [
        "3 tags in 2 tests",
        "  tests  tag             -m",
        "      2  advanced        advanced",
        "      1  quick-test      quick_test",
        "      1  simulator_only  simulator_only",
        "",
        "2 attributes besides tags",
        "  tests  attribute          value",
        "      1  required_hardware  'false'",
        "      1  required_hardware  'true'",
        "      1  simulator_only     True",
    ]


def test_nothing_to_count():
    assert render(tag_table([])) == ["0 tags in 0 tests", "", "0 attributes besides tags"]
