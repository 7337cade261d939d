// The page of all imports: start one, and watch how they stand.

import { createLibrary, listLibraries } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { moment, percent } from "./format.js";
import { listImports, sendImport, startImport } from "./importsapi.js";
import { isActive, leftOf, markFor, shareOf, summaryOf, wordFor } from "./importswords.js";
import { notice } from "./notice.js";
import { TagField } from "./tagfield.js";

const LOOK_EVERY = 2000;
const PAGE = 30;
const TABLE = /\.(csv|jsonl|ndjson|parquet)$/i;

const form = byId("start");
const list = byId("imports");
const tags = new TagField(byId("start-tags"), { label: "Tags for all of them" });
const rows = new Map();
let cursor = null;

form.addEventListener("change", showForm);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  begin(event.submitter?.value === "rehearse");
});
byId("more").addEventListener("click", () => load(cursor));
showForm();
offerLibraries();
load();
setInterval(look, LOOK_EVERY);

function showForm() {
  const from = form.elements.from.value;
  for (const part of form.querySelectorAll("[data-from]")) part.hidden = part.dataset.from !== from;
  const [file] = form.elements.file.files;
  const invitation = "Choose an archive, manifest or list, or drop it here";
  byId("file-name").textContent = file?.name ?? invitation;
  form.querySelector("[data-for=table]").hidden = !TABLE.test(file?.name ?? "");
}

async function offerLibraries() {
  const known = await listLibraries().catch(() => []);
  byId("libraries").replaceChildren(...known.map(({ name }) => h("option", { value: name })));
}

async function begin(rehearse) {
  const place = byId("start-notice");
  notice(place, "");
  const missing = whatIsMissing();
  if (missing) return notice(place, missing, { wrong: true });
  setBusy(true);
  try {
    const library = form.elements.library.value.trim() || "main";
    await createLibrary(library);
    const started = await start({ library, tags: tags.values, dry_run: rehearse });
    location.assign(`/imports/${started.id}`);
  } catch (error) {
    notice(place, error.message, { wrong: true });
  }
  return setBusy(false);
}

function whatIsMissing() {
  const { from, file, place } = form.elements;
  if (from.value === "file") return file.files.length ? "" : "Choose the file to import from.";
  return place.value.trim() ? "" : "Name the folder or bucket to import from.";
}

function start(wanted) {
  const { from, file, file_kind, table_folder, place, kind } = form.elements;
  if (from.value === "place") return startImport({ ...wanted, ...sourceOf(place.value, kind.value) });
  const data = new FormData();
  data.append("library", wanted.library);
  for (const tag of wanted.tags) data.append("tags", tag);
  data.append("dry_run", String(wanted.dry_run));
  data.append("kind", file_kind.value);
  const folder = TABLE.test(file.files[0].name) && table_folder.value.trim();
  if (folder) data.append("source", JSON.stringify({ folder }));
  data.append("file", file.files[0]);
  return sendImport(data, (sent) => showSent(sent / Math.max(1, file.files[0].size)));
}

function sourceOf(text, kind) {
  const place = text.trim();
  if (place.startsWith("s3://")) return { kind: "s3", source: { url: place } };
  return { kind, source: kind === "webdataset" ? { folder: place } : { path: place } };
}

function showSent(share) {
  byId("sent").value = Math.min(1, share);
}

function setBusy(busy) {
  for (const button of form.querySelectorAll("button")) button.disabled = busy;
  byId("sending").hidden = !busy || form.elements.from.value !== "file";
  showSent(0);
}

async function load(from = null) {
  try {
    const page = await listImports({ limit: PAGE, cursor: from });
    cursor = page.next_cursor;
    page.imports.forEach(show);
    byId("more").hidden = !cursor;
    byId("none").hidden = rows.size > 0;
    notice(byId("notice"), "");
  } catch (error) {
    notice(byId("notice"), error.message, { wrong: true, actions: [["Try again", () => load(from)]] });
  }
}

// Only the first page is looked at again, and only while something on it moves.
async function look() {
  const moving = [...rows.values()].some(({ one }) => isActive(one));
  if (!moving || document.hidden) return;
  const page = await listImports({ limit: PAGE }).catch(() => null);
  page?.imports.forEach(show);
}

function show(one) {
  const known = rows.get(one.id);
  if (known && JSON.stringify(known.one) === JSON.stringify(one)) return;
  const row = known ?? emptyRow(one);
  row.one = one;
  row.item.dataset.state = one.state;
  row.state.replaceChildren(icon(markFor(one)), wordFor(one));
  row.summary.textContent = summaryOf(one);
  row.left.textContent = leftOf(one);
  const share = shareOf(one);
  row.bar.hidden = !isActive(one) || share === null;
  row.bar.value = share ?? 0;
  row.bar.setAttribute("aria-valuetext", percent(share ?? 0));
}

function emptyRow(one) {
  const parts = {
    state: h("span", { class: "import-state" }),
    summary: h("span", { class: "import-summary" }),
    left: h("span", { class: "import-left" }),
    bar: h("progress", { max: "1", "aria-label": `Progress of ${one.name}` }),
  };
  const link = h("a", { class: "import-name", href: `/imports/${one.id}` }, one.name);
  const when = `${moment(one.added_at)}, into ${one.library}`;
  const line = h("span", { class: "import-line" }, parts.summary, parts.left);
  const head = h("span", { class: "import-head" }, link, parts.state);
  const item = h("li", { class: "import" }, head, line, parts.bar, h("span", { class: "hint" }, when));
  list.append(item);
  const row = { ...parts, item, one };
  rows.set(one.id, row);
  return row;
}
