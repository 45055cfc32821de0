// What the page was made from; reports/html/data.py writes it. Outcomes, versions, contexts and features are numbers
// from here on: their places in these lists.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const table = read("table-data");

const FAILING = 0, UNSTABLE = 1, COMPATIBLE = 2, UNTESTED = 3;
const OUTCOMES = table.outcomes;
const SIGNS = ["✗", "~", "✓", "·"];

// Most readers never open a cell, so its details are read when the first one does.
let detailsRead = null;
const details = () => (detailsRead ??= read("details-data"));

// A result: its outcome, its tests by outcome, and, where no test is named, words for what there is. null: no result.
const result = (version, context, feature) => table.summaries[(table.cells[version][context][feature] ?? 0) - 1] ?? null;
const outcomeOf = (summary) => (summary ? summary[0] : UNTESTED);
const testsOf = (summary) => (summary ? summary[1] + summary[2] + summary[3] + summary[4] : 0);
const isPartly = (summary) => outcomeOf(summary) === COMPATIBLE && testsOf(summary) > summary[1 + COMPATIBLE];

// Fewer than half of its tests stand behind it.
const isHardlyTested = (summary) => 2 * summary[1 + COMPATIBLE] < testsOf(summary);

function tested(summary) {
  if (!summary) return "";
  return testsOf(summary) ? `${summary[1 + COMPATIBLE]}/${testsOf(summary)}` : summary[5] ?? "";
}

function inWords(summary) {
  if (!summary) return "no test of it was named here";
  const total = testsOf(summary);
  if (!total) return summary[5] ?? "";
  const others = [FAILING, UNSTABLE, UNTESTED].filter((outcome) => summary[1 + outcome]);
  return [
    `${summary[1 + COMPATIBLE]} of ${counted(total, "test")} compatible`,
    ...others.map((outcome) => `${summary[1 + outcome]} ${OUTCOMES[outcome]}`),
  ].join(", ");
}

const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

function environmentName(index) {
  const [lab, name] = table.environments[index];
  return `${lab}/${name}`;
}

// A context's facts as a reader would say them, one per line of a column's head.
function factsOf(context) {
  return [
    context.hypervisor,
    context.hypervisorVersion,
    context.networking,
    storageOf(context),
    context.managementOs,
    context.extras.map((extra) => `+${extra}`).join(" "),
  ];
}

function storageOf({ storage, protocol }) {
  return protocol && storage === "shared" ? protocol : [storage, protocol].filter(Boolean).join(" ");
}

const contextTitle = (context) => titleParts(context).filter(Boolean).join(" · ");

function titleParts(context) {
  const [hypervisor, version, networking, storage, managementOs, extras] = factsOf(context);
  return [[hypervisor, version].filter(Boolean).join(" "), networking, storage, managementOs && `management ${managementOs}`, extras];
}

// The parts of their titles that all of several contexts share: said once, they need not stand in each.
function sharedParts(contexts) {
  const [first, ...others] = contexts.map((context) => titleParts(table.contexts[context]));
  return others.length ? first.filter((part, index) => part && others.every((each) => each[index] === part)) : [];
}

function ownTitle(context, shared) {
  return titleParts(context).filter((part) => part && !shared.includes(part)).join(" · ") || contextTitle(context);
}
