// The card of one index: what it is, how far it is, its figures, its gates, and what can be done.

import { stepsFor, takeStep } from "./adminsteps.js";
import { figuresOf, gatesOf, shapesOf } from "./adminfigures.js";
import { doneOf, isActive, makeOf, markFor, nameOf, wordFor } from "./adminwords.js";
import { button, h, icon, say } from "./dom.js";
import { count, moment } from "./format.js";
import { about } from "./importswords.js";
import { announce, notice } from "./notice.js";
import { Pace } from "./pace.js";

/** One index, shown again whenever something about it is new. */
export class IndexCard {
  /** @param {() => void} onChange something was done to it */
  constructor(onChange) {
    this.onChange = onChange;
    this.pace = new Pace();
    this.known = {};
    this.index = null;
    this.#make();
  }

  /**
   * @param {import("./adminapi.js").Index} index
   * @param {import("./adminapi.js").Index[]} all
   */
  show(index, all) {
    const before = this.index;
    this.index = index;
    this.item.dataset.state = index.state;
    say(this.name, index.model);
    say(this.storage, index.centred ? `${index.storage}, centred` : index.storage);
    say(this.make, makeOf(index));
    say(this.when, whenOf(index));
    this.#showWord(before);
    this.#showProgress();
    this.#showMessage();
    this.#ifNew("steps", stepsFor(index, all), (steps) => this.#showSteps(steps, all));
    this.#ifNew("figures", [index.figures, index.images.failed], () => this.#showFigures());
    this.#ifNew("gates", index.gates, () => this.#showGates());
  }

  #make() {
    this.name = h("span", { class: "index-model" });
    this.storage = h("span", { class: "index-storage" });
    this.title = h("h3", { class: "index-name", tabindex: "-1" }, this.name, this.storage);
    this.word = h("p", { class: "index-word" });
    this.make = h("p", { class: "hint" });
    this.when = h("p", { class: "hint" });
    this.bar = h("progress", { max: "1" });
    this.far = h("p", { class: "index-far" });
    this.notice = h("div", { hidden: true });
    this.figures = h("dl", { class: "index-figures" });
    this.shapes = fold();
    this.gates = fold();
    this.failed = h("div");
    this.steps = h("div", { class: "row index-steps" });
    const head = h("div", { class: "index-head" }, this.title, this.word, this.steps);
    const what = h("div", { class: "index-what" }, this.make, this.when);
    const folds = h("div", { class: "index-folds" }, this.gates.box, this.shapes.box);
    const parts = [head, what, this.far, this.bar, this.notice, this.figures, this.failed, folds];
    this.item = h("li", { class: "panel index" }, ...parts);
  }

  #ifNew(name, value, change) {
    const text = JSON.stringify(value);
    if (this.known[name] === text) return;
    this.known[name] = text;
    change(value);
  }

  #showWord(before) {
    const word = wordFor(this.index);
    this.#ifNew("word", word, () => {
      this.word.replaceChildren(icon(markFor(this.index)), word);
      this.word.dataset.word = word;
      if (before) announce(`${nameOf(this.index)}: ${word}`);
    });
  }

  #showProgress() {
    const { index, bar } = this;
    bar.hidden = !["building", "failed"].includes(index.state);
    this.far.hidden = bar.hidden && index.task !== "measure";
    if (bar.hidden) return say(this.far, index.message ?? "Waits to be measured.");
    const done = doneOf(index);
    if (isActive(index)) this.pace.note(done, performance.now());
    else this.pace.reset();
    bar.value = index.pictures ? Math.min(1, done / index.pictures) : 0;
    bar.setAttribute("aria-label", `Progress of ${nameOf(index)}`);
    say(this.far, `${count(done)} of ${count(index.pictures)} pictures${this.#left(done)}`);
  }

  #left(done) {
    const { index } = this;
    if (!isActive(index)) return "";
    if (done >= index.pictures) return `. ${index.message ?? "All are in."}`;
    const seconds = this.pace.secondsLeft(index.pictures);
    const message = index.message ? `. ${index.message}` : "";
    return seconds === null ? message : `, ${about(seconds)} left, then it is measured${message}`;
  }

  #showMessage() {
    const { index } = this;
    // While workers are at it, the line above says what they do.
    const text = index.error?.message ?? (index.task ? "" : (index.message ?? ""));
    this.#ifNew("message", [text, index.error], () =>
      notice(this.notice, text, { wrong: Boolean(index.error) }),
    );
  }

  // Buttons that vanish must not drop the keyboard's place: it goes to the next button or the name.
  #showSteps(steps, all) {
    const held = this.steps.contains(document.activeElement);
    const made = steps.map(({ label, name, kind, hint }) => {
      const step = button(label, () => this.#take(name), { kind: `button-small ${kind ?? ""}` });
      step.setAttribute("aria-label", `${label}: ${nameOf(this.index)}`);
      if (hint) step.title = hint;
      return step;
    });
    this.all = all;
    this.steps.replaceChildren(...made);
    if (held) (made[0] ?? this.title).focus({ preventScroll: true });
  }

  async #take(name) {
    try {
      await takeStep(name, this.index, (busy) => this.#setBusy(busy));
      notice(this.notice, "");
    } catch (error) {
      notice(this.notice, error.message, { wrong: true });
    } finally {
      this.#setBusy(false);
      this.onChange();
    }
  }

  #setBusy(busy) {
    this.steps.toggleAttribute("aria-busy", busy);
    for (const step of this.steps.children) step.setAttribute("aria-disabled", busy);
  }

  #showFigures() {
    const { index } = this;
    this.figures.replaceChildren(...figuresOf(index));
    this.figures.hidden = !this.figures.children.length;
    this.shapes.show(index.figures ? shapesOf(index.figures) : null, "Recall and times by filter");
  }

  #showGates() {
    const { gates } = this.index;
    const failed = gates.filter(({ passed }) => !passed);
    const all = `${count(gates.length)} gates`;
    const told = failed.length ? `${count(failed.length)} of ${all} failed` : `All ${all} passed`;
    this.failed.replaceChildren(...(failed.length ? [gatesOf(failed)] : []));
    this.gates.show(gates.length ? gatesOf(gates) : null, told);
  }
}

function whenOf({ added_at: added, measured_at: measured, live_at: live, state }) {
  const parts = [`Begun ${moment(added)}`];
  if (measured) parts.push(`measured ${moment(measured)}`);
  else if (state === "ready" || state === "live") parts.push("not measured yet");
  if (live) parts.push(`went live ${moment(live)}`);
  return parts.join(" · ");
}

// Something folded away that opens by a click and stays open when its content is new.
function fold() {
  const summary = h("summary");
  const body = h("div", { class: "fold-body" });
  const box = h("details", { class: "fold", hidden: true }, summary, body);
  const show = (content, title) => {
    box.hidden = content === null;
    say(summary, title);
    body.replaceChildren(...(content ? [content] : []));
  };
  return { box, show };
}
