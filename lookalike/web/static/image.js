// The page of one picture: itself, its data to read and to change, and its neighbours.

import { changePicture, deletePicture, getPicture, search } from "./api.js";
import { button, buttonLink, byId, h, icon } from "./dom.js";
import { confirmed } from "./dialog.js";
import { Editor } from "./editor.js";
import { facts } from "./facts.js";
import { countOf, nameOf } from "./format.js";
import { card, scoreMark } from "./grid.js";
import { announce, notice } from "./notice.js";
import { NOTHING, addressOf, from } from "./query.js";
import { Watcher } from "./watcher.js";

const NEIGHBOURS = 24;
const PENDING = "Being indexed. Its neighbours will be shown here in a moment.";
const SHOWN_BY_BROWSERS = new Set(["jpeg", "png", "webp", "gif", "avif", "bmp"]);

const page = byId("picture");
const { id } = page.dataset;
const watcher = new Watcher(show, () => location.assign("/library"));

load();

async function load() {
  try {
    const picture = await getPicture(id);
    show(picture);
    if (picture.state === "pending") watcher.watch(id);
  } catch (error) {
    page.removeAttribute("aria-busy");
    notice(byId("about"), error.message, { wrong: true, actions: [["Try again", load]] });
  }
}

function show(picture) {
  document.title = `${nameOf(picture)} · Lookalike`;
  page.removeAttribute("aria-busy");
  byId("stage").replaceChildren(mainPicture(picture));
  const editing = byId("about").querySelector("form");
  if (!editing) showAbout(picture);
  showActions(picture);
  if (picture.state === "indexed") showNeighbours(picture);
}

function mainPicture(picture) {
  const original = SHOWN_BY_BROWSERS.has(picture.format) && picture.state !== "failed";
  if (!original && picture.state !== "indexed") return standIn(picture);
  const { width, height } = picture;
  const src = original ? picture.urls.original : picture.urls.thumbnail;
  const image = h("img", { src, alt: nameOf(picture), width, height, decoding: "async" });
  image.style.setProperty("--natural", `${width}px`);
  const onError = () => {
    if (original && picture.state === "indexed") image.src = picture.urls.thumbnail;
    else image.replaceWith(standIn(picture));
  };
  image.addEventListener("error", onError, { once: true });
  return image;
}

function standIn({ state }) {
  const words = state === "failed" ? "This picture cannot be shown" : "There is no preview yet";
  return h("p", { class: "stand-in" }, icon(state === "failed" ? "wrong" : "picture"), words);
}

function showAbout(picture, focus = "") {
  const edit = () => showEditor(picture);
  byId("about").replaceChildren(stateNotice(picture), facts(picture, edit));
  if (focus) byId("about").querySelector(focus)?.focus();
}

function stateNotice({ state, error }) {
  const place = h("div");
  if (state === "pending") notice(place, PENDING);
  if (state === "failed") notice(place, error.message, { wrong: true });
  return place;
}

function showEditor(picture) {
  const editor = new Editor(picture, {
    onCancel: () => showAbout(picture, ".edit-button"),
    onSave: async (changes) => {
      const changed = await changePicture(id, changes);
      document.title = `${nameOf(changed)} · Lookalike`;
      announce("Saved");
      showAbout(changed, ".edit-button");
    },
  });
  byId("about").replaceChildren(editor.form);
  editor.focus();
}

function showActions(picture) {
  const search = { mark: "search", kind: "button-main" };
  const similar = buttonLink("Find similar", addressOf(from(NOTHING, picture)), search);
  const download = buttonLink("Download", picture.urls.original, { mark: "download" });
  download.download = picture.filename;
  const remove = button("Delete", () => removeIt(picture), { mark: "bin", kind: "button-danger" });
  similar.hidden = picture.state !== "indexed";
  byId("actions").replaceChildren(similar, download, remove);
}

async function removeIt(picture) {
  const text = `${nameOf(picture)} goes from the library. This cannot be undone.`;
  if (!(await confirmed({ title: "Delete this picture?", text, yes: "Delete it" }))) return;
  try {
    await deletePicture(id);
    location.assign("/library");
  } catch (error) {
    const place = h("div");
    notice(place, error.message, { wrong: true });
    byId("about").prepend(place);
  }
}

async function showNeighbours({ library }) {
  byId("neighbours").hidden = false;
  const place = byId("neighbours-notice");
  try {
    const answer = await search({ like: [id], library, limit: NEIGHBOURS });
    const cards = answer.results.map(neighbour);
    byId("neighbours").querySelector(".grid").replaceChildren(...cards);
    const found = countOf(cards.length, "picture");
    byId("neighbours-meta").textContent = `${found} · ${answer.index.model}`;
    notice(place, cards.length ? "" : "There are no other pictures to compare with yet.");
  } catch (error) {
    const again = () => showNeighbours({ library });
    notice(place, error.message, { wrong: true, actions: [["Try again", again]] });
  }
}

function neighbour({ image, score }) {
  const href = addressOf(from(NOTHING, image));
  const title = `Search from ${nameOf(image)}`;
  const attributes = { class: "icon-button", href, title, "aria-label": title };
  const link = h("a", attributes, icon("search"));
  const under = [h("div", { class: "card-line" }, scoreMark(score), link)];
  return card(image, { href: image.urls.page, hint: "Open this picture", under });
}
