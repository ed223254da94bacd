/** Settings of the live chart, stored in the browser for each run, or set of runs, of its own. */

const STORAGE_KEY = "cnnlab-live-settings";
const MOST_STORED = 50; // runs whose settings are remembered

export const DEFAULTS = {
  unit: "step",
  log: false,
  smoothing: 10, // steps
  hidden: [], // kinds of curves that are hidden with one run
  hiddenSeveral: ["loss-step", "loss-epoch", "accuracy-train"], // hidden with several runs
  panels: [], // optional charts that are visible
};

/** @param {string} runs Ids of the runs that are shown. */
export function readSettings(runs) {
  return { ...DEFAULTS, ...readAll()[runs] };
}

/** Store settings that differ from the defaults; the runs that were not changed for longest are forgotten. */
export function saveSettings(runs, settings) {
  const { [runs]: _, ...others } = readAll();
  const kept = Object.entries(others).slice(1 - MOST_STORED);
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(Object.fromEntries([...kept, [runs, settings]])));
  } catch (error) {
    if (error.name !== "SecurityError" && error.name !== "QuotaExceededError") throw error; // not stored: they are lost with the page
  }
}

function readAll() {
  try {
    return JSON.parse(localStorage.getItem(STORAGE_KEY)) ?? {};
  } catch (error) {
    if (error instanceof SyntaxError || error.name === "SecurityError") return {}; // corrupt, or storage is forbidden
    throw error;
  }
}
