// What can be done with a run, each after a question.

import { get, post } from "./api.js";
import { button, el } from "./dom.js";
import { field, openDialog, select } from "./dialogs.js";
import { count } from "./format.js";
import { refreshNow } from "./live.js";
import { announce, complain } from "./notices.js";

// Of each action: its button, the question, what is said when it is done, and whether it is one to think about.
const ACTIONS = {
  pause: ["Pause", "pause", "Pause this run? It stops before its next step, and can be resumed. A request that is under way is completed.", "paused"],
  resume: ["Resume", "play", "Resume this run? It continues where it was stopped.", "resumed"],
  release: ["Release", "play", "Try the waiting messages of this run now? Everything that waits for the same connection or sender is tried too.", "released"],
  cancel: ["Cancel", "stop", "Cancel this run? It stops before its next step. A request that is under way is not aborted.", "cancelled", true],
  retry: ["Retry", "retry", "Run this again from the step that failed, or the items of its list that failed? What was done before is not done again.", "begun again"],
  resolve: ["Resolve", "check", "Mark the unknown outcome as resolved? Nothing is sent. Choose this if the message was sent, or does not matter any more.", "resolved"],
  resend: ["Resend", "send", "Send again what may have been sent? Look for the message in Twilio's console first. Choose this only if it was not sent: otherwise somebody gets it twice.", "begun again, to send", true],
};

/** The buttons for what a run's state allows. */
export function actionButtons(run) {
  return run.actions.map((action) => {
    const [label, iconName, , , isGrave] = ACTIONS[action];
    return button(label, iconName, { "data-key": `action ${action}`, class: isGrave ? "danger" : action === run.actions[0] ? "primary" : "", "aria-haspopup": "dialog", on: { click: () => ask(run, action) } });
  });
}

function ask(run, action) {
  const [label, iconName, question, done, isGrave] = ACTIONS[action];
  const definition = action === "retry" || action === "resend" ? definitionChoice() : null;
  confirmAction(`${label} ${run.flow}`, question, { label, iconName, isGrave, field: definition?.field }, async () => {
    await perform({ run: run.id, action, ...definition?.value() }, `The run is ${done}.`);
  });
}

/** Ask whether items of a list are to be tried again: those in a `state`, with a `code`, or the one with a `number`. */
export function askForItems(run, { words, ...items }) {
  const definition = definitionChoice();
  const question = `Try ${words} again? Recipients who already have the message do not get it again. A new run tries them; the other items are unchanged in it.`;
  const action = items.state === "unknown" ? "resend" : "retry";
  const other = items.number === undefined ? null : otherInput();
  const fields = el("div", {}, definition.field, other?.field);
  confirmAction(`Retry ${words}`, question, { label: "Retry", iconName: "retry", isGrave: action === "resend", field: fields }, async () => {
    await perform({ run: run.id, action, items: { ...items, ...other?.value() }, ...definition.value() }, "The items are tried again.");
  });
}

/** Ask whether many runs are to be run again: those of a `state`, perhaps of a `flow`, stored `since` a time. */
export async function askForRuns(wanted, words) {
  const { count: found, most } = await get("retryable", wanted);
  if (!found) {
    announce("No such run can be run again any more.");
    await refreshNow();
    return;
  }
  const runs = found === 1 ? "1 run" : `${count(found)} runs`;
  const bound = found > most ? ` The newest ${count(most)} begin now; ask again for the others.` : "";
  const definition = definitionChoice();
  const question = `Run ${runs} (${words}) again, each from the step that failed, or for the items of its list that failed? What was done before is not done again.${bound}`;
  confirmAction(`Retry ${runs}`, question, { label: "Retry", iconName: "retry", field: definition.field }, async () => {
    const { begun, refused } = await post("retries", { ...wanted, ...definition.value() });
    announce(`${count(begun)} begun again.`);
    await refreshNow();
    if (refused.length) throw new Error(`${count(begun)} begun again; ${count(refused.length)} were not. The first: ${refused[0].problem}`);
  });
}

/** Another input for the step at which an item failed. */
function otherInput() {
  const name = el("input", { type: "text", id: "input-name", placeholder: "to", spellcheck: "false", autocomplete: "off" });
  const value = el("input", { type: "text", id: "input-value", placeholder: "+1…", spellcheck: "false", autocomplete: "off" });
  const hint = "For this item alone, at the step that failed. Leave it empty to use what the flow says.";
  const box = el("div", { class: "pair" }, field("Another input", name, hint), field("Its value", value));
  return { field: box, value: () => (name.value.trim() ? { inputs: { [name.value.trim()]: value.value } } : {}) };
}

async function perform(body, words) {
  const found = await post("actions", body);
  announce(words);
  if (found.id !== body.run) location.hash = `#/run/${encodeURIComponent(found.id)}`;
  else await refreshNow();
}

/** Which flow a run is run again with. */
function definitionChoice() {
  const choice = select([["began", "The one it began with"], ["current", "The one that is served now"]], { id: "definition" });
  const hint = "The one that is served now is refused if a step that the run has taken is another one in it.";
  return { field: field("Flow", choice, hint), value: () => ({ definition: choice.value }) };
}

/** Ask before something is done; `act` does it. Its problem is shown, and the question stays. */
export function confirmAction(title, question, { label, iconName, isGrave = false, field: extra = null }, act) {
  const go = button(label, iconName, { class: isGrave ? "danger" : "primary" });
  const back = button("Leave it", "", { on: { click: () => dialog.close() } });
  const dialog = openDialog(title, "narrow", ...[el("p", {}, question), extra, el("div", { class: "dialog-actions" }, back, go)].filter(Boolean));
  go.addEventListener("click", async () => {
    go.disabled = true;
    try {
      await act();
      dialog.close();
    } catch (error) {
      complain(error);
      dialog.querySelector(".dialog-body").prepend(el("p", { class: "dialog-problem", role: "alert" }, error.message));
      go.disabled = false;
    }
  });
  (isGrave ? back : go).focus();
}
