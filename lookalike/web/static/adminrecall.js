// The recall meter: how many of the ten nearest real searches found, over time, by filter shape.

import { NEEDED, SHAPES, recall, shapeWord } from "./adminwords.js";
import { Chart } from "./chart.js";
import { byId, h, say } from "./dom.js";
import { count, countOf, moment } from "./format.js";

const HOUR = 3_600_000;
const searches = (number) => countOf(number, "search", "searches");
const NAMES = Object.keys(SHAPES);

const numberOf = (shape) => Math.max(0, NAMES.indexOf(shape));

// How many hours a point stands for: few searches make the hours of a week jump up and down.
const LONG = { 24: 1, 168: 6 };

/** The chart, its legend and the same as a table. */
export class RecallMeter {
  /** @param {() => void} onRange another stretch of time is wanted */
  constructor(onRange) {
    this.hours = 24;
    this.known = "";
    this.chart = new Chart(byId("chart"), { needed: Object.values(NEEDED) });
    for (const input of document.querySelectorAll("[name=range]")) {
      if (input.checked) this.hours = Number(input.value);
      input.addEventListener("change", () => {
        this.hours = Number(input.value);
        onRange();
      });
    }
  }

  /** What to ask the API for. */
  get wanted() {
    return { hours: this.hours, step: "hour" };
  }

  /** @param {import("./adminapi.js").Recall} found */
  show({ shapes: hourly, sampled }) {
    const none = hourly.length === 0;
    const long = LONG[this.hours] * HOUR;
    const shapes = hourly.map((one) => ({ ...one, points: together(one.points, long) }));
    byId("recall-none").hidden = !none;
    for (const id of ["legend", "chart", "recall-table"]) byId(id).hidden = none;
    if (none) return say(byId("recall-how"), this.#how(sampled));
    this.#showLegend(shapes);
    const until = Date.now();
    const series = shapes.map(seriesOf);
    this.chart.show(series, { from: until - this.hours * HOUR, until, long }, describe(shapes));
    showTable(shapes);
  }

  #how(sampled) {
    const seconds = Number(byId("recall").dataset.sampleSeconds);
    if (!seconds) return "Sampling is turned off: LOOKALIKE_RECALL_SAMPLE_SECONDS is 0.";
    const waiting = sampled ? ` ${searches(sampled)} wait to be replayed.` : "";
    return (
      `Search for something: at most one search every ${count(seconds)} s is kept, without the ` +
      "picture, and replayed exactly when nobody waits. The figures show here a little later." +
      waiting
    );
  }

  #showLegend(shapes) {
    const text = JSON.stringify([this.hours, shapes]);
    if (text === this.known) return;
    this.known = text;
    byId("legend").replaceChildren(...shapes.map(legendItem));
  }
}

// The mean of all searches of each stretch of time, in order.
function together(points, long) {
  const found = new Map();
  for (const { at, recall: share, queries } of points) {
    const start = Math.floor(Date.parse(at) / long) * long;
    const one = found.get(start) ?? { at: start, sum: 0, queries: 0 };
    found.set(start, { at: start, sum: one.sum + share * queries, queries: one.queries + queries });
  }
  return [...found.values()].map(({ at, sum, queries }) => ({ at, recall: sum / queries, queries }));
}

function seriesOf({ shape, points }) {
  const at = points.map((point) => ({
    x: point.at,
    y: point.recall,
    title: `${shapeWord(shape)}, ${moment(point.at)}: ${recall(point.recall)}, ${searches(point.queries)}`,
  }));
  return { number: numberOf(shape), points: at };
}

function legendItem({ shape, recall: share, queries }) {
  const needed = shape === "unfiltered" ? NEEDED.unfiltered : NEEDED.filtered;
  return h(
    "li",
    { class: `series-${numberOf(shape)}`, "data-low": share < needed ? "yes" : "no" },
    h("span", { class: "legend-mark", "aria-hidden": "true" }),
    h("span", {}, shapeWord(shape)),
    h("strong", {}, recall(share)),
    h("span", { class: "hint" }, searches(queries)),
  );
}

function describe(shapes) {
  const parts = shapes.map(({ shape, recall: share }) => `${shapeWord(shape)} ${recall(share)}`);
  return `Chart of recall@10 over time. ${parts.join(", ")}. The same follows as a table.`;
}

function showTable(shapes) {
  const table = byId("recall-table");
  const times = new Set(shapes.flatMap(({ points }) => points.map(({ at }) => at)));
  const titles = ["From", ...shapes.map(({ shape }) => shapeWord(shape))];
  const head = titles.map((title) => h("th", { scope: "col" }, title));
  const rows = [...times].sort((one, other) => other - one).map((at) => tableRow(at, shapes));
  table.querySelector("thead tr").replaceChildren(...head);
  table.querySelector("tbody").replaceChildren(...rows);
}

function tableRow(at, shapes) {
  const cells = shapes.map(({ points }) => {
    const point = points.find((one) => one.at === at);
    return h("td", {}, point ? `${recall(point.recall)} of ${count(point.queries)}` : "–");
  });
  return h("tr", {}, h("th", { scope: "row" }, moment(at)), ...cells);
}
