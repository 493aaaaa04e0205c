// The official Node SDK, unmodified but for where its requests go, against the emulator at EMULATOR_URL.
// Time moves only through the emulator's control API.
"use strict";

const assert = require("node:assert/strict");
const http = require("node:http");
const { beforeEach, test } = require("node:test");
const twilio = require("twilio");
const RequestClient = require("twilio/lib/base/RequestClient");

const EMULATOR_URL = process.env.EMULATOR_URL;
const ACCOUNT_SID = "AC" + "a".repeat(32);
const TOKEN = "an auth token";
const TO = "+15558675310";
const FROM = "+15017122661";

class RedirectedClient extends RequestClient {
  request(options) {
    const url = new URL(options.uri);
    return super.request({ ...options, uri: EMULATOR_URL + url.pathname + url.search });
  }
}

function sdk(user = ACCOUNT_SID, secret = TOKEN, accountSid = ACCOUNT_SID) {
  return twilio(user, secret, { accountSid, httpClient: new RedirectedClient() });
}

async function control(path, body) {
  const answer = await fetch(`${EMULATOR_URL}/_emulator/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
}

const send = (options) => sdk().messages.create({ to: TO, from: FROM, body: "Hello", ...options });

beforeEach(() => control("reset", {}));

test("a message that is created has Twilio's fields, and is fetched as it was created", async () => {
  const message = await send();
  assert.match(message.sid, /^SM[0-9a-f]{32}$/);
  assert.equal(message.status, "queued");
  assert.equal(message.numMedia, "0");
  assert.equal(message.errorCode, null);
  assert.equal(message.dateSent, null);
  assert.ok(Math.abs(message.dateCreated - Date.now()) < 5000);
  assert.equal((await sdk().messages(message.sid).fetch()).body, "Hello");
});

test("the list is newest first, filters, and is followed over its pages", async () => {
  const sids = [];
  for (let n = 0; n < 5; n += 1) sids.unshift((await send({ body: String(n), to: n === 2 ? "+15550002222" : TO })).sid);
  const all = await sdk().messages.list({ pageSize: 2 });
  assert.deepEqual(all.map((one) => one.sid), sids);
  assert.deepEqual((await sdk().messages.list({ to: "+15550002222" })).map((one) => one.body), ["2"]);
  const first = await sdk().messages.page({ pageSize: 2 });
  const second = await first.nextPage();
  assert.deepEqual(second.instances.map((one) => one.sid), [sids[2], sids[3]]);
  assert.deepEqual((await second.previousPage()).instances.map((one) => one.sid), [sids[0], sids[1]]);
});

test("the list filters by the date of sending", async () => {
  await send();
  await control("clock", { advance: 5 });
  const waiting = await send();
  const sent = await sdk().messages.list({ dateSentAfter: new Date(Date.now() - 24 * 3600e3) });
  assert.equal(sent.length, 1);
  assert.notEqual(sent[0].sid, waiting.sid);
  assert.deepEqual(await sdk().messages.list({ dateSentBefore: new Date(Date.now() - 24 * 3600e3) }), []);
});

test("a message still on its way is kept; a delivered one is redacted and deleted", async () => {
  const { sid } = await send();
  await assert.rejects(sdk().messages(sid).remove(), { status: 409, code: 20009 });
  await control("clock", { advance: 5 });
  assert.equal((await sdk().messages(sid).update({ body: "" })).body, "");
  assert.equal(await sdk().messages(sid).remove(), true);
  await assert.rejects(sdk().messages(sid).fetch(), { status: 404, code: 20404 });
});

test("a scheduled message is canceled", async () => {
  const { sid, status } = await sdk().messages.create({
    to: TO,
    body: "Later",
    messagingServiceSid: "MG" + "1".repeat(32),
    scheduleType: "fixed",
    sendAt: new Date(Date.now() + 3600e3),
  });
  assert.equal(status, "scheduled");
  assert.equal((await sdk().messages(sid).update({ status: "canceled" })).status, "canceled");
});

test("media are listed, fetched and deleted", async () => {
  const { sid, numMedia } = await send({ mediaUrl: ["https://example.com/a.png", "https://example.com/b.gif"] });
  assert.equal(numMedia, "2");
  const media = await sdk().messages(sid).media.list();
  assert.deepEqual(media.map((one) => one.contentType), ["image/png", "image/gif"]);
  assert.equal(await sdk().messages(sid).media(media[0].sid).remove(), true);
  assert.equal((await sdk().messages(sid).media.list()).length, 1);
});

for (const [field, number, code] of [
  ["to", "+15005550001", 21211],
  ["to", "+15005550002", 21612],
  ["to", "+15005550003", 21408],
  ["to", "+15005550004", 21610],
  ["to", "+15005550009", 21614],
  ["from", "+15005550001", 21212],
  ["from", "+15005550007", 21606],
  ["from", "+15005550008", 21611],
]) {
  test(`the magic number ${number} as ${field} is refused with ${code}`, async () => {
    const moreInfo = `https://www.twilio.com/docs/errors/${code}`;
    await assert.rejects(send({ [field]: number }), { status: 400, code, moreInfo });
  });
}

