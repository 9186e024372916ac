// How the list changed when an item was added to the history or removed: a slope from each old rank to the new one.

import { el, svg } from "./dom.js";

const ROW = 26; // pixels
const [LEFT, RIGHT, WIDTH] = [148, 212, 360];
let last = null; // { run, ids, list } of the list before

/** The chart, or nothing if the list before was of another run, or its history differs in more than one item. */
export function slopes(run, question, list) {
  const before = last;
  const ids = new Set(question.history.map((item) => item.id));
  last = { run, ids, items: question.history, list };
  if (!before || before.run !== run) return [];
  const added = question.history.filter((item) => !before.ids.has(item.id));
  const removed = before.items.filter((item) => !ids.has(item.id));
  if (added.length + removed.length !== 1) return [];
  const change = added.length ? `with ${added[0].title}` : `without ${removed[0].title}`;
  return [el("h3", {}, `The list ${change}`), chart(before.list, list, change), el("p", { class: "note" }, "Left: before. Right: now. Only items in both lists have a line.")];
}

function chart(before, now, change) {
  const height = ROW * Math.max(before.length, now.length);
  const ranks = new Map(before.map((item, i) => [item.id, i]));
  const y = (rank) => ROW * (rank + 0.5);
  const label = (item, rank, attributes) => svg("text", { y: y(rank) + 4, ...attributes }, item.title.length > 20 ? `${item.title.slice(0, 19)}…` : item.title);
  const stays = now.filter((item) => ranks.has(item.id));
  const moved = stays.filter((item) => ranks.get(item.id) !== now.indexOf(item));
  return svg("svg", { class: "slopes", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `The list ${change}: ${now.length - stays.length} new items, ${moved.length} items with another rank.` },
    before.map((item, rank) => label(item, rank, { x: LEFT - 8, "text-anchor": "end", class: now.some((other) => other.id === item.id) ? null : "gone" })),
    now.map((item, rank) => label(item, rank, { x: RIGHT + 8, class: ranks.has(item.id) ? null : "new" })),
    stays.map((item) => svg("line", { x1: LEFT, x2: RIGHT, y1: y(ranks.get(item.id)), y2: y(now.indexOf(item)), class: now.indexOf(item) < ranks.get(item.id) ? "up" : now.indexOf(item) > ranks.get(item.id) ? "down" : "same" })));
}
