// Elements are made here and nowhere else; text goes into them as text, never as HTML.

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const unseen = (text) => make("span", { class: "unseen" }, text);

function sign(outcome) {
  return make("span", { class: `sign ${OUTCOMES[outcome]}`, "aria-hidden": "true" }, SIGNS[outcome]);
}

// "✗ 3 failing": the sign, the number and the word.
function count(number, outcome, more = "") {
  return make("span", { class: "count" }, sign(outcome), ` ${number.toLocaleString("en")} ${OUTCOMES[outcome]}${more}`);
}

const partlyText = (partly) => (partly ? `, ${partly.toLocaleString("en")} of them in part` : "");

// Only what can be followed without harm becomes a link.
function link(address) {
  const safe = /^https?:\/\//i.test(address);
  return safe ? make("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, address) : make("span", {}, address);
}