test("declared accounts make authentication strict, with Auth Token and API key", async () => {
  const key = "SK" + "b".repeat(32);
  await control("accounts", { sid: ACCOUNT_SID, authToken: TOKEN, apiKeys: { [key]: "secret" } });
  assert.equal((await send()).status, "queued");
  assert.equal((await sdk(key, "secret").messages.list()).length, 1);
  const nobody = sdk(key, "wrong").messages("SM" + "0".repeat(32));
  await assert.rejects(nobody.fetch(), { status: 401, code: 20003 });
});

test("numbers, services and the account are there", async () => {
  const number = await sdk().incomingPhoneNumbers.create({ phoneNumber: "+15550001111" });
  const changed = await sdk().incomingPhoneNumbers(number.sid).update({ smsUrl: "http://127.0.0.1/sms" });
  assert.equal(changed.smsUrl, "http://127.0.0.1/sms");
  const service = await sdk().messaging.v1.services.create({ friendlyName: "Alerts" });
  await sdk().messaging.v1.services(service.sid).phoneNumbers.create({ phoneNumberSid: number.sid });
  assert.deepEqual((await sdk().messaging.v1.services.list()).map((one) => one.friendlyName), ["Alerts"]);
  assert.equal((await sdk().api.v2010.accounts(ACCOUNT_SID).fetch()).status, "active");
});

test("a failed message has its code", async () => {
  await control("delivery-rules", { ending: "undelivered", code: 30006, to: TO });
  const { sid } = await send();
  await control("clock", { advance: 5 });
  const message = await sdk().messages(sid).fetch();
  assert.deepEqual([message.status, message.errorCode], ["undelivered", 30006]);
});

test("faults are seen as errors of the SDK", async () => {
  await control("faults", { fault: "rateLimit", retryAfter: 1 });
  await assert.rejects(send(), { status: 429, code: 20429 });
  await control("faults", { fault: "drop", accepted: true });
  await assert.rejects(send(), /socket hang up/);
  assert.equal((await sdk().messages.list()).length, 1);
});

test("webhooks carry a signature that the SDK accepts, and a tampered one it does not", async () => {
  const seen = [];
  const application = http.createServer((request, response) => {
    let text = "";
    request.on("data", (part) => (text += part));
    request.on("end", () => {
      seen.push({ headers: request.headers, url: request.url, form: Object.fromEntries(new URLSearchParams(text)) });
      response.setHeader("content-type", "text/xml");
      response.end("<Response><Message>Got it</Message></Response>");
    });
  });
  await new Promise((resolve) => application.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${application.address().port}/sms?flow=1`;
  try {
    await send();
    await control("numbers", { number: FROM, smsUrl: url });
    await control("inbound", { to: FROM, from: TO, body: "Grüße ♥" });
    const [{ headers, form }] = seen;
    const signature = headers["x-twilio-signature"];
    assert.equal(form.Body, "Grüße ♥");
    assert.ok(twilio.validateRequest(TOKEN, signature, url, form));
    assert.ok(!twilio.validateRequest(TOKEN, signature, url, { ...form, Body: "Other" }));
    const [reply] = await sdk().messages.list();
    assert.deepEqual([reply.direction, reply.body, reply.to], ["outbound-reply", "Got it", TO]);
  } finally {
    application.close();
  }
});

async function verifications() {
  const found = await fetch(`${EMULATOR_URL}/_emulator/verifications`);
  return (await found.json()).verifications;
}

test("a verification is sent, checked and forgotten, and refuses with Verify's codes", async () => {
  const service = await sdk().verify.v2.services.create({ friendlyName: "Shop" });
  assert.match(service.sid, /^VA[0-9a-f]{32}$/);
  assert.equal(service.codeLength, 6);
  const verify = sdk().verify.v2.services(service.sid);
  const started = await verify.verifications.create({ to: TO, channel: "sms" });
  assert.equal(started.status, "pending");
  assert.ok(started.dateCreated instanceof Date);
  const [{ code }] = await verifications();
  const wrong = code === "000000" ? "111111" : "000000";
  assert.equal((await verify.verificationChecks.create({ to: TO, code: wrong })).valid, false);
  assert.equal((await verify.verificationChecks.create({ to: TO, code })).status, "approved");
  await assert.rejects(verify.verificationChecks.create({ to: TO, code }), { status: 404 });
  await assert.rejects(verify.verifications.create({ to: "12", channel: "sms" }), { code: 60200 });
  for (let n = 0; n < 5; n += 1) await verify.verifications.create({ to: TO, channel: "call" });
  await assert.rejects(verify.verifications.create({ to: TO, channel: "sms" }), { code: 60203, status: 429 });
});

test("a number is looked up", async () => {
  const found = await sdk().lookups.v2.phoneNumbers("+14159929960").fetch({ fields: "line_type_intelligence" });
  assert.equal(found.valid, true);
  assert.equal(found.nationalFormat, "(415) 992-9960");
  assert.equal(found.lineTypeIntelligence.type, "mobile");
  assert.equal(found.callerName, null);
});

test("a WhatsApp user without a visible number is written to and listed", async () => {
  const username = "whatsapp:US.13491208655302741918";
  const message = await send({ to: username, from: "whatsapp:+14155238886" });
  assert.equal(message.to, username);
  assert.deepEqual((await sdk().messages.list({ to: username })).map((one) => one.sid), [message.sid]);
});
