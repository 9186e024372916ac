// The steps from a history to a list, the same for all models. `show` returns the elements of a step.

import { bars, count, el, entryValue, number, percent, signed, table, withWidth } from "./dom.js";
import { barChart, canvas, marks, scoreChart, stripes } from "./charts.js";
import { ask, facts, isRatings, readsHistory, state } from "./state.js";

export const PIPELINE_STEPS = {
  input: { title: "Input", show: showInput },
  layers: { title: "Layers", when: () => facts().has_layers, show: showLayers },
  code: { title: "Code z", when: () => facts().has_code, show: showCode },
  reconstruction: { title: "Reconstruction", show: showReconstruction },
  observed: { title: "Observed and predicted", show: showObserved },
  mask: { title: "Mask", show: showMask },
  list: { title: "Top 10", show: showList },
};

async function showInput() {
  const { observed, unknown } = await ask("explain");
  const n = facts().n_items;
  const rows = observed.map((item) => [item.title, count(item.column), entryValue(item.value)]);
  return [
    el("p", {}, `The model reads one row of the interaction matrix: ${count(n)} entries, of which ${count(observed.length)} are observed (${percent(observed.length / n)}). The other entries are unknown, which does not mean disliked.`),
    canvas(`${observed.length} marks among ${n} columns`, marks(n, observed.map((item) => item.column)), "strip"),
    el("p", { class: "soft" }, "Each mark is an observed entry, in the order of the catalogue."),
    unknown.length ? el("p", { class: "note" }, `Not in the catalogue, therefore ignored: ${unknown.join(", ")}`) : null,
    table("Observed entries", ["Title", "#column", "#value"], rows),
  ];
}

async function showLayers(refresh) {
  const [{ layers, scores, observed }, why] = await Promise.all([ask("explain"), ask("why")]);
  const n = facts().n_items;
  const selected = layers[state.layer] ?? layers[0];
  const bar = (label, units, attributes, paint) => el("div", { class: "layer" }, el("span", {}, `${label} · ${count(units)}`),
    withWidth(el("button", { type: "button", ...attributes }, canvas("", paint)), 100 * Math.min(1, Math.sqrt(units / n))));
  return [
    el("p", {}, "A wider bar has more units (square-root scale). Each stripe is a unit: blue above zero, orange below. Select a layer to see its most active units."),
    bar("input", n, { disabled: true, "aria-label": `Input, ${count(n)} wide` }, marks(n, observed.map((item) => item.column))),
    layers.map((layer, i) => bar(layerName(layer), layer.units, {
      id: `layer-${i}`,
      "aria-pressed": String(layer === selected),
      "aria-label": `Layer ${layerName(layer)}, ${count(layer.units)} units`,
      onclick: () => { state.layer = i; refresh(`layer-${i}`); },
    }, layer.values.length ? stripes(layer.values) : scoreChart(scores))),
    el("div", { id: "layer", role: "region", "aria-label": `Layer ${selected.name}` }, layerDetail(selected, why)),
  ];
}

function layerName(layer) {
  return { mean: "mean μ (the code)", log_var: "log σ²" }[layer.name] ?? layer.name.replaceAll("_", " ") + (layer.code ? " (the code)" : "");
}

function layerDetail(layer, why) {
  const units = why.units[layer.name] ?? [];
  const caption = layer.units === facts().n_items ? "The strongest outputs, and the history items that change them most" : "The most active units, and the history items that change them most";
  const drivers = (unit) => unit.drivers.map((item) => `${item.title} (${signed(item.change)})`).join("; ");
  return [
    el("h4", {}, `${layerName(layer)}: ${count(layer.units)} units (${layer.kind})`),
    el("p", {}, `Outputs from ${number(layer.lowest)} to ${number(layer.highest)}; ${percent(layer.near_zero)} of them are near zero (below 5 % of the strongest).`),
    units.length
      ? table(caption, ["#unit", "#activation", "Changed by"], units.map((unit) => [String(unit.unit), signed(unit.value), drivers(unit)]))
      : el("p", { class: "note" }, "An empty history has no items that change a unit."),
  ];
}

async function showCode() {
  const { layers } = await ask("explain");
  const code = layers.find((layer) => layer.code);
  const strongest = code.values.map((value, i) => [i, value]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 12);
  const isMean = facts().answers.includes("draws");
  return [
    el("p", {}, `The decoder reads ${count(code.units)} numbers about this user${isMean ? ", the mean μ of q(z | x)" : ""}. They lie between ${number(code.lowest)} and ${number(code.highest)}; ${percent(code.near_zero)} of them are near zero.`),
    canvas(`${code.units} values of the code`, barChart(code.values)),
    el("h4", {}, "Largest values"),
    bars(strongest.map(([i, value]) => [`z${i}`, value, signed(value)]), Math.abs(strongest[0]?.[1] ?? 1), true),
  ];
}

