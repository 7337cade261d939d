// What was measured of an index, as elements: figures to choose by, the shapes of filters, gates.

import { NEEDED, chosenBy, milliseconds, recall, shapeWord, worstFilter } from "./adminwords.js";
import { h, icon } from "./dom.js";
import { count, percent } from "./format.js";

// As the server's gate has it.
const MAP_TOLERANCE = 0.001;

/** @typedef {import("./adminapi.js").Index} Index */

/** @param {Index} index @returns {HTMLElement[]} pairs of a name and a figure; none unmeasured */
export function figuresOf({ figures, images }) {
  if (!figures) return [];
  const shown = chosenBy(figures);
  const plain = figures.searches.unfiltered;
  const worst = worstFilter(figures);
  const pairs = [
    figure("Bytes a picture", shown.bytes),
    figure("Recall@10", shown.recall, plain && plain.recall < NEEDED.unfiltered),
  ];
  if (worst) pairs.push(worstOf(worst));
  pairs.push(figure("Search, median", shown.median), figure("95 in 100 below", shown.p95));
  if (figures.overlap !== null) pairs.push(figure("Same as live", percent(figures.overlap)));
  pairs.push(...Object.entries(figures.quality).flatMap(qualityOf));
  if (images.failed) pairs.push(figure("Pictures failed", count(images.failed)));
  return pairs;
}

function worstOf([shape, { recall: share }]) {
  return figure(`Lowest: ${shapeWord(shape).toLowerCase()}`, recall(share), share < NEEDED.filtered);
}

function qualityOf([label, quality]) {
  if (!quality) return [];
  const { mean_average_precision: own, live_map: live } = quality;
  const name = live === null ? `mAP of ${label}` : `mAP of ${label}, live ${recall(live)}`;
  return [figure(name, recall(own), live !== null && own < live - MAP_TOLERANCE)];
}

function figure(name, value, wrong = false) {
  const shown = h("dd", {}, wrong ? icon("wrong") : null, value);
  return h("div", { class: wrong ? "figure-wrong" : null }, h("dt", {}, name), shown);
}

/** @param {import("./adminapi.js").Figures} figures @returns {HTMLElement} a row for each shape */
export function shapesOf(figures) {
  const titles = ["Filter", "Recall@10", "Median", "95 in 100 below", "Exact, median", "Searches"];
  const head = h("tr", {}, ...titles.map((title) => h("th", { scope: "col" }, title)));
  const rows = Object.entries(figures.searches).map(shapeRow);
  const table = h("table", { class: "numbers" }, h("thead", {}, head), h("tbody", {}, ...rows));
  const frame = { class: "numbers-frame", tabindex: "0", role: "region", "aria-label": "By filter" };
  return h("div", frame, table);
}

function shapeRow([shape, { recall: share, usual, exact, queries }]) {
  const values = [
    recall(share),
    milliseconds(usual.median_ms),
    milliseconds(usual.p95_ms),
    milliseconds(exact.median_ms),
    count(queries),
  ];
  const cells = values.map((value) => h("td", {}, value));
  return h("tr", {}, h("th", { scope: "row" }, shapeWord(shape)), ...cells);
}

/** @param {import("./adminapi.js").Gate[]} gates @returns {HTMLElement} */
export function gatesOf(gates) {
  return h("ul", { class: "gates", role: "list" }, ...gates.map(gateOf));
}

function gateOf({ passed, message }) {
  const word = h("span", { class: "unseen" }, passed ? "Passed: " : "Failed: ");
  const text = h("span", {}, word, message);
  return h("li", { "data-passed": passed ? "yes" : "no" }, icon(passed ? "check" : "wrong"), text);
}
