// Taking files from people: dropped anywhere on the page, pasted anywhere, or picked.
// Promises that a file dropped beside the mark never makes the browser leave the page.

import { h } from "./dom.js";
import { droppedFiles, likelyPictures } from "./files.js";

/**
 * @typedef {{files: File[], leftOut: number}} Taken `leftOut` counts what a folder held that
 *   cannot be a picture
 */

/**
 * @param {object} options
 * @param {(taken: Taken) => void} options.onFiles never called with nothing at all
 * @param {boolean} [options.many] several files and folders, or just one file
 * @param {string} options.invitation what the page says while files hover over it
 */
export function takeFiles({ onFiles, many = false, invitation }) {
  const give = (taken) => (taken.files.length || taken.leftOut) && onFiles(taken);
  takeDrops(give, invitation);
  takePastes(give);
  const picking = (kind, mark) =>
    document.querySelectorAll(mark).forEach((button) => takePicks(button, give, kind));
  picking({ multiple: many }, "[data-pick]");
  picking({ webkitdirectory: true }, "[data-pick-folder]");
}

function takePicks(button, give, { multiple = false, webkitdirectory = false }) {
  const accept = webkitdirectory ? null : "image/*,.heic,.heif,.avif,.tif,.tiff";
  const input = h("input", { type: "file", accept, multiple, webkitdirectory, hidden: true });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    give(webkitdirectory ? likelyPictures(files) : { files, leftOut: 0 });
  });
  button.after(input);
  button.addEventListener("click", () => input.click());
}

function takeDrops(give, invitation) {
  const veil = h("div", { class: "veil", "aria-hidden": "true", hidden: true });
  veil.append(h("p", {}, invitation));
  document.body.append(veil);
  let depth = 0;
  // Browsers offer a dragged picture of our own page as a file too; that is not a drop for us.
  let ours = false;
  document.addEventListener("dragstart", () => (ours = true));
  document.addEventListener("dragend", () => (ours = false));
  const show = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  const onFiles = (name, act) =>
    window.addEventListener(name, (event) => {
      if (ours || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      act(event);
    });
  onFiles("dragenter", () => show(1));
  onFiles("dragleave", () => show(-1));
  onFiles("dragover", (event) => (event.dataTransfer.dropEffect = "copy"));
  onFiles("drop", async (event) => {
    show(-depth);
    give(await droppedFiles(event.dataTransfer));
  });
}

function takePastes(give) {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    give({ files, leftOut: 0 });
  });
}
