// Asking before something cannot be undone, with the browser's own dialog.

import { button, h } from "./dom.js";

/**
 * Ask for a yes. Escape, the backdrop and Cancel all mean no; focus returns to where it was.
 * @param {{title: string, text: string, yes: string, kind?: string}} question `kind` are classes of
 *   the button that says yes
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes, kind = "button-danger" }) {
  return agreed(title, [h("p", { id: "dialog-text" }, text)], button(yes, () => {}, { kind }));
}

/**
 * The same with more than a sentence to read before the button `yes` is pressed.
 * @param {string} title
 * @param {HTMLElement[]} content one has the id `dialog-text`: it is read aloud
 * @param {HTMLButtonElement} yes
 * @returns {Promise<boolean>}
 */
export function agreed(title, content, yes) {
  return new Promise((resolve) => {
    const cancel = button("Cancel", () => dialog.close(""));
    cancel.autofocus = true;
    yes.addEventListener("click", () => dialog.close("yes"));
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" },
      h("h2", { id: "dialog-title" }, title),
      ...content,
      h("p", { class: "row row-end" }, cancel, yes),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close(""));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
