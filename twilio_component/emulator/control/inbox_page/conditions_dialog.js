// What can be made to go wrong, who fails, and what time it is.

import { get, post } from "./api.js";
import { button, el } from "./dom.js";
import { field, openDialog, select } from "./dialogs.js";
import { handled } from "./notices.js";

const SENDS = "messages.create";
const FAULTS = [
  ["rateLimit", "429 Too Many Requests", "Nothing is sent, and trying again later helps.", {}],
  ["serverError", "500 Server Error", "Nothing is sent, which the application cannot know.", {}],
  ["drop", "Lost response", "The message is sent, but the connection closes without a response.", { accepted: true }],
  ["drop-before", "Lost request", "The connection closes without a response, and nothing is sent.", {}],
  ["slow", "Slow response", "The message is sent, and the response takes 30 seconds.", { seconds: 30 }],
];
const ENDINGS = [
  ["undelivered", "Not delivered"],
  ["failed", "Failed before it was sent"],
  ["delivered", "Delivered late"],
  ["sent", "Sent, and never confirmed"],
  ["read", "Delivered and read"],
];
const LEAPS = [[60, "+1 min"], [3600, "+1 h"], [86400, "+1 day"]];

/** Show the dialog. `phone` is the phone whose conversation is open, if one is. */
export function openConditions(phone) {
  openDialog("Conditions", "wide", faults(), delivery(phone), clock());
}

function faults() {
  const choices = FAULTS.map(([value, label, meaning], place) =>
    el("label", { class: "choice" },
      el("input", { type: "radio", name: "fault", value, checked: place === 0 }),
      el("span", {}, el("span", { class: "choice-label" }, label), el("span", { class: "hint" }, meaning))));
  const times = el("input", { type: "number", name: "times", min: "1", max: "10000", value: "1", required: true, id: "fault-times" });
  const which = select([[SENDS, "sends"], ["", "requests of any kind"]], { name: "operation", id: "fault-operation", "aria-label": "Kind of request" });
  const form = el(
    "form",
    { class: "stack" },
    el("fieldset", { class: "choices" }, el("legend", { class: "visually-hidden" }, "What goes wrong"), choices),
    el("div", { class: "sentence" }, el("label", { for: times.id }, "For the next"), times, which),
    actions("Switch on"),
  );
  return part("The API", form, async () => {
    const { fault, times: wanted, operation } = Object.fromEntries(new FormData(form));
    const [name, , , options] = FAULTS.find(([value]) => value === fault);
    const condition = operation ? { operation } : {};
    await post("/faults", { fault: name.replace("-before", ""), ...options, times: Number(wanted), ...condition });
  });
}

function delivery(phone) {
  const ending = select(ENDINGS, { name: "ending" });
  const code = el("input", { type: "number", name: "code", min: "1", value: "30003", list: "codes" });
  const codes = el("datalist", { id: "codes" });
  const delay = el("input", { type: "number", name: "delay", min: "0", step: "any", value: "0" });
  const times = el("input", { type: "number", name: "times", min: "1", max: "10000", value: "1", required: true, id: "rule-times" });
  const whom = select([...(phone ? [[phone, "to this phone"]] : []), ["", "to any phone"]], { name: "to", "aria-label": "To whom" });
  const codeField = field("Error code", code);
  const adapt = () => {
    codeField.hidden = !["undelivered", "failed"].includes(ending.value);
    code.value = ending.value === "failed" ? "30008" : "30003";
    delay.value = ending.value === "delivered" ? "30" : "0";
  };
  ending.addEventListener("change", adapt);
  handled(async () => {
    const { errors } = await get("/errors");
    codes.append(...errors.map((one) => el("option", { value: one.code }, one.meaning)));
  })();
  const form = el(
    "form",
    { class: "stack" },
    el("div", { class: "columns" }, field("The message ends as", ending), codeField, field("Seconds late", delay)),
    codes,
    el("div", { class: "sentence" }, el("label", { for: times.id }, "For the next"), times, el("span", {}, "messages"), whom),
    actions("Switch on"),
  );
  return part("Delivery", form, async () => {
    const wanted = Object.fromEntries(new FormData(form));
    const failing = codeField.hidden ? {} : { code: Number(wanted.code) };
    const to = wanted.to ? { to: wanted.to } : {};
    await post("/delivery-rules", { ending: wanted.ending, delay: Number(wanted.delay), times: Number(wanted.times), ...failing, ...to });
  });
}

function clock() {
  const seconds = el("input", { type: "number", name: "seconds", min: "0", step: "any", value: "10", required: true });
  const leap = (by) => post("/clock", { advance: by });
  const leaps = LEAPS.map(([by, label]) => button(label, null, { on: { click: handled(() => leap(by)) } }));
  const form = el(
    "form",
    { class: "stack" },
    el("div", { class: "sentence" }, leaps, field("or seconds", seconds), button("Move", "clock", { type: "submit" })),
    el("p", { class: "hint" }, "Whatever is due on the way happens: deliveries, callbacks, scheduled messages. The clock never goes back."),
  );
  return part("The clock", form, () => leap(Number(seconds.value)));
}

function actions(label) {
  return el("div", { class: "dialog-actions" }, button(label, "check", { class: "primary", type: "submit" }));
}

function part(title, form, submit) {
  const done = el("p", { class: "hint done", role: "status" });
  form.addEventListener("submit", handled(async (event) => {
    event.preventDefault();
    await submit();
    done.textContent = "Done.";
    setTimeout(() => { done.textContent = ""; }, 2000);
  }));
  return el("section", { class: "part" }, el("h3", {}, title), form, done);
}
