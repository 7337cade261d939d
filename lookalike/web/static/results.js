// The neighbours of a query: a grid of cards with scores, and the sentence above it that says who
// answered and how fast.

import { byId, h, icon, iconButton } from "./dom.js";
import { countOf, nameOf } from "./format.js";
import { card, scoreMark } from "./grid.js";
import { announce, notice } from "./notice.js";
import { addressOf, from } from "./query.js";

const NONE_LEFT = "No picture meets all the filters.";
const NONE_YET = "There are no other pictures to compare with yet.";

/** The results side of the search page. */
export class Results {
  /**
   * @param {{onExample: (side: "like"|"unlike", id: string) => void, onMore: () => void,
   *   onRetry: () => void, onClearFilters: () => void}} options
   */
  constructor(options) {
    Object.assign(this, options);
    this.grid = byId("results");
    this.more = byId("more");
    this.title = byId("results-title");
    this.more.addEventListener("click", () => this.onMore());
  }

  /** How many are shown. */
  get length() {
    return this.grid.children.length;
  }

  /** @param {string} name of the picture asked with; may be empty */
  begin(name) {
    this.title.textContent = name ? `Like ${name}` : "Neighbours";
    this.grid.setAttribute("aria-busy", "true");
    notice(byId("results-notice"), "");
  }

  /**
   * @param {import("./api.js").Answer} answer
   * @param {import("./query.js").Query} query what was asked
   * @param {{append: boolean, full: boolean}} options `full`: the answer holds as many as were
   *   asked for
   */
  show(answer, query, { append, full }) {
    const cards = answer.results.map((hit) => this.#card(hit, query));
    if (append) this.grid.append(...cards);
    else this.grid.replaceChildren(...cards);
    this.#rest(!full);
    byId("results-meta").textContent = this.#meta(answer);
    announce(`${countOf(this.length, "picture")} found`);
    if (append) cards[0]?.querySelector("a").focus({ preventScroll: true });
    if (!this.length) this.#showNone(query);
  }

  /** @param {string} text about what is shown */
  tell(text) {
    if (this.length) notice(byId("results-notice"), text);
    this.title.focus();
  }

  /** @param {Error} error */
  fail(error) {
    this.grid.replaceChildren();
    this.#rest(true);
    this.title.textContent = "This search did not work";
    byId("results-meta").textContent = "";
    const actions = error.passing ? [["Try again", this.onRetry]] : [];
    notice(byId("results-notice"), error.message, { wrong: true, actions });
  }

  #rest(complete) {
    this.grid.removeAttribute("aria-busy");
    this.more.hidden = complete;
  }

  #meta({ index, took_ms: took }) {
    const model = index?.model ? `${index.model}, ` : "";
    const time = took < 10 ? took.toFixed(1) : Math.round(took);
    return `${countOf(this.length, "picture")} · ${model}${time} ms`;
  }

  #showNone({ filter, minScore }) {
    const limited = Object.keys(filter).length > 0 || minScore !== null;
    const actions = limited ? [["Clear all filters", this.onClearFilters]] : [];
    notice(byId("results-notice"), limited ? NONE_LEFT : NONE_YET, { actions });
  }

  #card({ image, score }, query) {
    const example = (side, mark, words) => {
      const onclick = () => this.onExample(side, image.id);
      return iconButton(mark, `${words} ${nameOf(image)}`, onclick, `mark-${side}`);
    };
    const buttons = h(
      "span",
      { class: "card-buttons" },
      example("unlike", "minus", "Less like"),
      example("like", "plus", "More like"),
    );
    const under = [h("div", { class: "card-line" }, scoreMark(score), buttons)];
    const href = addressOf(from(query, image));
    return card(image, { href, hint: "Search from this picture", under });
  }
}

/**
 * Chips of the conditions in use, each taking its condition away.
 * @param {HTMLElement} place a list
 * @param {{label: string, remove: () => void}[]} parts
 */
export function showChips(place, parts) {
  place.hidden = !parts.length;
  const chip = ({ label, remove }) => {
    const attributes = { type: "button", class: "chip", title: "Remove this filter" };
    const text = h("span", {}, label);
    return h("li", {}, h("button", { ...attributes, onclick: remove }, text, icon("close")));
  };
  place.replaceChildren(...parts.map(chip));
}
