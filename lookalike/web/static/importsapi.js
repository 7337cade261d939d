// Imports in the HTTP API.

import { query, request, send } from "./api.js";

/**
 * @typedef {{id: string, kind: string, name: string, library: string, tags: string[],
 *   dry_run: boolean, state: string, error: null|{code: string, message: string},
 *   message: string|null, total: number|null, found: number, done: number, new: number,
 *   duplicate: number, failed: number, pending: number, removed: number, bytes: number,
 *   rate: number|null, seconds_left: number|null,
 *   rehearsal: null|{new: number, duplicate: number, failed: number, bytes: number,
 *     seconds: number, codes: Record<string, number>},
 *   added_at: string, started_at: string|null, ended_at: string|null}} Import
 * @typedef {{position: number, name: string, code: string, message: string,
 *   picture_id: string|null, retry: boolean}} Failure
 */

const path = (id) => `/imports/${encodeURIComponent(id)}`;

/** Where the events of an import come from. @param {string} id @returns {string} */
export const eventsOf = (id) => `/api/v1${path(id)}/events`;

/** Where its failures can be downloaded. @param {string} id @returns {string} */
export const csvOf = (id) => `/api/v1${path(id)}/failures?format=csv`;

/**
 * @param {{limit?: number, cursor?: string|null}} which
 * @returns {Promise<{imports: Import[], next_cursor: string|null}>}
 */
export const listImports = (which) => request("GET", `/imports?${query(which)}`);

/** @param {string} id @returns {Promise<Import>} */
export const getImport = (id) => request("GET", path(id));

/**
 * @param {Record<string, unknown>} wanted the JSON of `POST /imports`
 * @returns {Promise<Import>}
 */
export const startImport = (wanted) => request("POST", "/imports", { json: wanted });

/**
 * @param {FormData} form with the `file`
 * @param {(sent: number) => void} onProgress bytes sent so far
 * @returns {Promise<Import>}
 */
export const sendImport = (form, onProgress) => send("/imports", form, onProgress);

/**
 * @param {string} id
 * @param {"pause"|"resume"|"cancel"|"perform"|"undo"|"retry"} step
 * @param {Record<string, unknown>} [body]
 * @returns {Promise<Import>}
 */
export function steerImport(id, step, body) {
  return request("POST", `${path(id)}/${step}`, step === "retry" ? { json: body ?? {} } : {});
}

/**
 * @param {string} id
 * @param {{code?: string, cursor?: number|null, limit?: number}} which
 * @returns {Promise<{failures: Failure[], codes: Record<string, number>,
 *   next_cursor: number|null}>}
 */
export const listFailures = (id, which) => request("GET", `${path(id)}/failures?${query(which)}`);
