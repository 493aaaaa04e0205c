// Words and numbers for people.

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const EXACT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const COUNT = new Intl.NumberFormat();

const CHANNELS = { whatsapp: "WhatsApp", rcs: "RCS", messenger: "Messenger", instagram: "Instagram", email: "Email", call: "Call" };
const STATES = { refused: "Refused", dropped: "No response", cut: "Response cut off", undelivered: "Not delivered" };

export const timeOf = (seconds) => TIME.format(seconds * 1000);
export const exactTimeOf = (seconds) => EXACT.format(seconds * 1000);
export const count = (number) => COUNT.format(number);

/** "1 message", "2 messages". */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** The day of a moment, for comparison. */
export const dayOf = (seconds) => new Date(seconds * 1000).toDateString();

/** "Today", "Yesterday" or the date; `now` is the emulator's time. */
export function dayName(seconds, now) {
  if (dayOf(seconds) === dayOf(now)) return "Today";
  if (dayOf(seconds) === dayOf(now - 86400)) return "Yesterday";
  return DAY.format(seconds * 1000);
}

/** The time of something that happened today, the day of anything else. */
export const momentOf = (seconds, now) => (dayOf(seconds) === dayOf(now) ? timeOf(seconds) : SHORT_DAY.format(seconds * 1000));

/** "SMS", "MMS" or the name of the channel. */
export function channelName(channel, media = []) {
  return CHANNELS[channel] ?? (media.length ? "MMS" : "SMS");
}

/** What is shown of a status: a word for a message, the HTTP status for an attempt that was refused. */
export function statusName(item) {
  if (item.kind === "refusal" && typeof item.status === "number") return `Refused with HTTP ${item.status}`;
  return STATES[item.status] ?? item.status.charAt(0).toUpperCase() + item.status.slice(1);
}

/** A text whose control characters can be seen (line ends and tabs stay what they are). */
export function visible(text) {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (one) => String.fromCharCode(0x2400 + one.charCodeAt(0)));
}

/** An address without its channel, which is shown beside it. */
export const bareAddress = (address) => address.replace(/^(whatsapp|rcs|messenger|instagram):/, "");

/** "+1 h 5 min" of seconds. */
export function duration(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  let rest = Math.round(seconds);
  const shown = [];
  for (const [size, unit] of parts) {
    if (rest >= size) shown.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return shown.slice(0, 2).join(" ") || "0 s";
}

/** "12 kB" of bytes. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** JSON with line breaks; any other text as it is. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
