// Remembers the query pictures of this browser, so that Back and reload find them again. They stay
// on this machine; only the last few are kept. Without storage it remembers until the page is left.

const STORE = "pictures";
const KEPT = 12;
const here = new Map();

/**
 * @param {Blob} blob
 * @returns {string} the key to recall it by
 */
export function keep(blob) {
  const key = String(Date.now());
  here.set(key, blob);
  run("readwrite", (store) => store.put(blob, key)).then(forgetOld).catch(() => {});
  return key;
}

/**
 * @param {string} key
 * @returns {Promise<Blob|null>} null when it is no longer here
 */
export async function recall(key) {
  if (here.has(key)) return here.get(key);
  return (await run("readonly", (store) => store.get(key)).catch(() => null)) ?? null;
}

async function forgetOld() {
  const keys = await run("readonly", (store) => store.getAllKeys());
  const old = keys.slice(0, -KEPT);
  await Promise.all(old.map((key) => run("readwrite", (store) => store.delete(key))));
}

async function run(mode, act) {
  const database = await opened();
  const transaction = database.transaction(STORE, mode);
  const result = await done(act(transaction.objectStore(STORE)));
  database.close();
  return result;
}

function opened() {
  const request = indexedDB.open("lookalike", 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
