// How long the rest takes, by the progress that was seen.

const WINDOW = 60_000;
const LEAST = 4_000;

/** Remembers how far something was in the last minute. */
export class Pace {
  constructor() {
    this.reset();
  }

  /**
   * @param {number} done
   * @param {number} now milliseconds, of a clock that only goes forward
   */
  note(done, now) {
    const last = this.seen.at(-1)?.done ?? done;
    if (done < last) this.reset();
    // Before the first step a model is loaded; that says nothing about the steps.
    if (done > last && !this.moved) this.seen = [];
    this.moved ||= done > last;
    this.seen.push({ done, now });
    while (now - this.seen[0].now > WINDOW) this.seen.shift();
  }

  /** Forget, as after a pause. */
  reset() {
    this.seen = [];
    this.moved = false;
  }

  /** @param {number} total @returns {number|null} seconds; null while nobody can know */
  secondsLeft(total) {
    const first = this.seen[0];
    const last = this.seen.at(-1);
    if (!last || last.now - first.now < LEAST || last.done === first.done) return null;
    const perSecond = (last.done - first.done) / ((last.now - first.now) / 1000);
    return (total - last.done) / perSecond;
  }
}
