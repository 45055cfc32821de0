// The matrix as a list: for narrow windows and for paper. Each feature says where it is failing or unstable; the other
// contexts are there when it is opened.

const NAMED_AT_ONCE = 3, AT_FIRST = 16, AT_A_TIME = 60;
let rest;
const opened = new Set(); // features

function showList(place, selection, { whole = false } = {}) {
  clearTimeout(rest);
  const list = make("div", { class: "list", onclick: clickInList });
  if (whole) list.append(make("p", { class: "on-paper" }, make("bdi", {}, filtersInWords()), make("br"), status_.textContent));
  const waiting = [];
  for (const { title, features } of selection.areas) {
    const items = make("ul", { class: "features" });
    for (const each of features) waiting.push(() => items.append(featureItem(each, selection, whole)));
    list.append(make("section", { class: "area" },
      make("h3", {}, make("bdi", {}, title), " ", make("span", { class: "quiet" }, counted(features.length, "feature"))), items));
  }
  place.replaceChildren(list);
  // What fits into a window at once, so that a filter answers at once; then the rest.
  const some = (size) => {
    for (const add of waiting.splice(0, size)) add();
    if (waiting.length) rest = setTimeout(() => some(AT_A_TIME));
  };
  some(whole ? Infinity : AT_FIRST);
}

function featureItem({ feature, counts, partly }, selection, whole) {
  const [title] = table.features[feature];
  const open = whole || opened.has(feature);
  const item = make("li", { class: "feature", "data-item": feature },
    make("h4", {}, make("button", { type: "button", "aria-expanded": String(open), class: "opener" }, make("bdi", {}, title))),
    make("p", { class: "sums" }, ...OUTCOMES.map((_, outcome) => outcome)
      .filter((outcome) => counts[outcome])
      .flatMap((outcome) => [count(counts[outcome], outcome, outcome === COMPATIBLE ? partlyText(partly) : ""), " "])));
  fill(item, feature, selection, open, whole);
  return item;
}

function fill(item, feature, selection, open, whole) {
  item.querySelectorAll(".contexts, .more").forEach((each) => each.remove());
  const here = selection.columns.filter((context) => selection.fits(context, feature));
  const shared = sharedParts(selection.columns);
  const of = (outcome) => here.filter((context) => outcomeOf(result(state.version, context, feature)) === outcome);
  if (open) {
    // On paper only what a reader must act on is named one by one.
    const named = whole ? [FAILING, UNSTABLE] : OUTCOMES.map((_, outcome) => outcome);
    for (const outcome of named) if (of(outcome).length) item.append(contextItems(feature, of(outcome), shared));
    return;
  }
  const bad = [...of(FAILING), ...of(UNSTABLE)];
  if (bad.length) item.append(contextItems(feature, bad.slice(0, NAMED_AT_ONCE), shared));
  const more = bad.length - NAMED_AT_ONCE;
  if (more > 0) item.append(make("p", { class: "more quiet" }, `and ${more} more`));
}

function contextItems(feature, contexts, shared) {
  const items = make("ul", { class: "contexts" });
  for (const context of contexts) {
    const summary = result(state.version, context, feature);
    const outcome = outcomeOf(summary);
    items.append(make("li", {}, make("button", {
      type: "button", class: `chip ${OUTCOMES[outcome]}`, "data-feature": feature, "data-context": context, "aria-haspopup": "dialog",
    }, sign(outcome), unseen(`${OUTCOMES[outcome]} `), make("bdi", { class: "where" }, ownTitle(table.contexts[context], shared)),
    make("span", { class: "tested", "aria-hidden": "true" }, tested(summary)), unseen(`, ${inWords(summary)}`))));
  }
  return items;
}

function clickInList(event) {
  const place = placeOf(event.target);
  if (place) {
    openCell(place);
    return;
  }
  const opener = event.target.closest(".opener");
  if (!opener) return;
  const item = opener.closest(".feature"), feature = Number(item.dataset.item);
  if (!opened.delete(feature)) opened.add(feature);
  opener.setAttribute("aria-expanded", String(opened.has(feature)));
  fill(item, feature, selection, opened.has(feature), false);
}
