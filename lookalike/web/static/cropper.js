// Choosing a part of a picture: drag a rectangle with mouse or pen, or press Crop and move it by
// its corners or with the keys. Promises a crop inside the picture, as fractions of its upright
// size.

import { h } from "./dom.js";
import { percent } from "./format.js";
import { announce } from "./notice.js";

const LEAST = 0.05;
const STEP = 0.02;
const FIRST = [0.2, 0.2, 0.6, 0.6];
const PAUSE = 500;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CLEARING = new Set(["Delete", "Backspace", "Escape"]);
const HELP = "Part to search for. Arrow keys move it, with Shift they resize it, Delete clears it.";

/** A rectangle over a picture. */
export class Cropper {
  /**
   * @param {HTMLElement} frame holds the picture and nothing else; the rectangle is laid over it
   * @param {(crop: number[]|null) => void} onChange told when a drag or a series of keys ends
   */
  constructor(frame, onChange) {
    Object.assign(this, { frame, onChange, crop: null, timer: 0 });
    const attributes = { class: "crop", tabindex: 0, role: "group", "aria-label": HELP };
    this.box = h("div", { ...attributes, hidden: true });
    for (const corner of ["nw", "ne", "sw", "se"]) {
      this.box.append(h("span", { class: `crop-corner crop-${corner}`, "data-corner": corner }));
    }
    this.box.addEventListener("keydown", (event) => this.#onKey(event));
    frame.classList.add("croppable");
    frame.addEventListener("pointerdown", (event) => this.#onPress(event));
    frame.append(this.box);
  }

  /** @param {number[]|null} crop shown without telling `onChange` */
  show(crop) {
    this.crop = crop;
    this.box.hidden = !crop;
    const [x, y, width, height] = (crop ?? FIRST).map((value) => `${value * 100}%`);
    Object.assign(this.box.style, { left: x, top: y, width, height });
  }

  /** Put a first rectangle in the middle, ready for the keys. */
  begin() {
    this.show(this.crop ?? FIRST);
    this.box.focus();
    this.onChange(this.crop);
  }

  #onKey(event) {
    const move = MOVES[event.key];
    if (CLEARING.has(event.key)) this.#finish(null);
    else if (move) this.#nudge(move.map((sign) => sign * STEP), event.shiftKey);
    else return;
    event.preventDefault();
  }

  #nudge([right, down], resizing) {
    const [x, y, width, height] = this.crop;
    const moved = resizing ? resized(this.crop, right, down) : [x + right, y + down, width, height];
    this.show(inside(moved));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#finish(this.crop), PAUSE);
  }

  #onPress(event) {
    const onBox = this.box.contains(event.target);
    // A finger on the picture scrolls the page; it takes the rectangle only by the rectangle.
    if (event.button !== 0 || (event.pointerType === "touch" && !onBox)) return;
    event.preventDefault();
    this.#follow(event.pointerId, this.#dragFrom(event, onBox));
  }

  #follow(pointer, drag) {
    const before = this.crop;
    const stop = new AbortController();
    const listen = (name, act) => this.frame.addEventListener(name, act, { signal: stop.signal });
    const end = () => (stop.abort(), this.crop !== before && this.#onRelease(before));
    this.frame.setPointerCapture(pointer);
    listen("pointermove", (moved) => this.show(drag(this.#at(moved))));
    listen("pointerup", end);
    listen("pointercancel", end);
  }

  #dragFrom(event, onBox) {
    const start = this.#at(event);
    const before = this.crop;
    const corner = event.target.dataset.corner;
    if (corner) return (at) => between(opposite(before, corner), at);
    if (!onBox) return (at) => between(start, at);
    const [x, y, width, height] = before;
    return (at) => inside([x + at[0] - start[0], y + at[1] - start[1], width, height]);
  }

  #onRelease(before) {
    const slip = this.crop[2] < LEAST || this.crop[3] < LEAST;
    if (slip) return this.show(before);
    this.box.focus({ preventScroll: true });
    this.#finish(this.crop);
  }

  #finish(crop) {
    const rounded = crop && inside(crop.map((value) => Math.round(value * 1000) / 1000));
    this.show(rounded);
    announce(rounded ? described(rounded) : "Searching for the whole picture");
    this.onChange(rounded);
  }

  #at(event) {
    const { left, top, width, height } = this.frame.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height].map(clamped);
  }
}

const clamped = (value) => Math.max(0, Math.min(1, value));

function resized([x, y, width, height], right, down) {
  const within = (size, room) => Math.max(LEAST, Math.min(room, size));
  return [x, y, within(width + right, 1 - x), within(height + down, 1 - y)];
}

function inside([x, y, width, height]) {
  return [Math.max(0, Math.min(1 - width, x)), Math.max(0, Math.min(1 - height, y)), width, height];
}

function between([fromX, fromY], [toX, toY]) {
  return [Math.min(fromX, toX), Math.min(fromY, toY), Math.abs(toX - fromX), Math.abs(toY - fromY)];
}

function opposite([x, y, width, height], corner) {
  return [corner.includes("w") ? x + width : x, corner.includes("n") ? y + height : y];
}

function described([x, y, width, height]) {
  const place = `${percent(x)} from the left, ${percent(y)} from the top`;
  return `Searching for a part: ${place}, ${percent(width)} wide, ${percent(height)} high`;
}
