// Values as people read them, in the language of their browser.

const number = new Intl.NumberFormat();
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const cameraDay = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "short",
  timeZone: "UTC",
});

/** @param {number} value @returns {string} such as 12,345 */
export const count = (value) => number.format(value);

/**
 * @param {number} amount
 * @param {string} one such as "picture"
 * @param {string} [many]
 * @returns {string} such as "1 picture" or "1,200 pictures"
 */
export function countOf(amount, one, many = `${one}s`) {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}

/** @param {number} bytes @returns {string} in decimal units, such as 3.4 MB */
export function bytes(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let power = 0;
  let value = bytes;
  for (; value >= 999.5 && power < units.length - 1; power += 1) value /= 1000;
  const digits = power > 0 && value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[power]}`;
}

/** @param {string|number} at ISO 8601, or milliseconds since 1970 @returns {string} where the reader is */
export const moment = (at) => day.format(new Date(at));

/** @param {string} iso @returns {string} a camera's time, which names no zone and is kept as UTC */
export const cameraTime = (iso) => cameraDay.format(new Date(iso));

/** @param {number} value @returns {string} such as 0.93 */
export const score = (value) => value.toFixed(2);

/** @param {number} fraction 0 to 1 @returns {string} such as 40% */
export const percent = (fraction) => `${Math.round(fraction * 100)}%`;

/** @param {import("./api.js").Picture} picture @returns {string} its title, or its file's name */
export const nameOf = (picture) => picture.title || picture.filename || "Untitled";
