"use strict";
// Elements of pages, and words in them. All text is set as text.

const $ = (selector, within = document) => within.querySelector(selector);
const readable = (name) => name.replaceAll("_", " ");
const sentence = (text) => (text ? `${text.charAt(0).toUpperCase()}${text.slice(1)}.` : ""); // a cell's game may have none

// An element with text, attributes and children.
function element(tag, text = "", attributes = {}, children = []) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function setText(selector, text) {
  const node = $(selector);
  if (node.textContent !== text) node.textContent = text;
}

// Keys with what they do, those of one action together: [["left", "a"], "left"].
function labels(keys) {
  const found = new Map();
  for (const [key, name] of keys) found.set(name, [...(found.get(name) ?? []), key]);
  return [...found].map(([name, names]) => [names, readable(name)]);
}

const ARROWS = { __proto__: null, left: "←", right: "→", up: "↑", down: "↓" };
const cap = (key) => element("kbd", ARROWS[key] ?? key);
const rowOfKeys = ([keys, what]) => [element("dt", "", {}, keys.map(cap)), element("dd", what)];

// Pixels of a canvas as large as it is shown.
function sizeOf(canvas) {
  const size = [canvas.clientWidth, canvas.clientHeight].map((length) => Math.round(length * devicePixelRatio));
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  return size;
}
