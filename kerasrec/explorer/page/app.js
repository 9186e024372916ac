// The page of `kerasrec explore`: selects a history and a run, and shows the result and the steps.

import { $, count, el, entryValue } from "./dom.js";
import { addResultListeners, drawPicture, showResult } from "./result.js";
import { facts, get, isRatings, metricsOfRuns, modelName, post, readsHistory, saved, setQuestion, state } from "./state.js";
import { PIPELINE_STEPS } from "./steps.js";
import { MODEL_STEPS } from "./model_steps.js";
import { addThemeButton } from "./theme.js";

const STEPS = { ...PIPELINE_STEPS, ...MODEL_STEPS };
let rendering = 0; // number of the latest rendering, so that a late answer does not overwrite a newer page

const shownSteps = () => Object.keys(STEPS).filter((key) => STEPS[key].when?.() ?? true);

// ---- steps -----------------------------------------------------------------------------------------

/** Shows the current step; `focus` is the id of the element to focus. */
async function show(focus) {
  const current = ++rendering;
  const keys = shownSteps();
  if (!keys.includes(state.step)) state.step = "input";
  const place = keys.indexOf(state.step);
  const { title, show: content } = STEPS[state.step];
  $("steps").replaceChildren(...keys.map((key, i) => el("li", {}, el("button", {
    type: "button", "data-step": key, "aria-current": key === state.step ? "step" : null, onclick: () => go(key),
  }, `${i + 1} ${STEPS[key].title}`))));
  scrollToCurrent();
  $("back").disabled = place === 0;
  $("next").disabled = place === keys.length - 1;
  $("step-title").textContent = `${place + 1}. ${title}`;
  $("step").setAttribute("aria-busy", "true");
  const waiting = state.step === "losses" ? "Training two small models. This takes a few seconds, once …" : "Computing …";
  const slow = setTimeout(() => current === rendering && $("body").replaceChildren(el("p", { class: "note" }, waiting)), 300);
  const elements = await content(show).catch((error) => [errorMessage(error)]);
  clearTimeout(slow);
  if (current !== rendering) return;
  $("body").replaceChildren(...elements.flat(Infinity).filter((element) => element != null));
  $("step").setAttribute("aria-busy", "false");
  if (focus) $(focus)?.focus({ preventScroll: true });
  if (focus === "step" && $("step-title").getBoundingClientRect().top < $("steps").offsetHeight) $("pipeline").scrollIntoView();
}

/** Scrolls the list of steps, but not the page, to the current one. */
function scrollToCurrent() {
  const current = $("steps").querySelector("[aria-current]");
  $("steps").scrollLeft = current.offsetLeft - ($("steps").clientWidth - current.offsetWidth) / 2;
}

function errorMessage(error) {
  return el("p", { class: "error", role: "alert" }, error.message);
}

function go(key) {
  state.step = key;
  if (location.protocol !== "about:") history.replaceState(null, "", `#${key}`); // a notebook's cell has no address
  show("step");
}

function goBy(change) {
  const keys = shownSteps();
  const key = keys[keys.indexOf(state.step) + change];
  if (key) go(key);
}

// ---- the history -----------------------------------------------------------------------------------

/** Shows the question, and the current step for it. */
function showQuestion() {
  const { history: items, ratings, user } = state.question;
  const canEdit = readsHistory() && !saved;
  $("whose").textContent = user === null ? "New user" : `Test user ${user}`;
  $("build").hidden = !readsHistory();
  $("history-title").textContent = `History: ${count(items.length)} ${items.length === 1 ? "item" : "items"}`;
  $("history").replaceChildren(...items.map((item, i) => el("li", { "data-stage": 0 },
    el("button", { type: "button", class: "item", "data-column": item.column, "aria-pressed": "false" }, el("span", { class: "title" }, item.title),
      isRatings() ? el("span", { class: "n soft" }, entryValue(ratings[i] ?? facts().rating_range[1])) : null),
    canEdit ? el("button", { type: "button", class: "remove", "aria-label": `Remove ${item.title}`, onclick: () => removeItem(i) }, "×") : null)));
  showResult().catch((error) => $("detail").replaceChildren(errorMessage(error)));
  show();
}

function changeQuestion(question, message) {
  setQuestion(question);
  showQuestion();
  $("status").textContent = message;
}

function removeItem(place) {
  const { history: items, ratings, user } = state.question;
  changeQuestion({ history: items.toSpliced(place, 1), ratings: ratings.toSpliced(place, 1), user }, `${items[place].title} removed.`);
  ($("history").querySelectorAll(".remove")[place] ?? $("items")).focus();
}

function addItem(item) {
  const { history: items, ratings, user } = state.question;
  if (items.some((other) => other.id === item.id)) {
    $("status").textContent = `${item.title} is already in the history.`;
    return;
  }
  const rating = isRatings() ? Number($("rating").value) : null;
  changeQuestion({ history: [...items, item], ratings: [...ratings, rating], user }, `${item.title} added.`);
  closeSearch("items");
  $("items").focus();
}

