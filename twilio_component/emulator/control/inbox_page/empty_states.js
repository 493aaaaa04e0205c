// What stands where there is nothing yet.

import { copyButton } from "./copy_button.js";
import { el } from "./dom.js";
import { icon } from "./icons.js";

const ACCOUNT = `AC${"0".repeat(31)}1`;

/** In the place of the list. */
export function emptyList(search) {
  if (search) return el("p", { class: "empty-words" }, "Nothing is found.");
  return el("p", { class: "empty-words" }, "No messages yet.");
}

/** In the place of the messages, while no conversation is open: how the first message gets here, or what to do. */
export function welcome(hasConversations) {
  if (hasConversations) {
    return el("div", { class: "welcome" }, el("span", { class: "welcome-icon" }, icon("in")), el("h2", {}, "Pick a conversation"),
      el("p", {}, "You hold the phone: read what the application sends, and reply to it."));
  }
  const command = [
    `curl ${location.origin}/2010-04-01/Accounts/${ACCOUNT}/Messages.json`,
    `-u ${ACCOUNT}:emulated-auth-token`,
    "-d To=+15558675310 -d From=+15017122661 --data-urlencode 'Body=Hello, phone'",
  ].join(" \\\n  ");
  return el(
    "div",
    { class: "welcome" },
    el("span", { class: "welcome-icon" }, icon("in")),
    el("h2", {}, "Waiting for the first message"),
    el("p", {}, "Point your application's base URL here, or send one by hand. Nothing leaves this machine."),
    el("pre", { class: "snippet-block", tabindex: "0", "aria-label": "A command that sends a message" }, command),
    copyButton("Copy", command, { "aria-label": "Copy the command" }),
  );
}
