// Light and dark: the system's choice until the reader selects the other one.

import { $ } from "./dom.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";

/** Connects the button that changes the theme; `repaint` draws what does not follow the style sheet. */
export function addThemeButton(repaint) {
  const label = () => { $("theme").textContent = isDark() ? "Light theme" : "Dark theme"; };
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    label();
    repaint();
  });
  dark.addEventListener("change", () => { label(); repaint(); });
  label();
}
