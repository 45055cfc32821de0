// What stands behind a cell: evidence, environments, history, other versions. A dialog; Escape closes it, and the focus
// goes back to where it was.

const dialog = document.getElementById("cell");
const FEW = 8;
const WORST_FIRST = [FAILING, UNSTABLE, UNTESTED, COMPATIBLE];
let openedFrom = null;

function openCell(place, { asStep = true } = {}) {
  openedFrom = place;
  state.cell = place;
  writeAddress({ asStep });
  dialog.replaceChildren(...cellParts(place));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelector("h2").focus();
}

dialog.addEventListener("close", () => {
  state.cell = null;
  writeAddress();
  returnFocus();
});
dialog.addEventListener("click", (event) => {
  // The dialog's own box is all but covered by its content: a click on itself is one beside it.
  if (event.target === dialog) dialog.close();
});

function returnFocus() {
  const { feature, context } = openedFrom;
  if (view() === "table") {
    activate(feature, context);
    if (activeCell()?.feature === feature && activeCell()?.context === context) focusActive();
  } else {
    const places = `[data-feature="${feature}"][data-context="${context}"]`;
    (document.querySelector(`.list ${places}`) ?? document.querySelector(`[data-item="${feature}"] .opener`))?.focus();
  }
}

function cellParts({ feature, context }) {
  const summary = result(state.version, context, feature);
  const outcome = outcomeOf(summary);
  const [title] = table.features[feature];
  return [
    make("div", { class: "cell-page" },
      make("header", {},
        make("h2", { id: "cell-title", tabindex: "-1" }, make("bdi", {}, title)),
        make("button", { type: "button", class: "close", onclick: () => dialog.close(), "aria-label": "Close" }, "✕")),
      make("p", { class: `verdict ${OUTCOMES[outcome]}` }, sign(outcome), " ", make("strong", {}, OUTCOMES[outcome]), `: ${inWords(summary)}`),
      facts(context),
      ...(summary ? [evidencePart(feature, context, summary), environmentsPart(feature, context, summary), historyPart(feature, context)] : []),
      versionsPart(feature, context)),
  ];
}

function facts(index) {
  const context = table.contexts[index];
  const list = make("dl", { class: "facts" });
  const rows = [
    ["CloudStack", table.versions[state.version]],
    ["Hypervisor", [context.hypervisor, context.hypervisorVersion].filter(Boolean).join(" ")],
    ["Networking", context.networking],
    ["Storage", [context.storage, context.protocol].filter(Boolean).join(", ")],
    ["Management OS", context.managementOs],
    ["Extras", context.extras.join(", ")],
  ];
  for (const [name, value] of rows) if (value) list.append(make("div", {}, make("dt", {}, name), make("dd", {}, make("bdi", {}, value))));
  return list;
}

function part(title, ...children) {
  return make("section", {}, make("h3", {}, title), ...children);
}

// Evidence

const noRoom = (what) => make("p", { class: "quiet" }, `${what} left out, so that this page does not become too large; cs-matrix report --explain has it.`);

function evidencePart(feature, context, summary) {
  const { evidence, passing, groupSets, groups, causes } = details();
  const at = (sheet) => groupSets[(sheet[state.version][context][feature] ?? 0) - 1] ?? null;
  const bad = at(evidence), good = at(passing);
  const byOutcome = new Map();
  for (const group of [...(bad ?? []), ...(good ?? [])]) {
    const outcome = causes[groups[group][0]][0];
    if (!byOutcome.has(outcome)) byOutcome.set(outcome, []);
    byOutcome.get(outcome).push(group);
  }
  const made = part("Evidence");
  for (const outcome of WORST_FIRST.filter((each) => byOutcome.has(each))) {
    made.append(make("h4", { class: OUTCOMES[outcome] }, sign(outcome), ` ${OUTCOMES[outcome]}`));
    for (const group of byOutcome.get(outcome)) made.append(causeOf(groups[group]));
  }
  if (!bad && (outcomeOf(summary) !== COMPATIBLE || summary[1 + UNTESTED])) made.append(noRoom("The evidence of tests that do not pass was"));
  const named = summary[1 + COMPATIBLE];
  if (!good && named) made.append(noRoom(`The names of ${counted(named, "passing test")} were`));
  else if (!good && outcomeOf(summary) === COMPATIBLE) made.append(noRoom("What passes was"));
  return made;
}

