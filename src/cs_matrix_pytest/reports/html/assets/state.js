// What is shown. All of it stands in the address after the #, so that a link shows the same to whoever gets it.

const FACETS = [
  { id: "hypervisor", title: "Hypervisor", of: (c) => [c.hypervisor, c.hypervisorVersion] },
  { id: "networking", title: "Networking", of: (c) => [c.networking] },
  { id: "storage", title: "Storage", of: (c) => [c.storage, c.protocol] },
  { id: "management", title: "Management OS", of: (c) => [c.managementOs || "not stated"] },
  { id: "extras", title: "Extras", of: (c) => (c.extras.length ? c.extras : ["none"]), several: true },
];

// The choices that a context is among: of ["kvm", "el9"] both "kvm" and "kvm el9", of several extras each.
for (const facet of FACETS) {
  facet.choicesOf = table.contexts.map((context) => {
    const values = facet.of(context).filter(Boolean);
    return facet.several ? values : values.map((_, index) => values.slice(0, index + 1).join(" "));
  });
  facet.several ??= false;
  facet.choices = [...new Set(facet.choicesOf.flat())];
}

const ORDERS = { worst: "Failing first", name: "By name" };
const VIEWS = { table: "Table", list: "List" };
const narrow = window.matchMedia("(max-width: 720px)");

const state = emptyState();

function emptyState() {
  return {
    version: 0,
    chosen: Object.fromEntries(FACETS.map((facet) => [facet.id, new Set()])),
    outcomes: new Set(),
    query: "",
    order: "worst",
    view: null, // what the width of the window asks for
    cell: null, // { feature, context }
  };
}

const view = () => state.view ?? (narrow.matches ? "list" : "table");
const isFiltered = () => Boolean(state.query.trim() || state.outcomes.size || FACETS.some((facet) => state.chosen[facet.id].size));

function toAddress() {
  const said = new URLSearchParams();
  if (table.versions.length > 1) said.append("version", table.versions[state.version]);
  for (const facet of FACETS) for (const choice of state.chosen[facet.id]) said.append(facet.id, choice);
  for (const outcome of state.outcomes) said.append("outcome", OUTCOMES[outcome]);
  if (state.query) said.append("q", state.query);
  if (state.order !== "worst") said.append("order", state.order);
  if (state.view) said.append("view", state.view);
  if (state.cell) {
    said.append("feature", table.features[state.cell.feature][1]);
    said.append("context", table.contexts[state.cell.context].key);
  }
  return `#${said}`;
}

// What an address says that this page has not is passed over: links outlive what they were made for.
function fromAddress(address) {
  const said = new URLSearchParams(address.replace(/^#/, ""));
  const next = emptyState();
  next.version = Math.max(table.versions.indexOf(said.get("version")), 0);
  for (const facet of FACETS) {
    next.chosen[facet.id] = new Set(said.getAll(facet.id).filter((choice) => facet.choices.includes(choice)));
  }
  next.outcomes = new Set(said.getAll("outcome").map((name) => OUTCOMES.indexOf(name)).filter((index) => index >= 0));
  next.query = said.get("q") ?? "";
  if (Object.hasOwn(ORDERS, said.get("order") ?? "")) next.order = said.get("order");
  if (Object.hasOwn(VIEWS, said.get("view") ?? "")) next.view = said.get("view");
  const feature = table.features.findIndex((each) => each[1] === said.get("feature"));
  const context = table.contexts.findIndex((each) => each.key === said.get("context"));
  if (feature >= 0 && context >= 0) next.cell = { feature, context };
  Object.assign(state, next);
}

function writeAddress({ asStep = false } = {}) {
  try {
    history[asStep ? "pushState" : "replaceState"](null, "", toAddress());
  } catch {
    // Some frames that pages are shown in allow no history.
  }
}
