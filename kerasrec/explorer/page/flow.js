// The animation: a list appears stage by stage, from the history to the recommendations.

import { $, el } from "./dom.js";

const PAUSE = 1300; // milliseconds between stages

/** Buttons that show the elements with `data-stage` in `root` up to a stage; `texts` has one sentence for each stage. */
export class Flow {
  constructor(root, texts) {
    Object.assign(this, { root, texts, stage: texts.length - 1, timer: null });
    this.play = el("button", { type: "button", id: "play", onclick: () => this.toggle() });
    this.back = el("button", { type: "button", "aria-label": "Stage back", onclick: () => this.step(-1) }, "‹");
    this.next = el("button", { type: "button", "aria-label": "Stage forward", onclick: () => this.step(1) }, "›");
    this.text = el("p", { id: "stage-text", "aria-live": "polite" });
    this.element = el("div", { class: "flow" }, el("div", { class: "choice", role: "group", "aria-label": "Animation" }, this.play, this.back, this.next), this.text);
    this.show(this.stage);
  }

  show(stage) {
    this.stage = stage;
    const last = this.texts.length - 1;
    for (const element of this.root.querySelectorAll("[data-stage]")) {
      const own = Math.min(Number(element.dataset.stage), last);
      element.classList.toggle("pending", own > stage);
      element.classList.toggle("active", own === stage && (stage < last || this.timer !== null));
    }
    this.play.textContent = this.timer === null ? "▶ Play" : "❚❚ Pause";
    this.back.disabled = stage === 0;
    this.next.disabled = stage === last;
    this.text.textContent = this.texts[stage];
  }

  step(change) {
    this.stop();
    this.show(this.stage + change);
    if (document.activeElement === document.body) this.play.focus(); // the button at an end is disabled
  }

  toggle() {
    if (this.timer !== null) return this.stop();
    const last = this.texts.length - 1;
    this.timer = setInterval(() => {
      this.show(this.stage + 1);
      if (this.stage === last) this.stop();
    }, PAUSE);
    this.show(this.stage === last ? 0 : this.stage);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.show(this.stage);
  }
}

/** Stops the animation of the last result. */
export function stopFlow(flow) {
  if (flow) clearInterval(flow.timer);
  $("flow").replaceChildren();
}
