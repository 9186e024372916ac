// The model as an hourglass in inline SVG: each layer is as wide as it is, on a square-root scale.

import { count, percent, svg } from "./dom.js";
import { facts } from "./state.js";

const THICKNESS = 20; // pixels of a layer
const CELL = 2.5; // pixels of the smallest cell
const TICK = 1.5; // pixels of the smallest mark of an item
const STREAMS = [0.1, 0.3, 0.5, 0.7, 0.9]; // places in a layer where the moving lines of the animation start

/**
 * What the hourglass shows, from input to scores: `{ key, title, units, values | scores | marks | weights | members, layer }`.
 * A model without layers for a user has one stage with its largest weights between the two; a blend, its members.
 */
export function stagesOf({ layers, scores, observed }) {
  const { n_items: n, n_users, rows } = facts();
  const output = { key: "output", title: "scores", units: n, scores: scores.bins };
  const marks = observed.map((item) => item.column);
  const input = { key: "input", title: "history", units: n, marks };
  if (layers.length) {
    const chain = layers.filter(({ name }) => name !== "log_var" && !name.startsWith("side_")); // others compute beside the chain
    const hidden = chain.slice(0, chain.findLastIndex(({ units }) => units !== n) + 1); // without the output layers
    return [input, ...hidden.map((layer) => ({ key: layer.name, title: stageTitle(layer), units: layer.units, values: layer.values, layer })), output];
  }
  if (facts().members.length) return [input, { key: "members", title: "blend", units: n, members: facts().members }, output];
  const weights = largestWeights();
  const isItemsByItems = weights.shape.length === 2 && weights.shape.every((length) => length === n);
  const name = isItemsByItems ? "weights B" : weights.name;
  const middle = { key: "weights", title: name.split("/")[0].replaceAll("_", " "), units: Math.min(...weights.shape), weights: { ...weights, name: isItemsByItems ? "B" : name }, variable: weights.name };
  return [rows === "items" ? { key: "input", title: "row of an item", units: n_users, marks: [] } : input, middle, output];
}

function stageTitle(layer) {
  return layer.code ? "code z" : layer.name.replaceAll("_", " ");
}

const size = ({ shape }) => shape.reduce((product, length) => product * length, 1);

/** The largest of the weights that have an axis of the row that the model reads. */
function largestWeights() {
  const { weights, rows, n_items, n_users } = facts();
  const readers = weights.filter(({ shape }) => shape.includes(rows === "items" ? n_users : n_items));
  return (readers.length ? readers : weights).reduce((largest, other) => (size(other) > size(largest) ? other : largest));
}

const axes = (shape) => shape.map((length) => ({ [facts().n_users]: "users", [facts().n_items]: "items" }[length] ?? count(length))).join(" × ");

export const shapeText = ({ name, shape }) => `${name} ${shape.map(count).join(" × ") || "1"}`;

/** Places of the stages in a picture. `vertical` runs from top to bottom, for narrow screens. */
export class Geometry {
  constructor(stages, width, height, vertical) {
    Object.assign(this, { stages, width, height, vertical });
    const margin = vertical ? 30 : Math.min(84, width / 7);
    const length = vertical ? height : width;
    this.gap = (length - 2 * margin - THICKNESS) / (stages.length - 1);
    this.starts = stages.map((_, i) => margin + i * this.gap);
    this.room = vertical ? width - 8 : height - 52; // labels are below the layers
    this.widest = Math.max(...stages.map((stage) => stage.units));
  }

  /** Pixels across of a stage. */
  span(i) {
    return Math.max(6, this.room * Math.sqrt(this.stages[i].units / this.widest));
  }

  /** Where a share of a stage's units lies, in pixels across. */
  across(i, share) {
    return (this.vertical ? this.width : this.height - 44) / 2 + (share - 0.5) * this.span(i);
  }

  point(along, across) {
    return this.vertical ? [across, along] : [along, across];
  }

  /** The middle of a unit. */
  unit(i, unit) {
    return this.point(this.starts[i] + THICKNESS / 2, this.across(i, (unit + 0.5) / this.stages[i].units));
  }

  box(i, from, to, inset = 0) {
    const [a, b] = [this.across(i, from), this.across(i, to)];
    const [x, y] = this.point(this.starts[i] + inset, a);
    const [along, across] = [THICKNESS - 2 * inset, b - a];
    return this.vertical ? { x, y, width: across, height: along } : { x, y, width: along, height: across };
  }

  /** A smooth line through points. */
  curve(points) {
    return points.map(([x, y], i) => {
      if (!i) return `M${x.toFixed(1)} ${y.toFixed(1)}`;
      const [px, py] = points[i - 1];
      const bends = this.vertical ? [px, (py + y) / 2, x, (py + y) / 2] : [(px + x) / 2, py, (px + x) / 2, y];
      return `C${[...bends, x, y].map((value) => value.toFixed(1)).join(" ")}`;
    }).join("");
  }

