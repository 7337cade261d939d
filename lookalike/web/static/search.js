// The search page. The address says what is asked, except for a picture that is not stored: that
// one is remembered by this browser under a key in the history entry.

import { listLibraries, search } from "./api.js";
import { byId, h } from "./dom.js";
import { takeFiles } from "./dropzone.js";
import { FilterForm } from "./filterform.js";
import { partsOf } from "./filters.js";
import { score } from "./format.js";
import { keep, recall } from "./keepsake.js";
import { tooLarge } from "./limits.js";
import { NOTHING, addressOf, readQuery, requestOf, withExample, withoutExample } from "./query.js";
import { QueryPanel } from "./querypanel.js";
import { Results, showChips } from "./results.js";
import { showStart } from "./start.js";
import { TagSuggestions } from "./tagfield.js";

const PAGE = 40;
const MOST = 200;
const WIDE = window.matchMedia("(min-width: 60rem)");
const RETIRED = "The index that gave the first of these results is gone. These are the new one's.";
const GONE = "This browser no longer remembers the picture you searched with. Choose it again.";

let query = NOTHING;
let file = null;
let index = "";
let asking = new AbortController();

const tagList = h("datalist", { id: "known-tags" });
document.body.append(tagList);
const suggestions = new TagSuggestions(tagList);
const panel = new QueryPanel(byId("query"), {
  onCrop: (crop) => go({ ...query, crop }, { replace: true, stay: true }),
  onRemove: (id) => go(withoutExample(query, id)),
});
const filterForm = new FilterForm({
  tagList: tagList.id,
  onChange: (limits) => go({ ...query, ...limits }, { replace: true, stay: true }),
});
const results = new Results({
  onExample: (side, id) => go(withExample(query, side, id, file !== null)),
  onMore: () => ask({ append: true }),
  onRetry: () => ask(),
  onClearFilters: () => narrow({ filter: {}, minScore: null }),
});

takeFiles({
  invitation: "Drop it to find its lookalikes",
  onFiles: ({ files }) => files.length && searchBy(files[0]),
});
byId("results").addEventListener("click", onPictureClick);
byId("starting-points").addEventListener("click", onPictureClick);
window.addEventListener("popstate", () => route());
window.addEventListener("pagehide", () => remember({ scroll: window.scrollY }));
byId("filter-panel").open = WIDE.matches;
listLibraries().then((libraries) => filterForm.offer(libraries)).catch(() => {});
route().then(() => history.state?.scroll && window.scrollTo({ top: history.state.scroll }));

function remember(facts) {
  history.replaceState({ ...history.state, ...facts }, "");
}

function searchBy(picture) {
  const next = { ...query, like: [], unlike: [], crop: null };
  history.pushState({ file: keep(picture) }, "", addressOf(next));
  return route({ arriving: true });
}

function onPictureClick(event) {
  const link = event.target.closest("a.card-picture");
  const plain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain) return;
  event.preventDefault();
  file = null;
  go(readQuery(link.search));
}

const narrow = (limits) => go({ ...query, ...limits }, { replace: true });

// `stay` leaves focus, scroll and form as they are: the person is still at the control they use.
function go(next, { replace = false, stay = false } = {}) {
  const state = file ? { file: history.state?.file } : {};
  history[replace ? "replaceState" : "pushState"](state, "", addressOf(next));
  return route({ stay, arriving: !stay });
}

async function route({ stay = false, arriving = false } = {}) {
  asking.abort();
  const opened = readQuery(location.search);
  query = opened;
  const key = history.state?.file;
  const found = key ? await recall(key) : null;
  // Another address may have been opened meanwhile; it has the say then.
  if (query !== opened) return;
  file = found;
  const asked = file || query.like.length || query.unlike.length;
  byId("start").hidden = Boolean(asked);
  byId("search").hidden = !asked;
  if (!asked) return suggestions.learn(await showStart(query.library, key ? GONE : ""));
  if (!stay) filterForm.show(query);
  return showSearch(arriving);
}

async function showSearch(arriving) {
  const asked = query;
  showFilterParts();
  const name = await panel.show(asked, file);
  if (asked !== query) return;
  document.title = `${name ? `Like ${name}` : "Search"} · Lookalike`;
  results.begin(name);
  if (arriving) toResults();
  await ask({ limit: Math.min(MOST, history.state?.shown ?? PAGE) });
}

function toResults() {
  window.scrollTo({ top: 0 });
  results.title.focus({ preventScroll: true });
}

async function ask({ append = false, limit = PAGE } = {}) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const asked = query;
  const offset = append ? results.length : 0;
  try {
    if (file && tooLarge(file)) throw new Error(tooLarge(file));
    const from = append ? { index } : {};
    const answer = await search({ ...requestOf(asked, limit, offset), ...from }, file, signal);
    index = answer.index.id;
    show(answer, asked, { append, full: answer.results.length === limit });
  } catch (error) {
    if (signal.aborted) return;
    if (append && isRetired(error)) await beginAnew();
    else results.fail(error);
  }
}

// Further results come from the index of the first ones, so that models never mix.
const isRetired = ({ code, details }) => code === "not_found" && details.id === index;

async function beginAnew() {
  await ask();
  results.tell(RETIRED);
}

function show(answer, asked, how) {
  const pictures = answer.results.map((hit) => hit.image);
  panel.learn(pictures);
  suggestions.learn(pictures);
  results.show(answer, asked, how);
  remember({ shown: results.length });
}

function showFilterParts() {
  const chip = ({ label, rest }) => ({ label, remove: () => narrow({ filter: rest }) });
  const parts = partsOf(query.filter).map(chip);
  if (query.minScore !== null) {
    const label = `score at least ${score(query.minScore)}`;
    parts.push({ label, remove: () => narrow({ minScore: null }) });
  }
  showChips(byId("filter-chips"), parts);
  byId("filter-count").textContent = parts.length;
  byId("filter-count").hidden = !parts.length;
}
