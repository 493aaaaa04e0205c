// The page of operations: which view is shown, and whether somebody has to sign in.

import { session, signOut, SignedOutError } from "./api.js";
import { byId, el } from "./dom.js";
import { icon } from "./icons.js";
import { setConnection, show } from "./live.js";
import { complain, handled } from "./notices.js";
import { runView } from "./run_view.js";
import { runsView } from "./runs_view.js";
import { signInView } from "./sign_in.js";
import { schedulesView, sendersView, webhooksView, workersView } from "./tables.js";
import { themeButton } from "./themes.js";

const VIEWS = { runs: runsView, run: runView, workers: workersView, senders: sendersView, schedules: schedulesView, webhooks: webhooksView };

for (const place of document.querySelectorAll("[data-icon]")) place.prepend(icon(place.dataset.icon));
themeButton(byId("theme"));
byId("sign-out").addEventListener("click", handled(async () => { await signOut(); location.reload(); }));
addEventListener("hashchange", handled(() => route()));
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
start().catch((error) => { setConnection("away"); complain(error); });

async function start() {
  const found = await session();
  byId("tabs").hidden = !found.signedIn;
  byId("sign-out").hidden = !(found.signedIn && found.needsToken);
  if (!found.signedIn) return signInView(() => start());
  byId("database").textContent = found.database;
  byId("database").title = `${found.database}, twilio-component ${found.version}`;
  await route({ first: true });
}

/** Show what the address names: `#/run/ID`, `#/runs?state=failed`. */
async function route({ first = false } = {}) {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/");
  const known = Object.hasOwn(VIEWS, name) ? name : "runs";
  const view = VIEWS[known](decodeURIComponent(rest.join("/")), new URLSearchParams(search));
  for (const tab of document.querySelectorAll("#tabs a")) {
    const isCurrent = tab.dataset.view === known || (known === "run" && tab.dataset.view === "runs");
    if (isCurrent) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  document.title = `${view.title} · Operations`;
  const isOtherView = byId("main").dataset.name !== `${known} ${path}`;
  byId("main").dataset.name = `${known} ${path}`;
  if (isOtherView) byId("main").replaceChildren(el("p", { class: "empty" }, "Loading"));
  await show(view.load, view.draw, { onError });
  if (!first && isOtherView) {
    byId("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function onError(error, view) {
  if (error instanceof SignedOutError) return start().catch(complain);
  if (view.data) return complain(error);
  byId("main").replaceChildren(el("div", { class: "empty", role: "alert" }, el("p", {}, error.message), el("p", {}, el("a", { href: "#/runs" }, "All runs"))));
}
