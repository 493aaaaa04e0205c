// Evaluates Spectral's conditional logic and conversions on the terms that standard input gives as JSON, and prints
// the verdicts. A verdict on a condition is one letter: t(rue), f(alse) or e(rror).
"use strict";

const { util } = require("@prismatic-io/spectral");
const { evaluate, BinaryOperator, UnaryOperator } = require("@prismatic-io/spectral/dist/conditionalLogic");

const NUMBERS = { nan: Number.NaN, infinity: Number.POSITIVE_INFINITY };

function decode(term) {
  if ("json" in term) return term.json;
  return "absent" in term ? undefined : NUMBERS[Object.keys(term)[0]];
}

function verdict(expression) {
  try {
    return evaluate(expression) ? "t" : "f";
  } catch (_error) {
    return "e";
  }
}

function encode(value) {
  if (value === undefined) return { absent: true };
  if (typeof value === "number" && Number.isNaN(value)) return { nan: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (typeof value === "bigint") return { bigint: value.toString() };
  if (value instanceof Date) return { date: value.getTime() };
  if (value && Buffer.isBuffer(value.data)) return { bytes: [...value.data], contentType: value.contentType };
  return { json: value };
}

function conversion(name, term) {
  try {
    return encode(util.types[name](term));
  } catch (_error) {
    return { error: true };
  }
}

let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", () => {
  const { terms, conversions } = JSON.parse(text);
  const values = terms.map(decode);
  const unary = {};
  for (const operator of Object.values(UnaryOperator)) {
    unary[operator] = values.map((term) => verdict([operator, term])).join("");
  }
  const binary = {};
  for (const operator of Object.values(BinaryOperator)) {
    binary[operator] = values.map((left) => values.map((right) => verdict([operator, left, right])).join(""));
  }
  const converted = {};
  for (const name of conversions) converted[name] = values.map((term) => conversion(name, term));
  process.stdout.write(JSON.stringify({ unary, binary, conversions: converted }));
});
