// Lines over time as SVG, drawn as wide as there is room, so that its letters keep their size.

const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 260;
const EDGE = { left: 44, right: 14, top: 12, bottom: 28 };
const HOUR = 3_600_000;
const LABEL_ROOM = 64;
const BREAK = 3;
const DOT_ROOM = 14;
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2];
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric" });

/** @typedef {{x: number, y: number, title: string}} Point `x` milliseconds since 1970, `y` 0 to 1 */
/** @typedef {{number: number, points: Point[]}} Series `number` chooses its colour and mark */

/** A chart of shares between some floor and 1. */
export class Chart {
  /**
   * @param {HTMLElement} place
   * @param {{needed: number[]}} options shares at which a dashed line is drawn
   */
  constructor(place, { needed }) {
    Object.assign(this, { place, needed, shown: null });
    new ResizeObserver(() => this.#draw()).observe(place);
  }

  /**
   * @param {Series[]} series
   * @param {{from: number, until: number, long: number}} time in milliseconds since 1970; `long` is
   *   how much a point stands for
   * @param {string} description read aloud in place of the picture
   */
  show(series, time, description) {
    this.shown = { series, time, description };
    this.#draw();
  }

  #draw() {
    const width = this.place.clientWidth;
    if (!this.shown || !width) return;
    const { series, time, description } = this.shown;
    const scale = scaleOf(series, time, width);
    const picture = svg("svg", { width, height: HEIGHT, role: "img", "aria-label": description });
    picture.append(...this.#levels(scale, width), ...times(scale, time, width));
    for (const one of series) picture.append(drawn(one, scale));
    this.place.replaceChildren(picture);
  }

  #levels(scale, width) {
    const lines = ticks(scale.floor).flatMap((level) => levelLine(level, scale, width));
    const needed = this.needed
      .filter((level) => level > scale.floor)
      .map((level) => across(scale.y(level), width, "chart-needed"));
    return [...lines, ...needed];
  }
}

// The floor is as low as the lowest point wants, and never so high that noise looks like a cliff.
function scaleOf(series, { from, until, long }, width) {
  const lowest = Math.min(0.9, ...series.flatMap(({ points }) => points.map(({ y }) => y)));
  const floor = Math.max(0, Math.floor(lowest * 20) / 20);
  const inner = width - EDGE.left - EDGE.right;
  const tall = HEIGHT - EDGE.top - EDGE.bottom;
  return {
    floor,
    gap: BREAK * long,
    x: (at) => EDGE.left + (inner * (Math.max(at, from) - from)) / (until - from),
    y: (share) => EDGE.top + (tall * (1 - share)) / (1 - floor),
  };
}

function ticks(floor) {
  const step = STEPS.find((one) => (1 - floor) / one <= 6) ?? 0.25;
  const number = Math.floor((1 - floor) / step + 1e-9);
  return Array.from({ length: number + 1 }, (_, i) => 1 - i * step);
}

function levelLine(level, scale, width) {
  const y = scale.y(level);
  const label = svg("text", { x: EDGE.left - 8, y: y + 4, "text-anchor": "end" });
  label.textContent = level.toFixed(2);
  return [across(y, width, "chart-level"), label];
}

function across(y, width, name) {
  return svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y, class: name });
}

function times(scale, { from, until }, width) {
  const all = until - from > 48 * HOUR ? starts(from, until, 24) : starts(from, until, 1);
  const room = Math.max(2, Math.floor((width - EDGE.left - EDGE.right) / LABEL_ROOM));
  const every = [1, 2, 3, 4, 6, 8, 12].find((step) => all.length / step <= room) ?? 24;
  const format = until - from > 48 * HOUR ? weekday : clock;
  const hours = (at) => (format === clock ? at.getHours() : all.indexOf(at));
  return all.filter((at) => hours(at) % every === 0).map((at) => timeLabel(at, format, scale, width));
}

// Whole hours, or midnights, where the reader is.
function starts(from, until, hours) {
  const at = new Date(from);
  at.setMinutes(0, 0, 0);
  if (hours === 24) at.setHours(0);
  const found = [];
  for (; at.getTime() <= until; at.setHours(at.getHours() + hours)) {
    if (at.getTime() >= from) found.push(new Date(at));
  }
  return found;
}

function timeLabel(at, format, scale, width) {
  const x = scale.x(at.getTime());
  const anchor = x < EDGE.left + 20 ? "start" : x > width - EDGE.right - 20 ? "end" : "middle";
  const label = svg("text", { x, y: HEIGHT - 8, "text-anchor": anchor });
  label.textContent = format.format(at);
  return label;
}

function drawn({ number, points }, scale) {
  const group = svg("g", { class: `series-${number}` });
  const placed = points.map(({ x, y, title }) => ({ at: x, x: scale.x(x), y: scale.y(y), title }));
  group.append(svg("path", { d: pathOf(placed, scale.gap), class: "chart-line" }));
  const broad = placed.length > 1 ? placed.at(-1).x - placed[0].x : 0;
  const crowded = placed.length > 12 && broad / placed.length < DOT_ROOM;
  const marked = crowded ? placed.filter((point, i) => isAlone(placed, i, scale.gap)) : placed;
  group.append(...marked.map((point) => dot(point, number)));
  return group;
}

// Where nothing was measured for long there is no line: nobody knows what was between.
function pathOf(placed, gap) {
  return placed
    .map(({ at, x, y }, i) => {
      const joined = i > 0 && at - placed[i - 1].at <= gap;
      return `${joined ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}

function isAlone(placed, i, gap) {
  const near = (other) => other && Math.abs(other.at - placed[i].at) <= gap;
  return !near(placed[i - 1]) && !near(placed[i + 1]);
}

// Marks differ in shape as well as in colour.
const MARKS = [
  (x, y) => svg("circle", { cx: x, cy: y, r: 4 }),
  (x, y) => svg("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7 }),
  (x, y) => svg("path", { d: `M${x} ${y - 5}l4.6 8.4h-9.2z` }),
  (x, y) => svg("path", { d: `M${x} ${y - 5}l5 5l-5 5l-5-5z` }),
  (x, y) => svg("path", { d: `M${x} ${y + 5}l4.6-8.4h-9.2z` }),
];

function dot({ x, y, title }, number) {
  const mark = MARKS[number % MARKS.length](x, y);
  const words = svg("title", {});
  words.textContent = title;
  mark.setAttribute("class", "chart-dot");
  mark.append(words);
  return mark;
}

function svg(tag, attributes) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
