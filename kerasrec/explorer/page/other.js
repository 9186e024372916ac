// The list of the second run beside the first one: the same history, with the items that both lists have.

import { $, el, number } from "./dom.js";
import { ask, modelName, state } from "./state.js";

let otherRanks = new Map(); // id → rank in the list of the other run
let latestOther = 0;

/** Shows the list of the other run, and marks in both lists what they share. */
export async function showOther(list) {
  const call = ++latestOther;
  otherRanks = new Map();
  const isPair = state.runs.length > 1;
  $("result").classList.toggle("pair", isPair);
  $("other").hidden = !isPair;
  $("list-title").textContent = isPair ? modelName(state.run) : "Recommendations";
  if (!isPair) return;
  const run = 1 - state.run;
  $("other-title").textContent = modelName(run);
  const { list: others } = await ask("explain", run);
  if (call !== latestOther) return;
  otherRanks = new Map(others.map((item, i) => [String(item.id), i + 1]));
  const own = new Map(list.map((item, i) => [String(item.id), i + 1]));
  const n_shared = others.filter((item) => own.has(String(item.id))).length;
  const n_hits = others.filter((item) => item.held_out).length;
  $("other-note").textContent = `${n_shared} of ${others.length} items are in both lists (⇄).${n_hits ? ` ${n_hits} of ${others.length} ${n_hits === 1 ? "is a hit" : "are hits"} (✓).` : ""}`;
  $("other-list").replaceChildren(...others.map((item, i) => el("li", {},
    el("div", { class: "item", "data-id": item.id },
      el("span", { class: "rank" }, String(i + 1)),
      el("span", { class: "title" }, item.title, item.held_out ? [" ", el("span", { class: "hit" }, "✓ hit")] : null),
      el("span", { class: "n soft" }, number(item.score)),
      el("span", { class: "because" }, ...shared(own.get(String(item.id)), state.run))))));
  markShared();
}

/** Writes below each item of the list in the middle whether the other list has it. */
export function markShared() {
  if (!otherRanks.size) return;
  for (const item of $("top").querySelectorAll(".item")) {
    item.querySelector(".in-other")?.remove();
    item.append(el("span", { class: "because in-other" }, ...shared(otherRanks.get(item.dataset.id), 1 - state.run)));
  }
}

function shared(rank, run) {
  return rank === undefined ? [] : [el("span", { class: "shared" }, `⇄ number ${rank} `), el("span", { class: "soft" }, `of ${modelName(run)}`)];
}

/** Highlights items in the other list. */
export function highlightOther(ids) {
  for (const item of $("other-list").querySelectorAll(".item")) item.classList.toggle("on", ids.has(item.dataset.id));
}
