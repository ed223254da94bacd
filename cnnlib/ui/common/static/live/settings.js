/** How a person likes to look at curves; kept in the browser, so that the next page and the next day find it again. */

const PLACE = "cnnlab-live";
const USUAL = {
  unit: "step",
  log: false,
  smoothing: 10, // steps
  hidden: [], // kinds of curves that are not drawn when there is one run
  hiddenSeveral: ["loss-step", "loss-epoch", "accuracy-train"], // and when several runs share a chart
  panels: [], // optional charts that are shown
};

export function readSettings() {
  try {
    return { ...USUAL, ...JSON.parse(localStorage.getItem(PLACE)) };
  } catch (error) {
    if (error instanceof SyntaxError || error.name === "SecurityError") return { ...USUAL }; // broken, or storage is forbidden
    throw error;
  }
}

export function keepSettings(settings) {
  try {
    localStorage.setItem(PLACE, JSON.stringify(settings));
  } catch (error) {
    if (error.name !== "SecurityError" && error.name !== "QuotaExceededError") throw error; // they then last as long as the page
  }
}
