// Workers, senders, schedules and refused webhooks: one table each.

import { get, post } from "./api.js";
import { confirmAction } from "./actions.js";
import { button, el } from "./dom.js";
import { count, durationBetween, moment, momentText, stateBadge } from "./format.js";
import { refreshNow } from "./live.js";
import { announce } from "./notices.js";

/** A view with a heading, a note, and a table of what `path` gives under `key`. */
function tableView({ title, path, key, note, nothing, columns, line }) {
  return () => ({
    title,
    load: () => get(path),
    draw: (data) => [
      el("section", { class: "run-head" }, el("h2", {}, title), el("p", { class: "note" }, note)),
      data[key].length ? table(title, columns, data[key].map(line)) : el("p", { class: "empty" }, nothing),
    ],
  });
}

function table(title, columns, lines) {
  const head = columns.map((name) => (name ? el("th", { scope: "col" }, name) : el("td", {})));
  return el("div", { class: "table-box" }, el("table", { class: "table" }, el("caption", { class: "visually-hidden" }, title), el("thead", {}, el("tr", {}, head)), el("tbody", {}, lines)));
}

const cell = (label, ...content) => el("td", { data: { label } }, ...content);

export const workersView = tableView({
  title: "Workers",
  path: "workers",
  key: "workers",
  note: "The processes of the last day. One that is gone did not stop in order; with Postgres another one takes over its runs within seconds.",
  nothing: "No process has said anything yet.",
  columns: ["State", "Process", "Kind", "Version", "Started", "Last heard", "Runs and chunks", "Requests"],
  line: (one) => el(
    "tr",
    {},
    el("td", {}, stateBadge(one.state)),
    el("th", { scope: "row" }, el("bdi", {}, one.name), " ", el("code", { class: "muted" }, one.id)),
    cell("Kind", one.kind),
    cell("Version", one.version),
    cell("Started", moment(one.started)),
    cell("Last heard", moment(one.heard)),
    cell("Runs and chunks", count(one.workflows)),
    cell("Requests", count(one.requests)),
  ),
});

export const sendersView = tableView({
  title: "Senders",
  path: "senders",
  key: "senders",
  note: "Connections and senders that must slow down, and senders with a rate. A connection is named by the beginning of its digest, a number by its last digits.",
  nothing: "Nothing is throttled, and no sender has a rate.",
  columns: ["State", "Sender", "Connection", "Until", "Why", "Rate", ""],
  line: (one) => el(
    "tr",
    {},
    el("td", {}, one.throttledUntil ? stateBadge("throttled") : stateBadge("alive", "free")),
    el("th", { scope: "row" }, one.sender ?? "every sender of the connection"),
    cell("Connection", el("code", {}, one.connection)),
    cell("Until", one.throttledUntil ? moment(one.throttledUntil) : "–"),
    el("td", { class: "why" }, el("bdi", {}, one.reason ?? "")),
    cell("Rate", one.perSecond ? `${count(one.perSecond)} a second, ${count(one.inUse)} in use` : "–"),
    el("td", {}, one.throttledUntil && button("Lift", "play", { class: "small", "aria-label": `Lift the throttle of ${one.sender ?? `connection ${one.connection}`}`, "aria-haspopup": "dialog", "data-key": `lift ${one.id}`, on: { click: () => lift(one) } })),
  ),
});

function lift(sender) {
  const question = `Let it send again now? It was told to wait until ${momentText(sender.throttledUntil)}: ${sender.reason ?? ""}. The next request may be refused again.`;
  confirmAction("Lift the throttle", question, { label: "Lift", iconName: "play" }, async () => {
    await post("throttles", { sender: sender.id });
    announce("The throttle is lifted.");
    await refreshNow();
  });
}

export const schedulesView = tableView({
  title: "Schedules",
  path: "schedules",
  key: "schedules",
  note: "Flows that start at set times, and their next three times.",
  nothing: "No flow has a schedule.",
  columns: ["Flow", "Integration", "Schedule", "Time zone", "Last", "Next"],
  line: (one) => el(
    "tr",
    {},
    el("th", { scope: "row" }, el("a", { href: `#/runs?flow=${encodeURIComponent(one.flow)}` }, one.flow)),
    cell("Integration", el("bdi", {}, one.integration)),
    cell("Schedule", el("code", {}, one.cron)),
    cell("Time zone", one.timeZone),
    cell("Last", one.last ? moment(one.last) : "–"),
    el("td", { data: { label: "Next" } }, el("ol", { class: "times" }, one.next.map((time) => el("li", {}, moment(time), el("span", { class: "muted" }, ` in ${durationBetween(Date.now(), time)}`))))),
  ),
});

export const webhooksView = tableView({
  title: "Refused webhooks",
  path: "webhooks",
  key: "refused",
  note: "Requests that flows have refused in the last day, counted by reason. Nothing of a refused request is stored.",
  nothing: "No request was refused.",
  columns: ["Address", "Why", "What that means", "Requests", "Last"],
  line: (one) => el(
    "tr",
    {},
    el("th", { scope: "row" }, el("bdi", {}, one.path)),
    cell("Why", el("code", {}, one.reason)),
    el("td", { class: "why" }, REASONS[one.reason] ?? ""),
    cell("Requests", count(one.count)),
    cell("Last", moment(one.last)),
  ),
});

const REASONS = {
  "no-key": "Its header Api-Key has no key of the flow.",
  "unreadable-body": "Its body cannot be read.",
  "webhook-refused": "It was not signed by Twilio, or for another address: check the public URL and the Auth Token.",
};
