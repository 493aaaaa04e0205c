// Dialogs. The browser keeps the focus inside, closes them with Escape, and gives the focus back.

import { button, el } from "./dom.js";

/** Open a dialog with a title; it is gone when it is closed. */
export function openDialog(title, className, ...content) {
  const close = button("", "close", { "aria-label": "Close", on: { click: () => dialog.close() } });
  const heading = el("h2", { id: "dialog-title" }, title);
  const dialog = el(
    "dialog",
    { class: `dialog ${className}`, "aria-labelledby": "dialog-title" },
    el("header", { class: "dialog-head" }, heading, close),
    el("div", { class: "dialog-body" }, ...content),
  );
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** A labelled field; `hint` is said with it. */
export function field(label, input, hint = "") {
  input.id ||= `field-${label.toLowerCase().replace(/\W+/g, "-")}`;
  const words = hint && el("p", { class: "hint", id: `${input.id}-hint` }, hint);
  if (hint) input.setAttribute("aria-describedby", words.id);
  return el("div", { class: "field" }, el("label", { for: input.id }, label), input, words);
}

/** A choice of one from several, as [value, label] pairs. */
export function select(options, attributes = {}) {
  return el("select", attributes, options.map(([value, label]) => el("option", { value }, label)));
}
