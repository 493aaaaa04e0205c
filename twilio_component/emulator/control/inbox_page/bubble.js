// One item of a conversation: a message, or an attempt to send one that was refused.

import { mediaUrl } from "./api.js";
import { el, quoted } from "./dom.js";
import { icon } from "./icons.js";
import { channelName, exactTimeOf, size, statusName, timeOf, visible } from "./format.js";

const STATUS_ICONS = {
  accepted: "clock", queued: "clock", scheduled: "clock", sending: "clock",
  sent: "check", delivered: "checks", read: "checks", received: "check",
  failed: "warning", undelivered: "warning", canceled: "close",
};

/** Whether an item came from the phone, whose side the inbox plays. */
export const isMine = (item) => item.direction === "inbound";

/** Whether an item did not get through. */
export const isTrouble = (item) => item.kind === "refusal" || item.status === "failed" || item.status === "undelivered";

/** A list item with the bubble and what is known about it at a glance; `onOpen` is called to see the rest. */
export function bubble(item, onOpen) {
  const classes = ["item", isMine(item) ? "mine" : "theirs", item.kind, isTrouble(item) && "trouble"].filter(Boolean);
  const open = el(
    "button",
    { type: "button", class: "bubble", "aria-label": spoken(item), on: { click: () => onOpen(item) } },
    item.body && el("span", { class: "body", dir: "auto" }, visible(item.body)),
    !item.body && !item.media.length && el("span", { class: "body void" }, "No text"),
  );
  return el(
    "li",
    { class: classes.join(" "), data: { key: item.key } },
    item.media.map(attachment),
    (item.body || !item.media.length) && open,
    el("p", { class: "under" }, under(item), !item.body && item.media.length > 0 && moreAbout(item, onOpen)),
    item.error && problem(item.error),
  );
}

/** The icon of a status, with its word for those who cannot see it. */
export function statusMark(item) {
  const name = item.kind === "refusal" ? "warning" : STATUS_ICONS[item.status] ?? "clock";
  return el("span", { class: "mark", data: { status: item.kind === "refusal" ? "failed" : item.status } }, icon(name));
}

function under(item) {
  const segments = item.segmentation && item.body
    ? `${item.segmentation.encoding} · ${item.segmentation.segments} seg`
    : "";
  return [
    el("time", { title: exactTimeOf(item.at) }, timeOf(item.at)),
    el("span", { class: "state" }, isMine(item) ? "Sent from the phone" : statusName(item)),
    !isMine(item) && statusMark(item),
    item.channel === "call" && el("span", { class: "segments" }, "Read out in a call"),
    segments && el("span", { class: "segments" }, segments),
  ];
}

function moreAbout(item, onOpen) {
  return el("button", { type: "button", class: "link", "aria-label": `Details: ${spoken(item)}`, on: { click: () => onOpen(item) } }, "Details");
}

function problem(error) {
  return el(
    "p",
    { class: "problem" },
    el("strong", {}, String(error.code)),
    " ",
    quoted(error.meaning ?? error.message ?? ""),
  );
}

/** A file, shown where it can be: one that the application keeps elsewhere than on this machine is not fetched. */
function attachment(media) {
  const source = mediaUrl(media.sid);
  if (media.shownAs === "image") {
    const picture = el("img", { class: "picture", src: source, alt: `Picture, ${media.contentType}`, loading: "lazy" });
    const frame = el("a", { class: "attachment", href: source, target: "_blank", rel: "noopener" }, picture);
    picture.addEventListener("error", () => frame.replaceWith(fileCard(media)));
    return frame;
  }
  if (media.shownAs) {
    const player = el(media.shownAs, { class: "player", src: source, controls: true, preload: "metadata" });
    player.addEventListener("error", () => player.replaceWith(fileCard(media)));
    return player;
  }
  return fileCard(media);
}

/** A file that is not shown: its type, and where it can be had. */
function fileCard(media) {
  const source = media.url ?? size(media.size);
  const words = [el("span", { class: "file-type" }, quoted(media.contentType || "unknown type")), el("span", { class: "file-place" }, quoted(source))];
  const href = media.url ?? mediaUrl(media.sid);
  return el("a", { class: "file", href, target: "_blank", rel: "noopener noreferrer" }, icon("file"), el("span", { class: "file-words" }, words));
}

/** The item in one sentence, for screen readers. */
export function spoken(item) {
  const who = isMine(item) ? "The phone" : "The application";
  const what = item.kind === "refusal" ? "tried to send" : "sent";
  const files = item.media.length ? `, ${item.media.length} files` : "";
  const end = isMine(item) ? "" : `. ${statusName(item)}`;
  return `${who} ${what} ${channelName(item.channel, item.media)} at ${timeOf(item.at)}: ${visible(item.body)}${files}${end}`;
}
