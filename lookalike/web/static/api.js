// The HTTP API as functions. Every failure, the network's included, is an ApiError whose message
// can be shown to people as it is.

const ROOT = "/api/v1";
const UNREACHABLE = "Lookalike does not answer. Check that it is still running, then try again.";

/**
 * @typedef {{id: string, library: string, state: "pending"|"indexed"|"failed",
 *   error: null|{code: string, message: string}, filename: string, title: string|null,
 *   tags: string[], attributes: Record<string, string|number|boolean>, width: number,
 *   height: number, format: string, bytes: number, sha256: string, taken_at: string|null,
 *   added_at: string,
 *   urls: {page: string, original: string, thumbnail: string, similar: string}}} Picture
 * @typedef {{image: Picture, score: number}} Hit
 * @typedef {{results: Hit[], index: {id: string, model: string}, took_ms: number}} Answer
 */

/** A request that did not succeed. `code` is the API's stable word, or `unreachable`. */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} status 0 when there was no answer at all
   * @param {Record<string, unknown>} details
   */
  constructor(code, message, status, details = {}) {
    super(message);
    Object.assign(this, { code, status, details });
  }

  /** Whether sending the same request again later can succeed. */
  get passing() {
    return this.status === 0 || this.status >= 500 || ["busy", "unavailable"].includes(this.code);
  }
}

/**
 * The error that a response body stands for.
 * @param {number} status
 * @param {unknown} body parsed JSON, or null when there was none
 * @returns {ApiError}
 */
function errorFrom(status, body) {
  const { code, message, details } = body?.error ?? {};
  const unknown = `Lookalike answered with an error (${status}). Try again.`;
  return new ApiError(code ?? "unknown", message ?? unknown, status, details);
}

/** @returns {ApiError} what a request that got no answer is reported as */
function unreachable() {
  return new ApiError("unreachable", UNREACHABLE, 0);
}

/**
 * One call of the API.
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, form?: FormData, signal?: AbortSignal}} [body]
 * @returns {Promise<any>} the parsed answer; throws an ApiError for a refusal
 */
export async function request(method, path, { json, form, signal } = {}) {
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  const body = json === undefined ? form : JSON.stringify(json);
  const response = await fetch(ROOT + path, { method, headers, body, signal }).catch((error) => {
    throw error.name === "AbortError" ? error : unreachable();
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw errorFrom(response.status, answer);
  return answer;
}

/** @param {Record<string, unknown>} values @returns {string} as a query, without what is empty */
export function query(values) {
  const pairs = Object.entries(values).filter(([, value]) => value);
  return new URLSearchParams(pairs).toString();
}

/**
 * A page of pictures, newest first.
 * @param {{library?: string, state?: string, tag?: string, limit?: number,
 *   cursor?: string|null}} which
 * @param {AbortSignal} [signal]
 * @returns {Promise<{images: Picture[], next_cursor: string|null}>}
 */
export function listPictures(which, signal) {
  return request("GET", `/images?${query(which)}`, { signal });
}

/**
 * The pictures with these ids; ones that are gone are missing from the answer.
 * @param {string[]} ids
 * @returns {Promise<Picture[]>}
 */
export async function picturesById(ids) {
  const pairs = [...ids.map((id) => ["id", id]), ["limit", ids.length]];
  return (await request("GET", `/images?${new URLSearchParams(pairs)}`)).images;
}

/** @param {string} id @returns {Promise<Picture>} */
export function getPicture(id) {
  return request("GET", `/images/${encodeURIComponent(id)}`);
}

/**
 * @param {string} id
 * @param {{title?: string, tags?: string[], attributes?: Record<string, unknown>}} changes
 * @returns {Promise<Picture>}
 */
export function changePicture(id, changes) {
  return request("PATCH", `/images/${encodeURIComponent(id)}`, { json: changes });
}

/** @param {string} id @returns {Promise<null>} */
export function deletePicture(id) {
  return request("DELETE", `/images/${encodeURIComponent(id)}`);
}

/**
 * Search by stored pictures, or by `file` as well when it is given.
 * @param {Record<string, unknown>} asked the JSON of `POST /search`
 * @param {Blob|null} file
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 */
export function search(asked, file = null, signal) {
  if (!file) return request("POST", "/search", { json: asked, signal });
  const form = new FormData();
  form.append("image", file, file.name || "picture");
  form.append("query", JSON.stringify(asked));
  return request("POST", "/search", { form, signal });
}

/** @returns {Promise<{name: string, images: number}[]>} */
export async function listLibraries() {
  return (await request("GET", "/libraries")).libraries;
}

/** @param {string} name @returns {Promise<unknown>} */
export function createLibrary(name) {
  return request("POST", "/libraries", { json: { name } });
}

/** @returns {Promise<{images: {pending: number, indexed: number, failed: number}}>} */
export function getStatus() {
  return request("GET", "/status");
}

/**
 * Send files to the library, telling how far it is; fetch cannot tell, XMLHttpRequest can.
 * @param {FormData} form
 * @param {(sent: number) => void} onProgress bytes of the request body sent so far
 * @returns {Promise<{images: object[], rejected: object[]}>}
 */
export function uploadPictures(form, onProgress) {
  return send("/images", form, onProgress);
}

/**
 * Send a form with files anywhere.
 * @param {string} path
 * @param {FormData} form
 * @param {(sent: number) => void} onProgress bytes of the request body sent so far
 * @returns {Promise<any>}
 */
export function send(path, form, onProgress) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", ROOT + path);
    call.responseType = "json";
    call.upload.onprogress = (event) => onProgress(event.loaded);
    call.onerror = call.onabort = () => reject(unreachable());
    call.onload = () => {
      const good = call.status < 400 && call.response;
      if (good) resolve(call.response);
      else reject(errorFrom(call.status, call.response));
    };
    call.send(form);
  });
}
