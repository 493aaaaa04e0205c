// One exchange: a request of the application, or a webhook to it.

import { copyButton } from "./copy_button.js";
import { el, quoted } from "./dom.js";
import { icon } from "./icons.js";
import { exactTimeOf, pretty, visible } from "./format.js";

const SIGNATURE = "X-Twilio-Signature";
const CONNECTION_FAULTS = { dropped: "no response", cut: "cut off", slow: "slow", refused: "refused", certificate: "wrong certificate" };

/** An exchange that can be unfolded; `open` remembers which are, from one drawing to the next. */
export function exchange(record, open) {
  const id = `exchange-${record.number}`;
  const summary = el(
    "summary",
    { data: { focus: id } },
    el("span", { class: "exchange-way" }, icon(record.kind === "request" ? "in" : "out")),
    el("span", { class: "exchange-words" },
      el("span", { class: "exchange-title" }, titleOf(record)),
      el("span", { class: "exchange-url" }, el("code", {}, record.method), " ", quoted(shortUrl(record)))),
    el("span", { class: "exchange-result", data: { good: isGood(record) } }, resultOf(record)),
  );
  const made = el("details", { class: "exchange", open: open.has(id) }, summary, el("div", { class: "exchange-body" }, body(record)));
  made.addEventListener("toggle", () => (made.open ? open.add(id) : open.delete(id)));
  return made;
}

function body(record) {
  return [
    el("div", { class: "exchange-tools" },
      el("time", { class: "muted" }, exactTimeOf(record.at)),
      copyButton("Copy as curl", record.curl, { data: { focus: `curl-${record.number}` } })),
    block("URL", `${record.method} ${record.url}`),
    record.headers[SIGNATURE] && block("Signature", record.headers[SIGNATURE]),
    record.parameters.length > 0 && parameters(record.parameters),
    record.error && block("No response", record.error),
    record.warnings?.length > 0 && block("Warnings", record.warnings.join("\n")),
    record.answer && block(`Response · ${resultOf(record)}`, pretty(record.answer.body) || "(empty)"),
  ];
}

function titleOf(record) {
  if (record.kind === "request") return record.operation ?? "unknown request";
  const again = record.attempt > 1 ? `, attempt ${record.attempt}` : "";
  const status = record.parameters.find(([name]) => name === "MessageStatus")?.[1];
  return record.about === "inbound" ? `Inbound webhook${again}` : `Status callback: ${status}${again}`;
}

function resultOf(record) {
  if (!record.answer) return "no response";
  const { connectionFault, status } = record.answer;
  return connectionFault ? CONNECTION_FAULTS[connectionFault] : `HTTP ${status}`;
}

function isGood(record) {
  return Boolean(record.answer) && !record.answer.connectionFault && record.answer.status < 400;
}

/** A URL without what is the same every time: of ours the resource, of the application's all but the scheme. */
function shortUrl({ kind, url }) {
  if (!URL.canParse(url)) return url;
  const { host, pathname } = new URL(url);
  return kind === "request" ? pathname.replace(/^\/[\d-]+\/Accounts\/AC\w+(?=[/.])/, "…") : host + pathname;
}

function block(title, text) {
  return el("div", { class: "block" }, el("h4", {}, title), el("pre", { tabindex: "0", "aria-label": title }, visible(text)));
}

function parameters(pairs) {
  const rows = pairs.map(([name, value]) => el("div", {}, el("dt", {}, quoted(name)), el("dd", {}, value ? quoted(visible(value)) : el("span", { class: "muted" }, "(blank)"))));
  return el("div", { class: "block" }, el("h4", {}, "Parameters"), el("dl", { class: "parameters" }, rows));
}
