// The list of indexes: one card each, kept while the figures on it change.

import { IndexCard } from "./adminindex.js";
import { byId, say } from "./dom.js";
import { countOf } from "./format.js";

/** Indexes that stand, newest first, and those that are retired, folded away. */
export class Indexes {
  /** @param {() => void} onChange something was done to one */
  constructor(onChange) {
    this.onChange = onChange;
    this.cards = new Map();
    this.all = [];
  }

  /** @param {import("./adminapi.js").Index[]} indexes newest first */
  show(indexes) {
    this.all = indexes;
    const retired = indexes.filter(({ state }) => state === "retired");
    const standing = indexes.filter(({ state }) => state !== "retired");
    this.#place(byId("indexes"), standing);
    this.#place(byId("retired-list"), retired);
    byId("indexes").removeAttribute("aria-busy");
    byId("retired").hidden = !retired.length;
    const folded = countOf(retired.length, "retired index", "retired indexes");
    say(byId("retired").querySelector("summary"), folded);
  }

  #place(list, indexes) {
    indexes.forEach((index, position) => {
      const card = this.#cardOf(index);
      // Moving an element takes its focus away, so it is only moved when it must be.
      const there = list.children[position] ?? null;
      if (there !== card.item) list.insertBefore(card.item, there);
      card.show(index, this.all);
    });
  }

  #cardOf({ id }) {
    if (!this.cards.has(id)) this.cards.set(id, new IndexCard(this.onChange));
    return this.cards.get(id);
  }
}
