// How the list changed when an item was added to the history or removed: a slope from each old rank to the new one.

import { $, el, svg } from "./dom.js";

const ROW = 26; // pixels
const [SLOPE_WIDTH, LABEL_LETTER] = [40, 6.8]; // pixels of the lines, and of a letter of a label
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
  return [el("h3", {}, `The list ${change}`), chart(before.list, list, change), el("p", { class: "note" }, "Left: before. Right: now, + if new.")];
}

function chart(before, now, change) {
  const width = $("changed").clientWidth || 360;
  const [left, right] = [(width - SLOPE_WIDTH) / 2, (width + SLOPE_WIDTH) / 2];
  const room = Math.floor((left - 8) / LABEL_LETTER);
  const height = ROW * Math.max(before.length, now.length);
  const ranks = new Map(before.map((item, i) => [item.id, i]));
  const y = (rank) => ROW * (rank + 0.5);
  const label = (title, rank, attributes) => svg("text", { y: y(rank) + 4, ...attributes }, title.length > room ? `${title.slice(0, room - 1)}…` : title);
  const stays = now.filter((item) => ranks.has(item.id));
  const moved = stays.filter((item) => ranks.get(item.id) !== now.indexOf(item));
  return svg("svg", { class: "slopes", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `The list ${change}: ${now.length - stays.length} new items, ${moved.length} items with another rank.` },
    before.map((item, rank) => label(item.title, rank, { x: left - 8, "text-anchor": "end", class: now.some((other) => other.id === item.id) ? null : "gone" })),
    now.map((item, rank) => label(ranks.has(item.id) ? item.title : `+ ${item.title}`, rank, { x: right + 8, class: ranks.has(item.id) ? null : "new" })),
    stays.map((item) => svg("line", { x1: left, x2: right, y1: y(ranks.get(item.id)), y2: y(now.indexOf(item)), class: now.indexOf(item) < ranks.get(item.id) ? "up" : now.indexOf(item) > ranks.get(item.id) ? "down" : "same" })));
}
