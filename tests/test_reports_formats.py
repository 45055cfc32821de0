"""matrix.json and matrix.xml: one golden file each, their schemas, and hostile text."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.reports import matrix_json, write_reports, xunit
from cs_matrix_pytest.reports.escaping import printable, xml_text
from report_example import HOSTILE, example_matrix, hostile_matrix

GOLDEN = Path(__file__).parent / "golden"


def validator():
    schema = json.loads(matrix_json.SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_matrix_json():
    text = matrix_json.render(example_matrix())
    assert text == (GOLDEN / "matrix.json").read_text(encoding="utf-8")
    validator().validate(json.loads(text))


def test_matrix_xml():
    golden = (GOLDEN / "matrix.xml").read_text(encoding="utf-8")
    # Canonical: the order of attributes is junitparser's and changes with its versions.
    assert ET.canonicalize(xunit.render(example_matrix()).decode()) == ET.canonicalize(golden)


def test_the_schema_refuses_what_is_not_a_matrix():
    data = matrix_json.as_dict(example_matrix())
    for change in (
        {"schema": "cs-matrix/2"},
        {"cells": [{**data["cells"][0], "outcome": "good"}]},
        {"cells": [{**data["cells"][0], "evidence": [{"test": "t", "outcome": "untested", "passed": 0, "failed": 0}]}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            validator().validate({**data, **change})


def test_hostile_text_leaves_json_valid():
    text = matrix_json.render(hostile_matrix())
    assert text.isascii()
    validator().validate(json.loads(text))


def cases(matrix, **options):
    suites = JUnitXml.fromstring(xunit.render(matrix, **options))
    return suites, {(suite.name, case.name): case for suite in suites for case in suite}


def test_xunit_one_suite_per_environment_one_case_per_feature():
    suites, by_name = cases(example_matrix())
    assert [suite.name for suite in suites] == ["local/down", "local/kvm", "local/xen"]
    assert by_name["local/kvm", "VM lifecycle"].is_passed
    (failure,) = by_name["local/kvm", "ACLs"].result
    assert failure.type == "failing"
    assert "test_deny: failed 2 of 2: AssertionError: rule is still there" in failure.message
    (skipped,) = by_name["local/down", "ACLs"].result
    assert "blocked: connection refused" in skipped.message


def test_xunit_unstable_is_passed_with_a_flaky_failure_as_surefire_writes_it():
    suites, by_name = cases(example_matrix())
    case = by_name["local/xen", "VM lifecycle"]
    assert case.is_passed
    root = ET.fromstring(xunit.render(example_matrix()))
    (flaky,) = root.iter("flakyFailure")
    assert flaky.get("type") == "unstable"
    assert "test_start" in flaky.find("stackTrace").text
    assert suites.failures == 1


def test_xunit_unstable_can_be_a_failure():
    suites, by_name = cases(example_matrix(), unstable="failure")
    (failure,) = by_name["local/xen", "VM lifecycle"].result
    assert failure.type == "unstable"
    assert suites.failures == 2


def test_hostile_text_leaves_xml_well_formed():
    for unstable in xunit.UNSTABLE:
        text = xunit.render(hostile_matrix(), unstable=unstable)
        ET.fromstring(text)
        assert b"\x1b" not in text


@given(st.text(st.characters(categories=None)))
def test_any_text_can_stand_in_xml_and_on_a_terminal(text):
    ET.fromstring(f"<a><![CDATA[{xml_text(text).replace(']]>', '')}]]></a>")
    assert printable(text).isprintable()


def test_printable():
    assert printable(HOSTILE) == "evil [bold red] clear link fine"
    assert printable("a" * 10, limit=5) == "aaaa…"
    assert printable("žluť  日本") == "žluť 日本"


def test_write_reports(tmp_path):
    paths = write_reports(tmp_path, example_matrix())
    assert [path.name for path in paths] == ["matrix.json", "matrix.xml"]
    write_reports(tmp_path, hostile_matrix(), xunit_unstable="failure")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["matrix.json", "matrix.xml"]
    json.loads(paths[0].read_text(encoding="utf-8"))
    ET.parse(paths[1])


def test_reports_that_cannot_be_written_are_one_clear_error(tmp_path):
    (tmp_path / "matrix.json").mkdir()
    with pytest.raises(UserError, match=r"matrix\.json: the report cannot be written"):
        write_reports(tmp_path, example_matrix())
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.json"]