async function showReconstruction() {
  const { scores, list } = await ask("explain");
  const n = facts().n_items;
  const bin = scores.bins.length < n ? `Each bar is the highest of about ${Math.round(n / scores.bins.length)} neighbouring items.` : "Each bar is an item.";
  return [
    el("p", {}, `The model computes a score for each of the ${count(n)} items${isRatings() ? ": the predicted rating" : ". Items with higher scores are more likely to be chosen next"}. The sparse row becomes a dense one.`),
    canvas(`Scores of all items from ${number(Math.min(...scores.bins))} to ${number(Math.max(...scores.bins))}`, scoreChart(scores)),
    el("p", { class: "soft" }, el("span", { class: "key mark" }), " observed  ", el("span", { class: "key" }), ` predicted. ${bin} The vertical axis runs from ${number(Math.min(...scores.bins))} to ${number(Math.max(...scores.bins))}.`),
    list.length ? el("p", {}, `The best item that is new to the user: ${list[0].title}, ${number(list[0].score)}.`) : null,
  ];
}

async function showObserved() {
  const { observed, predicted, loss } = await ask("explain");
  const explanation = loss
    ? `The last column is what each entry adds to the training loss (${loss}).${isRatings() ? " Entries that are not observed add nothing." : ""}`
    : `The training loss of ${facts().model} is not a sum over the observed entries, so there is no loss for each of them.`;
  const headings = isRatings() ? ["Title", "#rating", "#predicted"] : ["Title", "#rank", "#score"];
  const rows = observed.map((item) => [
    item.title, isRatings() ? entryValue(item.value) : count(item.rank), number(item.score), ...(loss ? [number(item.loss)] : []),
  ]);
  return [
    el("div", { class: "two" },
      el("div", {}, el("h4", {}, `Observed: ${count(observed.length)}`), el("p", { id: "loss" }, explanation),
        table("Observed entries", loss ? [...headings, "#loss"] : headings, rows)),
      el("div", {}, el("h4", {}, "Predicted: all others"), el("p", {}, "The model has not seen these entries. The best of them are recommended."),
        table("The highest predictions", ["Title", "#score"], predicted.map((item) => [item.title, number(item.score)])))),
  ];
}

async function showMask() {
  const { scores, observed } = await ask("explain");
  const masked = observed.toSorted((a, b) => a.rank - b.rank).slice(0, 10);
  return [
    el("p", {}, readsHistory()
      ? "Observed items get the score -∞, so that the list never contains an item of the history. A score of 0 is not enough, because scores can be negative."
      : "Items of the user's training row get the score -∞, so that the list never contains them. A score of 0 is not enough, because scores can be negative."),
    canvas("Scores of all items, without the observed ones", scoreChart(scores, true)),
    table("Observed items with the highest ranks", ["Title", "#rank", "#score", "#masked"], masked.map((item) => [item.title, count(item.rank), number(item.score), "-∞"])),
  ];
}

async function showList() {
  const [{ list }, why] = await Promise.all([ask("explain"), ask("why")]);
  const method = !readsHistory() ? "This model reads the user id and no history, so no reasons are shown."
    : "Below each item are the history items that raise its score most, with the change of the score when each is left out"
      + (why.left_out < state.question.history.length ? `. Only the last ${why.left_out} items were left out.` : ".");
  return [
    el("p", {}, `The answer of the graph that an export contains, which is also what a server returns. ${method}`),
    table("Best first", ["#rank", "Title and reasons", "#score"], list.map((item, i) => [String(i + 1), withReasons(item, why), number(item.score)])),
    list.some((item) => item.held_out) ? el("p", { class: "soft" }, el("span", { class: "hit" }, "✓ hit"), " marks held-out items, which this test user chose and the model has not seen.") : null,
  ];
}

function withReasons(item, why) {
  const reasons = why.reasons[item.column] ?? [];
  return el("div", {}, item.title, item.held_out ? el("span", { class: "hit" }, " ✓ hit") : null,
    reasons.length ? el("ul", { class: "why" }, reasons.map((reason) => el("li", {}, `${reason.title} (${signed(reason.change)})`))) : null);
}
