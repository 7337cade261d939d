// Rows of conditions on attributes: name, comparison, value. Several bounds on one name are one
// range; half-filled rows ask nothing.

import { shown, typed } from "./attributes.js";
import { h, iconButton, textBox } from "./dom.js";

const COMPARISONS = { is: "is", gte: "at least", lte: "at most" };

/** The part `attributes` of a filter, as rows that people add, change and remove. */
export class AttributeTests {
  /**
   * @param {HTMLElement} place holds the rows
   * @param {HTMLElement} adder the button that adds one
   * @param {() => void} onChange
   */
  constructor(place, adder, onChange) {
    Object.assign(this, { place, adder, onChange });
    adder.addEventListener("click", () => this.#add("", "is", "").querySelector("input").focus());
    place.addEventListener("change", onChange);
  }

  /** @param {Record<string, unknown>} attributes */
  show(attributes) {
    this.place.replaceChildren();
    for (const [name, test] of Object.entries(attributes)) {
      const bounds = typeof test === "object" ? Object.entries(test) : [["is", test]];
      bounds.forEach(([comparison, value]) => this.#add(name, comparison, shown(value)));
    }
  }

  /** @returns {Record<string, unknown>} */
  read() {
    const attributes = Object.create(null);
    for (const row of this.place.children) {
      const boxes = [...row.querySelectorAll("input, select")];
      const [name, comparison, value] = boxes.map((box) => box.value.trim());
      const test = testOf(comparison, value);
      if (name && test !== null) attributes[name] = together(attributes[name], test);
    }
    return attributes;
  }

  #add(name, comparison, value) {
    const options = Object.entries(COMPARISONS).map(([key, words]) =>
      h("option", { value: key, selected: key === comparison }, words),
    );
    const row = h(
      "div",
      { class: "test", role: "group", "aria-label": "Attribute condition" },
      textBox(name, { placeholder: "name", "aria-label": "Attribute", maxlength: 100 }),
      h("select", { "aria-label": "Comparison" }, ...options),
      textBox(value, { placeholder: "value", "aria-label": "Value", maxlength: 1000 }),
      iconButton("close", "Remove this condition", () => this.#remove(row)),
    );
    this.place.append(row);
    return row;
  }

  #remove(row) {
    row.remove();
    this.adder.focus();
    this.onChange();
  }
}

function testOf(comparison, text) {
  if (!text) return null;
  if (comparison === "is") return typed(text);
  const bound = Number(text);
  return Number.isFinite(bound) ? { [comparison]: bound } : null;
}

function together(before, test) {
  const ranges = typeof before === "object" && typeof test === "object";
  return ranges ? { ...before, ...test } : test;
}
