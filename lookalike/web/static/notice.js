// Telling people what happened: spoken politely by screen readers, or shown in the page.

import { button, byId, h, icon } from "./dom.js";

/** @param {string} text said by screen readers as soon as they are free */
export function announce(text) {
  byId("live").textContent = text;
}

/**
 * Show a notice in `place`, or hide it when `text` is empty.
 * @param {HTMLElement} place
 * @param {string} text
 * @param {{wrong?: boolean, actions?: [string, () => void][]}} [options] buttons by label
 */
export function notice(place, text, { wrong = false, actions = [] } = {}) {
  place.hidden = !text;
  place.replaceChildren();
  if (!text) return;
  const buttons = actions.map(([label, act]) => button(label, act, { kind: "button-small" }));
  const looks = wrong ? { class: "notice notice-wrong", role: "alert" } : { class: "notice" };
  const mark = wrong ? icon("wrong") : null;
  place.append(h("div", looks, mark, h("p", {}, text), ...buttons));
}
