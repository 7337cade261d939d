// What can be done with an index, and asking first where it matters.

import { activateIndex, listIndexes, retireIndex, steerIndex } from "./adminapi.js";
import { nameOf } from "./adminwords.js";
import { agreed, confirmed } from "./dialog.js";
import { button, h } from "./dom.js";

const MEASURE = { name: "measure", label: "Measure anew" };
const MEASURE_FIRST = { name: "measure", label: "Measure" };
const RETIRE = { name: "retire", label: "Retire", kind: "button-danger" };
const GIVE_UP = { name: "giveUp", label: "Give up", kind: "button-danger" };
const MAKE_LIVE = { name: "activate", label: "Make live", kind: "button-main" };
const BACK = { ...MAKE_LIVE, label: "Roll back", hint: "Make it live again" };

/** @typedef {import("./adminapi.js").Index} Index */
/** @typedef {{name: string, label: string, kind?: string, hint?: string}} Step */

/** @param {Index} index @param {Index[]} all @returns {Step[]} what can be done with it now */
export function stepsFor(index, all) {
  const { state, paused, task, figures } = index;
  const measure = task === "measure" ? [] : [figures ? MEASURE : MEASURE_FIRST];
  if (state === "building") {
    const other = paused ? { name: "resume", label: "Resume" } : { name: "pause", label: "Pause" };
    return [other, GIVE_UP];
  }
  if (state === "failed") return [{ name: "resume", label: "Try again" }, GIVE_UP];
  if (state === "live") return measure;
  if (state !== "ready") return [];
  return [isFormer(index, all) ? BACK : MAKE_LIVE, ...measure, RETIRE];
}

// The one that was live before this one, if it still stands.
function isFormer(index, all) {
  const were = all.filter(({ state, live_at: live }) => state === "ready" && live);
  const [last] = were.sort((one, other) => other.live_at.localeCompare(one.live_at));
  return last?.id === index.id;
}

/**
 * Do it, asking first where it matters; a no does nothing.
 * @param {string} name of a step
 * @param {Index} index
 * @param {(busy: boolean) => void} setBusy told once the answer is waited for
 * @returns {Promise<void>} throws an ApiError for a refusal
 */
export async function takeStep(name, index, setBusy) {
  if (name === "activate") return activate(index, setBusy);
  const question = QUESTIONS[name]?.(index);
  if (question && !(await confirmed(question))) return;
  setBusy(true);
  await (question ? retireIndex(index.id) : steerIndex(index.id, name));
}

const QUESTIONS = {
  retire: (index) => ({
    title: "Retire this index?",
    text:
      `The vectors of ${nameOf(index)} are removed for good, and there is no way back to it but ` +
      "to build it anew. Pictures and the live index stay.",
    yes: "Retire it",
  }),
  giveUp: (index) => ({
    title: "Give up this index?",
    text:
      `${nameOf(index)} is not built any further, and what is done is removed. Pictures and the ` +
      "live index stay.",
    yes: "Give it up",
  }),
};

async function activate(index, setBusy) {
  const failed = index.gates.filter(({ passed }) => !passed);
  if (!(await (failed.length ? overridden(index, failed) : sure(index)))) return;
  setBusy(true);
  try {
    await activateIndex(index.id, failed.map(({ name }) => name));
  } catch (error) {
    if (error.code !== "gate_failed") throw error;
    await again(index, error, failed, setBusy);
  }
}

// Counts are taken anew for a switch, so gates can fail then that had passed.
async function again(index, error, agreedTo, setBusy) {
  setBusy(false);
  const now = (await listIndexes()).find(({ id }) => id === index.id) ?? index;
  const names = error.details.gates.map(({ name }) => name);
  const failed = names.map((name) => sentenceOf(now, name, error.message));
  if (!(await overridden(index, failed))) return;
  setBusy(true);
  await activateIndex(index.id, [...agreedTo.map(({ name }) => name), ...names]);
}

function sentenceOf({ gates }, name, message) {
  const known = gates.find((gate) => gate.name === name && !gate.passed);
  return known ?? { name, message };
}

function sure(index) {
  return confirmed({
    title: `Let searches use ${nameOf(index)}?`,
    text: "From the next search on it answers. The index that is live now stays for a way back.",
    yes: "Make it live",
    kind: "button-main",
  });
}

// Each failed gate is agreed to by itself.
function overridden(index, failed) {
  const yes = button("Make it live", () => {}, { kind: "button-danger" });
  const boxes = failed.map(({ name, message }) => gateBox(name, message));
  const check = () => {
    yes.disabled = boxes.some((box) => !box.querySelector("input").checked);
  };
  boxes.forEach((box) => box.addEventListener("change", check));
  check();
  const lead = `${nameOf(index)} does not pass its gates. Tick each one that may fail this time.`;
  const content = [h("p", { id: "dialog-text" }, lead), h("div", { class: "overrides" }, ...boxes)];
  return agreed("Make it live all the same?", content, yes);
}

function gateBox(name, message) {
  const words = h("span", {}, h("strong", {}, name), h("span", {}, message));
  return h("label", { class: "tick" }, h("input", { type: "checkbox", value: name }), words);
}
