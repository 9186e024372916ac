// The latent map: the user's code among those of training users, and the items of the history and of the list.

import { $, count, el, number, percent, svg, table } from "./dom.js";
import { ask, isRatings, state } from "./state.js";

const [HEIGHT, MARGIN] = [440, 24]; // pixels
const LETTER = 6.4; // pixels, the mean width of a letter of a label
const LINE = 15;
const MAX_LETTERS = 24;
const MAX_ROWS = 12;

export async function showMap() {
  const [map, { list }] = await Promise.all([ask("latent"), ask("explain")]);
  const ranks = new Map(list.map((item, i) => [item.column, i + 1]));
  const items = map.items.map((item) => ({ ...item, rank: ranks.get(item.column) }));
  const history = items.filter((item) => !item.rank);
  const [first, second] = map.variance;
  const near = (item) => Math.hypot(item.point[0] - map.user[0], item.point[1] - map.user[1]);
  const rows = items.toSorted((a, b) => near(a) - near(b)).slice(0, MAX_ROWS).map((item) => [item.title, item.rank ? `list, rank ${item.rank}` : "history", number(near(item))]);
  return [
    el("p", {}, `The code of this user among the codes of ${count(map.users.length)} training users. ${isRatings() ? "An item is the mean of those training users who rated it." : "An item is where a user is whose history is that item alone."} Each code is divided by its length, which mostly reflects how long a history is. The map shows the two directions in which users differ most: ${percent(first)} and ${percent(second)} of the variance. Points that are close on the map can be far apart in the other directions.`),
    el("ul", { class: "keys" }, key("user", "this user"), key("nearest", `the ${map.nearest.length} nearest training users, in all directions`), key("other", "other training users"),
      history.length ? key("seen", "history") : null, key("pick", "recommended, with rank")),
    picture(map, items),
    map.shared.length ? el("p", {}, `Most frequent among the ${map.nearest.length} nearest users: ${map.shared.map(({ title, n }) => `${title} (${n})`).join(", ")}.`) : null,
    state.question.history.length > history.length ? el("p", { class: "soft" }, `The map has the last ${history.length} items of the history.`) : null,
    table("The items that are nearest to the user on the map", ["Title", "In", "#distance"], rows),
  ];
}

function key(kind, text) {
  return el("li", {}, svg("svg", { viewBox: "-8 -8 16 16", width: 16, height: 16, "aria-hidden": "true" }, mark(kind, 0, 0)), text);
}

function mark(kind, x, y) {
  if (kind === "user") return svg("path", { class: "map-user", d: `M${x} ${y - 8}l8 8l-8 8l-8 -8Z` });
  const radius = { nearest: 4, other: 2.5, seen: 4.5, pick: 5.5 }[kind];
  return svg("circle", { class: `map-${kind}`, cx: x.toFixed(1), cy: y.toFixed(1), r: radius });
}

function picture({ user, users, nearest, variance }, items) {
  const width = Math.max(280, Math.min(900, $("body").clientWidth));
  const all = [user, ...users, ...items.map((item) => item.point)];
  const place = (axis, from, to) => {
    const [low, high] = [Math.min(...all.map((point) => point[axis])), Math.max(...all.map((point) => point[axis]))];
    return (point) => (high > low ? from + ((to - from) * (point[axis] - low)) / (high - low) : (from + to) / 2);
  };
  const [x, y] = [place(0, MARGIN, width - MARGIN), place(1, HEIGHT - MARGIN, MARGIN)];
  const isNearest = new Set(nearest);
  const dots = [
    users.map((point, i) => mark(isNearest.has(i) ? "nearest" : "other", x(point), y(point))),
    items.map((item) => mark(item.rank ? "pick" : "seen", x(item.point), y(item.point))),
    mark("user", x(user), y(user)),
  ];
  const named = [
    { text: "this user", point: user, kind: "name" },
    ...items.filter((item) => item.rank).sort((a, b) => a.rank - b.rank).map(({ title, rank, point }) => ({ text: `${rank} ${shortened(title)}`, short: String(rank), point, kind: "name pick" })),
    ...items.filter((item) => !item.rank).map(({ title, point }) => ({ text: shortened(title), point, kind: "name seen" })),
  ];
  return svg("svg", { class: "map", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `Map of ${count(users.length)} training users, ${count(items.length)} items and this user; ${percent(variance[0])} of the variance from left to right, ${percent(variance[1])} from bottom to top. The table below lists the nearest items.` },
    dots, labels(named, x, y, width));
}

const shortened = (title) => (title.length > MAX_LETTERS ? `${title.slice(0, MAX_LETTERS - 1)}…` : title);

/** Names beside their points, right or left. A name that would overlap another one, or a recommended item, is left out. */
function labels(named, x, y, width) {
  const taken = named.filter(({ kind }) => kind !== "name seen").map(({ point }) => ({ left: x(point) - 6, right: x(point) + 6, middle: y(point), half: 4 }));
  const isFree = (box) => box.left >= 0 && box.right <= width && taken.every((other) => box.right < other.left || box.left > other.right || Math.abs(box.middle - other.middle) >= box.half + other.half);
  return named.map(({ text, short, point, kind }) => {
    const [px, middle] = [x(point), y(point)];
    for (const shown of [text, short]) for (const anchor of shown ? ["start", "end"] : []) {
      const length = LETTER * shown.length;
      const left = anchor === "start" ? px + 9 : px - 9 - length;
      const box = { left, right: left + length, middle, half: LINE / 2 };
      if (!isFree(box)) continue;
      taken.push(box);
      return svg("text", { class: kind, x: anchor === "start" ? left : px - 9, y: middle + 4, "text-anchor": anchor }, shown);
    }
    return null;
  });
}
