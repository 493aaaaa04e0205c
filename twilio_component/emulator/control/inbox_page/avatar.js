// How a phone and a channel are marked, wherever they stand.

import { el } from "./dom.js";
import { channelName } from "./format.js";

const COLOURS = 6;

/** A disc with the end of a number, or the beginning of a name, in a colour of its own. */
export function avatar(phone) {
  return el("span", { class: "avatar", "aria-hidden": "true", data: { colour: colourOf(phone) } }, initials(phone));
}

/** The channel of a conversation that does not travel as SMS. */
export function channelChip(channel) {
  return channel ? el("span", { class: "chip", data: { channel } }, channelName(channel)) : null;
}

/** One of a few colours, the same for the same number every time. */
function colourOf(phone) {
  return [...phone].reduce((sum, one) => (sum * 31 + one.codePointAt(0)) >>> 0, 7) % COLOURS;
}

function initials(phone) {
  return /\d\d$/.test(phone) ? phone.slice(-2) : [...phone].slice(0, 2).join("").toUpperCase();
}
