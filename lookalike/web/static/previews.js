// Small previews of files that are not uploaded yet. Promises little memory and no stutter with
// hundreds of photographs: a file is decoded only when its row comes into view, off the main
// thread, two at a time, and only the small copy is kept.

const SIDE = 128;
const AT_ONCE = 2;
const waiting = [];
let running = 0;

const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter(({ isIntersecting }) => isIntersecting)) {
      seen.unobserve(entry.target);
      waiting.push(entry.target);
    }
    pump();
  },
  { rootMargin: "200px" },
);
const files = new WeakMap();

/**
 * Fill `place` with a preview of `file` once people can see it. A format that the browser cannot
 * decode leaves what is there.
 * @param {HTMLElement} place
 * @param {Blob} file
 */
export function previewLater(place, file) {
  files.set(place, file);
  seen.observe(place);
}

/** @param {HTMLElement} place no longer filled: it shows something better, or is gone */
export function forgetPreview(place) {
  files.delete(place);
  seen.unobserve(place);
}

function pump() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    draw(waiting.shift()).finally(() => {
      running -= 1;
      pump();
    });
  }
}

async function draw(place) {
  const file = files.get(place);
  const bitmap = file ? await small(file) : null;
  if (bitmap && files.has(place)) place.replaceChildren(canvasOf(bitmap));
  bitmap?.close();
  forgetPreview(place);
}

async function small(file) {
  return createImageBitmap(file, { resizeWidth: SIDE, resizeQuality: "medium" }).catch(() => null);
}

function canvasOf(bitmap) {
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
}
