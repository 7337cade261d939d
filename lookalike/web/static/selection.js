// Choosing cards of a grid with checkboxes; with Shift, everything between two of them.

import { h } from "./dom.js";

/** Which pictures of a grid are chosen. */
export class Selection {
  /**
   * @param {HTMLElement} grid holds cards, each with a box made by `box`
   * @param {(ids: string[]) => void} onChange
   */
  constructor(grid, onChange) {
    Object.assign(this, { grid, onChange, last: null, chosen: new Set() });
    grid.addEventListener("click", (event) => this.#onClick(event));
  }

  /** The chosen ids. */
  get ids() {
    return [...this.chosen];
  }

  /** @param {string} id @returns {boolean} */
  has(id) {
    return this.chosen.has(id);
  }

  /**
   * @param {string} id
   * @param {string} name of the picture, spoken
   * @returns {HTMLElement} the checkbox for a card
   */
  box(id, name) {
    const attributes = { type: "checkbox", value: id, "aria-label": `Select ${name}` };
    return h("label", { class: "choose" }, h("input", { ...attributes, class: "choose-box" }));
  }

  /** @param {string} id @param {boolean} on */
  choose(id, on) {
    this.#mark(this.#boxes().filter((box) => box.value === id), on);
  }

  /** Choose all that are shown. */
  all() {
    this.#mark(this.#boxes(), true);
  }

  /** Choose none, not even what is no longer shown. */
  clear() {
    this.chosen.clear();
    this.#mark(this.#boxes(), false);
  }

  #boxes() {
    return [...this.grid.querySelectorAll(".choose-box")];
  }

  #onClick(event) {
    const box = event.target.closest(".choose-box");
    if (!box) return;
    const boxes = this.#boxes();
    const [at, before] = [boxes.indexOf(box), boxes.indexOf(this.last)];
    const range = event.shiftKey && before >= 0;
    const touched = range ? boxes.slice(Math.min(at, before), Math.max(at, before) + 1) : [box];
    this.last = box;
    this.#mark(touched, box.checked);
  }

  #mark(boxes, on) {
    for (const box of boxes) {
      box.checked = on;
      box.closest(".card").classList.toggle("chosen", on);
      if (on) this.chosen.add(box.value);
      else this.chosen.delete(box.value);
    }
    this.grid.classList.toggle("choosing", this.chosen.size > 0);
    this.onChange(this.ids);
  }
}
