// Watches pictures until each is indexed or failed, by asking the API less and less often while
// nothing changes.

import { picturesById } from "./api.js";

// With 80 ids an address stays below 4,000 characters, which every server accepts.
const AT_ONCE = 80;
const SOONEST = 250;
const LATEST = 5000;
const SLOWER = 1.6;

/** Pictures on their way. */
export class Watcher {
  /**
   * @param {(picture: import("./api.js").Picture) => void} onSettled indexed or failed
   * @param {(id: string) => void} onGone deleted meanwhile
   */
  constructor(onSettled, onGone) {
    Object.assign(this, { onSettled, onGone, ids: new Set(), wait: SOONEST, timer: 0 });
  }

  /** @param {string} id watched from now on, until it is settled or gone */
  watch(id) {
    this.ids.add(id);
    this.#schedule();
  }

  /** Watch nothing any more. */
  stop() {
    this.ids.clear();
    clearTimeout(this.timer);
    this.timer = 0;
  }

  #schedule() {
    if (!this.timer && this.ids.size) this.timer = setTimeout(() => this.#ask(), this.wait);
  }

  async #ask() {
    const asked = [...this.ids].slice(0, AT_ONCE);
    // A failed question is no news: the same ids are asked for again, later.
    const pictures = await picturesById(asked).catch(() => null);
    const news = pictures !== null && this.#hear(asked, pictures);
    this.wait = news ? SOONEST : Math.min(LATEST, this.wait * SLOWER);
    this.timer = 0;
    this.#schedule();
  }

  #hear(asked, pictures) {
    const found = new Map(pictures.map((picture) => [picture.id, picture]));
    const known = this.ids.size;
    for (const id of asked) {
      const picture = found.get(id);
      // Whoever is still pending goes to the back of the row, so that all are asked for in turn.
      this.ids.delete(id);
      if (!picture) this.onGone(id);
      else if (picture.state === "pending") this.ids.add(id);
      else this.onSettled(picture);
    }
    return this.ids.size < known;
  }
}