  /** The line between the ends of two stages at a share of both. */
  stream(i, share) {
    const from = this.point(this.starts[i] + THICKNESS, this.across(i, share));
    return this.curve([from, this.point(this.starts[i + 1], this.across(i + 1, share))]);
  }

  /** The area between two stages. */
  band(i) {
    const back = this.curve([this.point(this.starts[i + 1], this.across(i + 1, 1)), this.point(this.starts[i] + THICKNESS, this.across(i, 1))]);
    return `${this.stream(i, 0)}L${back.slice(1)}Z`;
  }
}

/** The picture. Elements with `data-stage` are shown from that stage of the animation on. */
export function hourglass(geometry, { list }) {
  const { stages, width, height } = geometry;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `Layers of ${facts().model}, from the history to the scores` });
  stages.slice(1).forEach((_, i) => picture.append(svg("g", { class: "band", "data-stage": i + 2 },
    svg("path", { class: "ground", d: geometry.band(i) }), STREAMS.map((share) => svg("path", { class: "stream", d: geometry.stream(i, share) })))));
  picture.append(svg("g", { class: "links" }));
  stages.forEach((stage, i) => picture.append(svg("g", {
    class: stage.weights || stage.members ? "stage weights" : "stage", id: `stage-${i}`, "data-stage": i + 1, role: "button", tabindex: i ? -1 : 0, "aria-pressed": "false", "aria-label": stageLabel(stage),
  }, svg("rect", { class: "area", ...geometry.box(i, 0, 1, -10) }), svg("rect", { class: "frame", rx: 3, ...geometry.box(i, 0, 1) }), cells(geometry, stage, i, list))));
  picture.append(svg("g", { class: "paths" }));
  picture.append(svg("g", { "aria-hidden": "true" }, stages.map((stage, i) => svg("g", { "data-stage": i + 1 }, label(geometry, stage, i)))));
  return picture;
}

export function stageLabel({ key, title, units, layer, weights, members, marks }) {
  if (members) return `Blend of ${members.length} models`;
  if (weights) return `Weights ${shapeText(weights)}`;
  if (key === "output") return `Scores of ${count(units)} items`;
  if (key === "input") return marks.length || facts().rows === "users" ? `History: ${count(marks.length)} of ${count(units)} items` : `Row of an item: ${count(units)} users`;
  return `Layer ${title}: ${count(units)} units, ${percent(layer.near_zero)} near zero`;
}

function cells(geometry, stage, i, list) {
  const half = Math.max(0.7 / stage.units, TICK / 2 / geometry.span(i));
  const tick = (column, kind) => svg("rect", { class: kind, ...geometry.box(i, (column + 0.5) / stage.units - half, (column + 0.5) / stage.units + half) });
  if (stage.weights || stage.members) return [];
  if (stage.marks) return stage.marks.map((column) => tick(column, "seen"));
  const values = stage.values ?? stage.scores;
  if (!values.length) return []; // a hidden layer as wide as the catalogue
  const low = stage.scores ? Math.min(...values) : 0;
  const largest = Math.max(...values.map((value) => Math.abs(value - low))) || 1;
  const n = Math.max(1, Math.min(values.length, Math.floor(geometry.span(i) / CELL)));
  const strongest = (j) => values.slice(Math.floor((j * values.length) / n), Math.floor(((j + 1) * values.length) / n))
    .reduce((best, value) => (Math.abs(value - low) > Math.abs(best) ? value - low : best), 0);
  const shown = Array.from({ length: n }, (_, j) => {
    const value = strongest(j);
    return svg("rect", { class: stage.scores ? "score" : value < 0 ? "below" : "above", "fill-opacity": (Math.abs(value) / largest).toFixed(2), ...geometry.box(i, j / n, (j + 1) / n, 1) });
  });
  return stage.scores ? [...shown, list.map((item) => tick(item.column, item.held_out ? "pick right" : "pick"))] : shown;
}

function label(geometry, stage, i) {
  const { vertical, width, height, gap, starts } = geometry;
  const room = Math.floor((vertical ? width - 60 : gap - 8) / 6.2);
  const title = stage.title.length > room ? `${stage.title.slice(0, room - 1)}…` : stage.title;
  const size = stage.weights ? axes(stage.weights.shape) : stage.members ? `${stage.members.length} models` : count(stage.units);
  if (vertical) return svg("text", { x: width / 2, y: starts[i] - 7, "text-anchor": "middle" }, `${title} · ${size}`);
  const x = starts[i] + THICKNESS / 2;
  return [svg("text", { x, y: height - 24, "text-anchor": "middle" }, title), svg("text", { x, y: height - 8, "text-anchor": "middle", class: "size" }, size)];
}
