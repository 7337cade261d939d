// Making elements. Promises that text always arrives as text: nothing here parses HTML.

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `onclick` and the like become listeners, `class`
 *   and other names attributes; `true` makes an empty attribute, `false` and `null` make none.
 * @param {...(Node|string|null)} children strings become text, `null` is left out
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function setAttribute(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null) element.setAttribute(name, value);
}

/**
 * An icon from `icons/`, hidden from screen readers.
 * @param {string} name
 * @returns {HTMLElement}
 */
export function icon(name) {
  return h("span", { class: `icon icon-${name}`, "aria-hidden": "true" });
}

/**
 * A button with words.
 * @param {string} label
 * @param {(event: Event) => void} onclick
 * @param {{mark?: string, kind?: string}} [looks] an icon before the label, and more classes
 * @returns {HTMLButtonElement}
 */
export function button(label, onclick, { mark = "", kind = "" } = {}) {
  const attributes = { type: "button", class: `button ${kind}`.trim(), onclick };
  return h("button", attributes, mark ? icon(mark) : null, label);
}

/**
 * A link that looks like a button.
 * @param {string} label
 * @param {string} href
 * @param {{mark?: string, kind?: string}} [looks]
 * @returns {HTMLAnchorElement}
 */
export function buttonLink(label, href, { mark = "", kind = "" } = {}) {
  return h("a", { class: `button ${kind}`.trim(), href }, mark ? icon(mark) : null, label);
}

/**
 * A button that shows only an icon; its label is spoken and shown on hover.
 * @param {string} name icon
 * @param {string} label
 * @param {(event: Event) => void} onclick
 * @param {string} [extra] more classes
 * @returns {HTMLElement}
 */
export function iconButton(name, label, onclick, extra = "") {
  const attributes = { type: "button", title: label, "aria-label": label, onclick };
  return h("button", { ...attributes, class: `icon-button ${extra}`.trim() }, icon(name));
}

/**
 * A box for words that no spelling checker should touch.
 * @param {string} value
 * @param {Record<string, unknown>} attributes
 * @returns {HTMLInputElement}
 */
export function textBox(value, attributes) {
  return h("input", { value, spellcheck: "false", ...attributes });
}

/**
 * The element with this id; a missing one is a mistake in the template.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element with the id ${id}.`);
  return element;
}

/**
 * Let an element say this. One that says it already is left alone, with what is selected in it.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Call `task` once things have been quiet for `wait` milliseconds.
 * @param {() => void} task
 * @param {number} wait
 * @returns {() => void}
 */
export function settled(task, wait) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(task, wait);
  };
}
