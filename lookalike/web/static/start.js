// What the search page shows before anything is asked: pictures to start from, or, in an empty
// library, the way to fill it.

import { getStatus, listPictures } from "./api.js";
import { byId } from "./dom.js";
import { countOf } from "./format.js";
import { card } from "./grid.js";
import { notice } from "./notice.js";
import { NOTHING, addressOf, from } from "./query.js";

const STARTS = 30;

/**
 * @param {string} library whose pictures are offered; empty offers those of all
 * @param {string} [news] said above everything else
 * @returns {Promise<import("./api.js").Picture[]>} the pictures that are shown
 */
export async function showStart(library, news = "") {
  document.title = "Search · Lookalike";
  notice(byId("start-notice"), news);
  try {
    const { images } = await listPictures({ library, state: "indexed", limit: STARTS });
    const cards = images.map(startingPoint);
    byId("starting-points").querySelector(".grid").replaceChildren(...cards);
    byId("starting-points").hidden = !images.length;
    byId("empty-library").hidden = images.length > 0;
    if (!images.length) await sayWhyEmpty();
    return images;
  } catch (error) {
    const actions = [["Try again", () => showStart(library)]];
    notice(byId("start-notice"), error.message, { wrong: true, actions });
    return [];
  }
}

function startingPoint(picture) {
  const href = addressOf(from(NOTHING, picture));
  return card(picture, { href, hint: "Search from this picture" });
}

async function sayWhyEmpty() {
  const { pending } = (await getStatus()).images;
  byId("empty-library").querySelector("[data-text]").textContent = pending
    ? `${countOf(pending, "picture is", "pictures are")} being indexed. Reload in a moment.`
    : "The library is empty. Upload some pictures, and they can be found a few seconds later.";
}
