// What a drop holds: files, and the files inside folders, however deep.

const PICTURE_NAMES = /\.(jpe?g|jpe|jfif|png|apng|webp|avif|gif|tiff?|bmp|dib|heic|heif)$/i;

/**
 * Keep what can be a picture by its name; folders are full of other things.
 * @param {File[]} files
 * @returns {{files: File[], leftOut: number}}
 */
export function likelyPictures(files) {
  const visible = files.filter((file) => !file.name.startsWith("."));
  const pictures = visible.filter((file) => PICTURE_NAMES.test(file.name));
  return { files: pictures, leftOut: visible.length - pictures.length };
}

/**
 * The files of a drop. Files that were dropped themselves are all kept, whatever their name, so
 * that people hear why one is refused; inside folders only likely pictures are.
 * @param {DataTransfer} transfer
 * @returns {Promise<{files: File[], leftOut: number}>}
 */
export async function droppedFiles(transfer) {
  // A drop's items are emptied as soon as its event is over: take all of them before any wait.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.());
  const direct = items.filter((_, at) => !entries[at]?.isDirectory).map((item) => item.getAsFile());
  const folders = entries.filter((entry) => entry?.isDirectory);
  const inside = likelyPictures((await Promise.all(folders.map(filesInside))).flat());
  const files = [...direct.filter((file) => file !== null), ...inside.files];
  return { files, leftOut: inside.leftOut };
}

async function filesInside(folder) {
  const files = [];
  const waiting = [folder];
  while (waiting.length) {
    for (const entry of await entriesOf(waiting.pop())) {
      if (entry.isDirectory) waiting.push(entry);
      else files.push(await fileOf(entry));
    }
  }
  return files.filter((file) => file !== null);
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  // A reader hands out at most 100 entries at a time and none when it is through.
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return all;
    all.push(...some);
  }
}

function fileOf(entry) {
  return new Promise((resolve) => entry.file(resolve, () => resolve(null)));
}
