// Cards of pictures. Promises that nothing jumps when thumbnails arrive: each card knows its shape
// beforehand, and one without a thumbnail shows its state instead.

import { h, icon } from "./dom.js";
import * as format from "./format.js";

// Panoramas and strips are shown cut, so that a row of the grid stays readable.
const NARROWEST = 0.8;
const WIDEST = 2.2;

/**
 * A card. Its picture is a link, its title another one.
 * @param {import("./api.js").Picture} picture
 * @param {object} options
 * @param {string} options.href where the picture leads
 * @param {string} options.hint spoken and shown on hover, what following the link does
 * @param {(Node|null)[]} [options.under] more lines below the title
 * @param {(Node|null)[]} [options.over] what lies on top of the picture
 * @returns {HTMLLIElement}
 */
export function card(picture, { href, hint, under = [], over = [] }) {
  const name = format.nameOf(picture);
  const spoken = { title: hint, "aria-label": `${name}. ${hint}` };
  const link = h("a", { class: "card-picture", href, ...spoken }, thumbnail(picture));
  const { page } = picture.urls;
  const open = { class: "card-title", href: page, title: `Open the page of ${name}` };
  const title = h("a", open, name);
  const frame = h("div", { class: "card-frame" }, link, ...over);
  const item = h("li", { class: "card", "data-id": picture.id }, frame, title, ...under);
  item.style.setProperty("--ratio", ratioOf(picture).toFixed(3));
  return item;
}

/**
 * A picture's thumbnail, or a placeholder while it has none.
 * @param {import("./api.js").Picture} picture
 * @returns {HTMLElement}
 */
export function thumbnail(picture) {
  if (picture.state !== "indexed") return placeholder(picture.state);
  const image = h("img", {
    src: picture.urls.thumbnail,
    alt: format.nameOf(picture),
    width: picture.width,
    height: picture.height,
    loading: "lazy",
    decoding: "async",
    draggable: "false",
  });
  image.addEventListener("error", () => image.replaceWith(placeholder("failed")), { once: true });
  return image;
}

/**
 * @param {number} score
 * @returns {HTMLElement} the figure, with a bar that shows it at a glance
 */
export function scoreMark(score) {
  const bar = h("span", { class: "score-bar", "aria-hidden": "true" });
  bar.style.setProperty("--score", Math.max(0, Math.min(1, score)).toFixed(3));
  return h("span", { class: "score", title: "Likeness, 1 is the same" }, bar, format.score(score));
}

function placeholder(state) {
  const mark = icon(state === "failed" ? "wrong" : "clock");
  return h("span", { class: `placeholder placeholder-${state}` }, mark);
}

function ratioOf({ width, height }) {
  const ratio = width > 0 && height > 0 ? width / height : 1;
  return Math.max(NARROWEST, Math.min(WIDEST, ratio));
}
