// What is said without being asked: to screen readers, and to everybody when something went wrong.

import { byId } from "./dom.js";

const SHOWN_FOR = 6000;
let hiding = 0;

/** Tell screen readers, when they have finished what they are saying. */
export function announce(text) {
  byId("announcer").textContent = text;
}

/** Show a problem for a while. */
export function complain(error) {
  const toast = byId("toast");
  toast.textContent = error instanceof Error ? error.message : String(error);
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, SHOWN_FOR);
}

/** Run an asynchronous handler of an event; what goes wrong is shown. */
export const handled = (handler) => (event) => Promise.resolve(handler(event)).catch(complain);
