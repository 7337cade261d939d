// The form that changes a picture's title, tags and attributes, in the place where they are read.

import { shown, typed } from "./attributes.js";
import { h, icon, iconButton } from "./dom.js";
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
    this.title = h("input", { name: "title", value: picture.title ?? "", placeholder: picture.filename, maxlength: 500 });
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
    const add = h("button", { type: "button", class: "button button-small" }, icon("plus"), "Add an attribute");
    add.addEventListener("click", () => this.#addRow("", "").querySelector("input").focus());
    this.add = add;
    const cancel = h("button", { type: "button", class: "button", onclick: this.onCancel }, "Cancel");
    const form = h(
      "form",
      { class: "editor", "aria-label": "Change this picture's data", autocomplete: "off" },
      h("label", { class: "field" }, h("span", {}, "Title"), this.title),
      tagPlace,
      h("fieldset", {}, h("legend", {}, "Attributes"), this.rows, add, hint()),
      this.trouble,
      h("p", { class: "row" }, this.save, cancel),
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
      h("input", { value: name, placeholder: "name", "aria-label": "Name", maxlength: 100, spellcheck: "false" }),
      h("input", { value, placeholder: "value", "aria-label": "Value", maxlength: 1000 }),
      iconButton("close", "Remove this attribute", remove),
    );
    this.rows.append(row);
    return row;
  }

  #changes() {
    const rows = [...this.rows.children].map((row) => [...row.querySelectorAll("input")].map((box) => box.value.trim()));
    const named = rows.filter(([name]) => name).map(([name, value]) => [name, typed(value)]);
    return { title: this.title.value.trim(), tags: this.tags.values, attributes: Object.fromEntries(named) };
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
  const text = "Numbers, true and false are kept as such. Put a value in quotes to keep it as text.";
  return h("p", { class: "hint" }, text);
}
