/** What the browser's tab keeps over a reload: JSON in its sessionStorage. */

/** The value stored for a key; null if there is none, or if the browser blocks its storage. */
export function readTab(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

/** Store a value, if the browser permits it and has space; else it is lost at a reload. */
export function writeTab(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // as if there were no storage
  }
}
