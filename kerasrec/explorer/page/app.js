// The page of `kerasrec explore`. All figures are the server's; a saved page holds its answers.

const saved = JSON.parse(document.getElementById("saved")?.textContent ?? "null");
const $ = (id) => document.getElementById(id);
const state = { runs: [], run: 0, question: { history: [], ratings: [], user: null }, step: "input", layer: 0, seed: 0, loss: "masked" };
let answers = {}; // of the present question: "explain 0" → promise
let drawn = {}; // item → how often in how many drawn lists
let turn = 0; // counts renderings, so that a late answer does not overwrite a newer page

async function get(path) {
  return read(await fetch(path));
}

async function read(response) {
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function post(name, more = {}) {
  const { history, ratings, user } = state.question;
  const body = { history: history.map((item) => item.id), ratings, user, ...more };
  return fetch(`api/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).then(read);
}

function ask(name, run = state.run) {
  const key = `${name} ${run}`;
  if (saved) return key in saved.answers ? Promise.resolve(saved.answers[key]) : Promise.reject(new Error("This is not in the saved page."));
  return (answers[key] ??= post(name, { run, seed: state.seed }));
}

// ---- building the page: text only, so no title can be markup -------------------------------------

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null));
  return made;
}

const count = (n) => n.toLocaleString("en");
const number = (x) => (Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 1 ? x.toFixed(2) : x.toFixed(3));
const signed = (x) => (x > 0 ? "+" : "") + number(x);
const percent = (x) => `${(100 * x).toFixed(x < 0.1 && x > 0 ? 1 : 0)} %`;

function table(caption, heads, rows) {
  const numeric = (head) => (head.startsWith("#") ? { class: "n" } : {});
  return el("div", { class: "scroll", tabindex: rows.length > 12 ? "0" : null, role: rows.length > 12 ? "region" : null, "aria-label": rows.length > 12 ? caption : null },
    el("table", {}, el("caption", {}, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", ...numeric(head) }, head.replace("#", ""))))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, i) => el("td", numeric(heads[i]), cell)))))));
}

function bars(rows, largest, short = false) {
  return el("ul", { class: short ? "bars short" : "bars" }, rows.map(([label, value, text]) =>
    el("li", {}, el("span", {}, label),
      width(el("span", { class: value < 0 ? "bar minus" : "bar" }), (100 * Math.abs(value)) / (largest || 1)), el("span", { class: "n" }, text))));
}

function width(element, share) {
  element.style.width = `${share}%`; // by the object model, which the page's policy lets pass
  return element;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A canvas that is drawn once it is on the page and has a size. */
function canvas(label, paint, className = "") {
  const made = el("canvas", label ? { role: "img", "aria-label": label, class: className } : { "aria-hidden": "true", class: className });
  requestAnimationFrame(() => {
    const scale = window.devicePixelRatio || 1;
    made.width = Math.max(1, Math.round(made.clientWidth * scale));
    made.height = Math.max(1, Math.round(made.clientHeight * scale));
    paint(made.getContext("2d"), made.width, made.height);
  });
  return made;
}

/** One stripe a unit: blue above zero, orange below, the fuller the stronger. */
function strip(values) {
  return (context, w, h) => {
    const largest = Math.max(...values.map(Math.abs)) || 1;
    const [plus, minus] = [colour("--plus"), colour("--minus")];
    values.forEach((value, i) => {
      context.globalAlpha = Math.abs(value) / largest;
      context.fillStyle = value < 0 ? minus : plus;
      context.fillRect((i * w) / values.length, 0, Math.max(1, w / values.length), h);
    });
  };
}

/** The reconstructed row, the observed entries marked from top to bottom or hidden. */
function row(strokes, observed, hide = false) {
  return (context, w, h) => {
    const [low, high] = [Math.min(...strokes), Math.max(...strokes)];
    const own = new Set(observed);
    const [soft, mark] = [colour("--soft"), colour("--mark")];
    const wide = Math.max(1, w / strokes.length);
    strokes.forEach((value, i) => {
      const tall = (h * (value - low)) / (high - low || 1);
      if (own.has(i)) {
        context.fillStyle = mark;
        if (hide) context.fillRect((i * w) / strokes.length, h - 4, Math.max(2, wide), 4);
        else context.fillRect((i * w) / strokes.length, h - tall, Math.max(2, wide), tall);
      } else {
        context.fillStyle = soft;
        context.fillRect((i * w) / strokes.length, h - tall, wide, tall);
      }
    });
  };
}

function sparse(n, columns) {
  return (context, w, h) => {
    context.fillStyle = colour("--mark");
    for (const column of columns) context.fillRect((column * w) / n, 0, 2 * (window.devicePixelRatio || 1), h);
  };
}

// ---- the steps -----------------------------------------------------------------------------------

const facts = () => state.runs[state.run];
const isRatings = () => facts().feedback === "ratings";

const STEPS = {
  input: {
    title: "Input",
    async show() {
      const { history, values, unknown } = await ask("explain");
      const n = facts().n_items;
      return [
        el("p", {}, `The row of the interaction matrix: ${count(n)} entries, ${count(history.length)} observed (${percent(history.length / n)}). Everything else is unknown, which is not the same as disliked.`),
        canvas(`${history.length} marks among ${n} columns`, sparse(n, history.map((item) => item.column)), "strip"),
        el("p", { class: "soft" }, "Each mark is an observed entry, in the order of the catalogue."),
        unknown.length ? el("p", { class: "note" }, `Not in the catalogue and ignored: ${unknown.join(", ")}`) : null,
        table("The observed entries", ["Title", "#column", "#value"], history.map((item, i) => [item.title, count(item.column), number(values[i])])),
      ];
    },
  },
  layers: {
    title: "Layers",
    async show() {
      const [{ layers, row: made, history }, why] = await Promise.all([ask("explain"), ask("why")]);
      if (!layers.length) return [el("p", {}, "This model has no hidden layers to look into for one user: its scores follow from the input and one matrix of weights."), el("p", {}, "Go on to the reconstruction.")];
      const n = facts().n_items;
      const own = layers[state.layer] ?? layers[0];
      const detail = el("div", { id: "layer", role: "region", "aria-label": `Layer ${own.name}` }, layerDetail(own, why));
      const bar = (name, units, paint, i) =>
        el("div", { class: "layer" }, el("span", {}, `${name} · ${count(units)}`),
          barButton(units / n, i === undefined ? { disabled: true, "aria-label": `${name}, ${units} wide` } : {
            "aria-pressed": String(layers[i] === own),
            "aria-label": `Layer ${name}, ${units} units`,
            onclick: () => { state.layer = i; show(`layer-${i}`); },
            id: `layer-${i}`,
          }, paint));
      return [
        el("p", {}, "Width is dimension. Each stripe is a unit: blue above zero, orange below. Choose a layer to see what it does to this user."),
        bar("input", n, sparse(n, history.map((item) => item.column))),
        layers.map((layer, i) => bar(layerName(layer), layer.units, layer.values.length ? strip(layer.values) : row(made.strokes, made.observed), i)),
        detail,
      ];
    },
  },
  code: {
    title: "Code z",
    async show() {
      const { layers } = await ask("explain");
      const code = layers.find((layer) => layer.code);
      if (!code) return [el("p", {}, "This model has no code: it goes from items to items directly.")];
      const order = code.values.map((value, i) => [i, value]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 12);
      return [
        el("p", {}, `All that the decoder will know of this user: ${count(code.units)} numbers${code.name === "mean" ? ", the mean μ of q(z | x)" : ""}, from ${number(code.lowest)} to ${number(code.highest)}; ${percent(code.quiet)} of them near zero.`),
        canvas(`${code.units} values of the code`, columns(code.values)),
        el("h3", {}, "The strongest"),
        bars(order.map(([i, value]) => [`z${i}`, value, signed(value)]), Math.abs(order[0]?.[1] ?? 1), true),
      ];
    },
  },
  reconstruction: {
    title: "Reconstruction",
    async show() {
      const { row: made, list } = await ask("explain");
      const n = facts().n_items;
      const each = made.strokes.length < n ? `Each stroke is the highest of about ${Math.round(n / made.strokes.length)} neighbouring items.` : "Each stroke is an item.";
      return [
        el("p", {}, `From the code comes a score for every one of the ${count(n)} items: ${isRatings() ? "the predicted rating" : "the higher, the likelier to be liked next"}. The sparse row has become dense.`),
        canvas(`Scores of all items from ${number(Math.min(...made.strokes))} to ${number(Math.max(...made.strokes))}`, row(made.strokes, made.observed)),
        el("p", { class: "soft" }, el("span", { class: "key mark" }), " observed  ", el("span", { class: "key" }), ` filled in. ${each}`),
        list.length ? el("p", {}, `The highest that is new to the user: ${list[0].title}, ${number(list[0].score)}.`) : null,
      ];
    },
  },
  observed: {
    title: "Observed or filled in",
    async show() {
      const { observed, filled, error } = await ask("explain");
      const loss = {
        "squared error": isRatings() ? "The masked loss sums the squared errors of these entries and of no others." : "What the loss says of each of these entries.",
        "-log softmax": "Only these entries stand in the sum of the loss: the negative log of the probability that the model gives each of them, among all items.",
      }[error];
      return [
        el("div", { class: "two" },
          el("div", {}, el("h3", {}, `Observed: ${count(observed.length)}`), el("p", {}, loss),
            table("Observed entries", isRatings() ? ["Title", "#given", "#made", "#error²"] : ["Title", "#place", "#score", "#error"],
              observed.map((item) => [item.title, isRatings() ? number(item.value) : count(item.place), number(item.score), number(item.error)]))),
          el("div", {}, el("h3", {}, "Filled in: all others"), el("p", {}, "Nobody told the model these. The highest of them are what it recommends."),
            table("The highest of the filled in", ["Title", "#score"], filled.map((item) => [item.title, number(item.score)])))),
      ];
    },
  },
  mask: {
    title: "Mask",
    async show() {
      const { row: made, masked } = await ask("explain");
      return [
        el("p", {}, "What was observed gets the score -∞, so that nothing comes back that the user has seen. Zero would not do: scores may be negative."),
        canvas("Scores of all items, the observed ones taken out", row(made.strokes, made.observed, true)),
        table("Taken out, by the place that each would have had", ["Title", "#place", "#score", "#masked"], masked.map((item) => [item.title, count(item.place), number(item.score), "-∞"])),
      ];
    },
  },
  list: {
    title: "Top 10",
    async show() {
      const [{ list }, why] = await Promise.all([ask("explain"), ask("why")]);
      return [
        el("p", {}, "The exported graph's own answer, as a server gives it. Below each item the ones of the history that raise its score most, found by asking again without each",
          !facts().serving_inputs.includes("history") ? " (not for this model, which is asked by user)." : why.left_out < state.question.history.length ? `, of the last ${why.left_out}.` : "."),
        ranked(list, why),
        list.some((item) => item.held_out) ? el("p", { class: "soft" }, el("span", { class: "hit" }, "✓ held out"), " marks what this test user really chose, which the model was not shown.") : null,
      ];
    },
  },
  draws: {
    title: "Draw z again",
    when: () => facts().draws,
    async show() {
      const { lists, items, sigma } = await ask("draws");
      const again = el("button", { type: "button", id: "again", disabled: Boolean(saved), onclick: () => {
        state.seed += 1;
        for (const key of Object.keys(answers)) if (key.startsWith("draws")) delete answers[key];
        show("again");
      } }, "Draw 20 more");
      for (const list of drawn.seen === state.seed ? [] : lists) {
        drawn.lists = (drawn.lists ?? 0) + 1;
        for (const item of list) (drawn.items ??= {})[item.id] = { item, n: ((drawn.items ?? {})[item.id]?.n ?? 0) + 1 };
      }
      drawn.seen = state.seed;
      const means = new Set(items.filter((item) => item.of_mean).map((item) => item.id));
      const rows = Object.values(drawn.items ?? {}).sort((a, b) => b.n - a.n).slice(0, 20);
      return [
        el("p", {}, `The code is a distribution: μ with a spread of σ ≈ ${number(sigma)}. The list shown elsewhere is that of μ. Here z is drawn anew for each list: items that stay are those the model is sure of.`),
        again,
        el("h3", {}, `In how many of ${drawn.lists} drawn lists`),
        bars(rows.map(({ item, n }) => [(means.has(item.id) ? "● " : "") + item.title, n / drawn.lists, percent(n / drawn.lists)]), 1),
        el("p", { class: "soft" }, "● is in the list of μ."),
      ];
    },
  },
  prefixes: {
    title: "Item by item",
    when: () => facts().ordered,
    async show() {
      const { steps, before } = await ask("prefixes");
      return [
        el("p", {}, `This model reads the history in order. After each item, the first three of the list${before ? ` (the last ${steps.length - 1} items)` : ""}:`),
        table("The list after each item", ["After", "1", "2", "3"], steps.map((step) => [step.after?.title ?? "nothing", ...[0, 1, 2].map((i) => step.list[i]?.title ?? "")])),
      ];
    },
  },
  weights: {
    title: "Weights",
    when: () => facts().weights,
    async show() {
      const { list, least } = await ask("weights");
      const largest = Math.max(...[...list, ...least].flatMap((item) => item.weights.map(({ weight }) => Math.abs(weight))));
      const part = (item) => [el("h3", {}, `${item.title}: ${number(item.score)}`), bars(item.weights.map(({ title, weight }) => [title, weight, signed(weight)]), largest)];
      return [
        el("p", {}, "The score of an item is the sum of the weights that the history's items have for it: positive ones (blue) speak for it, negative ones (orange) against. Negative weights are a large part of why this model is good."),
        el("div", { class: "two" }, el("div", {}, el("h3", {}, "Recommended"), list.slice(0, 5).map(part)), el("div", {}, el("h3", {}, "Least of all"), least.map(part))),
      ];
    },
  },
  losses: {
    title: "Why mask the loss",
    async show() {
      const found = await ask("losses");
      const choose = (name, text) => el("button", { type: "button", id: `loss-${name}`, "aria-pressed": String(state.loss === name), onclick: () => { state.loss = name; show(`loss-${name}`); } }, text);
      const of = found.means[state.loss];
      const text = state.loss === "masked"
        ? (isRatings() ? "Only observed entries are in the loss. Unknown entries are free, and get a rating like any other." : "Only observed entries are in the loss, and here every one of them is a 1: the model learns to answer 1 to everything. That is why models of likes let items compete (softmax) or count unseen ones as well.")
        : `Every entry is in the loss, the unknown ones as 0. As ${percent(1 - found.share_observed)} are unknown, the best answer is close to 0 everywhere: the reconstruction collapses.`;
      const [low, high] = found.bounds;
      const histogram = found.histograms[state.loss];
      return [
        el("p", {}, `The same small autoencoder, trained twice on the ${count(found.n_items)} most popular items; the loss is all that differs.`),
        el("div", { class: "choice", role: "group", "aria-label": "Loss" }, choose("masked", "Masked loss"), choose("plain", "Plain MSE")),
        el("p", { role: "status" }, text),
        el("h3", {}, "Reconstructed values of all entries"),
        canvas(`Histogram from ${low} to ${number(high)}; mean ${number(of.unobserved)} where not observed`, columns(histogram)),
        el("p", { class: "soft" }, `from ${low} on the left to ${number(high)} on the right; mean ${of.observed === null ? "–" : number(of.observed)} where observed, ${number(of.unobserved)} elsewhere`),
        table("Observed entries of this user", ["Title", "#given", "#masked loss", "#plain MSE"], found.entries.slice(0, 12).map((item) => [item.title, number(item.value), number(item.masked), number(item.plain)])),
      ];
    },
  },
  compare: {
    title: "Two models",
    when: () => state.runs.length > 1,
    async show() {
      const both = await Promise.all([0, 1].map((run) => ask("explain", run)));
      const places = both.map(({ list }) => new Map(list.map((item, i) => [item.id, i + 1])));
      const shared = [...places[0].keys()].filter((id) => places[1].has(id)).length;
      return [
        el("p", {}, `The same history, two answers: ${shared} of ${Math.max(both[0].list.length, both[1].list.length)} items are in both lists.`),
        el("div", { class: "two" }, both.map(({ list }, run) =>
          el("div", {}, el("h3", {}, name(run)), table(figures(run), ["#no.", "Title", "#in the other"], list.map((item, i) => {
            const there = places[1 - run].get(item.id);
            return [String(i + 1), item.title, there ? `${there}.` : "–"];
          }))))),
      ];
    },
  },
};

function barButton(share, attributes, paint) {
  return width(el("button", { type: "button", ...attributes }, canvas("", paint)), 100 * share);
}

function layerName(layer) {
  return { mean: "mean μ (the code)", log_var: "log σ²" }[layer.name] ?? layer.name.replace("_", " ") + (layer.code ? " (the code)" : "");
}

function layerDetail(layer, why) {
  const units = (why.units[layer.name] ?? []).slice(0, 5);
  const outputs = layer.units === facts().n_items;
  return [
    el("h3", {}, `${layerName(layer)}: ${count(layer.units)} units (${layer.kind})`),
    el("p", {}, `From ${number(layer.lowest)} to ${number(layer.highest)}; ${percent(layer.quiet)} near zero (below 5 % of the strongest).`),
    units.length ? table(outputs ? "The strongest outputs, and the history items that move them" : "The most active units, and the history items that drive them: how much each changes the unit", ["#unit", "#activation", "Driven by"],
      units.map((unit) => [String(unit.unit), signed(unit.value), unit.drivers.map((item) => `${item.title} (${signed(item.change)})`).join("; ")])) : el("p", { class: "note" }, "An empty history drives nothing."),
  ];
}

function columns(values) {
  return (context, w, h) => {
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const zero = (h * high) / (high - low || 1);
    const [plus, minus] = [colour("--plus"), colour("--minus")];
    values.forEach((value, i) => {
      const tall = (h * Math.abs(value)) / (high - low || 1);
      context.fillStyle = value < 0 ? minus : plus;
      context.fillRect((i * w) / values.length, value < 0 ? zero : zero - tall, Math.max(1, w / values.length - 1), tall);
    });
  };
}

function ranked(list, why) {
  return table("Best first", ["#no.", "Title, and why", "#score"], list.map((item, i) => [
    String(i + 1),
    el("div", {}, item.title, item.held_out ? el("span", { class: "hit" }, " ✓ held out") : null,
      el("ul", { class: "why" }, (why.reasons[item.column] ?? []).map((reason) => el("li", {}, `${reason.title} (${signed(reason.change)})`)))),
    number(item.score),
  ]));
}

function name(run) {
  const { model, name: folder } = state.runs[run];
  return state.runs.filter((other) => other.model === model).length > 1 ? `${model} (${folder})` : model;
}

function figures(run) {
  return Object.entries(state.runs[run].test).map(([metric, [mean, error]]) => `${spelled(metric)} ${mean.toFixed(4)} ± ${error.toFixed(4)}`).join(", ");
}

/** `ndcg_100` as NDCG@100. */
function spelled(metric) {
  const [, family, k] = metric.match(/^(.*)_(\d+)$/) ?? [null, metric, ""];
  return ({ recall: "Recall" }[family] ?? family.toUpperCase().replace("_", " ")) + (k && `@${k}`);
}

// ---- showing ---------------------------------------------------------------------------------------

const steps = () => Object.keys(STEPS).filter((key) => STEPS[key].when?.() ?? true);

/** Shows the present step; `focus` names what had the focus, or is the heading after a change of step. */
async function show(focus) {
  const mine = ++turn;
  if (!steps().includes(state.step)) state.step = "input";
  const here = steps().indexOf(state.step);
  $("steps").replaceChildren(...steps().map((key, i) => el("li", {}, el("button", {
    type: "button", "data-step": key, "aria-current": key === state.step ? "step" : null, onclick: () => go(key),
  }, `${i + 1} ${STEPS[key].title}`))));
  $("steps").querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  $("back").disabled = here === 0;
  $("next").disabled = here === steps().length - 1;
  $("step-title").textContent = `${here + 1}. ${STEPS[state.step].title}`;
  $("step").setAttribute("aria-busy", "true");
  const slow = setTimeout(() => mine === turn && $("body").replaceChildren(el("p", { class: "note" }, state.step === "losses" ? "Two small models are being trained, which takes seconds, once …" : "…")), 300);
  let body;
  try {
    body = await STEPS[state.step].show();
  } catch (error) {
    body = [el("p", { class: "error", role: "alert" }, error.message)];
  }
  clearTimeout(slow);
  if (mine !== turn) return;
  $("body").replaceChildren(...body.flat(3).filter((part) => part != null));
  $("step").setAttribute("aria-busy", "false");
  if (focus === "step") $("step").focus({ preventScroll: true });
  else if (focus) $(focus)?.focus({ preventScroll: true });
}

function go(key) {
  state.step = key;
  history.replaceState(null, "", `#${key}`);
  show("step");
}

function turnBy(change) {
  const key = steps()[steps().indexOf(state.step) + change];
  if (key) go(key);
}

/** Takes another question: nothing known of the last one holds. */
function changed() {
  answers = {};
  drawn = {};
  state.seed = 0;
  const { history, user } = state.question;
  const byUser = !facts().serving_inputs.includes("history");
  $("whose").textContent = user === null ? "Whose list: somebody new" : `Whose list: test user ${user}${byUser ? ", whose row the model knows" : ""}`;
  $("build").hidden = byUser;
  $("history-title").textContent = `History: ${count(history.length)} ${history.length === 1 ? "item" : "items"}`;
  $("history").replaceChildren(...history.map((item, i) => el("li", {}, item.title, isRatings() ? el("span", { class: "soft" }, ` ${number(state.question.ratings[i] ?? facts().range[1])}`) : null,
    saved || byUser ? null : el("button", { type: "button", "aria-label": `Remove ${item.title}`, onclick: () => remove(i) }, "×"))));
  show();
}

function remove(i) {
  const [gone] = state.question.history.splice(i, 1);
  state.question.ratings.splice(i, 1);
  changed();
  $("found").textContent = `${gone.title} removed.`;
  ($("history").querySelectorAll("button")[i] ?? $("items")).focus();
}

function add(item) {
  if (state.question.history.some((other) => other.id === item.id)) {
    $("found").textContent = `${item.title} is in the history already.`;
    return;
  }
  state.question.history.push(item);
  state.question.ratings.push(isRatings() ? Number($("rating").value) : null); // null: not said, so the highest
  $("items").value = "";
  $("items-found").replaceChildren();
  changed();
  $("found").textContent = `${item.title} added.`;
  $("items").focus();
}

async function pick(user) {
  const known = await get(`api/user?id=${encodeURIComponent(user)}`);
  state.question = { history: known.history, ratings: known.ratings, user: known.user };
  $("users").value = "";
  $("users-found").replaceChildren();
  changed();
  $("found").textContent = `User ${user} with ${known.history.length} items.`;
}

function searching(box, path, entry) {
  let latest = 0, running = null;
  const search = async () => {
    const mine = ++latest;
    const text = $(box).value.trim();
    $(`${box}-found`).setAttribute("aria-busy", "true");
    const found = text || box === "users" ? await get(`api/${path}?q=${encodeURIComponent(text)}`) : [];
    if (mine !== latest) return;
    $(`${box}-found`).setAttribute("aria-busy", "false");
    if (text !== $(box).value.trim()) return; // one was chosen meanwhile
    $(`${box}-found`).replaceChildren(...found.map((one) => el("li", {}, entry(one))));
    $("found").textContent = text ? `${found.length || "Nothing"} found.` : "";
  };
  const find = () => { running = search(); };
  $(box).addEventListener("input", find);
  if (box === "users") $(box).addEventListener("focus", () => $(box).value || find());
  $(box).addEventListener("keydown", async (event) => {
    if (event.key === "Escape") $(`${box}-found`).replaceChildren();
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    await running; // what was found for the first letters would be replaced under the reader's fingers
    const first = $(`${box}-found`).querySelector("button");
    if (event.key === "Enter") first?.click(); else first?.focus();
  });
  $(`${box}-found`).addEventListener("keydown", (event) => {
    const way = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (event.key === "Escape") { $(`${box}-found`).replaceChildren(); $(box).focus(); }
    if (!way) return;
    event.preventDefault();
    (event.target.closest("li")[way]?.querySelector("button") ?? $(box)).focus();
  });
}

function choose(run) {
  state.run = run;
  state.layer = 0;
  $("model").textContent = name(run);
  const { data, protocol, n_items: items, n_users: users } = facts();
  $("run").textContent = `${data}: ${count(users)} training users, ${count(items)} items; ${protocol}. On test: ${figures(run)}.`;
  const [low, high] = facts().range;
  for (const id of ["rating", "rating-label"]) $(id).hidden = !isRatings();
  if (isRatings()) Object.assign($("rating"), { min: low, max: high, value: $("rating").value || high });
  changed();
}

async function save() {
  $("found").textContent = "Collecting all answers …";
  const { html } = await post("save");
  const link = el("a", { href: URL.createObjectURL(new Blob([html], { type: "text/html" })), download: "kerasrec.html" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  $("found").textContent = "Saved as kerasrec.html.";
}

function failed(error) {
  $("found").textContent = error.message;
}

async function begin() {
  const about = saved ? saved.about : await get("api/about");
  state.runs = about.runs;
  state.step = location.hash.slice(1) || state.step;
  if (window.innerWidth < 832) $("who").open = false; // there it would stand between the reader and the steps
  state.question = { history: about.somebody.history, ratings: about.somebody.ratings, user: about.somebody.user };
  if (state.runs.length > 1) {
    $("models").hidden = false;
    $("models").append(...state.runs.map((_, run) => el("label", {}, el("input", { type: "radio", name: "run", checked: run === 0, onchange: () => choose(run) }), ` ${name(run)}`)));
  }
  if (saved) for (const id of ["search", "save"]) $(id).hidden = true;
  searching("users", "users", (user) => el("button", { type: "button", onclick: () => pick(user.id).catch(failed) }, `User ${user.id} · ${count(user.items)} items`));
  searching("items", "items", (item) => el("button", { type: "button", onclick: () => add(item) }, `${item.title} · ${count(item.users)} users`));
  $("clear").addEventListener("click", () => { state.question = { history: [], ratings: [], user: null }; changed(); $("items").focus(); });
  $("save").addEventListener("click", () => save().catch(failed));
  $("back").addEventListener("click", () => turnBy(-1));
  $("next").addEventListener("click", () => turnBy(1));
  $("steps").addEventListener("keydown", (event) => {
    const change = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!change) return;
    event.preventDefault();
    const all = [...$("steps").querySelectorAll("button")];
    all[all.indexOf(document.activeElement) + change]?.focus();
  });
  choose(0);
}

begin().catch((error) => $("body").replaceChildren(el("p", { class: "error", role: "alert" }, error.message)));
let settled;
window.addEventListener("resize", () => { clearTimeout(settled); settled = setTimeout(() => show(document.activeElement?.id), 200); });
