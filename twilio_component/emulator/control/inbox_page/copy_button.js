// "Copy" buttons.

import { button } from "./dom.js";
import { icon } from "./icons.js";
import { announce, handled } from "./notices.js";

const THANKED_FOR = 1500;

/** A button that copies `text` and says so. Without a label it needs `aria-label`. */
export function copyButton(label, text, attributes = {}) {
  const made = button(label, "copy", { class: "small", ...attributes });
  made.addEventListener("click", handled(async () => {
    await navigator.clipboard.writeText(text);
    announce("Copied");
    show(made, label && "Copied", "check");
    setTimeout(() => show(made, label, "copy"), THANKED_FOR);
  }));
  return made;
}

function show(made, label, iconName) {
  made.querySelector(".icon").replaceWith(icon(iconName));
  if (label) made.querySelector(".label").textContent = label;
}