function causeOf([cause, set, more = 0]) {
  const { texts, causes, testSets } = details();
  const [outcome, why, said, signature, phase, level, known] = causes[cause].map((each, index) => (index ? texts[each] : each));
  const tests = namedTests(testSets[set]);
  const made = make("div", { class: `cause ${OUTCOMES[outcome]}` });
  if (said) made.append(make("p", { class: "said" }, make("bdi", {}, said)));
  const about = [level && `${level} as a whole`, why, phase && `in ${phase}`].filter(Boolean).join(", ");
  made.append(make("p", { class: "why" }, about, known ? make("span", {}, " · known: ", link(known)) : null));
  // Most signatures are the message and a number that says what it was made of.
  const ofSignature = signature.startsWith(said) ? signature.slice(said.length).trim() : signature;
  if (ofSignature) made.append(make("p", { class: "why" }, "signature ", make("code", {}, ofSignature)));
  const items = (some) => make("ul", { class: "tests" }, ...some.map(testItem));
  const few = outcome === COMPATIBLE || outcome === UNTESTED ? 3 : FEW;
  if (tests.length <= few) made.append(items(tests));
  else {
    if (outcome === FAILING || outcome === UNSTABLE) made.append(items(tests.slice(0, few)));
    const rest = outcome === FAILING || outcome === UNSTABLE ? tests.slice(few) : tests;
    const title = rest === tests ? counted(tests.length + more, "test") : `and ${counted(rest.length + more, "more test")}`;
    made.append(make("details", {}, make("summary", {}, title), items(rest)));
  }
  if (more) made.append(make("p", { class: "quiet" }, `${more.toLocaleString("en")} more are not named.`));
  return made;
}

function testItem(index) {
  const { tests, texts } = details();
  const [module, name] = tests[index];
  // A test is found by its end; what comes before it may be cut at a narrow width, so it may break anywhere.
  return make("li", {}, make("bdi", {}, make("span", { class: "module" }, texts[module]), make("span", {}, name)));
}

// Environments

function environmentsPart(feature, context, summary) {
  const { environments, shares } = details();
  const found = shares[(environments[state.version][context][feature] ?? 0) - 1];
  if (!found) return part("By environment", noRoom("What each environment says was"));
  const rows = found.map(([attempts, blocked, environment = table.inContext[context][0], ...own]) => {
    const said = own.length ? own : summary;
    return make("tr", {},
      make("th", { scope: "row" }, make("bdi", {}, environmentName(environment))),
      make("td", {}, sign(said[0]), ` ${OUTCOMES[said[0]]}`),
      make("td", { class: "number" }, tested(said)),
      make("td", { class: "number" }, attempts.toLocaleString("en")),
      make("td", { class: "number" }, blocked.toLocaleString("en")));
  });
  return part("By environment", plainTable("What each environment alone says",
    [["Lab/environment"], ["Outcome"], ["Tests", "number"], ["Attempts", "number"], ["Blocked", "number"]], rows));
}

function plainTable(caption, heads, rows) {
  return make("div", { class: "scroll" }, make("table", { class: "plain" },
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, ...heads.map(([title, kind]) => make("th", { scope: "col", class: kind }, title)))),
    make("tbody", {}, ...rows)));
}

// History

function historyPart(feature, context) {
  const { history, histories, runsMet, runs } = details();
  const moments = histories[(history[state.version][context][feature] ?? 0) - 1];
  if (!moments) return null;
  const met = runsMet[state.version][context];
  const went = moments
    .map((moment, index) => ({ run: runs[met[index]], counts: typeof moment === "number" ? [moment, 0, 0] : [...moment, 0].slice(0, 3) }))
    .filter(({ counts }) => counts[0] >= 0)
    .reverse();
  const most = Math.max(...went.map(({ counts }) => counts[0] + counts[1] + counts[2]), 1);
  const rows = went.map(({ run: [id, started, lab, ended], counts: [passed, failed, blocked] }) =>
    make("tr", {},
      make("th", { scope: "row", title: id }, make("time", { datetime: `${started}Z` }, started.replace("T", " "))),
      make("td", {}, make("bdi", {}, lab), ended ? "" : make("span", { class: "quiet" }, " (cut short)")),
      make("td", { class: "bar" }, bar([[failed, "failing"], [passed, "compatible"], [blocked, "untested"]], most)),
      make("td", { class: "number" }, String(passed)), make("td", { class: "number" }, String(failed)), make("td", { class: "number" }, String(blocked))));
  return part("History", plainTable("Attempts run by run, the newest first",
    [["Run (UTC)"], ["Lab"], [unseen("Shares")], ["Passed", "number"], ["Failed", "number"], ["Blocked", "number"]], rows));
}

function bar(parts, whole) {
  const made = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  let x = 0;
  for (const [size, kind] of parts) {
    const width = (100 * size) / whole;
    if (size) made.append(svg("rect", { class: kind, x, width, height: 10 }));
    x += width;
  }
  return made;
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function versionsPart(feature, context) {
  if (table.versions.length < 2) return null;
  const rows = table.versions.map((name, version) => {
    const summary = result(version, context, feature);
    const here = version === state.version;
    return make("tr", { "aria-current": here ? "true" : null },
      make("th", { scope: "row" }, here
        ? make("bdi", {}, name)
        : make("button", { type: "button", class: "plain-button", onclick: () => toVersion(version, { feature, context }) }, make("bdi", {}, name))),
      make("td", {}, sign(outcomeOf(summary)), ` ${OUTCOMES[outcomeOf(summary)]}`),
      make("td", {}, inWords(summary)));
  });
  return part("Over versions", plainTable("The same feature in the same context, by version", [["CloudStack"], ["Outcome"], ["Tests"]], rows));
}

function toVersion(version, place) {
  state.version = version;
  refresh();
  openCell(place, { asStep: false });
}
