// Filters, order and arrangement; what is shown in words.

const controls = document.getElementById("controls");
const status_ = document.getElementById("status");
const versionRows = [...document.querySelectorAll(".versions tbody tr")];
const facetElements = new Map();
let search, versions, tiles, clear, orders, views;

function makeControls() {
  search = make("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", oninput: () => change({ query: search.value }) });
  versions = make("select", { id: "version", onchange: () => change({ version: Number(versions.value) }) },
    ...table.versions.map((name, index) => make("option", { value: index }, name)));
  tiles = OUTCOMES.map((_, outcome) => make("button", {
    type: "button", class: `tile ${OUTCOMES[outcome]}`, "aria-pressed": "false", onclick: () => toggle(state.outcomes, outcome),
  }));
  clear = make("button", { type: "button", class: "quiet-button", onclick: clearFilters }, "Clear filters");
  orders = choice("Order", ORDERS, (order) => change({ order }));
  views = choice("Show as", VIEWS, (view) => change({ view }));
  const facets = FACETS.filter((facet) => facet.choices.length > 1).map(makeFacet);
  controls.append(
    make("div", { class: "bar-of-filters" },
      make("label", { class: "field grow" }, make("span", { class: "label" }, "Search"), search),
      table.versions.length > 1 ? make("label", { class: "field" }, make("span", { class: "label" }, "CloudStack"), versions) : null,
      ...facets, orders, views, clear),
    make("div", { class: "results" }, make("div", { class: "tiles", role: "group", "aria-label": "Outcomes" }, ...tiles), status_));
  search.placeholder = narrow.matches ? "Feature, context, test, message" : "Feature, context, environment, test or message";
  document.querySelector(".legend")?.toggleAttribute("open", !narrow.matches);
  controls.hidden = false;
  for (const row of table.versions.length > 1 ? versionRows : []) {
    const head = row.querySelector("th"), version = Number(row.dataset.version);
    head.replaceChildren(make("button", { type: "button", class: "plain-button", onclick: () => change({ version }) }, ...head.childNodes));
  }
  document.addEventListener("click", (event) => closeFacets(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || dialog.open) return;
    const open = [...facetElements.values()].find((facet) => facet.open);
    closeFacets(null);
    open?.querySelector("summary").focus();
  });
}

function choice(label, values, chosen) {
  const made = make("select", { onchange: () => chosen(made.value) },
    ...Object.entries(values).map(([value, title]) => make("option", { value }, title)));
  return make("label", { class: "field" }, make("span", { class: "label" }, label), made);
}

function makeFacet(facet) {
  const options = make("fieldset", {}, make("legend", { class: "unseen" }, facet.title));
  for (const name of facet.choices) {
    const within = facet.choicesOf.filter((choices) => choices.includes(name)).length;
    const isPart = facet.choicesOf.some((choices) => choices.indexOf(name) > 0) && !facet.several;
    options.append(make("label", { class: isPart ? "option part" : "option" },
      make("input", { type: "checkbox", value: name, onchange: () => toggle(state.chosen[facet.id], name) }),
      make("bdi", {}, name), " ", make("span", { class: "quiet" }, String(within))));
  }
  const made = make("details", { class: "facet" }, make("summary", {}, make("span", { class: "label" }, facet.title), make("span", { class: "value" })), options);
  facetElements.set(facet, made);
  return made;
}

function closeFacets(target) {
  for (const facet of facetElements.values()) if (!facet.contains(target)) facet.open = false;
}

function toggle(set, value) {
  if (!set.delete(value)) set.add(value);
  change({});
}

function clearFilters() {
  Object.assign(state, { query: "", outcomes: new Set(), chosen: emptyState().chosen });
  change({});
  search.focus();
}

function showControls({ any: { counts, partly } }) {
  if (search.value !== state.query) search.value = state.query;
  versions.value = String(state.version);
  orders.querySelector("select").value = state.order;
  views.querySelector("select").value = view();
  clear.hidden = !isFiltered();
  tiles.forEach((tile, outcome) => {
    tile.setAttribute("aria-pressed", String(state.outcomes.has(outcome)));
    const more = outcome === COMPATIBLE && partly ? make("span", { class: "quiet" }, `${partly.toLocaleString("en")} in part`) : null;
    tile.replaceChildren(sign(outcome), make("span", { class: "tile-number" }, counts[outcome].toLocaleString("en")), make("span", {}, OUTCOMES[outcome]), more ?? "");
  });
  for (const [facet, made] of facetElements) {
    const chosen = state.chosen[facet.id];
    made.querySelector(".value").textContent = chosen.size ? [...chosen].join(", ") : "any";
    made.classList.toggle("chosen", chosen.size > 0);
    for (const box of made.querySelectorAll("input")) box.checked = chosen.has(box.value);
  }
  for (const row of versionRows) {
    const here = Number(row.dataset.version) === state.version;
    row.classList.toggle("here", here);
    row.querySelector("button")?.setAttribute("aria-pressed", String(here));
  }
}

function showStatus({ areas, columns, counts, partly }) {
  const features = areas.reduce((sum, area) => sum + area.features.length, 0);
  const version = table.versions[state.version];
  if (version === undefined) {
    status_.textContent = "";
    return;
  }
  if (!features) {
    status_.textContent = `Nothing of CloudStack ${version} fits these filters.`;
    return;
  }
  const said = OUTCOMES.map((name, outcome) => outcome)
    .filter((outcome) => counts[outcome])
    .map((outcome) => `${counts[outcome].toLocaleString("en")} ${OUTCOMES[outcome]}${outcome === COMPATIBLE ? partlyText(partly) : ""}`);
  // The numbers stand on the buttons beside it for those who see them.
  const shared = sharedParts(columns);
  const all = shared.length ? `, all ${shared.join(", ")}` : "";
  status_.replaceChildren(`${counted(features, "feature")} in ${counted(columns.length, "context")}${all}`, unseen(` of CloudStack ${version}: ${said.join(", ")}`));
}

// The filters in words, for paper.
function filtersInWords() {
  const chosen = FACETS.filter((facet) => state.chosen[facet.id].size).map((facet) => `${facet.title}: ${[...state.chosen[facet.id]].join(" or ")}`);
  const outcomes = state.outcomes.size ? `Outcome: ${[...state.outcomes].map((outcome) => OUTCOMES[outcome]).join(" or ")}` : "";
  const query = state.query.trim() && `Search: ${state.query.trim()}`;
  return [`CloudStack ${table.versions[state.version]}`, ...chosen, outcomes, query].filter(Boolean).join("; ");
}
