// Forget all messages, after a second look.

import { remove } from "./api.js";
import { button, el } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { handled } from "./notices.js";

export function askToClear() {
  const yes = button("Clear all messages", "trash", { class: "danger" });
  const no = button("Keep them", null);
  const dialog = openDialog(
    "Clear all messages?",
    "narrow",
    el("p", {}, "Messages, requests and webhooks are forgotten. Numbers, opt-outs and what is switched on stay."),
    el("div", { class: "dialog-actions" }, no, yes),
  );
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", handled(async () => {
    await remove("/messages");
    dialog.close();
  }));
  no.focus();
}
