// The data of a picture, to read.

import { shown } from "./attributes.js";
import { button, h } from "./dom.js";
import { bytes, cameraTime, count, moment, nameOf } from "./format.js";

/**
 * @param {import("./api.js").Picture} picture
 * @param {() => void} onEdit
 * @returns {HTMLElement}
 */
export function facts(picture, onEdit) {
  const edit = button("Edit", onEdit, { mark: "edit", kind: "button-small edit-button" });
  const attributes = Object.entries(picture.attributes);
  return h(
    "div",
    { class: "facts" },
    h("header", { class: "facts-head" }, h("h1", { class: "page-title" }, nameOf(picture)), edit),
    tagList(picture),
    table("About", rows(picture)),
    table("Attributes", attributes.map(([name, value]) => [name, shown(value)])),
  );
}

function rows(picture) {
  const megapixels = (picture.width * picture.height) / 1e6;
  const exact = megapixels >= 0.1 ? ` (${megapixels.toFixed(1)} megapixels)` : "";
  return [
    ["File", picture.filename],
    ["Size", `${count(picture.width)} × ${count(picture.height)}${exact}`],
    ["Format", `${picture.format.toUpperCase()}, ${bytes(picture.bytes)}`],
    ["Taken", picture.taken_at && cameraTime(picture.taken_at)],
    ["Added", moment(picture.added_at)],
    ["Library", picture.library],
    ["SHA-256", picture.sha256],
  ].filter(([, value]) => value);
}

function tagList({ tags }) {
  const item = (tag) => {
    const href = `/library?${new URLSearchParams({ tag })}`;
    return h("li", {}, h("a", { class: "chip", href, title: "Pictures with this tag" }, tag));
  };
  if (!tags.length) return h("p", { class: "hint" }, "No tags yet.");
  return h("ul", { class: "chips", role: "list", "aria-label": "Tags" }, ...tags.map(item));
}

function table(title, entries) {
  if (!entries.length) return null;
  const pairs = entries.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  const list = h("dl", { class: "facts-list" }, ...pairs);
  return h("section", {}, h("h2", { class: "small-title" }, title), list);
}
