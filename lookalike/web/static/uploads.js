// Uploads as a queue of files, each in one state at a time. Promises that at most a few requests
// run at once, that every file ends searchable, duplicate or failed with a reason, and that the
// page is told of changes in batches, however many files there are.

import { uploadPictures } from "./api.js";
import { tooLarge } from "./limits.js";
import { Watcher } from "./watcher.js";

const REQUESTS = 3;
const FILES = 8;
const BYTES = 8 * 1024 * 1024;

/** From more files than this on, pictures that others upload one by one come before these. */
const MANY = 50;

/**
 * @typedef {"waiting"|"sending"|"indexing"|"searchable"|"duplicate"|"failed"|"unsent"} State
 *   `unsent` failed on the way and can be sent again
 * @typedef {{library: string, title: string, tags: string[]}} Labels
 * @typedef {{file: File, labels: Labels, state: State, sent: number, reason: string,
 *   id: string|null, picture: import("./api.js").Picture|null, duplicate: boolean}} Upload
 *   `sent` is a fraction
 */

/** The states in the order in which they are shown. @type {State[]} */
export const STATES = [
  "waiting",
  "sending",
  "indexing",
  "searchable",
  "duplicate",
  "failed",
  "unsent",
];

const BLANK = {
  state: "waiting",
  sent: 0,
  reason: "",
  id: null,
  picture: null,
  duplicate: false,
};

/** States in which nothing more will happen by itself. */
const SETTLED = new Set(["searchable", "duplicate", "failed", "unsent"]);

/** All uploads of this page. */
export class Uploads {
  /** @param {(changed: Set<Upload>) => void} onChange told once per animation frame at most */
  constructor(onChange) {
    this.all = [];
    this.waiting = [];
    this.running = 0;
    this.changed = new Set();
    this.counts = Object.fromEntries(STATES.map((state) => [state, 0]));
    this.onChange = onChange;
    this.watcher = new Watcher((picture) => this.#onIndexed(picture), (id) => this.#onGone(id));
    this.byId = new Map();
  }

  /** Whether leaving the page now would lose something. */
  get unfinished() {
    return this.counts.waiting + this.counts.sending > 0;
  }

  /** How many are settled. */
  get settled() {
    return [...SETTLED].reduce((sum, state) => sum + this.counts[state], 0);
  }

  /**
   * @param {File[]} files
   * @param {Labels} labels given to each of them
   * @returns {Upload[]}
   */
  add(files, labels) {
    const given = { ...labels, queue: files.length > MANY ? "bulk" : "interactive" };
    const added = files.map((file) => ({ ...BLANK, file, labels: given }));
    this.all.push(...added);
    this.counts.waiting += added.length;
    added.forEach((upload) => this.#queue(upload));
    this.#pump();
    return added;
  }

  /** @param {Upload[]} uploads sent once more, those among them that can be */
  retry(uploads) {
    const unsent = uploads.filter((upload) => upload.state === "unsent");
    unsent.forEach((upload) => {
      this.#move(upload, "waiting", { sent: 0, reason: "" });
      this.#queue(upload);
    });
    this.#pump();
  }

  /** Forget what ended well. @returns {Upload[]} what was forgotten */
  forgetDone() {
    const done = this.all.filter(({ state }) => state === "searchable" || state === "duplicate");
    this.all = this.all.filter((upload) => !done.includes(upload));
    done.forEach((upload) => (this.counts[upload.state] -= 1));
    return done;
  }

  #queue(upload) {
    const reason = tooLarge(upload.file);
    if (reason) this.#move(upload, "failed", { reason });
    else this.waiting.push(upload);
  }

  #move(upload, state, facts = {}) {
    this.counts[upload.state] -= 1;
    this.counts[state] += 1;
    this.#tell(Object.assign(upload, { state }, facts));
  }

  #tell(upload) {
    if (!this.changed.size) requestAnimationFrame(() => this.#flush());
    this.changed.add(upload);
  }

  #flush() {
    const { changed } = this;
    this.changed = new Set();
    this.onChange(changed);
  }

  #pump() {
    while (this.running < REQUESTS && this.waiting.length) {
      this.running += 1;
      this.#send(this.#nextBatch()).finally(() => {
        this.running -= 1;
        this.#pump();
      });
    }
  }

  // Small files share a request, as long as they share their labels.
  #nextBatch() {
    const [first] = this.waiting;
    let size = 0;
    const some = this.waiting.slice(0, FILES);
    const full = some.findIndex((upload, at) => {
      size += upload.file.size;
      return at > 0 && (size > BYTES || upload.labels !== first.labels);
    });
    return this.waiting.splice(0, full < 0 ? some.length : full);
  }

  async #send(batch) {
    batch.forEach((upload) => this.#move(upload, "sending"));
    try {
      const onProgress = (sent) => this.#onProgress(batch, sent);
      this.#onAnswer(batch, await uploadPictures(formOf(batch), onProgress));
    } catch (error) {
      this.#onError(batch, error);
    }
  }

  #onProgress(batch, sent) {
    let left = sent;
    for (const upload of batch) {
      const { size } = upload.file;
      upload.sent = size ? Math.min(1, Math.max(0, left / size)) : 1;
      left -= size;
      this.#tell(upload);
    }
  }

  #onAnswer(batch, { images, rejected }) {
    images.forEach((part) => this.#onAccepted(batch[part.position], part));
    for (const { position, message } of rejected) {
      this.#move(batch[position], "failed", { reason: message });
    }
  }

  #onAccepted(upload, { id, duplicate }) {
    this.#move(upload, "indexing", { id, duplicate, sent: 1 });
    const same = this.byId.get(id) ?? [];
    this.byId.set(id, [...same, upload]);
    this.watcher.watch(id);
  }

  #onError(batch, error) {
    const rejected = error.details?.rejected;
    if (rejected?.length === batch.length) return this.#onAnswer(batch, { images: [], rejected });
    const state = error.passing ? "unsent" : "failed";
    batch.forEach((upload) => this.#move(upload, state, { reason: error.message, sent: 0 }));
  }

  #onIndexed(picture) {
    for (const upload of this.#take(picture.id)) {
      const good = upload.duplicate ? "duplicate" : "searchable";
      const state = picture.state === "failed" ? "failed" : good;
      this.#move(upload, state, { picture, reason: picture.error?.message ?? "" });
    }
  }

  #onGone(id) {
    const reason = "The picture was deleted before it was indexed.";
    this.#take(id).forEach((upload) => this.#move(upload, "failed", { reason }));
  }

  #take(id) {
    const uploads = this.byId.get(id) ?? [];
    this.byId.delete(id);
    return uploads;
  }
}

function formOf(batch) {
  const form = new FormData();
  const { library, title, tags, queue } = batch[0].labels;
  form.append("queue", queue);
  if (library) form.append("library", library);
  if (title) form.append("title", title);
  tags.forEach((tag) => form.append("tags", tag));
  batch.forEach(({ file }) => form.append("file", file, file.name));
  return form;
}
