// The form that changes a picture's title, tags and attributes, in the place where they are read.

import { shown, typed } from "./attributes.js";
import { button, h, iconButton, textBox } from "./dom.js";
import { notice } from "./notice.js";
import { TagField } from "./tagfield.js";

/** One round of editing. */
export class Editor {
  /**
   * @param {import("./api.js").Picture} picture
   * @param {{onSave: (changes: object) => Promise<void>, onCancel: () => void}} options a rejected
   *   `onSave` is shown in the form, which stays
   */
  constructor(picture, { onSave, onCancel }) {
    Object.assign(this, { onSave, onCancel });
    const { title, filename } = picture;
    this.title = h("input", { name: "title", value: title, placeholder: filename, maxlength: 500 });
    const tagPlace = h("div");
    this.tags = new TagField(tagPlace, { label: "Tags" });
    this.tags.set(picture.tags);
    this.rows = h("div", { class: "tests" });
    Object.entries(picture.attributes).forEach(([name, value]) => this.#addRow(name, shown(value)));
    this.trouble = h("div", { hidden: true });
    this.save = h("button", { type: "submit", class: "button button-main" }, "Save");
    this.form = this.#form(tagPlace);
  }

  /** Put the cursor where editing begins. */
  focus() {
    this.title.focus();
  }

  #form(tagPlace) {
    const add = () => this.#addRow("", "").querySelector("input").focus();
    this.add = button("Add an attribute", add, { mark: "plus", kind: "button-small" });
    const form = h(
      "form",
      { class: "editor", "aria-label": "Change this picture's data", autocomplete: "off" },
      h("label", { class: "field" }, h("span", {}, "Title"), this.title),
      tagPlace,
      h("fieldset", {}, h("legend", {}, "Attributes"), this.rows, this.add, hint()),
      this.trouble,
      h("p", { class: "row" }, this.save, button("Cancel", this.onCancel)),
    );
    form.addEventListener("submit", (event) => (event.preventDefault(), this.#submit()));
    form.addEventListener("keydown", (event) => event.key === "Escape" && this.onCancel());
    return form;
  }

  #addRow(name, value) {
    const remove = () => {
      row.remove();
      this.add.focus();
    };
    const row = h(
      "div",
      { class: "test test-short", role: "group", "aria-label": "Attribute" },
      textBox(name, { placeholder: "name", "aria-label": "Name", maxlength: 100 }),
      textBox(value, { placeholder: "value", "aria-label": "Value", maxlength: 1000 }),
      iconButton("close", "Remove this attribute", remove),
    );
    this.rows.append(row);
    return row;
  }

  #changes() {
    const trimmed = (row) => [...row.querySelectorAll("input")].map((box) => box.value.trim());
    const named = [...this.rows.children].map(trimmed).filter(([name]) => name);
    const attributes = Object.fromEntries(named.map(([name, value]) => [name, typed(value)]));
    return { title: this.title.value.trim(), tags: this.tags.values, attributes };
  }

  async #submit() {
    this.save.disabled = true;
    try {
      await this.onSave(this.#changes());
    } catch (error) {
      notice(this.trouble, error.message, { wrong: true });
    } finally {
      this.save.disabled = false;
    }
  }
}

function hint() {
  const kinds = "Numbers, true and false are kept as such.";
  return h("p", { class: "hint" }, `${kinds} Put a value in quotes to keep it as text.`);
}
