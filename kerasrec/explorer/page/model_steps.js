// Steps that only some models have, and the comparison of losses and of two runs.

import { bars, count, el, entryValue, number, percent, signed, table } from "./dom.js";
import { barChart, canvas } from "./charts.js";
import { showMap } from "./map.js";
import { ask, drawAgain, facts, isRatings, saved, state } from "./state.js";

const hasAnswer = (name) => () => facts().answers.includes(name);

export const MODEL_STEPS = {
  map: { title: "Latent map", when: hasAnswer("latent"), show: showMap },
  draws: { title: "Draw codes", when: hasAnswer("draws"), show: showDraws },
  prefixes: { title: "Item by item", when: hasAnswer("prefixes"), show: showPrefixes },
  weights: { title: "Item weights", when: hasAnswer("weights"), show: showWeights },
  losses: { title: "Why mask the loss", show: showLosses },
};

async function showDraws(refresh) {
  const { lists, items, sigma } = await ask("draws");
  const draws = state.draws;
  if (draws.countedSeed !== draws.seed) { // a repeated rendering must not count the same lists again
    draws.countedSeed = draws.seed;
    draws.n_lists += lists.length;
    for (const item of lists.flat()) draws.items.set(item.id, { item, n: (draws.items.get(item.id)?.n ?? 0) + 1 });
  }
  const inMeanList = new Set(items.filter((item) => item.in_mean_list).map((item) => item.id));
  const rows = [...draws.items.values()].sort((a, b) => b.n - a.n).slice(0, 20);
  const label = (item) => (inMeanList.has(item.id) ? "● " : "") + item.title;
  return [
    el("p", {}, `The posterior q(z | x) is a distribution with mean μ and a standard deviation of ${number(sigma)} on average. All other steps show the list of μ. Here each list is computed from a code that is drawn from the posterior. An item in most of the lists depends little on the draw.`),
    el("button", { type: "button", id: "again", disabled: Boolean(saved), onclick: () => { drawAgain(); refresh("again"); } }, "Draw 20 more"),
    el("h4", {}, `Share of ${draws.n_lists} lists that contain the item`),
    bars(rows.map(({ item, n }) => [label(item), n / draws.n_lists, percent(n / draws.n_lists)]), 1),
    el("p", { class: "soft" }, "● is in the list of μ."),
  ];
}

async function showPrefixes() {
  const { steps, skipped } = await ask("prefixes");
  const rows = steps.map((step) => [step.after?.title ?? "(start)", ...[0, 1, 2].map((i) => step.list[i]?.title ?? "")]);
  return [
    el("p", {}, `This model reads the history in order. The table shows the first three items of the list after each item${skipped ? `, for the last ${steps.length - 1} items` : ""}.`),
    table("The list after each item", ["After", "1", "2", "3"], rows),
  ];
}

async function showWeights() {
  const { list, lowest } = await ask("weights");
  const largest = Math.max(0, ...[...list, ...lowest].flatMap((item) => item.weights.map(({ weight }) => Math.abs(weight))));
  const terms = (item) => [el("h5", {}, `${item.title}: ${number(item.score)}`), bars(item.weights.map(({ title, weight }) => [title, weight, signed(weight)]), largest)];
  return [
    el("p", {}, "The score of an item is the sum of its weights from the items of the history. Positive weights (blue) raise the score, negative ones (orange) lower it. Only the strongest are shown."),
    el("div", { class: "two" }, el("div", {}, el("h4", {}, "Recommended"), list.slice(0, 5).map(terms)), el("div", {}, el("h4", {}, "Lowest scores"), lowest.map(terms))),
  ];
}

async function showLosses(refresh) {
  const answer = await ask("losses");
  const toggle = (loss, text) => el("button", { type: "button", id: `loss-${loss}`, "aria-pressed": String(state.loss === loss), onclick: () => { state.loss = loss; refresh(`loss-${loss}`); } }, text);
  const means = answer.means[state.loss];
  const [low, high] = answer.bounds;
  const rows = answer.entries.map((item) => [item.title, entryValue(item.value), number(item.masked), number(item.plain)]);
  return [
    el("p", {}, `Two small autoencoders, trained on the ${count(answer.n_items)} most popular items. They differ in their loss only.`),
    el("div", { class: "choice", role: "group", "aria-label": "Loss" }, toggle("masked", "Masked loss"), toggle("plain", "Plain MSE")),
    el("p", { role: "status" }, lossText(answer.share_observed)),
    el("h4", {}, "Predicted values of all entries"),
    canvas(`Histogram from ${low} to ${number(high)}; mean ${number(means.unobserved)} of the entries that are not observed`, barChart(answer.histograms[state.loss])),
    el("p", { class: "soft" }, `From ${low} on the left to ${number(high)} on the right. Mean of observed entries: ${means.observed === null ? "–" : number(means.observed)}; of the others: ${number(means.unobserved)}.`),
    table("Observed entries of this user", ["Title", "#value", "#masked loss", "#plain MSE"], rows),
  ];
}

function lossText(shareObserved) {
  if (state.loss === "plain") return `Each entry is in the loss, unknown ones as 0. ${percent(1 - shareObserved)} of the entries are unknown, so predictions near 0 have the lowest loss: the reconstruction collapses.`;
  if (isRatings()) return "Only observed entries are in the loss. The model is free to predict a rating for each unknown entry.";
  return "Only observed entries are in the loss, and each of them is 1, so the model learns to predict 1 for all items. This is why models of likes use a softmax, in which items compete, or include unseen items in the loss.";
}
