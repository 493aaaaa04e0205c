// Light, dark, or whatever the system has.

import { announce } from "./notices.js";

const NEXT = { system: "light", light: "dark", dark: "system" };

/** Let a button go through the themes. The choice is kept in this browser. */
export function themeButton(button) {
  const show = (theme) => {
    const name = `Theme: ${theme}`;
    button.setAttribute("aria-label", name);
    button.title = name;
  };
  const root = document.documentElement;
  show(root.dataset.theme ?? "system");
  button.addEventListener("click", () => {
    const theme = NEXT[root.dataset.theme ?? "system"];
    if (theme === "system") {
      delete root.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      root.dataset.theme = theme;
      localStorage.setItem("theme", theme);
    }
    show(theme);
    announce(`Theme: ${theme}`);
  });
}
