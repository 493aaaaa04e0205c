// What is behind an item: its states, its text on the wire, what went wrong, and who asked whom for what.

import { get } from "./api.js";
import { isMine } from "./bubble.js";
import { copyButton } from "./copy_button.js";
import { button, byId, el, quoted } from "./dom.js";
import { exchange } from "./exchange.js";
import { counted, duration, exactTimeOf, statusName } from "./format.js";

export class Details {
  #panel = byId("details");
  #item = null;
  #open = new Set();

  /** `onClose` gets the item whose details are shown no more. */
  constructor({ onClose }) {
    this.onClose = onClose;
  }

  /** The key of the item that is shown. */
  get key() {
    return this.#item?.key ?? null;
  }

  /** Show an item, and move the focus there. */
  async show(item) {
    this.#open.clear();
    await this.#load(item);
    this.#panel.hidden = false;
    document.body.classList.add("with-details");
    this.#panel.querySelector("h2")?.focus();
  }

  /** Look again: the item has changed, or a webhook about it went out. */
  async refresh() {
    if (this.#item) await this.#load(this.#item);
  }

  close() {
    const item = this.#item;
    this.#item = null;
    this.#panel.hidden = true;
    this.#panel.replaceChildren();
    document.body.classList.remove("with-details");
    if (item) this.onClose(item);
  }

  async #load(item) {
    this.#item = item;
    const path = item.kind === "refusal" ? `/requests/${item.number}` : `/messages/${item.sid}`;
    const shown = await get(path);
    if (this.#item?.key !== item.key) return;
    const top = this.#panel.scrollTop;
    const focused = this.#panel.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    this.#panel.replaceChildren(...this.#content(shown.item, shown.exchanges));
    this.#panel.scrollTop = top;
    if (focused) this.#panel.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  }

  #content(item, exchanges) {
    const close = button("", "close", { "aria-label": "Close the details", data: { focus: "close" }, on: { click: () => this.close() } });
    return [
      el("header", { class: "details-head" },
        el("h2", { tabindex: "-1", data: { focus: "title" } }, item.kind === "refusal" ? "Refused send" : isMine(item) ? "Message from the phone" : "Message to the phone"),
        close),
      item.error && errorCard(item.error),
      item.history && section("Status", history(item)),
      section("Message", facts(item)),
      item.segmentation && item.body && section("On the wire", wire(item.segmentation)),
      section(counted(exchanges.length, "exchange"), exchanges.map((one) => exchange(one, this.#open))),
    ].filter(Boolean);
  }
}

function section(title, ...content) {
  return el("section", { class: "details-section" }, el("h3", {}, title), ...content);
}

function errorCard(error) {
  return el(
    "section",
    { class: "error-card", "aria-label": "What went wrong" },
    el("p", { class: "error-title" }, el("strong", {}, `Error ${error.code}`), error.message && quoted(error.message)),
    error.meaning && el("p", {}, error.meaning),
    error.remedy && el("p", { class: "remedy" }, error.remedy),
    error.link && el("p", {}, el("a", { href: error.link, target: "_blank", rel: "noopener noreferrer" }, `Twilio's page about ${error.code}`)),
  );
}

function history(item) {
  const begin = item.history[0].at;
  return el("ol", { class: "history" }, item.history.map(({ at, status }, place) =>
    el("li", { data: { status, last: place === item.history.length - 1 } },
      el("span", { class: "history-state" }, statusName({ status })),
      el("time", { class: "muted" }, exactTimeOf(at)),
      el("span", { class: "muted history-later" }, place ? `+${later(at - begin)}` : ""))));
}

const later = (seconds) => (seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds));

function facts(item) {
  const facts = [
    ["SID", item.sid, true],
    ["From", item.from],
    ["To", item.to],
    ["Messaging service", item.messagingServiceSid],
    ["Direction", item.direction],
    ["Status", item.kind === "refusal" ? statusName(item) : null],
    ["Fault", item.fault],
    ["At", exactTimeOf(item.at)],
    ["Files", item.media.length ? item.media.map((one) => one.contentType).join(", ") : null],
  ];
  return el("dl", { class: "facts" }, facts.filter(([, value]) => value).map(([name, value, copied]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, quoted(value), copied && copyButton("", value, { "aria-label": `Copy ${name}`, data: { focus: `copy-${name}` } })))));
}

function wire({ encoding, segments, units, capacity, unicodeCharacters }) {
  const room = segments * capacity;
  return el(
    "div",
    { class: "wire" },
    el("p", {}, el("strong", {}, encoding), ` · ${counted(segments, "segment")} · ${units} of ${room} units used`),
    el("meter", { min: "0", max: String(room), value: String(units), "aria-label": "Units used" }),
    unicodeCharacters.length > 0 && el("p", { class: "muted" }, "Not in GSM-7: ", unicodeCharacters.slice(0, 20).map((one) => el("code", {}, quoted(one)))),
  );
}
