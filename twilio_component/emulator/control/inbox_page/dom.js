// Elements are built here and nowhere else. Texts become text nodes: whatever a message says, it is never markup.

import { icon } from "./icons.js";

/**
 * An element with attributes and children. `on` holds event listeners, `data` the data attributes; an attribute that is
 * false, null or undefined is left out, and so is such a child.
 */
export function el(tag, { on = {}, data = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  Object.assign(element.dataset, data);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Set an attribute, or remove it where the value is false, null or undefined. */
export function setAttribute(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** A button with an icon, a label, or both. An icon alone needs `aria-label`. */
export function button(label, iconName, { class: className = "", ...attributes } = {}) {
  const names = ["button", label ? "" : "icon-only", className].filter(Boolean).join(" ");
  const text = label && el("span", { class: "label" }, label);
  return el("button", { type: "button", class: names, ...attributes }, iconName && icon(iconName), text);
}

/** Text of strangers in a line of ours: it cannot turn the direction of what stands beside it. */
export function quoted(text, attributes = {}) {
  return el("bdi", attributes, text);
}

/** The element with an id. */
export function byId(id) {
  return document.getElementById(id);
}
