// One run: how it is, what went wrong, its steps, its lists, and its way through the flow.

import { get } from "./api.js";
import { actionButtons } from "./actions.js";
import { button, el } from "./dom.js";
import { durationBetween, moment, momentText, stateBadge } from "./format.js";
import { redraw } from "./live.js";
import { listSection } from "./lists.js";
import { handled } from "./notices.js";
import { picture } from "./picture.js";
import { meaning, timeline } from "./timeline.js";

const MEANINGS = {
  queued: "It waits until other runs of its queue have ended.",
  running: "It runs, or waits for a time, a rate or a process.",
  paused: "It was paused, and can be resumed.",
  stopped: "Its list stopped by itself, since the rest would have been refused as well. Mend the reason, then resume it.",
  "partly-failed": "Some items of its list failed; the others are done.",
  cancelled: "It was cancelled, and can be resumed.",
  succeeded: "Every step succeeded, or its failure was handled.",
  failed: "A step failed. Nothing may have happened beyond what its steps show.",
  unknown: "A message may have been sent: look for it in Twilio's console before you decide.",
  resolved: "An operator has resolved its unknown outcome.",
  retried: "Another run has taken its place.",
};

export function runView(id) {
  const earlier = [];  // steps before those that are shown at first
  let before = null;
  const results = new Map();
  const lists = new Map();

  async function load() {
    const [run, drawn] = await Promise.all([get("run", { id }), get("picture", { id }).catch((error) => ({ problem: error.message }))]);
    if (!earlier.length) before = run.earlier;
    return { run, drawn };
  }

  async function showEarlier() {
    const page = await get("run", { id, before });
    earlier.unshift(...page.steps);
    before = page.earlier;
    redraw();
  }

  async function showResult(ordinal) {
    results.set(ordinal, (await get("result", { id, ordinal })).result);
    redraw();
  }

  function draw({ run, drawn }) {
    const lost = failuresByLoop(run.loops);
    const steps = [...earlier, ...run.steps].map((step) => (lost.has(step.step) && step.state === "succeeded" ? { ...step, state: lost.get(step.step) } : step));
    return [
      head(run),
      run.error && errorCard(run.error, "Why it ended so"),
      run.loops.map((loop) => listSection(run, loop, lists)),
      el(
        "div",
        { class: "run-columns" },
        el(
          "section",
          { class: "card", "aria-labelledby": "steps-title" },
          el("h3", { id: "steps-title" }, "Steps"),
          before !== null && el("p", { class: "more" }, button("Show earlier steps", "", { "data-key": "earlier", on: { click: handled(showEarlier) } })),
          timeline(steps, { results, showResult: handled(showResult) }),
        ),
        el("section", { class: "card", "aria-labelledby": "picture-title" }, el("h3", { id: "picture-title" }, "The flow, and the way this run took"), picture(drawn, lost)),
      ),
    ].flat().filter(Boolean);
  }

  return { title: `Run ${id}`, load, draw };
}

/** Of each list with failures how it ended: its step has done all of its items, and yet has not succeeded. */
function failuresByLoop(loops) {
  const hasFailed = (loop) => loop.unknown > 0 || Object.keys(loop.failed).length > 0;
  return new Map(loops.filter(hasFailed).map((loop) => [loop.loop, loop.succeeded > 0 ? "partly-failed" : "failed"]));
}

function head(run) {
  const when = [el("span", {}, "stored ", moment(run.created))];
  if (run.finished) when.push(el("span", {}, "ended ", moment(run.finished)), el("span", {}, `took ${durationBetween(run.created, run.finished)}`));
  return el(
    "section",
    { class: "run-head" },
    el("p", { class: "crumbs" }, el("a", { href: "#/runs", "data-key": "back" }, "Runs")),
    el("h2", {}, el("bdi", {}, run.flow), " ", stateBadge(run.state)),
    el("p", { class: "run-id" }, el("code", {}, run.id), " ", el("bdi", { class: "muted" }, run.integration)),
    el("p", { class: "muted facts-line" }, when),
    el("p", {}, MEANINGS[run.state]),
    run.waits.map((wait) => el("p", { class: "wait" }, `${wait.step ? `${wait.step}: ` : ""}${wait.text}${wait.until ? ` until ${momentText(wait.until)}` : ""}`)),
    relatives(run),
    el("div", { class: "actions" }, actionButtons(run)),
  );
}

function relatives(run) {
  const link = (one) => el("a", { href: `#/run/${encodeURIComponent(one.id)}` }, one.id, one.state ? ` (${one.state})` : "");
  const line = (words, runs) => runs.length > 0 && el("p", { class: "relatives" }, words, " ", runs.map((one, index) => [index ? ", " : "", link(one)]).flat());
  return [
    line("Other attempts:", run.attempts),
    run.parent && line("Started by", [{ id: run.parent }]),
    line("It started", run.children),
  ].filter(Boolean);
}

/** An error with its meaning and what to do about it. */
export function errorCard(error, title) {
  const code = error.reason ?? error.code;
  return el(
    "section",
    { class: "error-card", "aria-label": title },
    el("p", { class: "error-title" }, el("strong", {}, title), " ", el("code", {}, code)),
    error.step && el("p", {}, "In the step ", el("bdi", { class: "strong" }, error.step), "."),
    el("p", {}, el("bdi", {}, error.message)),
    meaning(error),
    error.remedy && el("p", {}, el("strong", {}, "What to do: "), error.remedy),
    error.link && el("p", {}, el("a", { href: error.link, rel: "noreferrer", target: "_blank" }, `Twilio's page about ${code}`)),
  );
}
