// What the admin page asks of the HTTP API: indexes, models, failures, resources, recall.

import { query, request } from "./api.js";

/**
 * @typedef {{median_ms: number, p95_ms: number}} Times
 * @typedef {{queries: number, recall: number, usual: Times, exact: Times}} Searches
 * @typedef {{bytes_per_picture: number|null, searches: Record<string, Searches>,
 *   overlap: number|null, quality: Record<string, null|{queries: number,
 *   mean_average_precision: number, live_map: number|null}>}} Figures
 * @typedef {{name: string, passed: boolean, measured: number|null, needed: number|null,
 *   message: string}} Gate
 * @typedef {{id: string, model: string, recipe: string, dimensions: number, distance: string,
 *   storage: string, centred: boolean, library: string|null, labels: string[],
 *   state: "building"|"ready"|"live"|"retired"|"failed", task: "build"|"measure"|"switch"|"retire"|null,
 *   paused: boolean, activate: boolean, error: null|{code: string, message: string},
 *   message: string|null, pictures: number,
 *   images: {pending: number, indexed: number, failed: number}, figures: Figures|null,
 *   gates: Gate[], added_at: string, built_at: string|null, live_at: string|null,
 *   measured_at: string|null}} Index
 * @typedef {{name: string, dimensions: number, recipe: string, weights: string, hint: string}} Model
 * @typedef {{code: string, pictures: number, message: string}} Code
 * @typedef {{shape: string, recall: number, queries: number,
 *   points: {at: string, recall: number, queries: number}[]}} ShapeRecall
 * @typedef {{shapes: ShapeRecall[], sampled: number}} Recall
 */

const path = (id) => `/indexes/${encodeURIComponent(id)}`;

/** @returns {Promise<Index[]>} every index that there is or was, newest first */
export const listIndexes = async () => (await request("GET", "/indexes")).indexes;

/** @returns {Promise<Model[]>} */
export const listModels = async () => (await request("GET", "/models")).models;

/**
 * @param {Record<string, unknown>} wanted the JSON of `POST /indexes`
 * @returns {Promise<Index>}
 */
export const startIndex = (wanted) => request("POST", "/indexes", { json: wanted });

/** @param {string} id @param {"pause"|"resume"|"measure"} step @returns {Promise<Index>} */
export const steerIndex = (id, step) => request("POST", `${path(id)}/${step}`);

/**
 * @param {string} id
 * @param {string[]} override names of gates that may fail
 * @returns {Promise<Index>}
 */
export const activateIndex = (id, override) =>
  request("POST", `${path(id)}/activate`, { json: { override } });

/** @param {string} id @returns {Promise<Index>} */
export const retireIndex = (id) => request("DELETE", path(id));

/** @returns {Promise<Code[]>} why pictures of the live index failed, most first */
export const listCodes = async () => (await request("GET", "/failures?limit=1")).codes;

/**
 * @param {string} [code] without one, all that failed is tried again
 * @returns {Promise<number>} how many pictures get another try
 */
export async function retryFailures(code) {
  return (await request("POST", "/failures/retry", { json: code ? { code } : {} })).pictures;
}

/** @returns {Promise<Record<string, any>>} disk and memory, in bytes; null is not known */
export const getResources = () => request("GET", "/resources");

/** @param {{hours: number, step: "hour"|"day"}} which @returns {Promise<Recall>} */
export const getRecall = (which) => request("GET", `/recall?${query(which)}`);
