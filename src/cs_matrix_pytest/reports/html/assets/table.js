// The matrix as a table. Only what can be seen of it is in the document, for thousands of cells would make it slow;
// aria-rowcount and its like tell assistive technology of the rest. One cell has the focus, arrow keys move it.

const ROW = 34, NEAR = 3;
// In pixels, from least to most; the titles take what the columns leave.
const WIDTHS = { column: [88, 140], title: [252, 420], counts: 156 };

const grid = {
  scroller: null,
  rows: [], // { area } or { feature, counts }
  columns: [],
  selection: null,
  columnWidth: WIDTHS.column[0],
  titleWidth: WIDTHS.title[0],
  free: 0, // how far the columns scroll before they pass under what stays in place
  drawn: "",
  active: { row: 0, column: 0 },
};

// What the window gives the table: read before anything is changed, for reading it afterwards lays out the page twice.
const sizeOf = (place) => ({
  room: place.clientWidth,
  width: Math.min(grid.scroller?.clientWidth || Infinity, place.clientWidth),
  height: window.innerHeight,
  left: grid.scroller?.scrollLeft ?? 0,
  top: grid.scroller?.scrollTop ?? 0,
});

// Other features and contexts are looked at from where they begin.
function tableToStart() {
  grid.scroller?.scrollTo(0, 0);
}

function showTable(place, selection, size) {
  const before = activeCell();
  grid.selection = selection;
  grid.columns = selection.columns;
  grid.rows = selection.areas.flatMap(({ title, features }) => [{ area: title, size: features.length }, ...features]);
  if (!grid.scroller) {
    grid.scroller = make("div", {
      class: "scroller", onscroll: () => drawTable(sizeOf(place)), onkeydown: moveByKey, onclick: openByClick, onfocusin: noteFocus,
    });
  }
  if (grid.scroller.parentNode !== place) place.replaceChildren(grid.scroller);
  const room = size.room - WIDTHS.counts - 2;
  const between = ([least, most], wanted) => Math.max(least, Math.min(most, Math.floor(wanted)));
  grid.columnWidth = between(WIDTHS.column, (room - WIDTHS.title[0]) / Math.max(grid.columns.length, 1));
  grid.titleWidth = narrow.matches ? 150 : between(WIDTHS.title, room - grid.columns.length * grid.columnWidth);
  grid.free = narrow.matches ? WIDTHS.counts : 0;
  grid.scroller.style.setProperty("--title", `${grid.titleWidth}px`);
  activate(before?.feature, before?.context);
  drawTable({ ...size, width: size.room }, true);
}

// Keeps to the cell that was active where it still is there.
function activate(feature, context) {
  const row = grid.rows.findIndex((each) => each.feature === feature && feature !== undefined);
  grid.active.row = row >= 0 ? row : grid.rows.findIndex((each) => each.area === undefined);
  grid.active.column = Math.max(grid.columns.indexOf(context), 0);
}

function activeCell() {
  const row = grid.rows[grid.active.row];
  return row?.feature === undefined ? null : { feature: row.feature, context: grid.columns[grid.active.column] };
}

function visible(start, size, step, total) {
  const first = Math.max(Math.floor(start / step) - NEAR, 0);
  return [first, Math.min(Math.ceil((start + size) / step) + NEAR, total)];
}

function drawTable(size, anew = false) {
  const { scroller, rows, columns, columnWidth } = grid;
  const [top, bottom] = visible(size.top, size.height, ROW, rows.length);
  const [left, right] = visible(Math.max(size.left - grid.free, 0), size.width - grid.titleWidth, columnWidth, columns.length);
  // The first column that is wholly seen says all of its facts; see heads().
  const first = Math.max(Math.min(Math.ceil((size.left - grid.free) / columnWidth), columns.length - 1), 0);
  const key = [top, bottom, left, right, first].join();
  if (!anew && key === grid.drawn) return;
  grid.drawn = key;

  const hadFocus = scroller.contains(document.activeElement);
  const made = make("table", {
    role: "grid", class: "matrix", "aria-label": `Features by contexts, CloudStack ${table.versions[state.version]}`,
    "aria-rowcount": rows.length + 1, "aria-colcount": columns.length + 2,
  });
  made.style.width = `${grid.titleWidth + WIDTHS.counts + columns.length * columnWidth}px`;
  const shown = columns.slice(left, right);
  made.append(
    columnWidths(left, shown.length, columns.length - right),
    heads(left, shown, first - left),
    body(top, bottom, left, shown),
  );
  scroller.replaceChildren(made);

  const cell = cellElement();
  scroller.tabIndex = cell ? -1 : 0;
  if (cell) cell.tabIndex = 0;
  // Where the cell was scrolled away the focus waits on the table, whose keys lead back to it.
  if (hadFocus) (cell ?? scroller).focus({ preventScroll: true });
}

