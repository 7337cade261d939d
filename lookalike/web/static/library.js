// The library page: pictures newest first, more as one scrolls, filters kept in the address, and a
// selection that can be deleted.

import { deletePicture, getStatus, listLibraries, listPictures } from "./api.js";
import { byId, h, settled } from "./dom.js";
import { confirmed } from "./dialog.js";
import { count, countOf, nameOf } from "./format.js";
import { card } from "./grid.js";
import { announce, notice } from "./notice.js";
import { Selection } from "./selection.js";
import { TagSuggestions } from "./tagfield.js";
import { Watcher } from "./watcher.js";

const PAGE = 60;
const AT_ONCE = 4;
const PAUSE = 350;

const form = byId("browse");
const grid = byId("pictures");
const more = byId("more");
const suggestions = new TagSuggestions(byId("tags"));
const watcher = new Watcher(refresh, (id) => cardOf(id)?.remove());
const selection = new Selection(grid, showSelection);
let cursor = null;
let loading = new AbortController();

form.addEventListener("submit", (event) => (event.preventDefault(), onFilter()));
form.addEventListener("change", onFilter);
form.elements.tag.addEventListener("input", settled(onFilter, PAUSE));
more.addEventListener("click", () => load({ focus: true }));
byId("select-all").addEventListener("click", () => selection.all());
byId("clear-selection").addEventListener("click", () => selection.clear());
byId("delete-selected").addEventListener("click", deleteSelected);
window.addEventListener("popstate", () => begin());
const nearEnd = new IntersectionObserver(onNearEnd, { rootMargin: "600px" });
offerLibraries().then(() => begin());

async function offerLibraries() {
  const libraries = await listLibraries().catch(() => []);
  byId("library-field").hidden = libraries.length < 2;
  const option = ({ name, images }) => h("option", { value: name }, `${name} (${count(images)})`);
  const all = h("option", { value: "" }, "all");
  form.elements.library.replaceChildren(all, ...libraries.map(option));
}

function onNearEnd([entry]) {
  if (entry.isIntersecting && !more.disabled) load();
}

function onFilter() {
  const values = Object.entries(chosen()).filter(([, value]) => value);
  const text = new URLSearchParams(values).toString();
  const address = text ? `/library?${text}` : "/library";
  if (address === location.pathname + location.search) return;
  history.replaceState(null, "", address);
  begin({ keepForm: true });
}

function chosen() {
  const { library, state, tag } = form.elements;
  return { library: library.value, state: state.value, tag: tag.value.trim() };
}

async function begin({ keepForm = false } = {}) {
  if (!keepForm) showChosen(new URLSearchParams(location.search));
  cursor = null;
  watcher.stop();
  selection.clear();
  showTotals();
  await load({ fresh: true });
}

function showChosen(values) {
  for (const name of ["library", "state", "tag"]) {
    form.elements[name].value = values.get(name) ?? "";
  }
}

async function showTotals() {
  const { images } = await getStatus().catch(() => ({ images: null }));
  if (!images) return;
  const parts = [
    `${count(images.indexed)} searchable`,
    images.pending ? `${count(images.pending)} being indexed` : "",
    images.failed ? `${count(images.failed)} failed` : "",
  ];
  byId("totals").textContent = parts.filter(Boolean).join(" · ");
}

async function load({ fresh = false, focus = false } = {}) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  grid.setAttribute("aria-busy", "true");
  nearEnd.disconnect();
  more.disabled = true;
  try {
    const page = await listPictures({ ...chosen(), limit: PAGE, cursor }, signal);
    show(page, fresh, focus);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

function show({ images, next_cursor: next }, fresh, focus) {
  const cards = images.map(libraryCard);
  if (fresh) grid.replaceChildren(...cards);
  else grid.append(...cards);
  if (focus) cards[0]?.querySelector("a").focus({ preventScroll: true });
  cursor = next;
  suggestions.learn(images);
  images.filter(({ state }) => state === "pending").forEach(({ id }) => watcher.watch(id));
  notice(byId("notice"), "");
  rest();
  if (cursor) nearEnd.observe(more);
}

function rest() {
  grid.removeAttribute("aria-busy");
  more.disabled = false;
  more.hidden = !cursor;
  showNothing();
}

function fail(error) {
  rest();
  notice(byId("notice"), error.message, { wrong: true, actions: [["Try again", () => begin()]] });
}

function showNothing() {
  const place = byId("nothing");
  const filtered = Object.values(chosen()).some(Boolean);
  place.hidden = grid.children.length > 0 || cursor !== null;
  byId("select-all").hidden = !grid.children.length;
  place.querySelector("h2").textContent = filtered ? "No such pictures" : "The library is empty";
  place.querySelector("p").textContent = filtered
    ? "No picture has this state, tag and library. Change the filter to see others."
    : "Pictures you upload are shown here, the newest first.";
}

function libraryCard(picture) {
  const under = [];
  if (picture.state === "pending") under.push(h("p", { class: "card-note" }, "Being indexed"));
  if (picture.error) under.push(h("p", { class: "card-reason" }, picture.error.message));
  const over = [selection.box(picture.id, nameOf(picture))];
  return card(picture, { href: picture.urls.page, hint: "Open this picture", under, over });
}

function cardOf(id) {
  return grid.querySelector(`[data-id="${CSS.escape(id)}"]`);
}

function refresh(picture) {
  const old = cardOf(picture.id);
  const wasChosen = selection.has(picture.id);
  old?.replaceWith(libraryCard(picture));
  if (wasChosen) selection.choose(picture.id, true);
  showTotals();
}

function showSelection(ids) {
  byId("selection").hidden = !ids.length;
  byId("selected").textContent = `${count(ids.length)} selected`;
}

async function deleteSelected() {
  const { ids } = selection;
  const pictures = countOf(ids.length, "picture");
  const yes = `Delete ${pictures}`;
  if (!(await confirmed({ title: `${yes}?`, text: "This cannot be undone.", yes }))) return;
  const waiting = [...ids];
  const hands = Array.from({ length: AT_ONCE }, () => deleteFrom(waiting));
  const failures = (await Promise.all(hands)).flat();
  selection.clear();
  showTotals();
  showNothing();
  if (failures.length) showFailures(failures);
  announce(`${countOf(ids.length - failures.length, "picture")} deleted`);
}

function showFailures(failures) {
  const text = `${count(failures.length)} could not be deleted. ${failures[0].message}`;
  notice(byId("notice"), text, { wrong: true });
}

async function deleteFrom(waiting) {
  const failures = [];
  while (waiting.length) {
    const id = waiting.pop();
    try {
      await deletePicture(id);
      cardOf(id)?.remove();
    } catch (error) {
      // Somebody else may have been faster; gone is what was asked for.
      if (error.status === 404) cardOf(id)?.remove();
      else failures.push(error);
    }
  }
  return failures;
}
