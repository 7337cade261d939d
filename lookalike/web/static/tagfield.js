// A field for tags: each is a chip with a remove button; Enter or a comma adds, Backspace in the
// empty input takes the last one back.

import { h, icon, textBox } from "./dom.js";
import { announce } from "./notice.js";

let made = 0;

/** A list of tags that people edit. Blanks around a tag are dropped, and so are repetitions. */
export class TagField {
  /**
   * @param {HTMLElement} place filled with the field
   * @param {{label: string, list?: string, onChange?: () => void, placeholder?: string}} options
   *   `list` is the id of a datalist with suggestions
   */
  constructor(place, { label, list = null, onChange = () => {}, placeholder = "add a tag" }) {
    this.onChange = onChange;
    this.tags = [];
    const id = `tags-${(made += 1)}`;
    this.chips = h("span", { class: "tagfield-chips" });
    this.input = textBox("", { id, list, placeholder, maxlength: 100, enterkeyhint: "done" });
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
    this.input.addEventListener("input", () => this.input.value.includes(",") && this.commit());
    this.input.addEventListener("change", () => this.commit());
    const box = h("div", { class: "tagfield" }, this.chips, this.input);
    place.replaceChildren(h("label", { for: id, class: "field-label" }, label), box);
  }

  /** The tags, in the order in which they were given. What is half typed counts too. */
  get values() {
    const typed = split(this.input.value);
    return [...new Set([...this.tags, ...typed])];
  }

  /** @param {string[]} tags replaces what was there, without telling `onChange` */
  set(tags) {
    this.tags = [...tags];
    this.input.value = "";
    this.#render();
  }

  /** Turn what is typed into chips. */
  commit() {
    const before = this.tags.length;
    this.tags = this.values;
    this.input.value = "";
    this.#render();
    if (this.tags.length !== before) this.onChange();
  }

  #onKey(event) {
    if (event.key === "Enter" && this.input.value.trim()) {
      event.preventDefault();
      this.commit();
    } else if (event.key === "Backspace" && !this.input.value && this.tags.length) {
      this.#remove(this.tags.at(-1));
    }
  }

  #remove(tag) {
    this.tags = this.tags.filter((other) => other !== tag);
    this.#render();
    this.input.focus();
    announce(`Tag ${tag} removed`);
    this.onChange();
  }

  #render() {
    this.chips.replaceChildren(...this.tags.map((tag) => this.#chip(tag)));
  }

  #chip(tag) {
    const attributes = { type: "button", class: "chip", "aria-label": `Remove the tag ${tag}` };
    const onclick = () => this.#remove(tag);
    return h("button", { ...attributes, onclick }, h("span", {}, tag), icon("close"));
  }
}

function split(text) {
  return text.split(",").map((part) => part.trim()).filter(Boolean);
}

/** Tags met so far, offered as suggestions wherever a field names the datalist. */
export class TagSuggestions {
  /** @param {HTMLElement} place a datalist */
  constructor(place) {
    this.place = place;
    this.known = new Set();
  }

  /** @param {import("./api.js").Picture[]} pictures */
  learn(pictures) {
    const fresh = new Set(pictures.flatMap((picture) => picture.tags));
    const added = [...fresh].filter((tag) => !this.known.has(tag));
    added.forEach((tag) => this.known.add(tag));
    this.place.append(...added.map((value) => h("option", { value })));
  }
}
