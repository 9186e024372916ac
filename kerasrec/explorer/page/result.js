// The opening view: history, model and recommendations, and what connects them.

import { $, count, el, number, percent, signed, svg } from "./dom.js";
import { Flow, stopFlow } from "./flow.js";
import { Geometry, hourglass, shapeText, stageLabel, stagesOf } from "./hourglass.js";
import { highlightOther, markShared, showOther } from "./other.js";
import { slopes } from "./slopes.js";
import { ask, facts, isRatings, readsHistory, state } from "./state.js";

const NARROW = 960; // pixels; below, style.css puts the three columns below each other
let view = null; // what is on the page: { stages, geometry, picture, flow, explanation, why }
let selected = null; // { kind: "stage" | "history" | "pick", key } that was clicked
let latest = 0;

/** Shows the list at once, and the reasons as soon as they are measured. */
export async function showResult() {
  const current = ++latest;
  $("result").setAttribute("aria-busy", "true");
  stopFlow(view?.flow);
  selected = null;
  const explanation = await ask("explain");
  if (current !== latest) return;
  $("changed").replaceChildren(...slopes(state.run, state.question, explanation.list));
  draw(explanation, { reasons: {}, units: {}, paths: {}, left_out: 0 });
  await showOther(explanation.list).catch((error) => { $("other-note").textContent = error.message; });
  const [why, neighbours] = await Promise.all([ask("why"), facts().answers.includes("neighbours") ? ask("neighbours") : {}]);
  if (current !== latest) return;
  draw(explanation, why, neighbours);
  $("result").setAttribute("aria-busy", "false");
}

function draw(explanation, why, neighbours = {}) {
  stopFlow(view?.flow);
  const stages = stagesOf(explanation);
  view = { explanation, why, neighbours, stages };
  $("top").replaceChildren(...explanation.list.map((item, i) => row(item, i, why)));
  markShared();
  $("legend").textContent = legend(explanation.list);
  addHistoryActions();
  view.buttons = Object.fromEntries(["history", "top"].map((id) => [id, new Map([...$(id).querySelectorAll(".item")].map((button) => [Number(button.dataset.column), button]))]));
  view.flow = new Flow($("result"), stageTexts());
  $("flow").replaceChildren(view.flow.element);
  drawPicture();
  highlight(null);
}

/** Draws the picture for the size of the page. */
export function drawPicture() {
  if (!view) return;
  const vertical = window.innerWidth < NARROW;
  const width = $("hourglass").clientWidth;
  view.geometry = new Geometry(view.stages, width, vertical ? 62 * view.stages.length + 24 : 400, vertical);
  view.picture = hourglass(view.geometry, view.explanation);
  $("hourglass").replaceChildren(view.picture);
  const groups = [...view.picture.querySelectorAll(".stage")];
  groups.forEach((group, i) => {
    addActions(group, { kind: "stage", key: i });
    group.addEventListener("keydown", (event) => {
      const change = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (change) { event.preventDefault(); groups[i + change]?.focus(); }
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select({ kind: "stage", key: i }); }
    });
  });
  drawLinks();
}

// ---- the two lists ---------------------------------------------------------------------------------

function row(item, i, why) {
  const reasons = why.reasons[item.column] ?? [];
  const entry = el("li", { "data-stage": view.stages.length + 1 }, el("button", { type: "button", class: "item", "data-column": item.column, "data-id": item.id, "aria-pressed": "false" },
    el("span", { class: "rank" }, String(i + 1)),
    el("span", { class: "title" }, item.title, item.held_out ? [" ", el("span", { class: "hit" }, "✓ hit")] : null),
    el("span", { class: "n soft" }, number(item.score)),
    reasons.length ? el("span", { class: "because soft" }, reasons.map((reason, j) => el("span", {}, (j ? ", " : "because of ") + reason.title))) : null));
  addActions(entry.firstChild, { kind: "pick", key: item.column });
  return entry;
}

function legend(list) {
  const n_hits = list.filter((item) => item.held_out).length;
  const hits = n_hits ? `${n_hits} of ${list.length} ${n_hits === 1 ? "is a hit" : "are hits"} (✓), which the user chose and the model has not seen.` : "";
  const reasons = readsHistory() ? "" : "This model reads the user id and no history, so no reasons are shown.";
  return [hits, reasons, isRatings() ? "Numbers are predicted ratings." : "Numbers are scores."].filter(Boolean).join(" ");
}

function addHistoryActions() {
  for (const button of $("history").querySelectorAll(".item")) addActions(button, { kind: "history", key: Number(button.dataset.column) });
}

function addActions(element, target) {
  element.onpointerenter = (event) => event.pointerType === "mouse" && highlight(target);
  element.onpointerleave = () => highlight(selected);
  element.onfocus = () => element.matches(":focus-visible") && highlight(target);
  element.onblur = () => highlight(selected);
  element.onclick = () => select(target);
}

