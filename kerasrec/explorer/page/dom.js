// Elements and numbers of the page. Content is inserted as text only, so that no title is read as markup.

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

const NAMESPACE = $("picture").namespaceURI;

/** An element of an inline SVG picture. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(NAMESPACE, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}

export const count = (n) => n.toLocaleString("en");
export const number = (x) => (Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 1 ? x.toFixed(2) : x.toFixed(3)).replace("-0.000", "0.000");
/** The value of an entry: a rating, or 1. */
export const entryValue = (x) => (Number.isInteger(x) ? String(x) : number(x));
export const signed = (x) => (x > 0 ? "+" : "") + number(x);
export const percent = (x) => `${(100 * x).toFixed(x < 0.1 && x > 0 ? 1 : 0)} %`;

/** A table; headings that begin with # are of numbers. */
export function table(caption, headings, rows) {
  const alignment = (heading) => (heading.startsWith("#") ? { class: "n" } : {});
  const scrolls = rows.length > 12 ? { tabindex: "0", role: "region", "aria-label": caption } : {};
  return el("div", { class: "scroll", ...scrolls },
    el("table", {}, el("caption", {}, caption),
      el("thead", {}, el("tr", {}, headings.map((heading) => el("th", { scope: "col", ...alignment(heading) }, heading.replace("#", ""))))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, i) => el("td", alignment(headings[i]), cell)))))));
}

/** A bar for each [label, value, text]; bars of negative values have another colour. */
export function bars(rows, largest, narrow = false) {
  return el("ul", { class: narrow ? "bars narrow" : "bars" }, rows.map(([label, value, text]) =>
    el("li", {}, el("span", {}, label),
      withWidth(el("span", { class: value < 0 ? "bar minus" : "bar" }), (100 * Math.abs(value)) / (largest || 1)), el("span", { class: "n" }, text))));
}

export function withWidth(element, share) {
  element.style.width = `${share}%`; // the page's security policy allows no style attributes
  return element;
}
