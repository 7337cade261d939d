// Attribute values as people type them. Promises that what `shown` writes, `typed` reads back with
// the same type: a text that looks like a number is shown in quotes.

/**
 * @param {string} text
 * @returns {string|number|boolean} `true` and `false`, numbers written plainly, otherwise text;
 *   quotes around it keep it text
 */
export function typed(text) {
  const value = text.trim();
  if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) return value.slice(1, -1);
  if (value === "true" || value === "false") return value === "true";
  return isPlainNumber(value) ? Number(value) : value;
}

/** @param {string|number|boolean} value @returns {string} */
export function shown(value) {
  const text = String(value);
  const same = typeof value !== "string" || typed(text) === value;
  return same ? text : `"${text}"`;
}

function isPlainNumber(text) {
  return /^-?\d+(\.\d+)?$/.test(text) && Number.isFinite(Number(text)) && !/^-?0\d/.test(text);
}
