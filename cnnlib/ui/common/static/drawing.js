/**
 * The strokes of the Draw page, stored in the sessionStorage of the browser's tab.
 *
 * A reload starts a new session on the server, which has no strokes. The stored ones are then sent to it.
 */
const KEY = "cnnlab-drawing";

export function mount({ data, setTriggerValue }) {
  if (data.strokes) return write(data.strokes);
  const stored = read();
  if (stored.length) setTriggerValue("restored", stored);
}

export function unmount() {}

/** The stored strokes; none if there are none, or if the browser blocks its storage. */
function read() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEY));
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}

/** Store the strokes, if the browser permits it and has space. */
function write(strokes) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(strokes));
  } catch {
    // The drawing is then lost at a reload, as without this module.
  }
}
