// The steps of a run, in their order: when, how long, what went wrong, and what they wait for.

import { button, el } from "./dom.js";
import { counted, durationBetween, moment, momentText, stateBadge } from "./format.js";

const WORDS = { planned: "waits for its turn", claimed: "request under way", in_doubt: "outcome is looked for", waiting: "asks again" };

/** `results` holds what was asked for by `showResult`, by the number of the call. */
export function timeline(steps, tools) {
  if (!steps.length) return el("p", { class: "empty" }, "It has not begun its first step.");
  return el("ol", { class: "timeline" }, steps.map((step, index) => entry(step, index, tools)));
}

function entry(step, index, tools) {
  return el(
    "li",
    { class: "step", data: { state: step.state } },
    el(
      "div",
      { class: "step-head" },
      el("strong", {}, el("bdi", {}, step.step)),
      stateBadge(step.state, WORDS[step.state]),
      el("span", { class: "muted step-when" }, step.started && moment(step.started), step.started && step.finished && `, ${durationBetween(step.started, step.finished)}`),
    ),
    waitOf(step),
    step.tries > 1 && el("p", { class: "muted" }, `after ${counted(step.tries, "request")}`),
    step.error && problem(step.error),
    step.effect && el("p", { class: "effect" }, "created ", el("code", {}, step.effect)),
    details(step, index, tools),
  );
}

function waitOf(step) {
  const lines = [];
  if (step.heldUntil) lines.push(`held by ${step.reason ?? "a throttle"} until ${momentText(step.heldUntil)}`);
  if (step.waitsUntil) lines.push(`waits until ${momentText(step.waitsUntil)}, then asks again`);
  return lines.map((text) => el("p", { class: "wait" }, text));
}

function problem(error) {
  return el(
    "div",
    { class: "problem" },
    el("p", {}, el("code", {}, error.reason ?? error.code), " ", el("bdi", {}, error.message)),
    meaning(error),
    error.remedy && el("p", {}, el("strong", {}, "What to do: "), error.remedy),
  );
}

/** What an error means, unless its message says the same. */
export function meaning(error) {
  if (!error.meaning || error.message.includes(error.meaning)) return null;
  return el("p", {}, el("strong", {}, "What it means: "), error.meaning);
}

function details(step, index, { results, showResult }) {
  const has = step.inputs && Object.keys(step.inputs).length;
  const canShowResult = step.ordinal !== undefined && !step.error;
  if (!has && !canShowResult) return null;
  const key = `details ${step.ordinal ?? index}`;
  const isShown = results.has(step.ordinal);
  return el(
    "details",
    { "data-key": key },
    el("summary", { "data-key": `${key} summary` }, "Inputs and result", el("span", { class: "visually-hidden" }, ` of ${step.step}`)),
    has ? values(step.inputs) : el("p", { class: "muted" }, "It has no inputs that are kept."),
    canShowResult && !isShown && button("Show the result", "", { class: "small", "data-key": `result ${step.ordinal}`, on: { click: () => showResult(step.ordinal) } }),
    isShown && result(results.get(step.ordinal)),
  );
}

function result(value) {
  if (value === null) return el("p", { class: "muted" }, "Its result is not kept: the run has succeeded.");
  return el("div", { class: "block" }, el("h4", {}, "Result, without what people wrote"), el("pre", { tabindex: "0" }, JSON.stringify(value, null, 2)));
}

function values(inputs) {
  const rows = Object.entries(inputs).map(([name, value]) => el("div", {}, el("dt", {}, el("bdi", {}, name)), el("dd", {}, el("bdi", {}, typeof value === "string" ? value : JSON.stringify(value)))));
  return el("dl", { class: "values" }, rows);
}
