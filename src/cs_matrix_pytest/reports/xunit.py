"""matrix.xml: the matrix as xunit, one suite per environment, one case per feature."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from cs_matrix_pytest.outcomes.classify import NOT_COMPATIBLE
from cs_matrix_pytest.outcomes.matrix import Cell, Matrix, Share
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.reports.escaping import xml_text
from cs_matrix_pytest.reports.wording import decisive, marked

UNSTABLE = ("passed", "failure")
"""How an unstable feature may be shown."""


def render(matrix: Matrix, *, unstable: str = "passed") -> bytes:
    """The matrix as XML.

    Compatible: passed. Failing: a failure. Unstable: passed with a ``flakyFailure`` as Maven Surefire writes it, or
    with ``unstable="failure"`` a failure of type ``unstable``. Untested: skipped, with the reason.
    """
    import junitparser

    # Any: junitparser types only part of what it has.
    junit: Any = junitparser
    xml = junit.JUnitXml("cs-matrix")
    for name, environment in matrix.environments.items():
        suite = junit.TestSuite(xml_text(name))
        suite.timestamp = xml_text(matrix.generated)
        suite.add_property("context", xml_text(environment.context))
        suite.add_property("lab", xml_text(environment.lab))
        for cell in matrix.cells:
            share = cell.by_environment.get(name)
            if share is not None:
                suite.append(_case(cell, name, matrix.features[cell.feature].title, share, unstable))
        xml.append(suite)
    xml.update_statistics()
    root = ElementTree.fromstring(xml.tostring())
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(cell: Cell, environment: str, title: str, share: Share, unstable: str) -> Any:
    import junitparser

    junit: Any = junitparser
    properties = junit.Properties()
    counts = {f"tests.{outcome.value}": share.tests.get(outcome, 0) for outcome in Outcome}
    said = {
        "acs_version": cell.acs_version,
        "context": cell.context,
        "outcome": share.outcome.value,
        **counts,
        "attempts": share.attempts,
        "blocked": share.blocked,
    }
    for key, value in said.items():
        properties.add_property(junit.Property(key, xml_text(str(value))))
    # Readers of xunit show the class name up to its last dot as the package: the version; and then the environment.
    case = junit.TestCase(xml_text(title), classname=xml_text(f"{cell.acs_version}.{environment}"), time=0)
    case.append(properties)
    result = _result(share, unstable)
    if result is not None:
        case.append(result)
    return case


def _result(share: Share, unstable: str) -> Any:
    """The element that tells a case from a passed one; None where it has passed."""
    from junitparser import Failure, Skipped
    from junitparser.xunit2 import FlakyFailure

    if share.outcome is Outcome.COMPATIBLE:
        return None
    message, kind = xml_text(decisive(share)), share.outcome.value
    if share.outcome is Outcome.UNTESTED:
        return Skipped(message, kind)
    if share.outcome is Outcome.UNSTABLE and unstable != "failure":
        flaky: Any = FlakyFailure(message, kind)
        flaky.stack_trace = _details(share)
        return flaky
    failure: Any = Failure(message, kind)
    failure.text = _details(share)
    return failure


def _details(share: Share) -> str:
    """Every test that is failing or unstable, a line each."""
    telling = (each for each in share.evidence if each.outcome in NOT_COMPATIBLE)
    return xml_text("\n".join(f"{each.outcome.value}: {each.test}: {marked(each)}" for each in telling))
