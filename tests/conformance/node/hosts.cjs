// Prints the hosts that the official Node SDK asks, by region and edge location, as JSON. Reads the pairs as JSON from
// standard input; nothing is requested.
"use strict";

const fs = require("node:fs");
const twilio = require("twilio");
const RequestClient = require("twilio/lib/base/RequestClient");

class RecordingClient extends RequestClient {
  async request(options) {
    this.asked = new URL(options.uri).origin;
    throw new Error("only the host is of interest");
  }
}

const CALLS = {
  api: (sdk) => sdk.messages("SM" + "0".repeat(32)).fetch(),
  messaging: (sdk) => sdk.messaging.v1.services("MG" + "0".repeat(32)).fetch(),
  content: (sdk) => sdk.content.v1.contents("HX" + "0".repeat(32)).fetch(),
  verify: (sdk) => sdk.verify.v2.services("VA" + "0".repeat(32)).fetch(),
  lookups: (sdk) => sdk.lookups.v2.phoneNumbers("+15558675310").fetch(),
};

async function main() {
  const found = [];
  for (const [region, edge] of JSON.parse(fs.readFileSync(0, "utf-8"))) {
    const hosts = {};
    for (const [product, call] of Object.entries(CALLS)) {
      const httpClient = new RecordingClient();
      const options = { httpClient, region: region ?? undefined, edge: edge ?? undefined };
      await call(twilio("AC" + "a".repeat(32), "token", options)).catch(() => undefined);
      hosts[product] = httpClient.asked;
    }
    found.push({ region, edge, hosts });
  }
  process.stdout.write(JSON.stringify(found));
}

main();
