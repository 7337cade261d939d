// The query as people see it: the picture asked with, the part of it that counts, and the examples
// that steer the search.

import { picturesById } from "./api.js";
import { Cropper } from "./cropper.js";
import { button, buttonLink, h, icon } from "./dom.js";
import { nameOf } from "./format.js";
import { thumbnail } from "./grid.js";
import { NOTHING, addressOf } from "./query.js";

const SIDES = [
  ["like", "More like", "plus"],
  ["unlike", "Less like", "minus"],
];

/** The panel beside the results. */
export class QueryPanel {
  /**
   * @param {HTMLElement} place
   * @param {{onCrop: (crop: number[]|null) => void, onRemove: (id: string) => void}} options
   */
  constructor(place, { onCrop, onRemove }) {
    Object.assign(this, { place, onCrop, onRemove, known: new Map(), shownKey: null });
    this.main = h("div", { class: "query-main" });
    this.examples = h("div", { class: "query-examples" });
    place.append(this.main, this.examples);
  }

  /** @param {import("./api.js").Picture[]} pictures remembered, so that they need not be fetched */
  learn(pictures) {
    pictures.forEach((picture) => this.known.set(picture.id, picture));
  }

  /**
   * @param {import("./query.js").Query} query
   * @param {Blob|null} file
   * @returns {Promise<string>} the name of the picture asked with, empty when there is none
   */
  async show(query, file) {
    await this.#fetchUnknown([...query.like, ...query.unlike]);
    const alone = file || query.like.length === 1;
    const main = file ? null : this.known.get(query.like[0]);
    this.#showMain(main, file, Boolean(alone));
    this.cropper?.show(query.crop);
    this.fresh = addressOf({ ...NOTHING, library: query.library });
    this.#showTools(query.crop);
    this.#showExamples(query, file ? [] : query.like.slice(0, 1));
    return main ? nameOf(main) : (file?.name ?? "");
  }

  async #fetchUnknown(ids) {
    const unknown = ids.filter((id) => !this.known.has(id));
    // What cannot be fetched is shown without its picture; the search itself says what is wrong.
    if (unknown.length) this.learn(await picturesById(unknown).catch(() => []));
  }

  #showMain(picture, file, croppable) {
    const key = `${file ? "" : picture?.id}-${croppable}`;
    // The same picture keeps its elements, or a crop by keys would lose the focus.
    if (this.shownFile === file && this.shownKey === key) return;
    Object.assign(this, { shownFile: file, shownKey: key, cropper: null });
    this.main.replaceChildren();
    if (!file && !picture) return;
    const frame = h("div", { class: "query-frame" });
    const image = file ? localImage(file, () => this.#giveUpCropping()) : thumbnail(picture);
    frame.append(image);
    if (croppable) this.cropper = new Cropper(frame, (crop) => this.#onCropped(crop));
    this.tools = h("div", { class: "row query-tools" });
    this.main.append(frame, this.#caption(picture, file), this.tools);
  }

  #caption(picture, file) {
    const name = picture ? nameOf(picture) : file.name || "Pasted picture";
    const title = picture ? h("a", { href: picture.urls.page }, name) : h("span", {}, name);
    return h("p", { class: "query-name" }, title);
  }

  #onCropped(crop) {
    this.#showTools(crop);
    this.onCrop(crop);
  }

  #showTools(crop) {
    if (!this.tools) return;
    const begin = () => this.cropper.begin();
    const clear = () => {
      this.cropper.show(null);
      this.#onCropped(null);
      this.tools.querySelector("button").focus();
    };
    const looks = (mark) => ({ mark, kind: "button-small" });
    const whole = button("Clear the crop", clear, looks("close"));
    const part = button("Crop", begin, looks("crop"));
    const over = buttonLink("New search", this.fresh, looks("search"));
    this.tools.replaceChildren(...(this.cropper ? [crop ? whole : part] : []), over);
  }

  #giveUpCropping() {
    this.cropper?.box.remove();
    this.cropper = null;
    this.#showTools(null);
  }

  #showExamples(query, shown) {
    const lists = SIDES.map(([side, label, mark]) => {
      const ids = query[side].filter((id) => !shown.includes(id));
      return ids.length ? this.#examples(label, mark, side, ids) : null;
    });
    this.examples.replaceChildren(...lists.filter(Boolean));
  }

  #examples(label, mark, side, ids) {
    const items = ids.map((id) => this.#example(id, label));
    const title = h("h2", { class: "small-title" }, icon(mark), label);
    const list = h("ul", { class: "examples", role: "list", "aria-label": label }, ...items);
    return h("section", { class: `example-side example-${side}` }, title, list);
  }

  #example(id, label) {
    const picture = this.known.get(id);
    const name = picture ? nameOf(picture) : "a picture that is gone";
    const words = `Take out: ${label.toLowerCase()} ${name}`;
    const attributes = { type: "button", class: "example", title: words, "aria-label": words };
    const face = picture ? thumbnail(picture) : icon("wrong");
    const cross = h("span", { class: "example-out" }, icon("close"));
    const onclick = () => this.onRemove(id);
    return h("li", {}, h("button", { ...attributes, onclick }, face, cross));
  }
}

function localImage(file, onUnknown) {
  const address = URL.createObjectURL(file);
  const image = h("img", { src: address, alt: file.name || "Pasted picture", draggable: "false" });
  const free = () => URL.revokeObjectURL(address);
  image.addEventListener("load", free, { once: true });
  image.addEventListener("error", () => {
    free();
    const words = "Your browser cannot show this format.";
    image.replaceWith(h("p", { class: "query-unseen" }, icon("picture"), words));
    onUnknown();
  });
  return image;
}
