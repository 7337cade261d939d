// The upload page: files go out as soon as they are dropped, with the labels given at that moment.

import { createLibrary, listLibraries } from "./api.js";
import { byId, h } from "./dom.js";
import { takeFiles } from "./dropzone.js";
import { countOf } from "./format.js";
import { announce, notice } from "./notice.js";
import { TagField } from "./tagfield.js";
import { Uploads } from "./uploads.js";
import { StateChoice, UploadList, summaryOf } from "./uploadview.js";

const SPEAK_EVERY = 4000;

const form = byId("labels");
const tags = new TagField(byId("upload-tags"), { label: "Tags" });
const uploads = new Uploads(onChange);
const list = new UploadList(byId("files"), (upload) => uploads.retry([upload]));
const states = new StateChoice(byId("states"), (state) => list.only(state));
const libraries = new Set(["main"]);
let lastSpoken = 0;
let finished = true;

takeFiles({ many: true, invitation: "Drop them to add them to the library", onFiles });
form.addEventListener("submit", (event) => event.preventDefault());
byId("retry-all").addEventListener("click", () => uploads.retry(uploads.all));
byId("clear-done").addEventListener("click", () => {
  list.remove(uploads.forgetDone());
  showProgress();
});
window.addEventListener("beforeunload", (event) => {
  if (uploads.unfinished) event.preventDefault();
});
offerLibraries();

async function offerLibraries() {
  const known = await listLibraries().catch(() => []);
  known.forEach(({ name }) => libraries.add(name));
  byId("libraries").replaceChildren(...known.map(({ name }) => h("option", { value: name })));
}

async function onFiles({ files, leftOut }) {
  const left = `Left out what is no picture: ${countOf(leftOut, "file")}.`;
  notice(byId("left-out"), leftOut ? left : "");
  const labels = currentLabels();
  const ready = await libraryReady(labels.library);
  if (ready) begin(files, labels);
}

function currentLabels() {
  const { library, title } = form.elements;
  return { library: library.value.trim(), title: title.value.trim(), tags: tags.values };
}

async function libraryReady(name) {
  if (!name || libraries.has(name)) return true;
  try {
    await createLibrary(name);
    libraries.add(name);
    return true;
  } catch (error) {
    notice(byId("left-out"), error.message, { wrong: true });
    return false;
  }
}

function begin(files, labels) {
  if (!files.length) return;
  finished = false;
  list.add(uploads.add(files, labels));
  announce(`${countOf(files.length, "file")} taken`);
  showProgress();
  byId("progress").scrollIntoView({ block: "nearest" });
}

function onChange(changed) {
  list.update(changed);
  showProgress();
}

function showProgress() {
  const total = uploads.all.length;
  const summary = summaryOf(uploads);
  byId("progress").hidden = !total;
  byId("summary").textContent = summary;
  byId("overall").max = Math.max(1, total);
  byId("overall").value = uploads.settled;
  byId("retry-all").hidden = !uploads.counts.unsent;
  byId("clear-done").hidden = !(uploads.counts.searchable + uploads.counts.duplicate);
  states.show(uploads.counts, total);
  speak(summary, uploads.settled === total);
}

// Screen readers hear how it stands now and then, and once at the end.
function speak(summary, over) {
  const now = performance.now();
  const due = over ? !finished : now - lastSpoken > SPEAK_EVERY;
  if (!due) return;
  finished = over;
  lastSpoken = now;
  announce(summary);
}
