// The list of uploads as people see it: a row each, and the summary above. Rows are changed only
// where something changed, all of a frame's changes together.

import { h, icon } from "./dom.js";
import { bytes, count, countOf } from "./format.js";
import { thumbnail } from "./grid.js";
import { forgetPreview, previewLater } from "./previews.js";
import { STATES } from "./uploads.js";

const ROWS_AT_ONCE = 60;
const MARKS = {
  waiting: "clock",
  sending: "upload",
  indexing: "retry",
  searchable: "check",
  duplicate: "same",
  failed: "wrong",
  unsent: "wrong",
};
const WORDS = {
  waiting: "Waiting",
  sending: "Sending",
  indexing: "Indexing",
  searchable: "Searchable",
  duplicate: "Already there",
  failed: "Failed",
  unsent: "Not sent",
};

/** The rows. */
export class UploadList {
  /**
   * @param {HTMLElement} place a list
   * @param {(upload: import("./uploads.js").Upload) => void} onRetry
   */
  constructor(place, onRetry) {
    Object.assign(this, { place, onRetry, rows: new Map(), fresh: [] });
  }

  /** @param {import("./uploads.js").Upload[]} uploads new ones; rows appear over the next frames */
  add(uploads) {
    if (!this.fresh.length) requestAnimationFrame(() => this.#appendSome());
    this.fresh.push(...uploads);
  }

  /** @param {Iterable<import("./uploads.js").Upload>} uploads that changed */
  update(uploads) {
    for (const upload of uploads) {
      const row = this.rows.get(upload);
      if (row) show(row, upload, this.onRetry);
    }
  }

  /** @param {import("./uploads.js").Upload[]} uploads whose rows go */
  remove(uploads) {
    for (const upload of uploads) {
      const row = this.rows.get(upload);
      if (row) forgetPreview(row.preview);
      row?.item.remove();
      this.rows.delete(upload);
    }
    this.fresh = this.fresh.filter((upload) => !uploads.includes(upload));
  }

  /** @param {string} state only rows in this state are shown; empty shows all */
  only(state) {
    this.place.dataset.only = state;
  }

  #appendSome() {
    const some = this.fresh.splice(0, ROWS_AT_ONCE);
    this.place.append(...some.map((upload) => this.#row(upload)));
    if (this.fresh.length) requestAnimationFrame(() => this.#appendSome());
  }

  #row(upload) {
    const row = emptyRow(upload.file);
    this.rows.set(upload, row);
    previewLater(row.preview, upload.file);
    show(row, upload, this.onRetry);
    return row.item;
  }
}

function emptyRow(file) {
  const preview = h("span", { class: "file-preview" }, icon("picture"));
  const title = file.webkitRelativePath || file.name;
  const name = h("span", { class: "file-name", title }, file.name);
  const state = h("span", { class: "file-state" });
  const reason = h("span", { class: "file-reason" });
  const bar = h("span", { class: "file-bar", "aria-hidden": "true" });
  const size = h("span", { class: "file-size" }, bytes(file.size));
  const line = h("span", { class: "file-line" }, state, size);
  const text = h("span", { class: "file-text" }, name, line, reason, bar);
  const item = h("li", { class: "file" }, preview, text);
  return { item, preview, name, state, reason, bar, shown: null };
}

function show(row, upload, onRetry) {
  row.bar.style.setProperty("--sent", upload.sent.toFixed(3));
  if (row.shown === upload.state) return;
  row.shown = upload.state;
  row.item.dataset.state = upload.state;
  row.state.replaceChildren(icon(MARKS[upload.state]), WORDS[upload.state]);
  row.reason.textContent = upload.reason;
  if (upload.state === "unsent") row.reason.append(" ", retryButton(upload, onRetry));
  if (upload.picture) showPicture(row, upload);
}

function showPicture(row, { picture, file }) {
  row.name.replaceChildren(h("a", { href: picture.urls.page }, file.name));
  if (picture.state !== "indexed") return;
  forgetPreview(row.preview);
  row.preview.replaceChildren(thumbnail(picture));
}

function retryButton(upload, onRetry) {
  const spoken = `Try ${upload.file.name} again`;
  const onclick = () => onRetry(upload);
  return h("button", { type: "button", class: "link", "aria-label": spoken, onclick }, "Try again");
}

/** The choice of states to show, each with its count. */
export class StateChoice {
  /**
   * @param {HTMLElement} place
   * @param {(state: string) => void} onChoose
   */
  constructor(place, onChoose) {
    this.labels = new Map(["", ...STATES].map((state) => [state, choice(state)]));
    place.append(...[...this.labels.values()].map(({ label }) => label));
    place.addEventListener("change", (event) => onChoose(event.target.value));
  }

  /** @param {Record<string, number>} counts @param {number} total */
  show(counts, total) {
    for (const [state, { label, number, input }] of this.labels) {
      const amount = state ? counts[state] : total;
      number.textContent = count(amount);
      label.hidden = state !== "" && !amount && !input.checked;
    }
  }
}

function choice(state) {
  const input = h("input", { type: "radio", name: "shown-state", value: state, checked: !state });
  const number = h("span", { class: "count" });
  const text = h("span", {}, state ? WORDS[state] : "All", " ", number);
  return { input, number, label: h("label", {}, input, text) };
}

/**
 * @param {import("./uploads.js").Uploads} uploads
 * @returns {string} how it stands, in a sentence
 */
export function summaryOf({ counts, settled, all }) {
  const bad = counts.failed + counts.unsent;
  const good = counts.searchable + counts.duplicate;
  const trouble = bad ? `, ${count(bad)} could not be added` : "";
  const total = countOf(all.length, "picture");
  if (settled < all.length) return `${count(settled)} of ${total} done${trouble}.`;
  return `Finished: ${countOf(good, "picture is", "pictures are")} searchable${trouble}.`;
}

