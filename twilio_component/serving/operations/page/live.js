// Views that stay up to date: asked for again while somebody looks, drawn again when something has changed.

import { byId } from "./dom.js";

const EVERY = 2000;
const AWAY_EVERY = 5000;

let current = null;

/**
 * Show a view: `load` gives its data, `draw` its elements. What is focused, and which details are open, stays.
 * Elements that can be focused or opened have a `data-key`.
 */
export function show(load, draw, { onError }) {
  const view = { load, draw, onError, shown: null, timer: 0 };
  if (current) clearTimeout(current.timer);
  current = view;
  return refresh(view);
}

/** Ask again now, since something was done. */
export function refreshNow() {
  if (current) return refresh(current);
}

/** Draw again what is shown, with the same data: the view's own state has changed. */
export function redraw() {
  if (current?.data) draw(current);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshNow(); });

async function refresh(view) {
  clearTimeout(view.timer);
  let pause = EVERY;
  try {
    const data = await view.load();
    if (view !== current) return;
    setConnection("live");
    const text = JSON.stringify(data);
    if (text !== view.shown) {
      view.shown = text;
      view.data = data;
      draw(view);
    }
  } catch (error) {
    if (view !== current) return;
    pause = AWAY_EVERY;
    if (error instanceof TypeError) setConnection("away");
    else view.onError(error, view);
  }
  clearTimeout(view.timer);
  // Nobody looks at a page that is hidden; it is asked for again when it is seen.
  if (!document.hidden) view.timer = setTimeout(() => refresh(view), pause);
}

function draw(view) {
  const main = byId("main");
  const focused = main.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const isNew = main.dataset.view !== view.name;
  const open = new Set([...main.querySelectorAll("details[open][data-key]")].map((one) => one.dataset.key));
  const closed = new Set([...main.querySelectorAll("details:not([open])[data-key]")].map((one) => one.dataset.key));
  main.replaceChildren(...[view.draw(view.data)].flat());
  for (const one of main.querySelectorAll("details[data-key]")) {
    if (open.has(one.dataset.key)) one.open = true;
    else if (closed.has(one.dataset.key)) one.open = false;
  }
  if (focused) [...main.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused)?.focus({ preventScroll: true });
  if (isNew) main.dataset.view = view.name;
}

/** Say whether the page is up to date. */
export function setConnection(state) {
  byId("connection").dataset.state = state;
  byId("connection-text").textContent = { live: "Live", away: "No connection", connecting: "Connecting" }[state];
}
