// Asking before something cannot be undone, with the browser's own dialog.

import { button, h } from "./dom.js";

/**
 * Ask for a yes. Escape, the backdrop and Cancel all mean no; focus returns to where it was.
 * @param {{title: string, text: string, yes: string}} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes }) {
  return new Promise((resolve) => {
    const close = (answer) => () => dialog.close(answer);
    const cancel = button("Cancel", close(""));
    cancel.autofocus = true;
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" },
      h("h2", { id: "dialog-title" }, title),
      h("p", { id: "dialog-text" }, text),
      h(
        "p",
        { class: "row row-end" },
        cancel,
        button(yes, close("yes"), { kind: "button-danger" }),
      ),
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
