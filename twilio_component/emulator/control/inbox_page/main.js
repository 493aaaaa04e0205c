// The inbox: a list, a conversation, the details of a message, and the feed that keeps all of them true.

import { isMine } from "./bubble.js";
import { askToClear } from "./clear_dialog.js";
import { Composer } from "./composer.js";
import { openConditions } from "./conditions_dialog.js";
import { ConversationList } from "./conversations.js";
import { Details } from "./details.js";
import { byId, el } from "./dom.js";
import { emptyList, welcome } from "./empty_states.js";
import { listen } from "./feed.js";
import { gathered } from "./batch.js";
import { threadHeader } from "./thread_header.js";
import { icon } from "./icons.js";
import { handled } from "./notices.js";
import { showConditions } from "./conditions_bar.js";
import { themeButton } from "./themes.js";
import { Thread } from "./thread.js";
import { writeNew } from "./new_message_dialog.js";

const TYPING = 200;
const STATES = { connecting: "Connecting", live: "Live", away: "Reconnecting" };

class Inbox {
  #ahead = 0;
  #search = "";
  #thread = null;
  #conversation = null;
  #written = null;
  #composer = new Composer();
  #list = new ConversationList({ onOpen: (line) => this.#opened(line.id), now: () => this.#now(), empty: emptyList });
  #details = new Details({ onClose: (item) => { this.#thread?.select(null); this.#thread?.focus(item.key); } });

  start() {
    for (const place of document.querySelectorAll("[data-icon]")) place.prepend(icon(place.dataset.icon));
    themeButton(byId("theme"));
    byId("new-message").addEventListener("click", handled(() => this.#write()));
    byId("open-conditions").addEventListener("click", () => openConditions(this.#conversation?.phone));
    byId("clear").addEventListener("click", askToClear);
    this.#listenToSearch();
    this.#listenToKeys();
    addEventListener("hashchange", handled(() => this.#follow()));
    const changed = gathered(handled((items) => this.#changed(items)));
    listen(
      {
        reset: handled((state) => this.#reset(state)),
        message: changed,
        refusal: changed,
        webhook: handled(({ sid }) => (sid === this.#details.key ? this.#details.refresh() : null)),
        conditions: (state) => this.#conditions(state),
      },
      (state) => this.#connection(state),
    );
  }

  /** The emulator's time, which may be ahead of ours. */
  #now() {
    return Date.now() / 1000 + this.#ahead;
  }

  async #reset(state) {
    this.#conditions(state);
    this.#details.close();
    await this.#list.reload();
    await this.#follow();
  }

  #conditions(state) {
    this.#ahead = state.now - Date.now() / 1000;
    showConditions(state);
  }

  #connection(state) {
    byId("connection").dataset.state = state;
    byId("connection-text").textContent = STATES[state];
  }

  /** Take in what is new or has changed; null stands for more than can be told. */
  async #changed(items) {
    this.#list.changed();
    if (items) items.forEach((item) => this.#one(item));
    else await Promise.all([this.#thread?.missed(), this.#details.refresh()]);
  }

  #one(item) {
    if (item.conversation === this.#thread?.id) {
      this.#thread.update(item);
      // The phone may have opted out, or in again.
      if (isMine(item)) handled(() => this.#thread.refreshHead())();
    } else if (!this.#thread) {
      this.#welcomeSoon(item);
    }
    if (item.key === this.#details.key) handled(() => this.#details.refresh())();
    if (item.direction === "inbound" && item.body === this.#written) {
      this.#written = null;
      this.#opened(item.conversation);
    }
  }

  /** The first message of all ends the waiting for it. */
  #welcomeSoon(item) {
    if (byId("list").hidden) this.#opened(item.conversation);
  }

  #opened(id) {
    if (decodeURIComponent(location.hash.slice(1)) === id) handled(() => this.#follow())();
    else location.hash = encodeURIComponent(id);
  }

  /** Show the conversation that the address names. */
  async #follow() {
    const id = decodeURIComponent(location.hash.slice(1));
    const panes = byId("panes");
    this.#details.close();
    if (!id) {
      [this.#thread, this.#conversation] = [null, null];
      this.#list.select(null);
      byId("thread").replaceChildren(welcome(Boolean(this.#list.first)));
      panes.dataset.shows = "list";
      return;
    }
    const thread = new Thread({
      id,
      search: this.#search,
      now: () => this.#now(),
      onOpen: handled((item) => this.#detail(item)),
      // The response may come when another conversation is open already.
      onHead: (head) => (thread === this.#thread ? this.#head(head) : null),
    });
    this.#thread = thread;
    if (this.#conversation?.id !== id) {
      // Nobody writes before it is known to whom.
      this.#conversation = null;
      this.#composer.element.hidden = true;
    }
    byId("thread").replaceChildren(el("header", { class: "thread-head", id: "thread-head" }), this.#thread.element, this.#composer.element);
    panes.dataset.shows = "thread";
    this.#list.select(id);
    await thread.load();
    // Where the list is not in sight any more, the focus cannot stay in it.
    if (!byId("list").offsetParent) byId("thread").focus({ preventScroll: true });
  }

  #head(head) {
    this.#conversation = head;
    this.#composer.show(head);
    this.#composer.element.hidden = false;
    const parts = threadHeader(head, {
      search: this.#search,
      onBack: () => { location.hash = ""; },
      onAll: () => this.#searchFor(""),
    });
    byId("thread-head").replaceChildren(...parts);
  }

  async #detail(item) {
    this.#thread.select(item.key);
    await this.#details.show(item);
  }

  #write() {
    return writeNew((text) => { this.#written = text; });
  }

  #searchFor(text) {
    byId("search").value = text;
    this.#search = text;
    handled(async () => {
      await this.#list.search(text);
      if (this.#thread) await this.#follow();
    })();
  }

  #listenToSearch() {
    const field = byId("search");
    let typing = 0;
    field.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(handled(async () => {
        this.#search = field.value.trim();
        await this.#list.search(this.#search);
        if (this.#thread) await this.#follow();
      }), TYPING);
    });
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      byId("list").focus();
    });
  }

  #listenToKeys() {
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest("input, textarea, select, dialog");
      if (event.key === "Escape" && !byId("details").hidden && !document.querySelector("dialog[open]")) this.#details.close();
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") byId("search").focus();
      else if (event.key === "n") handled(() => this.#write())();
      else return;
      event.preventDefault();
    });
  }
}

new Inbox().start();
