// Imports in the words of people: states, times, counts.

import { bytes, count, countOf } from "./format.js";

const WORDS = {
  queued: "Waiting for a worker",
  rehearsing: "Rehearsing",
  running: "Importing",
  paused: "Paused",
  cancelled: "Cancelled",
  done: "Finished",
  failed: "Stopped",
  undoing: "Undoing",
  undone: "Undone",
};
const MARKS = {
  queued: "clock",
  rehearsing: "retry",
  running: "retry",
  paused: "minus",
  cancelled: "close",
  done: "check",
  failed: "wrong",
  undoing: "retry",
  undone: "bin",
};
const SOURCES = {
  files: "files that were sent",
  folder: "a folder",
  zip: "a zip file",
  tar: "a tar file",
  webdataset: "WebDataset shards",
  manifest: "a table",
  urls: "a list of URLs",
  s3: "a bucket",
  flickr30k: "pictures with captions",
};
const ENDED = new Set(["cancelled", "done", "failed", "undone"]);

/** @typedef {import("./importsapi.js").Import} Import */

/** @param {Import} one @returns {string} what it is doing */
export function wordFor(one) {
  return one.dry_run && one.state === "done" ? "Rehearsed" : WORDS[one.state];
}

/** @param {string} kind @returns {string} what it imports from */
export const sourceFor = (kind) => SOURCES[kind] ?? kind;

/** @param {Import} one @returns {string} the icon that goes with it */
export const markFor = (one) => MARKS[one.state];

/** @param {Import} one @returns {boolean} whether nothing about it changes by itself any more */
export const isEnded = (one) => ENDED.has(one.state);

/** @param {Import} one @returns {boolean} whether workers have something to do for it */
export const isActive = (one) => !isEnded(one) && one.state !== "paused";

/** @param {Import} one @returns {number|null} share that is dealt with, null when nobody knows */
export function shareOf(one) {
  if (one.state === "undoing") return null;
  if (one.state === "done") return 1;
  return one.total ? (one.done + one.failed) / one.total : null;
}

/** @param {number} seconds @returns {string} such as "about 3 min" */
export function about(seconds) {
  if (seconds < 50) return `about ${Math.max(5, Math.round(seconds / 5) * 5)} s`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `about ${minutes} min`;
  const rest = minutes % 60;
  return `about ${Math.floor(minutes / 60)} h${rest ? ` ${rest} min` : ""}`;
}

/** @param {Import} one @returns {string} how long the rest takes, empty while nobody can know */
export function leftOf(one) {
  return one.seconds_left === null ? "" : `${about(one.seconds_left)} left`;
}

/** @param {Import} one @returns {string} what became of its items, in a line */
export function summaryOf(one) {
  const searchable = one.dry_run ? "would be searchable" : "searchable";
  const parts = [`${count(one.done)} ${searchable}`];
  if (one.duplicate) parts.push(`${count(one.duplicate)} known already`);
  if (one.failed) parts.push(`${count(one.failed)} failed`);
  if (one.removed) parts.push(`${count(one.removed)} removed again`);
  return parts.join(", ");
}

/** @param {Import} one @returns {string} what its rehearsal foretells, in sentences; "" without one */
export function foretold(one) {
  if (!one.rehearsal) return "";
  if (one.kind !== "files") return prediction(one.rehearsal);
  return `${prediction(one.rehearsal)} To bring them in, give the same command without --dry-run.`;
}

function prediction(told) {
  const known = `${count(told.duplicate)} known already`;
  const failed = `${count(told.failed)} failing`;
  const rest = `${bytes(told.bytes)} to store, ${about(told.seconds)}.`;
  return `${countOf(told.new, "new picture")}, ${known}, ${failed}; ${rest}`;
}

/** @param {string} code such as "not_an_image" @returns {string} such as "not an image" */
export const reason = (code) => code.replaceAll("_", " ");
