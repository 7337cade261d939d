// Indexes in the words of people: states, figures, what is missing.

import { bytes, count } from "./format.js";

/** Filter shapes in the order in which they are shown, and in words. */
export const SHAPES = {
  unfiltered: "No filter",
  "one tag": "One tag",
  "several tags": "Several tags",
  range: "A range",
  mixed: "Mixed filter",
};

/** @param {string} shape @returns {string} in words; a shape that is new here speaks for itself */
export const shapeWord = (shape) => SHAPES[shape] ?? shape;

/** Recall@10 that is needed, without and with a filter; the server's gates have the same. */
export const NEEDED = { unfiltered: 0.98, filtered: 0.95 };

const MARKS = {
  Building: "retry",
  Measuring: "clock",
  Switching: "retry",
  Paused: "minus",
  Ready: "check",
  Live: "search",
  Retired: "bin",
  "Clearing away": "bin",
  Stopped: "wrong",
};
const STATES = { ready: "Ready", live: "Live", failed: "Stopped" };

/** @typedef {import("./adminapi.js").Index} Index */

/** @param {Index} index @returns {boolean} whether workers are at it */
export const isActive = (index) => index.task !== null && !index.paused;

/** @param {Index} index @returns {number} pictures that are in it, or cannot be */
export const doneOf = ({ images }) => images.indexed + images.failed;

/** @param {Index} index @returns {string} what it is, in a word or two */
export function wordFor(index) {
  if (index.state === "retired") return index.task ? "Clearing away" : "Retired";
  if (index.paused) return "Paused";
  if (index.state === "building") return isMeasured(index) ? "Measuring" : "Building";
  return index.task === "switch" ? "Switching" : STATES[index.state];
}

/** @param {Index} index @returns {string} the icon that goes with the word */
export const markFor = (index) => MARKS[wordFor(index)];

// All pictures are in; what is left is the search graph and the measurement.
function isMeasured(index) {
  return doneOf(index) >= index.pictures && index.images.pending === 0 && Boolean(index.message);
}

/** @param {Index} index @returns {string} model and storage, which tell indexes apart */
export const nameOf = ({ model, storage }) => `${model} as ${storage}`;

/** @param {Index} index @returns {string} how pictures become vectors in it */
export function makeOf({ recipe, dimensions, distance, library, labels }) {
  const parts = [recipe, `${count(dimensions)} numbers`, distance];
  if (library) parts.push(`measured in ${library}`);
  if (labels.length) parts.push(`labels ${labels.join(", ")}`);
  return parts.join(" · ");
}

/**
 * @param {number} share 0 to 1
 * @returns {string} three digits, never rounded up: 0.9799 must not look like 0.98
 */
export const recall = (share) => (Math.floor(share * 1000 + 1e-9) / 1000).toFixed(3);

/** @param {number} value @returns {string} such as 0.46 ms */
export const milliseconds = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;

/**
 * The filter shape that is found worst, the search without a filter aside.
 * @param {import("./adminapi.js").Figures} figures
 * @returns {[string, import("./adminapi.js").Searches]|undefined}
 */
export function worstFilter(figures) {
  const filtered = Object.entries(figures.searches).filter(([shape]) => shape !== "unfiltered");
  return filtered.sort(([, one], [, other]) => one.recall - other.recall)[0];
}

/**
 * What an administrator chooses by.
 * @param {import("./adminapi.js").Figures} figures
 * @returns {{bytes: string, recall: string, median: string, p95: string}} "–" is not measured
 */
export function chosenBy(figures) {
  const plain = figures?.searches.unfiltered;
  const size = figures?.bytes_per_picture ?? null;
  return {
    bytes: size === null ? "–" : bytes(size),
    recall: plain ? recall(plain.recall) : "–",
    median: plain ? milliseconds(plain.usual.median_ms) : "–",
    p95: plain ? milliseconds(plain.usual.p95_ms) : "–",
  };
}

/** @param {number} seconds @returns {string} such as 12 s, 5 min, 3 h or 2 days */
export function age(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
