// The list of runs: by state, flow, time, and the SID of a message.

import { askForRuns } from "./actions.js";
import { get } from "./api.js";
import { button, el } from "./dom.js";
import { field, select } from "./dialogs.js";
import { count, durationBetween, moment, stateBadge, stateName } from "./format.js";
import { redraw } from "./live.js";
import { announce, handled } from "./notices.js";

const STATES = ["running", "queued", "failed", "partly-failed", "unknown", "stopped", "paused", "succeeded", "cancelled", "resolved", "retried"];
const TIMES = [["", "Any time"], ["3600", "Last hour"], ["86400", "Last 24 hours"], ["604800", "Last 7 days"]];
const FLOWS_EVERY = 30_000;

let flows = [];
let flowsAsked = -Infinity;

export function runsView(_, search) {
  const wanted = { state: search.get("state") ?? "", flow: search.get("flow") ?? "", sid: search.get("sid") ?? "", recipient: search.get("recipient") ?? "", since: search.get("since") ?? "" };
  const more = [];  // pages behind the first one, as they were when somebody asked for them
  let next = null;

  async function load() {
    if (performance.now() - flowsAsked > FLOWS_EVERY) {
      flowsAsked = performance.now();
      flows = (await get("flows")).flows;
    }
    const [counts, page] = await Promise.all([get("counts"), get("runs", query(wanted))]);
    if (!more.length) next = page.next;
    return { ...counts, ...page, flows };
  }

  async function loadMore() {
    const page = await get("runs", { ...query(wanted), after: next });
    more.push(...page.runs);
    next = page.next;
    redraw();
    announce(`${count(page.runs.length)} more runs`);
  }

  function draw(data) {
    const seen = new Set(data.runs.map((run) => run.id));
    const runs = [...data.runs, ...more.filter((run) => !seen.has(run.id))];
    return [
      el("h2", { class: "visually-hidden" }, "Runs"),
      states(data, wanted),
      filters(data.flows, wanted),
      retryMany(wanted, runs),
      runs.length ? table(runs) : el("p", { class: "empty" }, isFiltered(wanted) ? "No run is like that." : "There are no runs yet."),
      next && el("p", { class: "more" }, button("Show older runs", "", { "data-key": "more", on: { click: handled(loadMore) } })),
    ].filter(Boolean);
  }

  return { title: "Runs", load, draw };
}

function query({ since, ...wanted }) {
  return { ...wanted, since: since && new Date(Date.now() - Number(since) * 1000).toISOString() };
}

/** A button for all runs that are shown, where they can be run again without looking at each. */
function retryMany(wanted, runs) {
  if (!["failed", "partly-failed"].includes(wanted.state) || wanted.sid || wanted.recipient || !runs.length) return null;
  const words = [stateName(wanted.state), wanted.flow && `of ${wanted.flow}`, wanted.since && TIMES.find(([value]) => value === wanted.since)?.[1].toLowerCase()].filter(Boolean).join(", ");
  const { state, flow, since } = query(wanted);
  const ask = handled(() => askForRuns({ state, ...(flow && { flow }), ...(since && { since }) }, words));
  return el("p", { class: "many" }, button("Retry all of these", "retry", { class: "small", "aria-haspopup": "dialog", "data-key": "retry many", on: { click: ask } }));
}

const isFiltered = (wanted) => Object.values(wanted).some(Boolean);

function address(wanted) {
  const search = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
  return `#/runs${search && `?${search}`}`;
}

/** How many runs are in each state; each is a link to them. */
function states(data, wanted) {
  const number = (state) => (data.counts[state] > data.most ? `${count(data.most)}+` : count(data.counts[state] ?? 0));
  const link = (state, words, figure) => el(
    "a",
    { class: "state-link", href: address({ ...wanted, state }), "aria-current": wanted.state === state && "true", "data-key": `state ${state}` },
    el("span", { class: "state-name" }, words),
    figure !== null && el("span", { class: "state-count" }, figure),
  );
  const shown = STATES.filter((state) => data.counts[state] || ["running", "failed", "unknown", "succeeded"].includes(state));
  return el("nav", { class: "states", "aria-label": "States" }, link("", "All", null), shown.map((state) => link(state, stateName(state), number(state))));
}

function filters(names, wanted) {
  const options = [["", "All flows"], ...names.map((name) => [name, name])];
  if (wanted.flow && !names.includes(wanted.flow)) options.push([wanted.flow, wanted.flow]);
  const go = (change) => { location.hash = address({ ...wanted, ...change }); };
  const flow = choice(options, wanted.flow, "flow", (value) => go({ flow: value }));
  const since = choice(TIMES, wanted.since, "since", (value) => go({ since: value }));
  const sid = el("input", { type: "search", id: "sid", value: wanted.sid, placeholder: "SM…", spellcheck: "false", autocomplete: "off", "data-key": "sid" });
  const recipient = el("input", { type: "search", id: "recipient", value: wanted.recipient, placeholder: "+1…", spellcheck: "false", autocomplete: "off", "data-key": "recipient" });
  const submit = (event) => { event.preventDefault(); go({ sid: sid.value.trim(), recipient: recipient.value.trim() }); };
  return el(
    "form",
    { class: "filters", role: "search", "aria-label": "Filter runs", on: { submit } },
    field("Flow", flow), field("Stored", since), field("SID of a message", sid), field("Recipient", recipient),
    button("Find", "search", { type: "submit", "data-key": "find" }),
    isFiltered(wanted) && el("a", { href: "#/runs", class: "clear" }, "Show all"),
  );
}

function choice(options, value, key, onChange) {
  const made = select(options, { id: key, "data-key": key, on: { change: (event) => onChange(event.target.value) } });
  made.value = value;
  return made;
}

function table(runs) {
  const head = ["State", "Run", "Flow", "Why", "Stored", "Took"].map((name) => el("th", { scope: "col" }, name));
  return el(
    "div",
    { class: "table-box" },
    el("table", { class: "table runs" }, el("caption", { class: "visually-hidden" }, "Runs, the newest first"), el("thead", {}, el("tr", {}, head)), el("tbody", {}, runs.map(line))),
  );
}

function line(run) {
  const code = run.error && (run.error.reason ?? run.error.code);
  return el(
    "tr",
    {},
    el("td", {}, stateBadge(run.state)),
    el("td", { class: "id" }, el("a", { href: `#/run/${encodeURIComponent(run.id)}`, "data-key": `run ${run.id}` }, run.id)),
    el("td", { data: { label: "Flow" } }, el("bdi", {}, run.flow)),
    el("td", { class: "why" }, run.error && el("span", {}, el("code", {}, code), " ", el("bdi", {}, run.error.meaning ?? run.error.message))),
    el("td", { data: { label: "Stored" } }, moment(run.created)),
    el("td", { data: { label: "Took" } }, run.finished ? durationBetween(run.created, run.finished) : "–"),
  );
}
