"""The HTML page of a large matrix: its size, how soon it answers in Chromium, and how soon a filter does."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.figures import report
from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
from cs_matrix_pytest.outcomes.classify import feature_outcome
from cs_matrix_pytest.outcomes.features import Feature
from cs_matrix_pytest.outcomes.matrix import Cell, Evidence, Matrix, MatrixEnvironment, MatrixRun, Share
from cs_matrix_pytest.outcomes.model import Outcome, Reason, ReasonCode
from cs_matrix_pytest.outcomes.timeline import CellKey, Point, Timelines

CHROMIUM = Path("/usr/bin/chromium")
FEATURES, RUNS, ROUNDS = 300, 5, 5
VERSION = "4.22.0.0"

HYPERVISORS = (
    "kvm-el8",
    "kvm-el9",
    "kvm-ubuntu22",
    "kvm-ubuntu24",
    "vmware-70u3",
    "vmware-80u3",
    "xcpng-8.3",
    "xenserver-8.4",
)
CONTEXTS = [
    Context(Hypervisor(*hypervisor.split("-")), networking, storage, management)
    for hypervisor, networking, storage, management in product(
        HYPERVISORS,
        ("advanced", "advanced-sg", "basic"),
        (Storage(protocol="nfs"), Storage(protocol="iscsi"), Storage("local")),
        ("el9", "ubuntu24"),
    )
]

# One animation frame after the page drew what an action asked for.
DRAWN = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
ANSWERS = "new Promise((done) => (function look() { window.answers ? done(window.answers) : setTimeout(look, 5) })())"
FILTERS = {
    "an outcome": "document.querySelector('.tile.failing').click()",
    "a hypervisor": "document.querySelector('.facet input').click()",
    "a search": """
        const search = document.querySelector('#search');
        search.value = search.value ? '' : 'feature 7';
        search.dispatchEvent(new Event('input'))
    """,
    "a search in the evidence": """
        const search = document.querySelector('#search');
        search.value = search.value ? '' : 'is gone from host';
        search.dispatchEvent(new Event('input'))
    """,
}


def measure() -> bool:
    from cs_matrix_pytest.reports.html.page import render

    page = render(*matrix())
    what = f"the page of {len(CONTEXTS)} contexts x {FEATURES} features"
    good = report(what, len(page) / 1e6, "MB", at_most=2)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("skip html_page in Chromium: needs Playwright (pip install playwright)")
        return good
    if not CHROMIUM.exists():
        print(f"skip html_page in Chromium: there is no {CHROMIUM}")
        return good
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "page.html"
        file.write_bytes(page)
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM))
        for width in (1440, 390):
            good &= in_browser(browser, file, width)
        browser.close()
    return good


def in_browser(browser: Any, file: Path, width: int) -> bool:
    """Figures at one width, each the median of a few rounds."""
    loads = []
    for _ in range(ROUNDS):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.add_init_script(
            f"addEventListener('load', () => {DRAWN}.then(() => {{ window.answers = performance.now() }}))"
        )
        page.goto(file.as_uri())
        loads.append(page.evaluate(ANSWERS))
        if len(loads) < ROUNDS:
            page.close()
    good = report(f"interactive at {width} px", sorted(loads)[ROUNDS // 2], "ms", at_most=1000)
    for name, action in FILTERS.items():
        # Twice each: on and off again.
        times = [
            page.evaluate(
                f"(async () => {{ const started = performance.now(); {action}; await {DRAWN}; return performance.now() - started }})()"
            )
            for _ in range(2 * ROUNDS)
        ]
        good &= report(f"{name} filtered at {width} px", sorted(times)[len(times) // 2], "ms", at_most=100)
    page.close()
    return good


def matrix() -> tuple[Matrix, Timelines]:
    """A result for every feature in every context; tests fail, flip, do not apply and are skipped here and there."""
    dice = random.Random(1)
    features = {
        f"feature-{number}": Feature(f"feature-{number}", f"Feature {number} of the product", f"area {number % 8}")
        for number in range(FEATURES)
    }
    tests = {
        feature: [
            f"smoke/test_{feature}.py::TestOf{number}::test_{each:02}_does_it"
            for each in range(dice.choice((2, 3, 4, 6, 14)))
        ]
        for number, feature in enumerate(features)
    }
    runs, cells, timelines = [], [], {}
    environments = {}
    for number, context in enumerate(CONTEXTS):
        environment = f"lab-{number % 5}/environment-{number}"
        environments[environment] = MatrixEnvironment(f"lab-{number % 5}", context.key)
        own = [
            MatrixRun(f"2026010{day}T080000Z-{number:08x}", f"2026-01-0{day}T08:00:00Z", f"lab-{number % 5}", True)
            for day in range(1, RUNS + 1)
        ]
        runs += own
        lacking = {test for each in tests.values() for test in each if dice.random() < 0.1}
        for feature in features:
            evidence = tuple(of_test(test, lacking, dice) for test in tests[feature])
            counts = Counter(each.outcome for each in evidence)
            attempts = sum(each.passed + each.failed for each in evidence)
            share = Share(feature_outcome(counts), counts, attempts, 0, evidence)
            cells.append(Cell(VERSION, feature, context.key, share, {environment: share}))
            timelines[CellKey(VERSION, feature, context.key)] = tuple(points(own, evidence))
    contexts = {context.key: context.as_dict() for context in CONTEXTS}
    made = Matrix("2026-01-06T00:00:00Z", tuple(runs), contexts, environments, features, tuple(cells))
    return made, timelines


def of_test(test: str, lacking: set[str], dice: random.Random) -> Evidence:
    roll = dice.random()
    if test in lacking:
        reason = Reason(ReasonCode.NOT_APPLICABLE, "needs required_hardware; this environment is simulated")
        return Evidence(test, "test", Outcome.UNTESTED, 0, 0, "not applicable", reason=reason)
    if roll < 0.02:
        host = dice.randrange(40)
        said = f"AssertionError: the volume is gone from host {host}"
        outcome, failed = (Outcome.FAILING, RUNS) if roll < 0.01 else (Outcome.UNSTABLE, 2)
        why = f"failed {failed} of {RUNS}"
        return Evidence(test, "test", outcome, RUNS - failed, failed, why, f"{said} [0f3a9c11]", said, "call")
    return Evidence(test, "test", Outcome.COMPATIBLE, RUNS, 0, f"passed {RUNS} of {RUNS}")


def points(runs: list[MatrixRun], evidence: tuple[Evidence, ...]) -> Iterator[Point]:
    executed = sum(each.outcome is not Outcome.UNTESTED for each in evidence)
    for day, run in enumerate(runs):
        failed = sum(day < each.failed for each in evidence)
        yield Point(run.run, executed - failed, failed, 0)


if __name__ == "__main__":
    raise SystemExit(not measure())
