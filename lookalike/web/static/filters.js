// Filters as values: the JSON of the API's filter language, and the words for each of its parts.

import { shown } from "./attributes.js";
import * as format from "./format.js";

const TAG_WORDS = { any: "any of", all: "all of", none: "none of" };
const SHAPES = { landscape: "wide", portrait: "tall", square: "square" };
const BOUNDS = [["gte", "at least"], ["lte", "at most"]];
const DAYS = [["from", "from"], ["to", "until"]];

/**
 * @typedef {{label: string, rest: object}} Part one condition in words, and the filter without it
 */

/**
 * The filter without empty parts, so that equal filters are written alike.
 * @param {object} filter
 * @returns {object}
 */
export function pruned(filter) {
  const kept = Object.entries(filter)
    .map(([key, value]) => [key, isPlain(value) ? pruned(value) : value])
    .filter(([, value]) => !isEmpty(value));
  return Object.fromEntries(kept);
}

/**
 * Every condition of a filter in words.
 * @param {object} filter
 * @returns {Part[]}
 */
export function partsOf(filter) {
  const leaves = [
    ...tagParts(filter.tags ?? {}),
    ...textPart(filter.text),
    ...listPart(filter.format),
    ...shapePart(filter.orientation),
    ...rangeParts(["width"], filter.width, BOUNDS, pixels),
    ...rangeParts(["height"], filter.height, BOUNDS, pixels),
    ...rangeParts(["bytes"], filter.bytes, BOUNDS, format.bytes, "file"),
    ...rangeParts(["taken"], filter.taken, DAYS, (time) => time.slice(0, 10)),
    ...rangeParts(["added"], filter.added, DAYS, localDay),
    ...attributeParts(filter.attributes ?? {}),
  ];
  return leaves.map(({ label, path, value }) => ({ label, rest: without(filter, path, value) }));
}

/**
 * The day of an instant where the reader is.
 * @param {string} iso
 * @returns {string} YYYY-MM-DD
 */
export function localDay(iso) {
  const date = new Date(iso);
  const two = (value) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

const pixels = (value) => `${format.count(value)} px`;

function tagParts(tags) {
  return Object.entries(TAG_WORDS).flatMap(([key, words]) =>
    (tags[key] ?? []).map((value) => ({ label: `${words}: ${value}`, path: ["tags", key], value })),
  );
}

function textPart(text) {
  return text ? [{ label: `words: ${text}`, path: ["text"] }] : [];
}

function listPart(formats) {
  const path = ["format"];
  return (formats ?? []).map((value) => ({ label: value.toUpperCase(), path, value }));
}

function shapePart(shape) {
  return shape ? [{ label: SHAPES[shape] ?? shape, path: ["orientation"] }] : [];
}

function rangeParts(path, range, bounds, words, name = path.at(-1)) {
  const label = (key, word) => `${name} ${word} ${words(range[key])}`;
  return bounds
    .filter(([key]) => range?.[key] !== undefined)
    .map(([key, word]) => ({ label: label(key, word), path: [...path, key] }));
}

function attributeParts(attributes) {
  return Object.entries(attributes).flatMap(([name, test]) => {
    const path = ["attributes", name];
    if (isPlain(test)) return rangeParts(path, test, BOUNDS, shown);
    return [{ label: `${name} is ${shown(test)}`, path }];
  });
}

function without(filter, path, value) {
  const copy = structuredClone(filter);
  const holder = path.slice(0, -1).reduce((part, key) => part[key], copy);
  const key = path.at(-1);
  if (Array.isArray(holder[key])) holder[key] = holder[key].filter((other) => other !== value);
  else delete holder[key];
  return pruned(copy);
}

function isPlain(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value) {
  if (Array.isArray(value)) return !value.length;
  return isPlain(value) ? !Object.keys(value).length : [undefined, null, ""].includes(value);
}