async function selectUser(user) {
  const { history: items, ratings } = await get(`api/user?id=${encodeURIComponent(user)}`);
  closeSearch("users");
  changeQuestion({ history: items, ratings, user }, `Test user ${user} with ${count(items.length)} items.`);
}

function clearHistory() {
  changeQuestion({ history: [], ratings: [], user: null }, "The history is empty.");
  $("items").focus();
}

// ---- search ----------------------------------------------------------------------------------------

function closeSearch(box) {
  $(box).value = "";
  $(`${box}-results`).replaceChildren();
}

/** Searches while the reader types. Arrow keys move within the results, Enter selects, Escape closes. */
function addSearch(box, result) {
  const results = $(`${box}-results`);
  let latest = 0, running = null;
  const search = async () => {
    const current = ++latest;
    const text = $(box).value.trim();
    results.setAttribute("aria-busy", "true");
    const matches = text || box === "users" ? await get(`api/${box}?q=${encodeURIComponent(text)}`) : [];
    if (current !== latest) return;
    results.setAttribute("aria-busy", "false");
    if (text !== $(box).value.trim()) return; // a result was selected while the request was under way
    results.replaceChildren(...matches.map((match) => el("li", {}, result(match))));
    $("status").textContent = text ? `${count(matches.length)} results.` : "";
  };
  const start = () => { running = search().catch(showError); };
  $(box).addEventListener("input", start);
  if (box === "users") $(box).addEventListener("focus", () => $(box).value || start());
  $(box).addEventListener("keydown", async (event) => {
    if (event.key === "Escape") results.replaceChildren();
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    await running; // the results on screen may be those of the first letters only
    const first = results.querySelector("button");
    if (event.key === "Enter") first?.click(); else first?.focus();
  });
  results.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { results.replaceChildren(); $(box).focus(); }
    const sibling = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!sibling) return;
    event.preventDefault();
    (event.target.closest("li")[sibling]?.querySelector("button") ?? $(box)).focus();
  });
}

// ---- the page --------------------------------------------------------------------------------------

function selectRun(run) {
  state.run = run;
  state.layer = 0;
  const { data, protocol, n_items, n_users, rating_range: [low, high] } = facts();
  $("model").textContent = `How ${state.runs.map((_, i) => modelName(i)).join(" and ")} ${state.runs.length > 1 ? "recommend" : "recommends"}`;
  $("through-title").textContent = modelName(run);
  $("run").textContent = `${data}: ${count(n_users)} training users, ${count(n_items)} items; protocol ${protocol}. Test: ${metricsOfRuns()}.`;
  for (const id of ["rating", "rating-label"]) $(id).hidden = !isRatings();
  if (isRatings()) Object.assign($("rating"), { min: low, max: high, value: $("rating").value || high });
  showQuestion();
}

async function savePage() {
  $("status").textContent = "Collecting all answers …";
  const { html } = await post("save");
  const link = el("a", { href: URL.createObjectURL(new Blob([html], { type: "text/html" })), download: "kerasrec.html" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  $("status").textContent = "Saved as kerasrec.html.";
}

function showError(error) {
  $("status").textContent = error.message;
}

function addRunChoice() {
  $("models").hidden = false;
  $("models").append(...state.runs.map((_, run) => el("label", {},
    el("input", { type: "radio", name: "run", checked: run === 0, onchange: () => selectRun(run) }), ` ${modelName(run)}`)));
}

function addListeners() {
  addSearch("users", (user) => el("button", { type: "button", onclick: () => selectUser(user.id).catch(showError) }, `User ${user.id} · ${count(user.items)} items`));
  addSearch("items", (item) => el("button", { type: "button", onclick: () => addItem(item) }, `${item.title} · ${count(item.users)} users`));
  $("clear").addEventListener("click", clearHistory);
  $("save").addEventListener("click", () => savePage().catch(showError));
  $("back").addEventListener("click", () => goBy(-1));
  $("next").addEventListener("click", () => goBy(1));
  $("steps").addEventListener("keydown", (event) => {
    const change = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!change) return;
    event.preventDefault();
    const buttons = [...$("steps").querySelectorAll("button")];
    buttons[buttons.indexOf(document.activeElement) + change]?.focus();
  });
  let resized;
  window.addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(repaint, 200); });
  addResultListeners();
  addThemeButton(() => show());
}

function repaint() {
  drawPicture();
  show(document.activeElement?.id);
}

async function start() {
  const { runs, example } = saved ? saved.about : await get("api/about");
  state.runs = runs;
  state.step = location.hash.slice(1) || state.step;
  setQuestion(example);
  if (runs.length > 1) addRunChoice();
  if (saved) $("change").hidden = true;
  addListeners();
  selectRun(0);
}

start().catch((error) => $("body").replaceChildren(errorMessage(error)));
