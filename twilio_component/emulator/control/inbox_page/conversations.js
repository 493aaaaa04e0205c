// The list of conversations. Only the lines in sight exist: ten thousand cost as much as twenty.

import { get } from "./api.js";
import { isMine, isTrouble, statusMark } from "./bubble.js";
import { byId, el, quoted, setAttribute } from "./dom.js";
import { handled } from "./notices.js";
import { avatar, channelChip } from "./avatar.js";
import { bareAddress, counted, momentOf, statusName, visible } from "./format.js";

const ROW = 76;
const OVERSCAN = 4;
const PAGE = 50;
const MOST_PAGES = 8;
// Changes that come in quick succession are looked at together.
const SETTLING = 150;

export class ConversationList {
  #list = byId("list");
  #field = el("div", { class: "list-field", role: "presentation" });
  #pages = new Map();
  #seen = new Map();
  #total = 0;
  #active = 0;
  #search = "";
  #selected = null;
  #settling = 0;
  #outdated = false;
  #generation = 0;
  #since = Infinity;

  /** `onOpen` gets a conversation; `now` is the emulator's time; `empty` fills the place of a list without lines. */
  constructor({ onOpen, now, empty }) {
    this.onOpen = onOpen;
    this.now = now;
    this.empty = empty;
    this.#list.append(this.#field);
    this.#list.addEventListener("scroll", () => requestAnimationFrame(() => this.#render()), { passive: true });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    this.#list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-index]");
      if (row) this.#open(Number(row.dataset.index));
    });
    new ResizeObserver(() => this.#render()).observe(this.#list);
  }

  /** Read everything anew, at the beginning or because what was known is not true any more. */
  async reload() {
    this.#since = this.now();
    await this.#refresh();
  }

  /** Look again soon: something has changed. */
  changed() {
    this.#outdated = true;
    if (!this.#settling) this.#settle(SETTLING);
  }

  async search(text) {
    this.#search = text;
    this.#active = 0;
    this.#list.scrollTop = 0;
    await this.#refresh();
  }

  /** Mark the conversation that is open, which counts as read from now on. */
  select(id) {
    this.#selected = id;
    this.#seen.set(id, this.now());
    this.#render();
  }

  /** The conversation in the first line, if there is one. */
  get first() {
    return this.#line(0);
  }

  #settle(milliseconds) {
    this.#settling = setTimeout(handled(async () => {
      this.#outdated = false;
      const began = performance.now();
      try {
        await this.#refresh();
      } finally {
        this.#settling = 0;
        // Do not overload an emulator that takes long to respond.
        if (this.#outdated) this.#settle(SETTLING + 2 * (performance.now() - began));
      }
    }), milliseconds);
  }

  async #refresh() {
    this.#generation += 1;
    const generation = this.#generation;
    const first = Math.max(0, Math.floor(this.#list.scrollTop / ROW / PAGE));
    const pages = [first, first + 1].filter((page) => page === first || page * PAGE * ROW < this.#list.scrollTop + this.#list.clientHeight + OVERSCAN * ROW);
    const pageContents = await Promise.all(pages.map((page) => this.#fetch(page)));
    if (generation !== this.#generation) return;
    this.#pages = new Map(pages.map((page, place) => [page, pageContents[place].conversations]));
    this.#setTotal(pageContents[0].total);
    if (this.#selected) this.#seen.set(this.#selected, this.now());
    this.#render();
  }

  #fetch(page) {
    return get("/conversations", { search: this.#search, offset: page * PAGE, limit: PAGE });
  }

  #setTotal(total) {
    this.#total = total;
    this.#active = Math.min(this.#active, Math.max(0, total - 1));
    this.#field.style.height = `${total * ROW}px`;
    byId("list-count").textContent = total ? counted(total, "conversation") + (this.#search ? " found" : "") : "";
    const nothing = byId("list-empty");
    nothing.hidden = total > 0;
    this.#list.hidden = total === 0;
    if (total === 0) nothing.replaceChildren(this.empty(this.#search));
  }

  #render() {
    const top = this.#list.scrollTop;
    const start = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
    const end = Math.min(this.#total, Math.ceil((top + this.#list.clientHeight) / ROW) + OVERSCAN);
    const rows = [];
    for (let index = start; index < end; index += 1) rows.push(this.#row(index));
    this.#field.replaceChildren(...rows);
    setAttribute(this.#list, "aria-activedescendant", this.#active >= start && this.#active < end && `line-${this.#active}`);
  }

  /** A line that is not known yet is asked for, and stays empty until then. */
  #line(index) {
    const page = Math.floor(index / PAGE);
    if (!this.#pages.has(page) && index < this.#total) this.#load(page);
    return this.#pages.get(page)?.[index % PAGE];
  }

  #load(page) {
    const generation = this.#generation;
    this.#pages.set(page, []);
    for (const known of [...this.#pages.keys()].slice(0, -MOST_PAGES)) this.#pages.delete(known);
    handled(async () => {
      const { conversations } = await this.#fetch(page);
      if (generation !== this.#generation) return;
      this.#pages.set(page, conversations);
      this.#render();
    })();
  }

  #row(index) {
    const line = this.#line(index);
    const row = el("div", {
      class: "line", role: "option", id: `line-${index}`,
      "aria-setsize": this.#total, "aria-posinset": index + 1, "aria-selected": String(Boolean(line) && line.id === this.#selected),
      data: { index, active: index === this.#active },
    });
    row.style.transform = `translateY(${index * ROW}px)`;
    if (line) row.append(...this.#content(line));
    return row;
  }

  #content(line) {
    const { last } = line;
    const phone = bareAddress(line.phone);
    const unread = !isMine(last) && last.at > (this.#seen.get(line.id) ?? this.#since) && line.id !== this.#selected;
    const snippet = visible(last.body) || (last.media.length ? counted(last.media.length, "file") : "No text");
    return [
      avatar(phone),
      el("span", { class: "line-words" },
        el("span", { class: "line-top" },
          quoted(phone, { class: "line-phone" }),
          el("time", { class: "line-time" }, momentOf(last.at, this.now()))),
        el("span", { class: isTrouble(last) ? "line-text trouble" : "line-text" },
          isMine(last) ? el("span", { class: "line-you" }, "Phone: ") : statusMark(last),
          el("span", { class: "visually-hidden" }, isMine(last) ? "" : statusName(last)),
          quoted(snippet, { class: "snippet" })),
        el("span", { class: "line-bottom" },
          channelChip(line.channel),
          el("span", { class: "line-number" }, "with ", quoted(bareAddress(line.number))),
          line.optedOut && el("span", { class: "chip stop" }, "Opted out"),
          el("span", { class: "line-count" }, String(line.count)))),
      unread ? el("span", { class: "unread" }, el("span", { class: "visually-hidden" }, "New")) : "",
    ];
  }

  #open(index) {
    const line = this.#line(index);
    if (!line) return;
    this.#active = index;
    this.onOpen(line);
  }

  #onKey(event) {
    const page = Math.max(1, Math.floor(this.#list.clientHeight / ROW) - 1);
    const places = {
      ArrowDown: this.#active + 1, ArrowUp: this.#active - 1, PageDown: this.#active + page, PageUp: this.#active - page,
      Home: 0, End: this.#total - 1,
    };
    if (event.key in places) {
      this.#active = Math.max(0, Math.min(this.#total - 1, places[event.key]));
      this.#reveal();
    } else if (event.key === "Enter" || event.key === " ") {
      this.#open(this.#active);
    } else {
      return;
    }
    event.preventDefault();
  }

  #reveal() {
    const top = this.#active * ROW;
    const lowest = top + ROW - this.#list.clientHeight;
    this.#list.scrollTop = Math.min(top, Math.max(lowest, this.#list.scrollTop));
    this.#render();
  }
}
