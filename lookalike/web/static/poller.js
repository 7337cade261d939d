// Asking again and again, while somebody looks.

/** Asks for something now and then. It rests while the page is hidden. */
export class Poller {
  /**
   * @param {{load: () => Promise<unknown>, show: (found: any) => void,
   *   fail: (error: Error) => void, pace: () => number}} options `pace` is how many milliseconds to
   *   wait before the next time; `fail` hears why this time it did not work
   */
  constructor(options) {
    Object.assign(this, options);
    this.turn = 0;
    this.timer = 0;
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
  }

  /** Ask at once. What was asked before is old by then, so its answer is not shown. */
  async now() {
    clearTimeout(this.timer);
    const turn = (this.turn += 1);
    const shown = await this.load().then(
      (found) => () => this.show(found),
      (error) => () => this.fail(error),
    );
    if (turn !== this.turn) return;
    shown();
    this.timer = setTimeout(() => document.hidden || this.now(), this.pace());
  }
}
