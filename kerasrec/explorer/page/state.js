// What the page shows, and the server's answers. A saved page contains its answers and needs no server.

import { $ } from "./dom.js";

export const saved = JSON.parse($("saved")?.textContent ?? "null");
export const state = { runs: [], run: 0, question: { history: [], ratings: [], user: null }, step: "input", layer: 0, loss: "masked", draws: newDraws() };
let answers = {}; // to the current question: "explain 0" → promise

export const facts = () => state.runs[state.run];
export const isRatings = () => facts().feedback === "ratings";
export const readsHistory = () => facts().serving_inputs.includes("history");

/** Replaces the question, and forgets the answers to the last one. */
export function setQuestion(question) {
  state.question = question;
  state.draws = newDraws();
  answers = {};
}

function newDraws() {
  return { seed: 0, countedSeed: null, n_lists: 0, items: new Map() };
}

export function drawAgain() {
  state.draws.seed += 1;
  for (const key of Object.keys(answers)) if (key.startsWith("draws")) delete answers[key];
}

/** The answer of a run to a question of the server, `explain` for example. */
export function ask(name, run = state.run) {
  const key = `${name} ${run}`;
  if (saved) return key in saved.answers ? Promise.resolve(saved.answers[key]) : Promise.reject(new Error("The saved page does not contain this answer."));
  return (answers[key] ??= post(name, { run, seed: state.draws.seed }));
}

export async function get(path) {
  return read(await fetch(path));
}

export async function post(name, more = {}) {
  const { history, ratings, user } = state.question;
  const body = JSON.stringify({ history: history.map((item) => item.id), ratings, user, ...more });
  return read(await fetch(`api/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body }));
}

async function read(response) {
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** The model of a run, with its folder if both runs have the same model. */
export function modelName(run) {
  const { model, name: folder } = state.runs[run];
  return state.runs.filter((other) => other.model === model).length > 1 ? `${model} (${folder})` : model;
}

/** The test metrics with standard errors, of both runs if there are two. */
export function metricsOfRuns() {
  return state.runs.map((_, run) => (state.runs.length > 1 ? `${modelName(run)} ` : "") + metricsText(run)).join("; ");
}

function metricsText(run) {
  return Object.entries(state.runs[run].test).map(([metric, [mean, error]]) => `${metricName(metric)}\u00a0${mean.toFixed(4)}\u00a0±\u00a0${error.toFixed(4)}`).join(", ");
}

/** `ndcg_100` as NDCG@100. */
function metricName(metric) {
  const [, family, k] = metric.match(/^(.*)_(\d+)$/) ?? [null, metric, ""];
  return ({ recall: "Recall" }[family] ?? family.toUpperCase().replace("_", " ")) + (k && `@${k}`);
}
