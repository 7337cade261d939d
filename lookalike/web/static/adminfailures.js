// Pictures that failed, by reason, and another try.

import { retryFailures } from "./adminapi.js";
import { button, byId, h, say } from "./dom.js";
import { countOf } from "./format.js";
import { reason } from "./importswords.js";
import { notice } from "./notice.js";

const NONE = "No picture of the live index failed.";
const SOME = "Pictures that the live index could not take, by reason.";

/** The list of reasons. */
export class Failures {
  /** @param {() => void} onRetry something is tried again */
  constructor(onRetry) {
    this.onRetry = onRetry;
    this.rows = new Map();
    byId("retry-all").addEventListener("click", () => this.#retry());
  }

  /** @param {import("./adminapi.js").Code[]} codes most first */
  show(codes) {
    byId("failures-do").hidden = !codes.length;
    say(byId("failures-hint"), codes.length ? SOME : NONE);
    this.#drop(codes);
    codes.forEach((one) => this.#row(one));
  }

  #drop(codes) {
    const known = new Set(codes.map(({ code }) => code));
    for (const [code, row] of this.rows) {
      if (known.has(code)) continue;
      const held = row.item.contains(document.activeElement);
      row.item.remove();
      this.rows.delete(code);
      if (held) byId("main").focus({ preventScroll: true });
    }
  }

  #row({ code, pictures, message }) {
    const row = this.rows.get(code) ?? this.#made(code);
    say(row.number, countOf(pictures, "picture"));
    say(row.message, message);
  }

  #made(code) {
    const number = h("span", { class: "code-number" });
    const message = h("p", { class: "hint" });
    const looks = { mark: "retry", kind: "button-small" };
    const again = button("Try again", () => this.#retry(code), looks);
    again.setAttribute("aria-label", `Try again: ${reason(code)}`);
    const name = h("p", { class: "code-name" }, h("strong", {}, reason(code)), number);
    const item = h("li", { class: "panel code" }, h("div", {}, name, message), again);
    byId("codes").append(item);
    const row = { item, number, message };
    this.rows.set(code, row);
    return row;
  }

  async #retry(code) {
    const place = byId("failures-notice");
    try {
      const pictures = await retryFailures(code);
      const verb = pictures === 1 ? "gets" : "get";
      notice(place, `${countOf(pictures, "picture")} ${verb} another try.`);
      this.onRetry();
    } catch (error) {
      notice(place, error.message, { wrong: true });
    }
  }
}
