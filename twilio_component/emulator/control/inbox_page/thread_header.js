// What stands above a conversation: whose phone it is, and how much of it is shown.

import { button, el, quoted } from "./dom.js";
import { avatar, channelChip } from "./avatar.js";
import { bareAddress, count } from "./format.js";

/** The parts of the header; `onBack` leads to the list, `onAll` ends the search. */
export function threadHeader(conversation, { search, onBack, onAll }) {
  const phone = bareAddress(conversation.phone);
  const stopped = conversation.optedOut && el("span", { class: "chip stop" }, "Opted out");
  const parts = [
    button("", "back", { class: "back", "aria-label": "Back to the conversations", on: { click: onBack } }),
    avatar(phone),
    el("div", { class: "thread-words" },
      el("h2", {}, quoted(phone), channelChip(conversation.channel), stopped),
      el("p", { class: "muted" }, "with ", quoted(bareAddress(conversation.number)))),
  ];
  if (search) {
    const all = el("button", { type: "button", class: "link", on: { click: onAll } }, "Show all");
    parts.push(el("p", { class: "found" }, `${count(conversation.count)} found here for “`, quoted(search), "”", all));
  }
  return parts;
}
