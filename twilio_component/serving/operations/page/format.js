// Words and times for people.

import { el } from "./dom.js";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const COUNT = new Intl.NumberFormat();

export const count = (number) => COUNT.format(number);

/** "1 step", "2 steps". */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** The time of today, the day and the time of any other day. */
export function momentText(iso) {
  const moment = new Date(iso);
  return (moment.toDateString() === new Date().toDateString() ? TIME : DAY_AND_TIME).format(moment);
}

/** A moment, the whole of it in its title. */
export function moment(iso, attributes = {}) {
  return el("time", { datetime: iso, title: WHOLE.format(new Date(iso)), ...attributes }, momentText(iso));
}

/** "1 h 5 min" of seconds. */
export function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  let rest = Math.round(seconds);
  const shown = [];
  for (const [size, unit] of parts) {
    if (rest >= size) shown.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return shown.slice(0, 2).join(" ") || "0 s";
}

/** How long something took, between two moments. */
export const durationBetween = (from, to) => duration(Math.max(0, new Date(to) - new Date(from)) / 1000);

/** The name of a state: "partly failed". */
export const stateName = (state) => state.replaceAll("-", " ").replaceAll("_", " ");

/** The state of a run or a step, in a word and a colour. */
export function stateBadge(state, words = stateName(state)) {
  return el("span", { class: "state", data: { state } }, words);
}
