// The page of one import: live figures, what can be done with it, and what failed.

import { button, byId, h, icon } from "./dom.js";
import { confirmed } from "./dialog.js";
import { bytes, count, countOf, moment } from "./format.js";
import { csvOf, eventsOf, getImport, listFailures, steerImport } from "./importsapi.js";
import { foretold, isEnded, leftOf, markFor, reason, shareOf, sourceFor, wordFor } from "./importswords.js";
import { announce, notice } from "./notice.js";

const PAGE = 100;
const STEPS = {
  pause: { label: "Pause", on: ["queued", "rehearsing", "running"] },
  resume: { label: "Go on", on: ["paused", "failed"], kind: "button-main" },
  cancel: { label: "Cancel", on: ["queued", "rehearsing", "running", "paused"] },
  perform: { label: "Import for real", on: ["done"], kind: "button-main", rehearsal: true },
  undo: { label: "Undo", on: ["done", "cancelled", "failed", "paused"], kind: "button-danger" },
};

const article = byId("import");
const { id } = article.dataset;
let events = null;
let current = null;
let failed = -1;
let cursor = null;
let code = "";

byId("csv").href = csvOf(id);
byId("retry-all").addEventListener("click", () => steer("retry"));
byId("more").addEventListener("click", () => loadFailures(cursor));
byId("codes").addEventListener("change", (event) => {
  code = event.target.value;
  loadFailures();
});
getImport(id)
  .then(show)
  .then(listen)
  .catch((error) => notice(byId("notice"), error.message, { wrong: true }));

// The browser comes back by itself when the server ends a stream, until there is nothing to tell.
function listen() {
  events?.close();
  if (isEnded(current)) return;
  events = new EventSource(eventsOf(id));
  events.addEventListener("progress", (event) => show(JSON.parse(event.data)));
}

function show(one) {
  const before = current;
  current = one;
  article.removeAttribute("aria-busy");
  byId("about").textContent = aboutOf(one);
  byId("state").replaceChildren(icon(markFor(one)), wordFor(one));
  byId("state").dataset.state = one.state;
  byId("left").textContent = leftOf(one);
  showBar(one);
  byId("figures").replaceChildren(...figuresOf(one));
  showNotice(one);
  if (before?.state !== one.state) showState(one, before);
  byId("rehearsal").hidden = !one.rehearsal;
  byId("rehearsal-text").textContent = foretold(one);
  showFailures(one);
  if (isEnded(one)) events?.close();
}

function showState(one, before) {
  byId("actions").replaceChildren(...stepsFor(one));
  if (before) announce(wordFor(one));
}

function aboutOf(one) {
  const tags = one.tags.length ? `, tagged ${one.tags.join(", ")}` : "";
  const kind = one.dry_run ? "Rehearsal" : "Import";
  return `${kind} of ${sourceFor(one.kind)} into ${one.library}${tags}. Started ${moment(one.added_at)}.`;
}

function showBar(one) {
  const bar = byId("overall");
  const share = shareOf(one);
  bar.hidden = isEnded(one) && one.state !== "done";
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
}

function figuresOf(one) {
  const total = one.total === null ? "" : ` of ${count(one.total)}`;
  const figures = [
    [one.dry_run ? "Would be searchable" : "Searchable", count(one.done) + total],
    ["New", count(one.new)],
    ["Known already", count(one.duplicate)],
    ["Failed", count(one.failed)],
    ["Waiting to be indexed", one.pending ? count(one.pending) : null],
    ["Removed again", one.removed ? count(one.removed) : null],
    ["Stored", one.dry_run ? null : bytes(one.bytes)],
    ["Rate", one.rate === null ? null : `${count(Math.round(one.rate * 10) / 10)} a second`],
  ];
  return figures
    .filter(([, value]) => value !== null)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}

function showNotice(one) {
  const text = one.error?.message ?? one.message ?? "";
  notice(byId("notice"), text, { wrong: Boolean(one.error) });
}

function stepsFor(one) {
  return Object.entries(STEPS)
    .filter(([name, step]) => step.on.includes(one.state) && fits(name, step, one))
    .map(([name, step]) => button(step.label, () => steer(name), { kind: step.kind ?? "" }));
}

function fits(name, step, one) {
  if (name === "resume") return true;
  // What a terminal sent to be rehearsed is not here any more.
  if (step.rehearsal) return one.dry_run && one.kind !== "files";
  return !(name === "undo" && one.dry_run);
}

async function steer(step, body) {
  if (step === "undo" && !(await sure())) return;
  try {
    failed = -1;
    show(await steerImport(id, step, body));
    listen();
  } catch (error) {
    notice(byId("notice"), error.message, { wrong: true });
  }
}

function sure() {
  const pictures = countOf(current.new, "picture");
  return confirmed({
    title: "Undo this import?",
    text:
      `It brought in ${pictures}. They are removed for good, but for those that were also ` +
      "uploaded or imported in another way.",
    yes: "Undo the import",
  });
}

function showFailures(one) {
  if (one.failed === failed) return;
  failed = one.failed;
  byId("failures").hidden = !failed;
  byId("retry-all").hidden = one.dry_run;
  if (failed) loadFailures();
}

async function loadFailures(from = null) {
  try {
    const page = await listFailures(id, { code, cursor: from, limit: PAGE });
    const fresh = page.failures.map(rowOf);
    if (from === null) byId("rows").replaceChildren(...fresh);
    else byId("rows").append(...fresh);
    cursor = page.next_cursor;
    byId("more").hidden = cursor === null;
    showCodes(page.codes);
  } catch (error) {
    notice(byId("notice"), error.message, { wrong: true });
  }
}

function showCodes(codes) {
  const all = Object.values(codes).reduce((sum, number) => sum + number, 0);
  if (code && !codes[code]) code = "";
  const choices = [["", "All", all], ...Object.entries(codes).map(([one, n]) => [one, reason(one), n])];
  const focused = byId("codes").contains(document.activeElement);
  byId("codes").replaceChildren(...choices.map(choice));
  if (focused) byId("codes").querySelector("input:checked").focus();
}

function choice([value, label, number]) {
  const checked = value === code;
  const input = h("input", { type: "radio", name: "code", value, checked });
  const shown = h("span", {}, label, h("span", { class: "count" }, count(number)));
  return h("label", {}, input, shown);
}

function rowOf(failure) {
  const { position, name, message } = failure;
  const again = button("Try again", () => steer("retry", { position }), { kind: "button-small" });
  again.setAttribute("aria-label", `Try ${name} again`);
  const link = failure.picture_id ? h("a", { href: `/images/${failure.picture_id}` }, name) : name;
  return h(
    "tr",
    {},
    h("td", { class: "table-number" }, count(position + 1)),
    h("td", { class: "table-name" }, link),
    h("td", {}, h("strong", {}, reason(failure.code)), h("span", { class: "table-why" }, message)),
    h("td", { class: "table-do" }, current.dry_run ? null : again),
  );
}
