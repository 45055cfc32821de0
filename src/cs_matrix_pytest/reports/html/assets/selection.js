// Which features and contexts fit the filters.

const featureTexts = table.features.map(([title, id, area]) => `${title} ${id} ${table.areas[area] ?? ""}`.toLowerCase());
const contextTexts = table.contexts.map((context, index) =>
  [context.key, contextTitle(context), ...table.inContext[index].map(environmentName)].join(" ").toLowerCase(),
);

const partlyTested = table.summaries.map(isPartly);

// { columns: contexts, areas: [{ title, features: [{ feature, counts, partly }] }], counts, partly, fits(context, feature),
//   any: { counts, partly } }; in `any` are results of every outcome, whichever are asked for.
function select() {
  const search = searched(state.query);
  const rows = table.cells[state.version] ?? [];
  // By a summary's number in the rows: 0 is no result.
  const fitting = [false, ...table.summaries.map((summary) => !state.outcomes.size || state.outcomes.has(summary[0]))];
  const fits = (context, feature) => fitting[rows[context][feature] ?? 0] && search.cell(context, feature);
  const byCell = state.outcomes.size > 0 || search.byCell;
  const columns = table.contexts
    .map((_, index) => index)
    .filter((index) => rows[index].length && isChosen(index) && search.context(index));

  const counts = [0, 0, 0, 0];
  let partly = 0;
  const any = { counts: [0, 0, 0, 0], partly: 0 };
  const used = new Set();
  const byArea = new Map();
  table.features.forEach(([, , area], feature) => {
    if (!search.feature(feature)) return;
    const own = { feature, counts: [0, 0, 0, 0], partly: 0 };
    let shown = false;
    for (const context of columns) {
      const index = (rows[context][feature] ?? 0) - 1;
      if (index < 0 || !search.cell(context, feature)) continue;
      any.counts[table.summaries[index][0]] += 1;
      if (partlyTested[index]) any.partly += 1;
      if (!fitting[index + 1]) continue;
      own.counts[table.summaries[index][0]] += 1;
      if (partlyTested[index]) own.partly += 1;
      if (byCell) used.add(context);
      shown = true;
    }
    if (!shown) return;
    own.counts.forEach((count, outcome) => (counts[outcome] += count));
    partly += own.partly;
    if (!byArea.has(area)) byArea.set(area, []);
    byArea.get(area).push(own);
  });

  const areas = inOrder([...byArea].map(([area, features]) => ({
    title: table.areas[area] ?? "other",
    features: inOrder(features),
    counts: features.reduce((sums, { counts: own }) => sums.map((sum, outcome) => sum + own[outcome]), [0, 0, 0, 0]),
  })));
  return { columns: byCell ? columns.filter((context) => used.has(context)) : columns, areas, counts, partly, fits, any };
}

// Features, or areas of them; they come by name, which the sort keeps among equals.
function inOrder(counted) {
  if (state.order === "name") return counted;
  const [failing, unstable, compatible] = [FAILING, UNSTABLE, COMPATIBLE];
  return counted.sort(
    ({ counts: a }, { counts: b }) =>
      b[failing] - a[failing] || b[unstable] - a[unstable] || Number(b[compatible] > 0) - Number(a[compatible] > 0),
  );
}

function isChosen(context) {
  return FACETS.every(({ id, choicesOf }) => {
    const chosen = state.chosen[id];
    return !chosen.size || choicesOf[context].some((choice) => chosen.has(choice));
  });
}

// A word is looked for in the features, and where none has it in the contexts. If one is in neither, the whole text is
// looked for in the evidence: tests and messages.
function searched(query) {
  const all = () => true;
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const ofFeatures = words.filter((word) => featureTexts.some((text) => text.includes(word)));
  const ofContexts = words.filter((word) => !ofFeatures.includes(word) && contextTexts.some((text) => text.includes(word)));
  if (ofFeatures.length + ofContexts.length < words.length) {
    return { feature: all, context: all, cell: inEvidence(query.trim().toLowerCase()), byCell: true };
  }
  return {
    feature: (index) => ofFeatures.every((word) => featureTexts[index].includes(word)),
    context: (index) => ofContexts.every((word) => contextTexts[index].includes(word)),
    cell: all,
    byCell: false,
  };
}

function inEvidence(text) {
  const { texts, tests, testSets, causes, groups, groupSets, evidence, passing } = details();
  const has = texts.map((each) => each.toLowerCase().includes(text));
  const testHas = tests.map(([module, name]) => has[module] || `${texts[module]}${name}`.toLowerCase().includes(text));
  const causeHas = causes.map((cause) => cause.slice(1).some((index) => has[index]));
  // Sets are dear to read, and most texts are no test's.
  const setHas = testHas.includes(true) ? testSets.map((masks) => namedTests(masks).some((index) => testHas[index])) : [];
  const groupHas = groups.map(([cause, set]) => causeHas[cause] || setHas[set]);
  const cellHas = groupSets.map((set) => set.some((group) => groupHas[group]));
  const version = state.version;
  return (context, feature) =>
    cellHas[(evidence[version][context][feature] ?? 0) - 1] || cellHas[(passing[version][context][feature] ?? 0) - 1] || false;
}

// The tests of a set: pairs of a first number and a bit for each of the 31 numbers from there on.
function namedTests(masks) {
  const found = [];
  for (let at = 0; at < masks.length; at += 2) {
    for (let bit = 0; bit < 31; bit += 1) if (masks[at + 1] & (1 << bit)) found.push(masks[at] + bit);
  }
  return found;
}
