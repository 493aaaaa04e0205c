// The picture of a flow: its steps below each other, branches beside each other, loops around theirs.

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { count } from "./format.js";

const ICONS = { trigger: "in", loop: "retry", branch: "branch", wait: "clock", start: "out", stop: "stop", break: "out", action: "send" };
const KINDS = { trigger: "Trigger", loop: "Loop", branch: "Branch", wait: "Wait", start: "Starts a flow", stop: "Stops", break: "Leaves the loop", action: "Action" };
const STATES = { succeeded: "done", failed: "failed", "partly-failed": "partly failed", passed: "passed", each: "for each item", waiting: "waits", planned: "waits for its turn", claimed: "under way", in_doubt: "outcome is looked for" };

/** `lost` says of lists with failures, by the ids of their steps, how they ended. */
export function picture(drawn, lost) {
  if (drawn.problem) return el("p", { class: "empty" }, drawn.problem);
  return block(drawn.steps, lost, "picture");
}

function block(steps, lost, className = "") {
  if (!steps.length) return el("p", { class: "muted nothing" }, "nothing");
  return el("ol", { class: `block-steps ${className}` }, steps.map((step) => node(step, lost)));
}

function node(step, lost) {
  const state = lost.get(step.id) ?? step.state ?? "ahead";
  const words = [KINDS[step.kind] ?? "Action", STATES[state] ?? "not reached"];
  const times = step.count > 1 ? `, ${count(step.count)} times` : "";
  return el(
    "li",
    { class: "node", data: { state, kind: step.kind } },
    el(
      "div",
      { class: "node-box" },
      el("span", { class: "node-icon" }, icon(ICONS[step.kind] ?? "send")),
      el("span", { class: "node-words" }, el("bdi", { class: "node-name" }, step.name), el("span", { class: "node-kind" }, `${words[0]} · ${step.action}${step.concurrency ? ` · ${step.concurrency} at a time` : ""}`)),
      el("span", { class: "node-state" }, `${words[1]}${times}`),
    ),
    step.steps && el("div", { class: "inside loop-inside" }, block(step.steps, lost)),
    step.branches && el("div", { class: "inside branches" }, step.branches.map((branch) => el(
      "section",
      { class: "branch", data: { taken: String(branch.taken) }, "aria-label": `Branch ${branch.name}` },
      el("p", { class: "branch-name" }, el("bdi", {}, branch.name), branch.taken && el("span", { class: "taken" }, "taken")),
      block(branch.steps, lost),
    ))),
  );
}
