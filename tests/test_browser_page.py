"""The HTML page in a real Chromium: looks, keys, addresses, print, accessibility; and that it reaches nothing.

Screenshots are saved to the folder that CS_SCREENSHOTS names. CS_CHROMIUM names the browser; where it is set, a missing
one is a failure and not a reason to skip.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import AttemptOutcome, Outcome
from cs_matrix_pytest.outcomes.timeline import timelines
from html_example import records, shipped_features
from report_example import hostile_matrix

pytestmark = pytest.mark.browser

CHROMIUM = Path(os.environ.get("CS_CHROMIUM", "/usr/bin/chromium"))
SCREENSHOTS = os.environ.get("CS_SCREENSHOTS")
DESKTOP, PHONE = (1440, 900), (390, 844)
FEATURES = 40


@pytest.fixture(scope="module")
def browser():
    if "CS_CHROMIUM" not in os.environ:
        pytest.importorskip("playwright", reason="needs Playwright: pip install playwright axe-playwright-python")
        if not CHROMIUM.exists():
            pytest.skip(f"needs Chromium as {CHROMIUM}: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM))
        yield started
        started.close()


@pytest.fixture(scope="module")
def example():
    catalogue = shipped_features(load_catalogue())
    features = list(catalogue.features)[:FEATURES]
    recorded = list(records(features, places=16, versions=("4.21.0.0", "4.22.0.0"), runs=3))
    made = compute_matrix(recorded, catalogue, generated="2026-04-01T00:00:00Z")
    failing = next(
        cell for cell in made.cells if cell.acs_version == "4.22.0.0" and cell.total.outcome is Outcome.FAILING
    )
    return made, timelines(recorded, catalogue), failing


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


def written(folder, name, matrix, history):
    from cs_matrix_pytest.reports.html import page

    file = folder / name
    file.write_bytes(page.render(matrix, history))
    return file.as_uri()


@pytest.fixture(scope="module")
def address(folder, example):
    return written(folder, "page.html", example[0], example[1])


@pytest.fixture
def opened(browser, address):
    """Opens the page (at an address after the #) and holds it to what it promises: no request, no error, no warning."""
    pages, trouble = [], []

    def open_(hash_="", size=DESKTOP, scheme="light", url=address, **options):
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **options)
        pages.append(page)
        page.set_default_timeout(10_000)
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: (trouble.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or trouble.append(request.url))
        page.goto(url + hash_)
        return page

    yield open_
    for page in pages:
        page.close()
    assert trouble == []


def shown(page):
    return page.inner_text("#status"), page.text_content("#status")


def focused(page):
    return page.evaluate("({...document.activeElement.dataset})")


def cell(page, evidence_of):
    """Where a cell of the matrix is: its numbers in the page."""
    return page.evaluate(
        """([feature, context]) => {
            const table = JSON.parse(document.getElementById("table-data").textContent);
            return {
                feature: String(table.features.findIndex((each) => each[1] === feature)),
                context: String(table.contexts.findIndex((each) => each.key === context)),
            };
        }""",
        [evidence_of.feature, evidence_of.context],
    )


def at(place):
    return f'[data-feature="{place["feature"]}"][data-context="{place["context"]}"]'


def hash_of(failing):
    return f"#version={failing.acs_version}&feature={failing.feature}&context={failing.context}"