function select(target) {
  selected = selected && selected.kind === target.kind && selected.key === target.key ? null : target;
  highlight(selected ?? target);
  if (!selected) highlight(null);
}

export function unselect() {
  selected = null;
  highlight(null);
}

// ---- paths -----------------------------------------------------------------------------------------

/** Pairs of a history item and what it changes, `{ from, to | stage and unit, change }`. */
function connections({ kind, key }) {
  const { why, stages } = view;
  if (kind === "stage") {
    const { layer } = stages[key];
    return (layer ? why.units[layer.name] ?? [] : []).flatMap(({ unit, drivers }) => drivers.map((item) => ({ from: item.column, stage: key, unit, change: item.change })));
  }
  return Object.entries(why.reasons).flatMap(([column, reasons]) => reasons
    .filter((reason) => (kind === "pick" ? Number(column) === key : reason.column === key))
    .map((reason) => ({ from: reason.column, to: Number(column), change: reason.change })));
}

/** The way of a connection: its row, its place in the history, the most changed unit of each layer, its target. */
function pathPoints({ from, to, stage = view.stages.length - 1, unit = to }) {
  const { geometry, stages, why } = view;
  const points = [rowPoint("history", from), geometry.unit(0, from)];
  for (let i = 1; i < stage; i++) {
    const changed = why.paths[from]?.[stages[i].key];
    if (changed !== undefined) points.push(geometry.unit(i, changed));
  }
  points.push(geometry.unit(stage, unit), to === undefined ? null : rowPoint("top", to));
  return points.filter(Boolean);
}

/** Where the row of an item touches the picture; null if it is scrolled out of sight or above the picture. */
function rowPoint(id, column) {
  const element = view.buttons[id].get(column);
  if (!element || view.geometry.vertical) return null;
  const [row, list, picture] = [element, $(id), view.picture].map((each) => each.getBoundingClientRect());
  const middle = row.top + row.height / 2;
  if (middle < list.top || middle > list.bottom) return null;
  return [id === "history" ? -10 : view.geometry.width + 10, middle - picture.top];
}

/** Faint lines between the rows and their places in the model. */
export function drawLinks() {
  if (!view) return;
  const { geometry, stages, picture, explanation: { observed, list } } = view;
  const line = (points, stage, kind) => (points.every(Boolean) ? svg("path", { class: kind, "data-stage": stage, d: geometry.curve(points) }) : null);
  const links = [
    ...(stages[0].marks ?? []).length ? observed.map(({ column }) => line([rowPoint("history", column), geometry.unit(0, column)], 1, "link")) : [],
    ...list.map(({ column, held_out: hit }) => line([geometry.unit(stages.length - 1, column), rowPoint("top", column)], stages.length + 1, hit ? "link right" : "link")),
  ];
  picture.querySelector(".links").replaceChildren(...links.filter(Boolean));
  view.flow?.show(view.flow.stage);
}

/** Shows the paths and facts of a layer or an item; of the whole list if `target` is null. */
function highlight(target) {
  if (!view) return;
  const found = target ? connections(target) : [];
  const largest = Math.max(...found.map(({ change }) => Math.abs(change))) || 1;
  view.picture.querySelector(".paths").replaceChildren(...found.map((connection) => svg("path", {
    class: connection.change < 0 ? "path minus" : "path", "stroke-width": (1 + (2.5 * Math.abs(connection.change)) / largest).toFixed(1), d: view.geometry.curve(pathPoints(connection)),
  })));
  const on = { history: new Set(found.map(({ from }) => from)), top: new Set(found.map(({ to }) => to)) };
  if (target?.kind === "pick") on.top.add(target.key);
  if (target?.kind === "history") on.history.add(target.key);
  for (const [id, columns] of Object.entries(on)) for (const [column, button] of view.buttons[id]) {
    button.classList.toggle("on", columns.has(column));
    const kind = id === "top" ? "pick" : "history";
    button.setAttribute("aria-pressed", String(selected?.kind === kind && selected.key === column));
  }
  highlightOther(new Set([...$("top").querySelectorAll(".item.on")].map((item) => item.dataset.id)));
  view.picture.querySelectorAll(".stage").forEach((group, i) => {
    group.classList.toggle("on", target?.kind === "stage" && target.key === i);
    group.setAttribute("aria-pressed", String(selected?.kind === "stage" && selected.key === i));
  });
  $("detail").replaceChildren(...(target ? details(target, found) : introduction()));
}

// ---- texts -----------------------------------------------------------------------------------------

function introduction() {
  const hasUnits = view.stages.some(({ layer }) => layer);
  return [el("p", {}, "Select a layer or an item to see its connections."),
    el("p", { class: "soft" }, `A wider layer has more units (square-root scale).${hasUnits ? " Blue units are positive, orange ones negative." : ""}`)];
}

