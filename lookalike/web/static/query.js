// What is looked for, as a value, and how it is written in the page's address.

import { pruned } from "./filters.js";

/**
 * @typedef {{like: string[], unlike: string[], crop: number[]|null, filter: object,
 *   library: string, minScore: number|null, rerank: boolean}} Query `crop` is x, y, width, height
 *   from 0 to 1
 */

/** Searched when the address names none. */
export const DEFAULT_LIBRARY = "main";

/** Nothing asked yet. @type {Query} */
export const NOTHING = {
  like: [],
  unlike: [],
  crop: null,
  filter: {},
  library: "",
  minScore: null,
  rerank: false,
};

/**
 * @param {string} text the address from its question mark on; what cannot be read is passed over
 * @returns {Query}
 */
export function readQuery(text) {
  const values = new URLSearchParams(text);
  const score = Number.parseFloat(values.get("min_score"));
  return {
    like: values.getAll("like"),
    unlike: values.getAll("unlike"),
    crop: readCrop(values.get("crop")),
    filter: readFilter(values.get("filter")),
    library: values.get("library") ?? "",
    minScore: Number.isNaN(score) ? null : score,
    rerank: values.get("rerank") === "true",
  };
}

/** @param {Query} query @returns {string} the address of the search page that asks it */
export function addressOf(query) {
  const values = new URLSearchParams();
  query.like.forEach((id) => values.append("like", id));
  query.unlike.forEach((id) => values.append("unlike", id));
  if (query.crop) values.set("crop", query.crop.join(","));
  if (query.library) values.set("library", query.library);
  if (Object.keys(query.filter).length) values.set("filter", JSON.stringify(query.filter));
  if (query.minScore !== null) values.set("min_score", query.minScore);
  if (query.rerank) values.set("rerank", "true");
  const text = values.toString();
  return text ? `/?${text}` : "/";
}

/**
 * The JSON of `POST /search` for a query.
 * @param {Query} query
 * @param {number} limit
 * @param {number} offset
 * @returns {Record<string, unknown>}
 */
export function requestOf(query, limit, offset) {
  const asked = { limit, offset, like: query.like, unlike: query.unlike, filter: query.filter };
  if (query.crop) asked.crop = query.crop;
  if (query.library) asked.library = query.library;
  if (query.minScore !== null) asked.min_score = query.minScore;
  if (query.rerank) asked.rerank = true;
  return asked;
}

/**
 * A search from one stored picture, in its library, within the same limits as before.
 * @param {Query} query
 * @param {{id: string, library: string}} picture
 * @returns {Query}
 */
export function from(query, { id, library }) {
  return { ...query, like: [id], unlike: [], crop: null, library: shortName(library) };
}

/** @param {string} library @returns {string} as the address has it: empty for the default one */
export function shortName(library) {
  return library === DEFAULT_LIBRARY ? "" : library;
}

/**
 * The query with one more example; an example is on one side only. A crop belongs to one picture,
 * so it goes when a stored picture gets company.
 * @param {Query} query
 * @param {"like"|"unlike"} side
 * @param {string} id
 * @param {boolean} hasFile whether the crop is of a picture that is not stored
 * @returns {Query}
 */
export function withExample(query, side, id, hasFile) {
  const rest = withoutExample(query, id);
  const next = { ...rest, [side]: [...rest[side], id] };
  return { ...next, crop: hasFile || next.like.length === 1 ? next.crop : null };
}

/** @param {Query} query @param {string} id @returns {Query} */
export function withoutExample(query, id) {
  const others = (ids) => ids.filter((other) => other !== id);
  return { ...query, like: others(query.like), unlike: others(query.unlike) };
}

function readCrop(text) {
  const crop = (text ?? "").split(",").map(Number.parseFloat);
  const inside = crop.length === 4 && crop.every((value) => value >= 0 && value <= 1);
  return inside && crop[2] > 0 && crop[3] > 0 ? crop : null;
}

function readFilter(text) {
  try {
    return pruned(JSON.parse(text ?? "{}"));
  } catch {
    return {};
  }
}
