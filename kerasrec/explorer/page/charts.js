// Charts on canvases. A painter is a function of (context, width, height) in device pixels.

import { el } from "./dom.js";

/** A colour of style.css, for the theme of the page: the value of a custom property still has both themes. */
function colour(name) {
  document.body.style.caretColor = `var(${name})`;
  return getComputedStyle(document.body).caretColor;
}

/** A canvas that is painted as soon as it is on the page and has a size. */
export function canvas(label, paint, className = "") {
  const element = el("canvas", label ? { role: "img", "aria-label": label, class: className } : { "aria-hidden": "true", class: className });
  requestAnimationFrame(() => {
    const scale = window.devicePixelRatio || 1;
    element.width = Math.max(1, Math.round(element.clientWidth * scale));
    element.height = Math.max(1, Math.round(element.clientHeight * scale));
    paint(element.getContext("2d"), element.width, element.height);
  });
  return element;
}

/** One stripe for each unit: blue above zero, orange below, stronger colours for larger values. */
export function stripes(values) {
  return (context, width, height) => {
    const largest = Math.max(...values.map(Math.abs)) || 1;
    const [plus, minus] = [colour("--plus"), colour("--minus")];
    values.forEach((value, i) => {
      context.globalAlpha = Math.abs(value) / largest;
      context.fillStyle = value < 0 ? minus : plus;
      context.fillRect((i * width) / values.length, 0, Math.max(1, width / values.length), height);
    });
  };
}

/** The scores of all items. Observed ones are highlighted, or cut down to a mark if they are masked. */
export function scoreChart({ bins, observed }, masked = false) {
  return (context, width, height) => {
    const [low, high] = [Math.min(...bins), Math.max(...bins)];
    const highlighted = new Set(observed);
    const [soft, mark] = [colour("--soft"), colour("--mark")];
    const barWidth = Math.max(1, width / bins.length);
    bins.forEach((score, i) => {
      const isObserved = highlighted.has(i);
      const barHeight = high > low ? (height * (score - low)) / (high - low) : height / 2;
      const shown = isObserved ? (masked ? 4 : Math.max(4, barHeight)) : barHeight;
      context.fillStyle = isObserved ? mark : soft;
      context.fillRect((i * width) / bins.length, height - shown, Math.max(isObserved ? 2 : 1, barWidth), shown);
    });
  };
}

/** A mark for each of some columns among `n`. */
export function marks(n, columns) {
  return (context, width, height) => {
    context.fillStyle = colour("--mark");
    for (const column of columns) context.fillRect((column * width) / n, 0, 2 * (window.devicePixelRatio || 1), height);
  };
}

/** One bar for each value, up or down from zero. */
export function barChart(values) {
  return (context, width, height) => {
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const zero = (height * high) / (high - low || 1);
    const [plus, minus] = [colour("--plus"), colour("--minus")];
    values.forEach((value, i) => {
      const barHeight = (height * Math.abs(value)) / (high - low || 1);
      context.fillStyle = value < 0 ? minus : plus;
      context.fillRect((i * width) / values.length, value < 0 ? zero : zero - barHeight, Math.max(1, width / values.length - 1), barHeight);
    });
  };
}