function details(target, found) {
  if (target.kind === "stage") return stageDetails(view.stages[target.key]);
  const { list, observed } = view.explanation;
  const title = (column) => [...list, ...observed].find((item) => item.column === column)?.title ?? "";
  const end = (connection) => (target.kind === "pick" ? connection.from : connection.to);
  const rows = found.toSorted((a, b) => b.change - a.change).slice(0, 5).map((connection) => el("li", {}, `${title(end(connection))} `, el("b", {}, signed(connection.change))));
  const notes = [
    rows.length && view.stages.some((stage) => stage.layer) ? "The lines pass the unit of each layer that changes most." : null,
    view.neighbours[target.key]?.length ? `Most similar items: ${view.neighbours[target.key].map((item) => item.title).join(", ")}.` : null,
  ].filter(Boolean).map((note) => el("p", { class: "soft" }, note));
  if (target.kind === "pick") {
    const { score, held_out: hit } = list.find((item) => item.column === target.key);
    return [el("h3", {}, title(target.key)), el("p", {}, `Score ${number(score)}${hit ? "; a held-out item of this user" : ""}. `, rows.length ? `The history items that raise it most, with the change of the score when each is left out:` : "No item of the history raises the score."),
      el("ul", {}, rows), ...notes];
  }
  return [el("h3", {}, view.buttons.history.get(target.key).firstChild.textContent),
    el("p", {}, rows.length ? "It raises the scores of these recommendations most, by:" : readsHistory() ? "It is not among the three strongest reasons of any recommendation." : "This model reads the user id and no history."), el("ul", {}, rows), ...notes];
}

function stageDetails(stage) {
  const { why, explanation: { list, observed } } = view;
  const heading = el("h3", {}, stageLabel(stage));
  if (stage.members) {
    return [heading, el("p", {}, "Each model scores all items. The scores of a model are standardised over the items that are new to the user, and added with the share of the model:"),
      el("ul", {}, stage.members.map(({ model, share }) => el("li", {}, `${model} `, el("b", {}, percent(share)))))];
  }
  if (stage.weights) {
    const others = facts().weights.filter(({ name }) => name !== stage.variable).map(shapeText);
    const sum = facts().answers.includes("weights") ? "The score of an item is the sum of its weights from the items of the history. " : "";
    return [heading, el("p", {}, `${sum}The scores are computed from ${others.length ? "these weights" : "this weight"}; the model has no layers to show for one user.${others.length ? ` Other weights: ${others.slice(0, 6).join(", ")}${others.length > 6 ? ", …" : ""}.` : ""}`)];
  }
  if (stage.key === "output") return [heading, el("p", {}, `One score for each item of the catalogue. The best ${list.length} that are new to the user are the list.`)];
  if (stage.key === "input") {
    const text = facts().rows === "items" ? "The rows of this model are items: the score of an item is computed from the item's own row, which has an entry for each user."
      : `The model reads ${count(observed.length)} observed entries of ${count(stage.units)}. The other entries are unknown.`;
    return [heading, el("p", {}, text)];
  }
  const units = why.units[stage.key] ?? [];
  return [heading, el("p", {}, `Outputs from ${number(stage.layer.lowest)} to ${number(stage.layer.highest)}. ${units.length ? "The most active units, and the history items that change them most:" : ""}`),
    el("ul", {}, units.slice(0, 3).map(({ unit, value, drivers }) => el("li", {}, el("b", {}, `unit ${unit}: ${signed(value)} `), drivers.map((item) => `${item.title} (${signed(item.change)})`).join(", "))))];
}

/** One sentence for each stage of the animation. */
function stageTexts() {
  const { stages, explanation: { list, observed } } = view;
  const sentence = (stage) => {
    if (stage.members) return `The scores of ${stage.members.length} models are standardised and added.`;
    if (stage.weights) return `The model combines it with its weights ${shapeText(stage.weights)}.`;
    if (stage.key === "output") return `The result is a score for each of ${count(stage.units)} items.`;
    if (stage.key === "input") return facts().rows === "items" ? "The model reads the row of each item: one entry for each user." : `The model reads the history as a row of ${count(stage.units)} entries; ${count(observed.length)} are observed.`;
    return `${stage.layer.code ? "The code z" : `Layer ${stage.title}`}: ${count(stage.units)} units, ${percent(stage.layer.near_zero)} near zero.`;
  };
  const n = $("history").children.length;
  return [`${count(n)} ${n === 1 ? "item" : "items"} in the history.`, ...stages.map(sentence), `The best ${list.length} items that are new to the user.`];
}

/** Follows the history as it scrolls; Escape ends a selection. */
export function addResultListeners() {
  $("history").addEventListener("scroll", drawLinks, { passive: true });
  $("result").addEventListener("keydown", (event) => event.key === "Escape" && unselect());
  for (const id of ["history", "top"]) $(id).addEventListener("keydown", (event) => {
    const change = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!change || !event.target.matches(".item")) return;
    event.preventDefault();
    const buttons = [...$(id).querySelectorAll(".item")];
    buttons[buttons.indexOf(event.target) + change]?.focus();
  });
}
