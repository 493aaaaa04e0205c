// What is switched on, in a strip below the title, each with a button that takes it back.

import { remove } from "./api.js";
import { button, byId, el, quoted } from "./dom.js";
import { handled } from "./notices.js";
import { duration } from "./format.js";

const ENDINGS = { delivered: "Delivered late", undelivered: "Not delivered", failed: "Failed", sent: "Never confirmed", read: "Read" };
// Differences between the emulator's clock and this one that nobody made.
const UNINTENDED = 2;

/** Show the state that the emulator tells. */
export function showConditions(state) {
  const chips = [
    ...state.faults.map((one) => chip("fault", faultName(one), one, `/faults?number=${one.number}`)),
    ...state.deliveryRules.map((one) => chip("delivery-rule", ruleName(one), one, `/delivery-rules?number=${one.number}`)),
    clockChip(state),
  ].filter(Boolean);
  const strip = byId("strip");
  strip.hidden = chips.length === 0;
  strip.replaceChildren(...chips);
  const count = byId("conditions-count");
  const number = state.faults.length + state.deliveryRules.length;
  count.hidden = number === 0;
  count.textContent = String(number);
}

function chip(kind, name, rule, path) {
  const left = rule.times === null ? "until taken back" : `${rule.times - rule.hits} left`;
  const back = button("", "close", { class: "small", "aria-label": `Take back: ${name}`, on: { click: handled(() => remove(path)) } });
  return el("span", { class: "condition", data: { kind } },
    el("strong", {}, name), rule.to && quoted(rule.to), rule.operation && el("code", {}, rule.operation), el("span", {}, left), back);
}

function clockChip(state) {
  const ahead = state.now - Date.now() / 1000;
  if (Math.abs(ahead) < UNINTENDED) return null;
  return el("span", { class: "condition", data: { kind: "clock" } },
    el("strong", {}, "Clock"), el("span", {}, `${duration(Math.abs(ahead))} ${ahead > 0 ? "ahead" : "behind"}`));
}

function faultName(fault) {
  if (fault.fault === "drop") return fault.accepted ? "Lost response" : "Lost request";
  const name = fault.fault.replaceAll("_", " ");
  return fault.status ? `HTTP ${fault.status}` : name.charAt(0).toUpperCase() + name.slice(1);
}

function ruleName(rule) {
  const late = rule.delay ? ` after ${duration(rule.delay)}` : "";
  return `${ENDINGS[rule.ending]}${rule.code ? ` (${rule.code})` : ""}${late}`;
}
