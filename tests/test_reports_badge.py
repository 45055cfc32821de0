"""The SVG badge: well-formed, one line, readable without its picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from cs_matrix_pytest.cli import main
from cs_matrix_pytest.outcomes.matrix import Matrix
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.outcomes.record import RecordWriter, record_path
from cs_matrix_pytest.reports import badge
from report_example import HOSTILE, example_matrix, example_records

SVG = "{http://www.w3.org/2000/svg}"


def texts(rendered: bytes) -> list[str]:
    return [text.text for text in ET.fromstring(rendered).iter(f"{SVG}text")]


def matrix_of(**counts: int) -> Matrix:
    """A matrix with so many cells of each outcome."""
    made = example_matrix()
    cells = [
        replace(made.cells[0], total=replace(made.cells[0].total, outcome=Outcome(name)))
        for name, count in counts.items()
        for _ in range(count)
    ]
    return replace(made, cells=tuple(cells))


@pytest.mark.parametrize(
    ("counts", "said", "colour"),
    [
        ({"compatible": 212, "failing": 3}, "212 compatible · 3 failing", "#b3261e"),
        ({"compatible": 7, "untested": 9}, "7 compatible", "#1d6b40"),
        ({"unstable": 1, "compatible": 7}, "7 compatible · 1 unstable", "#8a5a00"),
        ({"failing": 1, "unstable": 2}, "1 failing · 2 unstable", "#b3261e"),
        ({"untested": 4}, "untested", "#5a6270"),
        ({}, "untested", "#5a6270"),
    ],
)
def test_what_it_says(counts, said, colour):
    rendered = badge.render(matrix_of(**counts))
    assert texts(rendered) == ["cs-matrix", said]
    assert colour in rendered.decode()
    assert rendered.count(b"\n") == 1


def test_its_title_says_the_same_and_of_which_version():
    root = ET.fromstring(badge.render(matrix_of(compatible=2)))
    assert root.find(f"{SVG}title").text == "cs-matrix, CloudStack 4.22.0.0: 2 compatible"
    assert root.get("aria-label") == root.find(f"{SVG}title").text
    assert root.get("role") == "img"


@pytest.mark.parametrize("count", [1, 1000])
def test_it_is_as_wide_as_its_text(count):
    root = ET.fromstring(badge.render(matrix_of(compatible=count, failing=count)))
    label, value = root.iter(f"{SVG}text")
    assert int(value.get("x")) + int(value.get("textLength")) < int(root.get("width"))
    assert int(label.get("x")) + int(label.get("textLength")) < int(value.get("x"))
    assert 5 < int(value.get("textLength")) / len(value.text) < 8


@pytest.mark.parametrize("version", [HOSTILE, '<script>alert(1)</script>"&', "]]>"])
def test_hostile_versions_stay_text(version):
    made = matrix_of(compatible=1)
    rendered = badge.render(replace(made, cells=(replace(made.cells[0], acs_version=version),)))
    root = ET.fromstring(rendered)
    assert {each.tag for each in root.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "title", "clipPath", "rect", "g", "text")
    }
    assert not re.search(rb"[\x00-\x08\x0b-\x1f]", rendered)


def test_the_command_counts_what_is_asked_for(tmp_path, capsysbinary):
    for record in example_records():
        with RecordWriter(record_path(tmp_path, record.run.run), record.run) as writer:
            for attempt in record.attempts:
                writer.attempt(attempt)
            writer.end(0)
    assert main(["report", str(tmp_path), "--format", "badge"]) == 0
    whole = texts(capsysbinary.readouterr().out)
    assert main(["report", str(tmp_path), "--format", "badge", "--context", "hypervisor=kvm"]) == 0
    part = texts(capsysbinary.readouterr().out)
    assert whole == ["cs-matrix", "1 compatible · 1 failing · 1 unstable"]
    assert part == ["cs-matrix", "1 compatible · 1 failing"]
