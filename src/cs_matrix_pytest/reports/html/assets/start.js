const place = document.getElementById("matrix");
let selection = null;

// Everything that is shown, from the state.
function refresh() {
  const size = sizeOf(place);
  selection = select();
  showControls(selection);
  showStatus(selection);
  if (view() === "table") showTable(place, selection, size);
  else showList(place, selection);
}

function change(changes) {
  // Between versions one compares: there the table stays where it is.
  if (!("version" in changes)) tableToStart();
  Object.assign(state, changes);
  writeAddress();
  refresh();
}

function readAddress() {
  fromAddress(location.hash);
  refresh();
  if (state.cell) openCell(state.cell, { asStep: false });
  else if (dialog.open) dialog.close();
}

makeControls();
readAddress();

window.addEventListener("popstate", readAddress);
// Keyboards and address bars of phones change the height all the time, which only a table has to know.
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth !== width) refresh();
  else if (grid.scroller?.isConnected) drawTable(sizeOf(place));
  width = window.innerWidth;
});
narrow.addEventListener("change", refresh);
document.querySelector(".skip").addEventListener("click", (event) => {
  // The address after the # is the state's.
  event.preventDefault();
  place.focus();
});

// Paper has the list, whole; the filters in words stand above it.
const onPaper = (printing) => (printing ? showList(place, selection, { whole: true }) : refresh());
window.addEventListener("beforeprint", () => onPaper(true));
window.addEventListener("afterprint", () => onPaper(false));
window.matchMedia("print").addEventListener("change", ({ matches }) => onPaper(matches));
