// Where the phone's owner writes: text, files, and the words that unsubscribe.

import { post } from "./api.js";
import { button, el } from "./dom.js";
import { encoded, MOST_BYTES, MOST_FILES } from "./uploads.js";
import { complain, handled } from "./notices.js";
import { bareAddress, size } from "./format.js";

const TALLEST = 160;

export class Composer {
  #files = [];
  #conversation = null;
  #text = el("textarea", { rows: "1", placeholder: "Reply from the phone", "aria-label": "Reply from the phone", enterkeyhint: "send" });
  #chosen = el("ul", { class: "chosen", "aria-label": "Files to send", hidden: true });
  #picker = el("input", { type: "file", multiple: true, class: "visually-hidden", tabindex: "-1", "aria-label": "Files to send" });
  #note = el("p", { class: "composer-note" });
  #send = button("", "send", { class: "send", type: "submit", "aria-label": "Send" });
  #keyword = el("button", { type: "button", class: "button small keyword" });

  constructor() {
    const attach = button("", "attach", { "aria-label": "Attach files", on: { click: () => this.#picker.click() } });
    this.element = el(
      "form",
      { class: "composer", "aria-label": "Reply", on: { submit: handled((event) => this.#submit(event)) } },
      this.#chosen,
      el("div", { class: "composer-row" }, attach, this.#picker, this.#text, this.#keyword, this.#send),
      this.#note,
    );
    this.#text.addEventListener("input", () => this.#resize());
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.element.requestSubmit();
      }
    });
    this.#keyword.addEventListener("click", handled(() => this.#post(this.#keyword.value, [])));
    this.#picker.addEventListener("change", () => this.#choose([...this.#picker.files]));
  }

  /** Write in this conversation. */
  show(conversation) {
    const other = this.#conversation?.id !== conversation.id;
    this.#conversation = conversation;
    this.#keyword.value = conversation.optedOut ? "START" : "STOP";
    this.#keyword.textContent = this.#keyword.value;
    this.#keyword.title = conversation.optedOut ? "Subscribe again" : "Opt out: the next send is refused with 21610";
    this.#note.replaceChildren(...noteOf(conversation));
    this.#note.classList.toggle("opted-out", conversation.optedOut);
    if (other) this.#clear();
  }

  focus() {
    this.#text.focus();
  }

  async #submit(event) {
    event.preventDefault();
    const [body, files] = [this.#text.value, this.#files];
    if (!body.trim() && !files.length) return;
    // The response comes when the application has responded, which may take a while: do not wait for it.
    this.#clear();
    this.#text.focus();
    try {
      await this.#post(body, await Promise.all(files.map(encoded)));
    } catch (error) {
      if (!this.#text.value && !this.#files.length) this.#fill(body, files);
      throw error;
    }
  }

  #post(body, media) {
    const { accountSid, number, phone } = this.#conversation;
    return post("/inbound", { to: number, from: phone, body, media, accountSid });
  }

  #choose(files) {
    const all = [...this.#files, ...files];
    this.#picker.value = "";
    if (all.length > MOST_FILES) return complain(`A message has at most ${MOST_FILES} files.`);
    if (all.reduce((sum, file) => sum + file.size, 0) > MOST_BYTES) return complain(`The files of a message have at most ${size(MOST_BYTES)}.`);
    this.#files = all;
    this.#showChosen();
  }

  #showChosen() {
    this.#chosen.hidden = !this.#files.length;
    this.#chosen.replaceChildren(...this.#files.map((file) => {
      const remove = button("", "close", { class: "small", "aria-label": `Do not send ${file.name}` });
      remove.addEventListener("click", () => {
        this.#files = this.#files.filter((one) => one !== file);
        this.#showChosen();
        this.#text.focus();
      });
      return el("li", {}, el("bdi", {}, file.name), el("span", { class: "muted" }, size(file.size)), remove);
    }));
  }

  #clear() {
    this.#fill("", []);
  }

  #fill(body, files) {
    this.#text.value = body;
    this.#files = files;
    this.#showChosen();
    this.#resize();
  }

  #resize() {
    this.#text.style.height = "auto";
    // The borders count in the height, and not in what is scrolled.
    this.#text.style.height = `${Math.min(TALLEST, this.#text.scrollHeight + 2)}px`;
  }
}

function noteOf(conversation) {
  const number = el("bdi", {}, bareAddress(conversation.number));
  if (conversation.optedOut) return ["This phone has opted out. What is sent to it from ", number, " is refused with 21610."];
  return ["You are the phone: this goes to ", number, " as a signed webhook."];
}
