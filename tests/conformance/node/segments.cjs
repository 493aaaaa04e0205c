// Says what Twilio's own calculator says of each text: its encoding and its segments.
const { SegmentedMessage } = require("sms-segments-calculator");

const texts = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const found = texts.map(([text, smart]) => {
  const message = new SegmentedMessage(text, "auto", smart);
  return [message.getEncodingName(), message.segmentsCount];
});
process.stdout.write(JSON.stringify(found));
