/**
 * The live chart component: curves and status of training runs.
 *
 * The page mounts it once with the ids of the runs; all data comes from the metrics route of the same server. The page reruns
 * only when a run changes its state.
 */
import { addStyles } from "../styles.js";
import { loadUPlot } from "./uplot.js";
import { LiveView } from "./view.js";

const views = new WeakMap(); // host -> promise of its LiveView

/** Update the component; the first call builds it. Called at every change of the page's data or theme. */
export function mount({ data, parentElement, setTriggerValue }) {
  if (!views.has(parentElement)) views.set(parentElement, createView(parentElement, data.runs_address));
  views.get(parentElement).then((view) => view.update(data, (state) => setTriggerValue("changed", state)));
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.then((view) => view.destroy());
  views.delete(parentElement);
}

async function createView(host, runsAddress) {
  const assets = new URL("..", import.meta.url).href;
  const sheets = ["uplot/uPlot.min.css", "live/live.css"].map((file) => assets + file);
  const [uPlot] = await Promise.all([loadUPlot(`${assets}uplot`), addStyles(host, sheets)]);
  return new LiveView(uPlot, host, runsAddress);
}
