// A text from a phone that nobody has written to yet.

import { get, post } from "./api.js";
import { button, el } from "./dom.js";
import { field, openDialog } from "./dialogs.js";
import { complain } from "./notices.js";

const PHONE = "+15558675310";
const NUMBER = "+15017122661";

/** Ask for the text and send it; `onSent` gets the text when it is about to be sent. */
export async function writeNew(onSent) {
  const { numbers } = await get("/numbers");
  const known = el("datalist", { id: "known-numbers" }, numbers.map(({ number, smsUrl }) => el("option", { value: number }, smsUrl || "no webhook")));
  const phone = el("input", { name: "phone", required: true, value: PHONE, autocomplete: "off", spellcheck: "false" });
  const number = el("input", { name: "number", required: true, value: numbers[0]?.number ?? NUMBER, list: known.id, autocomplete: "off", spellcheck: "false" });
  const text = el("textarea", { name: "text", required: true, rows: "3" });
  const hint = numbers.length
    ? "Its webhook is asked, signed, as Twilio does it."
    : "No number has a webhook yet: the message is kept, and nobody is asked. POST /_emulator/numbers gives one.";
  const form = el(
    "form",
    { class: "stack" },
    field("From the phone", phone),
    field("To the number", number, hint),
    known,
    field("Text", text),
    el("div", { class: "dialog-actions" }, button("Send", "send", { class: "primary", type: "submit" })),
  );
  const dialog = openDialog("New text", "narrow", form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const owner = numbers.find((one) => one.number === number.value);
    const account = owner ? { accountSid: owner.accountSid } : {};
    onSent(text.value);
    // The response comes when the application has responded, which may take a while: the feed has the message before.
    post("/inbound", { to: number.value, from: phone.value, body: text.value, ...account }).catch(complain);
    dialog.close();
  });
  text.focus();
}
