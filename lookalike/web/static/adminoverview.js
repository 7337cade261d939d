// The figures of this moment: pictures, queues, workers, memory, disk.

import { age } from "./adminwords.js";
import { h, say } from "./dom.js";
import { bytes, count, countOf } from "./format.js";

const QUEUES = { interactive: "Single uploads", bulk: "Bulk work" };
const PARTS = {
  sql: "database",
  blobs: "pictures",
  vectors: "vectors",
  staging: "uploads in hand",
  cache: "converted models",
};
const NAMED = 8; // workers with a line of their own: the tile is to stay one

/** The row of figures on top of the page. */
export class Overview {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.pictures = new Tile(place, "Searchable pictures");
    this.queues = new Tile(place, "Batches waiting");
    this.workers = new Tile(place, "Workers alive");
    this.memory = new Tile(place, "Memory");
    this.disk = new Tile(place, "Disk");
    for (const { tile } of [this.memory, this.disk]) tile.classList.add("tile-broad");
    this.meter = h("meter", { min: "0", max: "1", high: "0.9", optimum: "0", hidden: true });
    this.meter.setAttribute("aria-label", "Share of the disk that is used");
    this.disk.lines.before(this.meter);
  }

  /** @param {Record<string, any>} status what `GET /status` answers */
  showStatus({ images, queue }) {
    this.pictures.show(count(images.indexed), [
      ["being indexed", count(images.pending)],
      ["failed", count(images.failed), images.failed ? "/library?state=failed" : null],
    ]);
    this.queues.show(count(queue.waiting), (queue.queues ?? []).map(queueLine));
    const idle = queue.workers === 0;
    this.workers.show(count(queue.workers), idle ? [["pictures wait until one starts", ""]] : []);
    this.workers.tile.dataset.wrong = idle ? "yes" : "no";
  }

  /** @param {Record<string, any>} found what `GET /resources` answers */
  showResources({ stored, free, total, memory, workers }) {
    this.memory.show(amount(sum([memory, ...held(workers)])), memoryLines(memory, workers));
    const parts = Object.entries(stored ?? {}).filter(([, size]) => size !== null);
    const lines = parts.map(([name, size]) => [PARTS[name] ?? name, bytes(size)]);
    if (free !== null) lines.push(["free", bytes(free)]);
    this.disk.show(amount(sum(parts.map(([, size]) => size))), lines);
    this.meter.hidden = !total || free === null;
    if (total) this.meter.value = 1 - free / total;
  }
}

// A worker that is no process of its own is in the server's memory, and not in the list.
function memoryLines(memory, workers) {
  if (workers?.length === 0) return [["server", amount(memory)]];
  const all = ["workers together", amount(sum(held(workers)))];
  return [["web server that answers", amount(memory)], all, ...workerLines(workers ?? [])];
}

function workerLines(workers) {
  const lines = workers.slice(0, NAMED).map(({ name, memory }) => [name, amount(memory)]);
  const others = workers.slice(NAMED);
  if (others.length) lines.push([countOf(others.length, "other"), amount(sum(held(others)))]);
  return lines;
}

const held = (workers) => (workers ?? []).map(({ memory }) => memory);

// Of what is known; null when nothing is.
function sum(sizes) {
  const told = sizes.filter((size) => size !== null);
  return told.length ? told.reduce((all, one) => all + one) : null;
}

const amount = (size) => (size === null ? "–" : bytes(size));

function queueLine({ name, waiting, oldest_seconds: oldest }) {
  const since = oldest ? `, oldest picture ${age(oldest)}` : "";
  return [QUEUES[name] ?? name, `${count(waiting)}${since}`];
}

/** A figure with what it is made of. */
class Tile {
  constructor(place, title) {
    this.figure = h("p", { class: "tile-figure" }, "–");
    this.lines = h("dl", { class: "tile-lines" });
    const name = h("h2", { class: "tile-title" }, title);
    this.tile = h("div", { class: "tile" }, name, this.figure, this.lines);
    place.append(this.tile);
    this.known = "";
  }

  // A link that has focus keeps it unless what it says changes.
  show(figure, lines) {
    say(this.figure, figure);
    const known = JSON.stringify(lines);
    if (known === this.known) return;
    this.known = known;
    this.lines.replaceChildren(...lines.map(line));
  }
}

function line([name, value, href]) {
  const shown = href ? h("a", { href }, value) : value;
  return h("div", {}, h("dt", {}, name), h("dd", {}, shown));
}