function columnWidths(before, shown, after) {
  const widths = [grid.titleWidth, WIDTHS.counts, before * grid.columnWidth, ...Array(shown).fill(grid.columnWidth), after * grid.columnWidth];
  const group = make("colgroup");
  for (const width of widths) {
    const column = make("col");
    column.style.width = `${width}px`;
    group.append(column);
  }
  return group;
}

const gap = (span = 1) => make("td", { "aria-hidden": "true", class: "gap", colspan: span > 1 ? span : null });

// A fact that the column before has too is not said again, so that what columns share reads as one head over them.
function heads(left, shown, first) {
  const row = make("tr", { "aria-rowindex": 1 },
    make("th", { scope: "col", class: "title", "aria-colindex": 1 }, "Feature"),
    make("th", { scope: "col", class: "counts", "aria-colindex": 2 }, "Contexts"),
    gap());
  const lines = usedLines();
  let previous = null;
  shown.forEach((context, index) => {
    const facts = factsOf(table.contexts[context]);
    const title = contextTitle(table.contexts[context]);
    const head = make("th", { scope: "col", "aria-colindex": left + index + 3, "aria-label": title, title });
    const following = shown[index + 1] === undefined ? null : factsOf(table.contexts[shown[index + 1]]);
    const begins = previous === null || index === first;
    let same = !begins, goesOn = following !== null && index + 1 !== first;
    for (const line of lines) {
      same &&= facts[line] === previous[line];
      goesOn &&= facts[line] === following[line];
      head.append(make("span", { class: `fact${same ? " same" : ""}${goesOn ? " goes-on" : ""}` }, facts[line] || "–"), " ");
    }
    // A rule where another hypervisor, or another version of it, begins.
    if (previous !== null && (facts[0] !== previous[0] || facts[1] !== previous[1])) head.classList.add("begins");
    previous = facts;
    row.append(head);
  });
  row.append(gap());
  return make("thead", {}, row);
}

// The facts that any context states.
function usedLines() {
  return [0, 1, 2, 3, 4, 5].filter((line) => grid.columns.some((context) => factsOf(table.contexts[context])[line]));
}

function body(top, bottom, left, shown) {
  const made = make("tbody");
  const space = (rows) => {
    const row = make("tr", { "aria-hidden": "true" }, gap(shown.length + 4));
    row.style.height = `${rows * ROW}px`;
    return row;
  };
  if (top) made.append(space(top));
  for (let index = top; index < bottom; index += 1) {
    const row = grid.rows[index];
    made.append(row.area === undefined ? featureRow(index, row, left, shown) : areaRow(index, row, shown.length + 4));
  }
  if (bottom < grid.rows.length) made.append(space(grid.rows.length - bottom));
  return made;
}

function areaRow(index, { area, size }, span) {
  return make("tr", { class: "area", "aria-rowindex": index + 2 },
    make("th", { scope: "rowgroup", colspan: span, "aria-colindex": 1 },
      make("span", { class: "area-title" }, make("bdi", {}, area), " ", make("span", { class: "quiet" }, counted(size, "feature")))));
}

function featureRow(index, { feature, counts }, left, shown) {
  const [title] = table.features[feature];
  const row = make("tr", { "aria-rowindex": index + 2 },
    make("th", { scope: "row", class: "title", "aria-colindex": 1, title }, make("bdi", {}, title)),
    make("td", { class: "counts", role: "gridcell", "aria-colindex": 2 }, ...shortCounts(counts)),
    gap());
  shown.forEach((context, offset) => row.append(cellOf(feature, context, left + offset)));
  row.append(gap());
  return row;
}

function shortCounts(counts) {
  return [FAILING, UNSTABLE, COMPATIBLE, UNTESTED]
    .filter((outcome) => counts[outcome])
    .map((outcome) => make("span", { class: "count" }, sign(outcome), ` ${counts[outcome]}`, unseen(` ${OUTCOMES[outcome]} `)));
}

