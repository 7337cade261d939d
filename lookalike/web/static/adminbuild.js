// The form that starts an index, with what is known of each storage beside it.

import { listModels, startIndex, steerIndex } from "./adminapi.js";
import { chosenBy } from "./adminwords.js";
import { listLibraries } from "./api.js";
import { byId, h, say } from "./dom.js";
import { count } from "./format.js";
import { announce, notice } from "./notice.js";
import { TagField } from "./tagfield.js";

/** The form and the button that opens it. */
export class BuildForm {
  /** @param {() => void} onStart an index was started */
  constructor(onStart) {
    this.onStart = onStart;
    this.form = byId("build");
    this.opener = byId("build-open");
    this.indexes = [];
    this.models = [];
    this.labels = new TagField(byId("build-labels"), { label: "Labels" });
    this.opener.addEventListener("click", () => this.#toggle(this.form.hidden));
    byId("build-close").addEventListener("click", () => this.#toggle(false));
    this.form.addEventListener("submit", (event) => (event.preventDefault(), this.#start()));
    this.form.elements.model.addEventListener("change", () => this.#showModel());
  }

  /** @param {import("./adminapi.js").Index[]} indexes whose figures are shown beside storages */
  learn(indexes) {
    this.indexes = indexes;
    this.#showStorages();
  }

  async #toggle(open) {
    this.form.hidden = !open;
    this.opener.setAttribute("aria-expanded", open);
    if (!open) return this.opener.focus();
    if (!this.models.length) await this.#offer();
    this.form.elements.model.focus();
  }

  async #offer() {
    try {
      const [models, libraries] = await Promise.all([listModels(), listLibraries()]);
      this.models = models;
      this.form.elements.model.replaceChildren(...models.map(modelOption));
      this.form.elements.library.append(...libraries.map(libraryOption));
      this.#showModel();
    } catch (error) {
      notice(byId("build-notice"), error.message, { wrong: true });
    }
  }

  #showModel() {
    const model = this.models.find(({ name }) => name === this.form.elements.model.value);
    const made = `${model.recipe}, ${count(model.dimensions)} numbers.`;
    say(byId("model-hint"), model.hint ? `${made} ${model.hint}` : made);
    this.#showStorages();
  }

  #showStorages() {
    const model = this.form.elements.model.value;
    const measured = this.indexes.filter((one) => one.model === model && one.figures);
    for (const row of this.form.querySelectorAll("[data-storage]")) {
      const newest = measured.find(({ storage }) => storage === row.dataset.storage);
      const shown = chosenBy(newest?.figures);
      for (const cell of row.querySelectorAll("[data-figure]")) say(cell, shown[cell.dataset.figure]);
    }
    const told = measured.length
      ? `Measured on indexes of ${model}, retired ones too. Build one to turn a dash into figures.`
      : `No index of ${model} was measured yet. Build one for each storage that you want to compare.`;
    say(byId("storage-hint"), model ? told : "");
  }

  async #start() {
    this.#setBusy(true);
    try {
      await startIndex(this.#wanted());
      notice(byId("build-notice"), "");
      announce("The index is being built.");
      this.#toggle(false);
      await this.#measureLive();
      this.onStart();
    } catch (error) {
      notice(byId("build-notice"), error.message, { wrong: true });
    } finally {
      this.#setBusy(false);
    }
  }

  // To compare the new one with; the first index of a platform was never measured.
  async #measureLive() {
    const live = this.indexes.find(({ state }) => state === "live");
    if (live && !live.figures && !live.task) await steerIndex(live.id, "measure").catch(() => {});
  }

  #wanted() {
    const { model, storage, library, centred, activate } = this.form.elements;
    return {
      model: model.value,
      storage: storage.value,
      library: library.value || null,
      labels: this.labels.values,
      centred: centred.checked,
      activate: activate.checked,
    };
  }

  #setBusy(busy) {
    this.form.querySelector(".button-main").disabled = busy;
  }
}

function libraryOption({ name, images }) {
  return h("option", { value: name }, `of ${name} (${count(images)})`);
}

function modelOption({ name, weights }) {
  const here = weights === "present";
  return h("option", { value: name }, here ? name : `${name} (weights are not here)`);
}
