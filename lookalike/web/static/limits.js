// Limits the server told the page, checked before anything is sent.

const MEBIBYTE = 1024 * 1024;

/**
 * @param {Blob} file
 * @returns {string} a sentence when the file is too large to be sent at all, otherwise empty
 */
export function tooLarge(file) {
  const most = Number(document.body.dataset.maxFileBytes);
  if (!(file.size > most)) return "";
  const size = (file.size / MEBIBYTE).toFixed(1);
  const limit = Math.floor(most / MEBIBYTE);
  return `The file has ${size} MiB; at most ${limit} MiB are accepted. Make it smaller.`;
}