// A cell is one element, for there are many: its sign is drawn by the style, its words are its label.
const cellModel = make("td", { role: "gridcell", tabindex: -1, "aria-haspopup": "dialog" });

function cellOf(feature, context, column) {
  const summary = result(state.version, context, feature);
  const outcome = outcomeOf(summary);
  const coverage = isPartly(summary) ? (isHardlyTested(summary) ? " hardly partly" : " partly") : "";
  const cell = cellModel.cloneNode();
  cell.className = `cell ${OUTCOMES[outcome]}${grid.selection.fits(context, feature) ? "" : " other"}${coverage}`;
  cell.dataset.sign = SIGNS[outcome];
  cell.dataset.feature = feature;
  cell.dataset.context = context;
  cell.ariaColIndex = column + 3;
  cell.ariaLabel = `${OUTCOMES[outcome]}, ${inWords(summary)}`;
  cell.textContent = tested(summary);
  return cell;
}

function cellElement() {
  const active = activeCell();
  return active && grid.scroller.querySelector(`td[data-feature="${active.feature}"][data-context="${active.context}"]`);
}

function placeOf(target) {
  const cell = target.closest?.("[data-context]");
  return cell ? { feature: Number(cell.dataset.feature), context: Number(cell.dataset.context) } : null;
}

function noteFocus(event) {
  const place = placeOf(event.target);
  if (!place) return;
  const before = grid.scroller.querySelector('td[tabindex="0"]');
  if (before) before.tabIndex = -1;
  activate(place.feature, place.context);
  event.target.closest("td").tabIndex = 0;
}

function openByClick(event) {
  const place = placeOf(event.target);
  if (place) openCell(place);
}

const MOVES = {
  ArrowLeft: ({ row, column }) => [row, column - 1],
  ArrowRight: ({ row, column }) => [row, column + 1],
  ArrowUp: ({ row, column }) => [row - 1, column, -1],
  ArrowDown: ({ row, column }) => [row + 1, column],
  PageUp: ({ row, column }) => [row - 10, column, -1],
  PageDown: ({ row, column }) => [row + 10, column],
  Home: ({ row }, all) => [all ? 0 : row, 0],
  End: ({ row }, all) => [all ? grid.rows.length - 1 : row, grid.columns.length - 1],
};

function moveByKey(event) {
  if (event.key === "Enter" || event.key === " ") {
    const place = activeCell();
    if (place && placeOf(event.target)) {
      event.preventDefault();
      openCell(place);
    }
    return;
  }
  const move = MOVES[event.key];
  if (!move || event.altKey || event.metaKey || !grid.columns.length) return;
  event.preventDefault();
  const [row, column, way = 1] = move(grid.active, event.ctrlKey);
  moveTo(row, column, way);
}

// Rows of areas have no cells: they are passed over, in the direction of the move where that is possible.
function moveTo(row, column, way) {
  const clamp = (value, size) => Math.max(0, Math.min(value, size - 1));
  let target = clamp(row, grid.rows.length);
  if (grid.rows[target].area !== undefined) target = grid.rows[target + way] ? target + way : target + 1;
  grid.active = { row: target, column: clamp(column, grid.columns.length) };
  focusActive();
}

function focusActive() {
  const { scroller, active, columnWidth } = grid;
  const head = scroller.querySelector("thead")?.offsetHeight ?? 0;
  const x = active.column * columnWidth + grid.free, y = active.row * ROW;
  const width = scroller.clientWidth - grid.titleWidth - WIDTHS.counts + grid.free, height = scroller.clientHeight - head;
  const into = (at, size, start, room) => Math.min(Math.max(start, at + size - room), at);
  scroller.scrollLeft = into(x, columnWidth, scroller.scrollLeft, width);
  scroller.scrollTop = into(y, ROW, scroller.scrollTop, height);
  drawTable(sizeOf(scroller.parentNode));
  const before = scroller.querySelector('td[tabindex="0"]');
  if (before) before.tabIndex = -1;
  const cell = cellElement();
  if (cell) {
    cell.tabIndex = 0;
    cell.focus({ preventScroll: true });
    // In the table it is in sight by now; the table may not be.
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}