@pytest.mark.parametrize("opens", ["page", "cell"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_accessible_and_fits_the_window(opened, example, size, scheme, opens):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(hash_of(example[2]) if opens == "cell" else "", size, scheme, reduced_motion="reduce")
    page.wait_for_timeout(100)
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{opens}-{size[0]}-{scheme}.png")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator("#matrix table").count() == (size == DESKTOP)
    assert page.locator("#matrix .list").count() == (size == PHONE)


@pytest.mark.parametrize(
    "attempt",
    [
        "fetch('https://example.org/').then(() => 'reached', () => 'refused')",
        "new Promise((done) => { const image = new Image(); image.onload = () => done('reached');"
        " image.onerror = () => done('refused'); image.src = 'https://example.org/x.png' })",
        "new Promise((done) => { window.ran = 'refused'; const script = document.createElement('script');"
        " script.textContent = `window.ran = 'reached'`; document.body.append(script); done(window.ran) })",
    ],
    ids=["fetch", "image", "script"],
)
def test_its_policy_lets_it_reach_nothing(browser, address, attempt):
    page = browser.new_page()
    page.goto(address)
    assert page.evaluate(attempt) == "refused"
    page.close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_is_shown_is_the_matrix(opened, example, size):
    page = opened(size=size)
    cells = [each for each in example[0].cells if each.acs_version == "4.22.0.0"]
    counts = Counter(each.total.outcome for each in cells)
    for outcome in Outcome:
        assert page.inner_text(f".tile.{outcome.value} .tile-number") == f"{counts[outcome]:,}"
    assert f"{FEATURES} features in 16 contexts" in shown(page)[0]
    assert f"{counts[Outcome.FAILING]} failing" in shown(page)[1]


@pytest.mark.parametrize(("hash_", "size"), [("", (900, 500)), ("#view=table", PHONE)], ids=["desktop", "phone"])
def test_every_cell_can_be_reached_and_says_what_it_is(opened, example, hash_, size):
    page = opened(hash_, size)
    grid = page.locator("#matrix table")
    assert grid.get_attribute("role") == "grid"
    assert grid.get_attribute("aria-colcount") == "18"
    areas = {feature.area for feature in example[0].features.values()}
    assert grid.get_attribute("aria-rowcount") == str(1 + FEATURES + len(areas))
    assert page.locator("#matrix td.cell").count() < FEATURES * 16 / 2

    page.locator("#matrix td.cell[tabindex='0']").focus()
    page.keyboard.press("Control+End")
    last = page.locator("#matrix td.cell:focus")
    assert last.get_attribute("aria-colindex") == "18"
    assert last.evaluate("cell => cell.parentNode.ariaRowIndex") == str(1 + FEATURES + len(areas))
    assert re.match(
        r"(failing|unstable|compatible|untested), \d+ of \d+ tests? compatible", last.get_attribute("aria-label")
    )
    within = last.evaluate(
        "cell => { const inner = cell.getBoundingClientRect(), outer = cell.closest('.scroller').getBoundingClientRect();"
        " return inner.right <= outer.right && inner.bottom <= outer.bottom }"
    )
    assert within
    page.keyboard.press("Home")
    uncovered = page.locator("#matrix td.cell:focus").evaluate(
        "cell => { const box = cell.getBoundingClientRect();"
        " return document.elementFromPoint(box.left + 3, box.top + 3) === cell }"
    )
    assert uncovered


def test_keys_lead_through_the_table_into_a_cell_and_back(opened):
    page = opened()
    page.focus("#search")
    for _ in range(30):
        page.keyboard.press("Tab")
        if "context" in focused(page):
            break
    start = focused(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    moved = focused(page)
    assert moved["feature"] != start["feature"]
    assert moved["context"] != start["context"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    assert focused(page) == start
    page.keyboard.press("Enter")
    assert page.locator("dialog[open]").count() == 1
    assert page.evaluate("document.activeElement.id") == "cell-title"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert focused(page) == start
    # One stop for Tab, wherever the focus is.
    assert page.locator("#matrix [tabindex='0']").count() == 1


def test_an_open_filter_closes_by_escape_and_by_a_click_elsewhere(opened):
    page = opened()
    facet = page.locator(".facet", has_text="Storage")
    facet.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert facet.locator("input:checked").count() == 1
    page.keyboard.press("Escape")
    assert facet.get_attribute("open") is None
    assert page.evaluate("document.activeElement.localName") == "summary"
    facet.locator("summary").click()
    page.locator("h1").click()
    assert facet.get_attribute("open") is None


def test_heads_say_the_whole_context(opened, example):
    page = opened()
    heads = page.locator("#matrix").get_by_role("columnheader", name=" · ").all()
    labels = {head.get_attribute("aria-label") for head in heads}
    assert len(labels) == len(heads) > 8
    assert all(label.count(" · ") == 3 for label in labels)


def test_the_focus_outlives_scrolling_away(opened):
    page = opened(size=(900, 500))
    page.locator("#matrix td.cell[tabindex='0']").focus()
    start = focused(page)
    page.evaluate("document.querySelector('.scroller').scrollTo(600, 900)")
    page.wait_for_timeout(100)
    assert page.locator(f"#matrix {at(start)}").count() == 0
    page.keyboard.press("Home")
    assert focused(page) == start


def test_a_phone_opens_a_cell_from_the_list_and_comes_back(opened, example):
    page = opened(size=PHONE)
    chip = page.locator(".chip.failing").first
    place = chip.evaluate("chip => ({...chip.dataset})")
    chip.click()
    assert page.locator("dialog[open] .cause.failing").count() >= 1
    page.get_by_role("button", name="Close").click()
    assert focused(page) == place
    opener = page.locator(".opener").first
    opener.click()
    assert opener.get_attribute("aria-expanded") == "true"
    assert page.locator(".feature").first.locator(".chip").count() == 16


def test_a_cell_shows_evidence_environments_and_history(opened, example):
    matrix, history, failing = example
    page = opened(hash_of(failing))
    text = page.inner_text("dialog")
    evidence = failing.total.evidence[0]
    assert matrix.features[failing.feature].title in text
    assert evidence.test in text
    assert evidence.why in text
    for name in failing.by_environment:
        assert name in text
    runs = page.locator("dialog section", has_text="Attempts run by run").locator("tbody tr")
    points = history[failing.acs_version, failing.feature, failing.context]
    assert runs.count() == len(points) == 3
    newest = runs.first.inner_text().split()
    assert newest[-3:] == [str(points[-1].passed), str(points[-1].failed), str(points[-1].blocked)]


def test_labs_that_disagree_are_told_apart(opened, folder):
    catalogue = shipped_features(load_catalogue())
    recorded = list(records(list(catalogue.features)[:8], places=3, runs=2))
    twins = [
        replace(
            each,
            run=replace(each.run, run=f"twin-{each.run.run}", lab="twin"),
            attempts=tuple(replace(attempt, outcome=AttemptOutcome.FAILED) for attempt in each.attempts),
        )
        for each in recorded
    ]
    made = compute_matrix([*recorded, *twins], catalogue, generated="2026-04-01T00:00:00Z")
    split = next(each for each in made.cells if len({share.outcome for share in each.by_environment.values()}) == 2)
    url = written(folder, "twins.html", made, timelines([*recorded, *twins], catalogue))
    page = opened(hash_of(split), url=url)
    rows = page.locator("dialog section", has_text="What each environment alone says").locator("tbody tr")
    said = {row.locator("th").inner_text(): row.locator("td").first.inner_text() for row in rows.all()}
    assert {name: text.split()[-1] for name, text in said.items()} == {
        name: share.outcome.value for name, share in split.by_environment.items()
    }


def test_over_versions_leads_to_the_same_cell_of_another(opened, example):
    page = opened(hash_of(example[2]))
    page.locator("dialog").get_by_role("button", name="4.21.0.0").click()
    assert "version=4.21.0.0" in page.url
    assert page.locator("dialog dd").first.inner_text() == "4.21.0.0"
    page.keyboard.press("Escape")
    assert page.eval_on_selector("#version", "select => select.selectedOptions[0].text") == "4.21.0.0"


def test_an_address_shows_the_same_to_whoever_gets_it(opened, example):
    page = opened()
    page.select_option("#version", label="4.21.0.0")
    page.locator(".facet", has_text="Hypervisor").locator("summary").click()
    page.get_by_role("checkbox", name=re.compile("^kvm el9")).check()
    page.get_by_role("checkbox", name=re.compile("^vmware ")).first.check()
    page.keyboard.press("Escape")
    page.locator(".tile.compatible").click()
    page.fill("#search", "vm")
    page.locator("select").nth(1).select_option("name")
    page.locator("#matrix td.cell.compatible:not(.other)").first.click()

    other = opened(page.url[page.url.index("#") :])
    assert shown(other) == shown(page)
    assert other.inner_text("dialog") == page.inner_text("dialog")
    assert other.url == page.url
    assert other.input_value("#search") == "vm"
    assert other.get_attribute(".tile.compatible", "aria-pressed") == "true"


def test_back_closes_a_cell(opened):
    page = opened()
    page.locator("#matrix td.cell").first.click()
    assert "context=" in page.url
    page.go_back()
    page.wait_for_selector("dialog:not([open])", state="attached")
    assert "context=" not in page.url


@pytest.mark.parametrize(
    "hash_",
    [
        "#version=9&hypervisor=none&outcome=good&order=up&view=cube&feature=x&context=y",
        "#%ff%",
        "#__proto__=1&order=toString",
        "#matrix",
    ],
)
def test_an_address_of_another_page_is_no_trouble(opened, hash_):
    assert f"{FEATURES} features in 16 contexts" in shown(opened(hash_))[0]


def test_filters_keep_what_fits(opened, example):
    matrix = example[0]
    page = opened()
    page.locator(".tile.failing").click()
    failing = [
        each for each in matrix.cells if each.acs_version == "4.22.0.0" and each.total.outcome is Outcome.FAILING
    ]
    features, contexts = {each.feature for each in failing}, {each.context for each in failing}
    assert f"{len(features)} feature" in shown(page)[0]
    assert f" in {len(contexts)} context" in shown(page)[0]
    page.locator(".facet", has_text="Networking").locator("summary").click()
    page.get_by_role("checkbox", name=re.compile("^basic")).check()
    basic = {each for each in contexts if Context.from_dict(matrix.contexts[each]).networking == "basic"}
    assert f" in {len(basic)} context" in shown(page)[0]
    page.get_by_role("button", name="Clear filters").click()
    assert f"{FEATURES} features in 16 contexts" in shown(page)[0]


def test_failing_comes_first(opened, example):
    page = opened(size=PHONE)
    page.locator(".feature").nth(FEATURES - 1).wait_for(state="attached")
    by_area = page.evaluate(
        "[...document.querySelectorAll('.list section')].map(area => [...area.querySelectorAll('.sums')]"
        ".map(sums => Number(/(\\d+) failing/.exec(sums.textContent)?.[1] ?? 0)))"
    )
    assert all(counts == sorted(counts, reverse=True) for counts in by_area)
    totals = [sum(counts) for counts in by_area]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > 0


@pytest.mark.parametrize(
    ("query", "features", "contexts"),
    [
        ("affinity", lambda title: "affinity" in title.lower(), lambda key: True),
        ("AFFINITY vmware", lambda title: "affinity" in title.lower(), lambda key: "vmware" in key),
        ("acme/", lambda title: True, None),
        ("no such thing", None, None),
    ],
)
def test_search(opened, example, query, features, contexts):
    page = opened()
    page.fill("#search", query)
    if features is None:
        assert shown(page)[0] == "Nothing of CloudStack 4.22.0.0 fits these filters."
        return
    found = [each for each in example[0].features.values() if features(each.title)]
    assert shown(page)[0].startswith(f"{len(found)} feature")
    if contexts:
        kept = [key for key in example[0].contexts if contexts(key)]
        assert f" in {len(kept)} context" in shown(page)[0]
    else:
        assert f" in {len(example[0].contexts)} context" not in shown(page)[0]


def test_search_finds_tests_and_messages(opened, example):
    failing = example[2]
    page = opened()
    page.fill("#search", failing.total.evidence[0].test.rpartition("::")[2] + " ")
    assert page.locator(f"#matrix {at(cell(page, failing))}").count() == 1
    page.fill("#search", "the template is not registered")
    assert "compatible" in shown(page)[1]


def test_what_is_partly_tested_says_so(opened, example):
    partly = next(
        each
        for each in example[0].cells
        if each.total.outcome is Outcome.COMPATIBLE
        and each.acs_version == "4.22.0.0"
        and each.total.tests.get(Outcome.UNTESTED)
    )
    page = opened(hash_of(partly))
    tests = partly.total.tests
    said = f"{tests[Outcome.COMPATIBLE]} of {sum(tests.values())} tests compatible, {tests[Outcome.UNTESTED]} untested"
    assert said in page.inner_text("dialog .verdict")
    page.keyboard.press("Escape")
    square = page.locator(f"#matrix {at(cell(page, partly))}")
    assert square.inner_text() == f"{tests[Outcome.COMPATIBLE]}/{sum(tests.values())}"
    assert "partly" in square.get_attribute("class")


def test_paper_has_the_list_and_no_controls(opened):
    page = opened()
    page.emulate_media(media="print")
    page.wait_for_selector(".list")
    assert not page.is_visible("#controls")
    failing = page.locator(".chip.failing").count()
    assert str(failing) == page.text_content(".tile.failing .tile-number")
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / "print.png", full_page=True)
    page.emulate_media(media="screen")
    page.wait_for_selector("#matrix table")
    assert page.pdf()[:5] == b"%PDF-"


def test_a_window_that_becomes_narrow_shows_the_list(opened):
    page = opened()
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.wait_for_selector("#matrix .list")
    page.get_by_label("Show as").select_option("table")
    page.wait_for_selector("#matrix table")
    assert "view=table" in page.url


def test_without_javascript_the_summary_is_there(browser, address, example):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator(".versions tbody tr").count() == 2
    assert page.locator("noscript tbody tr").count() == FEATURES
    assert not page.is_visible("#controls")
    failing = {each.context for each in example[0].cells if each.total.outcome is Outcome.FAILING}
    text = page.inner_text("noscript tbody")
    assert any(context in text for context in failing)
    context.close()


MARKUP = "</script><img src=x onerror=alert(1)><b>bold</b>\"'&\u2028\u202e\x1b[31m"


def test_hostile_text_stays_text(opened, folder, example):
    def hostile(cell):
        evidence = tuple(
            replace(each, test=f"a.py::{MARKUP}", message=MARKUP, signature=MARKUP, known="javascript:alert(1)")
            for each in cell.total.evidence
        )
        share = replace(cell.total, evidence=evidence)
        return replace(cell, total=share, by_environment=dict.fromkeys(cell.by_environment, share))

    made = example[0]
    features = {
        name: replace(each, title=f"{each.title} {MARKUP}", area=MARKUP) for name, each in made.features.items()
    }
    matrix = replace(made, features=features, cells=tuple(map(hostile, made.cells)), warnings=(MARKUP,))
    url = written(folder, "hostile.html", matrix, example[1])
    for size in (DESKTOP, PHONE):
        page = opened(hash_of(example[2]), size, url=url)
        assert "<b>bold</b>" in page.inner_text("dialog h2")
        assert page.locator("dialog a").count() == 0
        assert page.locator("img, b").count() == 0
        page.keyboard.press("Escape")
        assert "onerror" in page.inner_text("#matrix")
        assert "<b>bold</b>" in page.inner_text(".notes")


def test_a_matrix_of_nothing_but_hostile_text_is_a_page(opened, folder):
    url = written(folder, "hostile-all.html", hostile_matrix(), {})
    page = opened(url=url)
    page.locator("#matrix td.cell").first.click()
    assert "evil" in page.inner_text("dialog h2")


def test_an_issue_is_a_link(opened, folder, example):
    matrix, history, failing = example
    issue = "https://github.com/apache/cloudstack/issues/1234"
    known = tuple(replace(each, known=issue) for each in failing.total.evidence)
    marked = replace(failing, total=replace(failing.total, evidence=known))
    cells = tuple(marked if each is failing else each for each in matrix.cells)
    url = written(folder, "known.html", replace(matrix, cells=cells), history)
    link = opened(hash_of(failing), url=url).locator("dialog a").first
    assert link.get_attribute("href") == issue
    assert link.get_attribute("rel") == "noopener noreferrer"


def test_an_empty_matrix_is_a_page(opened, folder):
    from cs_matrix_pytest.outcomes.matrix import Matrix

    page = opened(url=written(folder, "empty.html", Matrix("2026-01-01T00:00:00Z"), {}))
    assert "Nothing was tested" in page.inner_text("main")


def test_what_was_left_out_is_said(opened, folder, example):
    from cs_matrix_pytest.reports.html import page as html

    matrix, history, failing = example
    file = folder / "small.html"
    whole = len(html.render(matrix, history))
    file.write_bytes(html.render(matrix, history, limit=whole - 2_000))
    assert file.stat().st_size <= whole - 2_000
    page = opened(hash_of(failing), url=file.as_uri())
    assert "the names of passing tests of" in page.inner_text(".notes")
    assert page.locator("dialog .cause.failing").count() >= 1
