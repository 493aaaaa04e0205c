// The messages of one conversation. A window of them exists at a time, and moves as one scrolls.

import { get } from "./api.js";
import { bubble, isMine, spoken } from "./bubble.js";
import { el } from "./dom.js";
import { icon } from "./icons.js";
import { announce, handled } from "./notices.js";
import { dayName, dayOf } from "./format.js";

const PAGE = 40;
const WINDOW = 120;
// Pixels from an edge at which what lies beyond is fetched.
const NEAR = 300;

export class Thread {
  #items = [];
  #older = false;
  #newer = false;
  #busy = false;
  // What is told while the newest messages are on their way, and may not be among them.
  #early = null;
  #selected = null;
  #scroller = el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Messages, oldest first" });
  #list = el("ol", { class: "items" });
  #jump = el("button", { type: "button", class: "jump", hidden: true }, icon("down"), el("span", {}, "New messages"));

  /** `onOpen` gets an item whose details are wanted, `onHead` the header of the conversation. */
  constructor({ id, search, now, onOpen, onHead }) {
    Object.assign(this, { id, search, now, onOpen, onHead });
    this.#scroller.append(this.#list);
    this.element = el("div", { class: "messages" }, this.#scroller, this.#jump);
    this.#scroller.addEventListener("scroll", () => requestAnimationFrame(() => this.#onScroll()), { passive: true });
    this.#jump.addEventListener("click", handled(() => this.load()));
    // A picture that has arrived makes the list longer: who was at its end stays there.
    this.#list.addEventListener("load", () => { if (this.#atEnd && !this.#newer) this.#toEnd(); }, true);
    new ResizeObserver(() => { if (this.#atEnd && !this.#newer) this.#toEnd(); }).observe(this.#scroller);
  }

  /** Show the newest messages. */
  async load() {
    this.#early = [];
    const fetched = await this.#fetch({});
    this.#items = fetched.items;
    [this.#older, this.#newer] = [fetched.older, false];
    this.#list.replaceChildren(...fetched.items.map((item) => this.#element(item)));
    this.#days();
    this.#toEnd();
    this.#jump.hidden = true;
    const early = this.#early;
    this.#early = null;
    early.forEach((item) => this.update(item));
  }

  /** Take in an item that is new or has changed. */
  update(item) {
    if (this.#early) {
      this.#early.push(item);
      return;
    }
    const place = this.#items.findLastIndex((one) => one.key === item.key);
    if (place >= 0) {
      this.#items[place] = item;
      this.#replace(this.#list.children[place], this.#element(item));
      this.#days();
      return;
    }
    if (this.search || this.#items.some((one) => one.at > item.at)) return;
    announce(spoken(item));
    if (this.#newer) {
      this.#jump.hidden = false;
      return;
    }
    const follows = this.#atEnd || isMine(item);
    this.#append([item]);
    if (follows) this.#toEnd();
    else this.#jump.hidden = false;
  }

  /** More has happened than was told: who is at the end is shown it, who reads elsewhere may jump there. */
  async missed() {
    if (this.#atEnd && !this.#newer) return this.load();
    this.#newer = true;
    this.#jump.hidden = false;
  }

  /** Look again at what is said of the whole conversation. */
  async refreshHead() {
    this.onHead(await get("/conversation", { id: this.id, search: this.search, limit: 1 }));
  }

  /** Mark the item whose details are shown. */
  select(key) {
    this.#selected = key;
    for (const element of this.#list.children) element.classList.toggle("selected", element.dataset.key === key);
  }

  focus(key) {
    this.#list.querySelector(`[data-key="${CSS.escape(key)}"] button`)?.focus();
  }

  async #fetch(place) {
    const fetched = await get("/conversation", { id: this.id, search: this.search, limit: PAGE, ...place });
    this.onHead(fetched);
    return fetched;
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    if (scrollTop < NEAR && this.#older) this.#extend("before");
    else if (scrollHeight - scrollTop - clientHeight < NEAR && this.#newer) this.#extend("after");
    if (this.#atEnd && !this.#newer) this.#jump.hidden = true;
  }

  #extend(side) {
    if (this.#busy) return;
    this.#busy = true;
    const edge = side === "before" ? this.#items[0] : this.#items.at(-1);
    handled(async () => {
      try {
        const fetched = await this.#fetch({ [side]: edge.key });
        if (side === "before") this.#prepend(fetched);
        else this.#extendBelow(fetched);
      } finally {
        this.#busy = false;
      }
      this.#onScroll();
    })();
  }

  #prepend(fetched) {
    const height = this.#scroller.scrollHeight;
    const top = this.#scroller.scrollTop;
    this.#items.unshift(...fetched.items);
    this.#older = fetched.older;
    this.#list.prepend(...fetched.items.map((item) => this.#element(item)));
    this.#days();
    this.#scroller.scrollTop = top + this.#scroller.scrollHeight - height;
    while (this.#items.length > WINDOW) {
      this.#items.pop();
      this.#list.lastElementChild.remove();
      this.#newer = true;
    }
  }

  #extendBelow(fetched) {
    this.#newer = fetched.newer;
    const top = this.#scroller.scrollTop;
    const removed = this.#append(fetched.items);
    this.#scroller.scrollTop = top - removed;
  }

  /** Add items at the end and drop as many at the beginning as there is no room for; the height of those. */
  #append(items) {
    this.#items.push(...items);
    this.#list.append(...items.map((item) => this.#element(item)));
    this.#days();
    const height = this.#scroller.scrollHeight;
    while (this.#items.length > WINDOW) {
      this.#items.shift();
      this.#list.firstElementChild.remove();
      this.#older = true;
    }
    this.#days();
    return height - this.#scroller.scrollHeight;
  }

  #element(item) {
    const made = bubble(item, this.onOpen);
    made.classList.toggle("selected", item.key === this.#selected);
    return made;
  }

  /** Put a new element in an old one's place; the focus and the end of the list stay where they were. */
  #replace(old, made) {
    const focused = old.contains(document.activeElement);
    const wasAtEnd = this.#atEnd;
    old.replaceWith(made);
    if (focused) made.querySelector("button")?.focus({ preventScroll: true });
    if (wasAtEnd) this.#toEnd();
  }

  /** A day stands above the first message of it that is here. */
  #days() {
    let day = null;
    this.#items.forEach((item, place) => {
      const element = this.#list.children[place];
      const first = element.firstElementChild?.classList.contains("day") ? element.firstElementChild : null;
      const begins = dayOf(item.at) !== day;
      day = dayOf(item.at);
      if (begins && !first) element.prepend(el("p", { class: "day" }, dayName(item.at, this.now())));
      if (!begins && first) first.remove();
    });
  }

  get #atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}
