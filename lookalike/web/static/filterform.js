// The filter form: shows a filter, library, least score and order, and tells when people change
// them.

import { AttributeTests } from "./attributetests.js";
import { byId, h, settled } from "./dom.js";
import { localDay, pruned } from "./filters.js";
import * as format from "./format.js";
import { DEFAULT_LIBRARY, shortName } from "./query.js";
import { TagField } from "./tagfield.js";

const MEGABYTE = 1_000_000;
const PAUSE = 350;
const SCALES = { width: 1, height: 1, bytes: MEGABYTE };
// A camera's clock names no zone, and the API takes a date alone as all of that day. The time of
// adding is an instant, so its day begins when the reader's does.
const DAYS = {
  taken: { from: (day) => day, to: (day) => day, day: (time) => time.slice(0, 10) },
  added: {
    from: (day) => new Date(`${day}T00:00:00`).toISOString(),
    to: (day) => new Date(`${day}T23:59:59.999`).toISOString(),
    day: localDay,
  },
};

/**
 * @typedef {{filter: object, library: string, minScore: number|null, rerank: boolean}} Limits which
 *   pictures may be neighbours, and whether those that are alike among themselves move up
 */

/** The form of `filters.html`. */
export class FilterForm {
  /**
   * @param {{onChange: (limits: Limits) => void, tagList: string}} options `tagList` is the id of a
   *   datalist of tags
   */
  constructor({ onChange, tagList }) {
    this.form = byId("filters");
    const changed = () => onChange(this.read());
    const soon = settled(changed, PAUSE);
    this.tests = new AttributeTests(byId("attribute-tests"), byId("add-test"), soon);
    this.tags = [...this.form.querySelectorAll("[data-tags]")].map((place) => ({
      key: place.dataset.tags,
      field: new TagField(place, { label: place.dataset.label, list: tagList, onChange: changed }),
    }));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", (event) => event.target.name && soon());
    this.form.elements["min-score"].addEventListener("input", () => this.#showScore());
    byId("clear-filters").addEventListener("click", () => this.#clear(changed));
  }

  /** @param {{name: string, images: number}[]} libraries the choice is shown when there is one */
  offer(libraries) {
    byId("library-field").hidden = libraries.length < 2;
    const chosen = this.form.elements.library.value;
    const options = libraries.map(({ name, images }) =>
      h("option", { value: name }, `${name} (${format.count(images)})`),
    );
    this.form.elements.library.replaceChildren(...options);
    if (chosen) this.#choose(chosen);
  }

  /** @param {Limits} limits */
  show({ filter, library, minScore, rerank }) {
    const { elements } = this.form;
    this.#choose(library || DEFAULT_LIBRARY);
    this.tags.forEach(({ key, field }) => field.set(filter.tags?.[key] ?? []));
    elements.text.value = filter.text ?? "";
    elements.orientation.value = filter.orientation ?? "";
    const formats = filter.format ?? [];
    elements.format.forEach((tick) => (tick.checked = formats.includes(tick.value)));
    Object.keys(SCALES).forEach((name) => this.#showNumbers(name, filter[name] ?? {}));
    Object.keys(DAYS).forEach((name) => this.#showDays(name, filter[name] ?? {}));
    this.tests.show(filter.attributes ?? {});
    elements["min-score"].value = minScore ?? 0;
    elements.rerank.checked = rerank;
    this.#showScore();
  }

  /** @returns {Limits} */
  read() {
    const { elements } = this.form;
    const score = Number(elements["min-score"].value);
    const library = shortName(elements.library.value);
    const filter = pruned({
      tags: Object.fromEntries(this.tags.map(({ key, field }) => [key, field.values])),
      text: elements.text.value.trim(),
      orientation: elements.orientation.value,
      format: [...elements.format].filter((tick) => tick.checked).map((tick) => tick.value),
      ...this.#numbers(),
      ...this.#days(),
      attributes: this.tests.read(),
    });
    return {
      filter,
      library,
      minScore: score > 0 ? score : null,
      rerank: elements.rerank.checked,
    };
  }

  #choose(library) {
    const { options } = this.form.elements.library;
    const known = [...options].some((option) => option.value === library);
    if (!known) options.add(new Option(library, library));
    this.form.elements.library.value = library;
  }

  #clear(changed) {
    this.show({ ...this.read(), filter: {}, library: "", minScore: null });
    changed();
  }

  #showScore() {
    const value = Number(this.form.elements["min-score"].value);
    this.form.elements["min-score-text"].value = value > 0 ? format.score(value) : "any score";
  }

  #showNumbers(name, range) {
    for (const bound of ["gte", "lte"]) {
      const box = this.form.elements[`${name}-${bound}`];
      box.value = range[bound] === undefined ? "" : range[bound] / SCALES[name];
    }
  }

  #numbers() {
    const range = ([name, scale]) => ({
      gte: this.#number(`${name}-gte`, scale),
      lte: this.#number(`${name}-lte`, scale),
    });
    return Object.fromEntries(Object.entries(SCALES).map((entry) => [entry[0], range(entry)]));
  }

  #number(name, scale) {
    const { value } = this.form.elements[name];
    return value === "" ? undefined : Math.round(Number(value) * scale);
  }

  #showDays(name, range) {
    for (const bound of ["from", "to"]) {
      const box = this.form.elements[`${name}-${bound}`];
      box.value = range[bound] ? DAYS[name].day(range[bound]) : "";
    }
  }

  #days() {
    const instant = (name, bound) => {
      const { value } = this.form.elements[`${name}-${bound}`];
      return value ? DAYS[name][bound](value) : undefined;
    };
    const range = (name) => ({ from: instant(name, "from"), to: instant(name, "to") });
    return Object.fromEntries(Object.keys(DAYS).map((name) => [name, range(name)]));
  }
}
