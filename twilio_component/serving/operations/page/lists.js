// A run's lists: how far they are, how fast, what failed, and the items that did.

import { askForItems } from "./actions.js";
import { get } from "./api.js";
import { button, el } from "./dom.js";
import { count, moment, momentText, stateBadge } from "./format.js";
import { redraw } from "./live.js";
import { handled } from "./notices.js";

/** One list. `shown` keeps, by list, the items that somebody looks at. */
export function listSection(run, loop, shown) {
  const done = loop.taken - loop.left;
  const title = `list-${loop.ordinal}`;
  const failed = Object.entries(loop.failed).sort(([, one], [, other]) => other - one);
  const opened = shown.get(loop.ordinal);
  const open = (state, code = "") => handled(async () => {
    const page = await get("items", { id: run.id, loop: loop.ordinal, state, code });
    shown.set(loop.ordinal, { state, code, items: page.items, next: page.next });
    redraw();
  });
  const more = handled(async () => {
    const page = await get("items", { id: run.id, loop: loop.ordinal, state: opened.state, code: opened.code, after: opened.next });
    opened.items.push(...page.items);
    opened.next = page.next;
    redraw();
  });
  const close = () => { shown.delete(loop.ordinal); redraw(); };
  return el(
    "section",
    { class: "card list-card", "aria-labelledby": title },
    el("h3", { id: title }, "List ", el("bdi", {}, loop.loop)),
    progressBar(loop, done),
    el("p", { class: "facts-line" }, facts(loop, done).map((text) => el("span", {}, text))),
    failed.length > 0 && table(run, loop, failed, open),
    el(
      "div",
      { class: "list-buttons" },
      loop.unknown > 0 && button(`${count(loop.unknown)} with an unknown outcome`, "", { class: "small", "data-key": `items ${loop.ordinal} unknown`, on: { click: open("unknown") } }),
      loop.left > 0 && button(`${count(loop.left)} left`, "", { class: "small", "data-key": `items ${loop.ordinal} pending`, on: { click: open("pending") } }),
      loop.succeeded > 0 && button(`${count(loop.succeeded)} succeeded`, "", { class: "small", "data-key": `items ${loop.ordinal} succeeded`, on: { click: open("succeeded") } }),
    ),
    opened && itemsTable(run, opened, loop, more, close),
  );
}

const canRetry = (run) => run.actions.includes("retry") || run.actions.includes("resend");

function retryButton(run, loop, item) {
  if (!canRetry(run) || !["failed", "unknown"].includes(item.state)) return null;
  const words = `item ${item.index}`;
  return button("Retry", "retry", { class: "small", "aria-label": `Retry ${words}`, "aria-haspopup": "dialog", "data-key": `retry ${loop.ordinal} item ${item.index}`, on: { click: () => askForItems(run, { words, state: item.state, number: item.index }) } });
}

function progressBar(loop, done) {
  const label = `${count(done)} of ${count(loop.taken)}${loop.isWhole ? "" : " so far"} done`;
  return el("div", { class: "progress" }, el("progress", { max: Math.max(loop.taken, 1), value: done, "aria-label": `Progress of ${loop.loop}` }), el("span", {}, label));
}

function facts(loop, done) {
  const failed = Object.values(loop.failed).reduce((sum, one) => sum + one, 0);
  const lines = [`${count(loop.succeeded)} succeeded`, `${count(failed)} failed`];
  if (loop.unknown) lines.push(`${count(loop.unknown)} unknown`);
  if (loop.inDoubt) lines.push(`${count(loop.inDoubt)} being looked for`);
  if (loop.perSecond !== null) lines.push(`${loop.perSecond} a second`);
  if (loop.expectedEnd) lines.push(`ETA ${momentText(loop.expectedEnd)}`);
  return lines;
}

function table(run, loop, failed, open) {
  return el(
    "div",
    { class: "table-box" },
    el(
      "table",
      { class: "table" },
      el("caption", {}, "Failures by code"),
      el("thead", {}, el("tr", {}, ["Code", "Items", "What it means", ""].map((name) => (name ? el("th", { scope: "col" }, name) : el("td", {}))))),
      el("tbody", {}, failed.map(([code, number]) => el(
        "tr",
        {},
        el("th", { scope: "row" }, el("code", {}, code)),
        el("td", { data: { label: "Items" } }, count(number)),
        el("td", { class: "why" }, loop.meanings[code] ?? ""),
        el("td", { class: "buttons" }, canRetry(run) && button("Retry", "retry", { class: "small", "aria-label": `Retry the items that failed with ${code}`, "aria-haspopup": "dialog", "data-key": `retry ${loop.ordinal} ${code}`, on: { click: () => askForItems(run, { words: `the items that failed with ${code}`, state: "failed", code }) } }), button("Show items", "", { class: "small", "aria-label": `Show the items that failed with ${code}`, "data-key": `items ${loop.ordinal} ${code}`, on: { click: open("failed", code) } })),
      ))),
    ),
  );
}

function itemsTable(run, opened, loop, more, close) {
  const words = opened.code ? `Items that failed with ${opened.code}` : `Items: ${opened.state}`;
  return el(
    "div",
    { class: "items-box" },
    el("div", { class: "items-head" }, el("h4", {}, words), button("Close", "close", { class: "small", "data-key": `close ${loop.ordinal}`, on: { click: close } })),
    el("div", { class: "table-box" }, el(
      "table",
      { class: "table" },
      el("caption", { class: "visually-hidden" }, words),
      el("thead", {}, el("tr", {}, ["Index", "State", "Why", "Ended", "Created", ""].map((name) => (name ? el("th", { scope: "col" }, name) : el("td", {}))))),
      el("tbody", {}, opened.items.map((item) => el(
        "tr",
        {},
        el("th", { scope: "row" }, String(item.index)),
        el("td", {}, stateBadge(item.state)),
        el("td", { class: "why" }, item.code && el("code", {}, item.code), " ", el("bdi", {}, item.message ?? "")),
        el("td", { data: { label: "Ended" } }, item.finished ? moment(item.finished) : "–"),
        el("td", { class: "id", data: { label: "Created" } }, item.effects.join(", ") || "–"),
        el("td", {}, retryButton(run, loop, item)),
      ))),
    )),
    opened.items.length === 0 && el("p", { class: "empty" }, "There is none any more."),
    opened.next !== null && el("p", { class: "more" }, button("Show more items", "", { "data-key": `more ${loop.ordinal}`, on: { click: more } })),
  );
}
