/**
 * Curves and status of training runs, live.
 *
 * The page mounts it once with the ids of the runs; everything after that comes from the metrics route of the same server, so a
 * run that trains for hours never reruns the page. The page is told (a rerun) only when a run changes its state.
 */
import { element } from "./dom.js";
import { loadUPlot } from "./uplot.js";
import { LiveView } from "./view.js";

const views = new WeakMap(); // host -> promise of its LiveView

/** Called with every change of the page's data or of the theme; the first call builds. */
export function mount({ data, parentElement, setTriggerValue }) {
  if (!views.has(parentElement)) views.set(parentElement, build(parentElement, data.runs_address));
  views.get(parentElement).then((view) => view.update(data, (state) => setTriggerValue("changed", state)));
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.then((view) => view.destroy());
  views.delete(parentElement);
}

async function build(host, runsAddress) {
  const assets = new URL("..", import.meta.url).href;
  const [uPlot] = await Promise.all([loadUPlot(`${assets}uplot`), addStyles(host, assets)]);
  return new LiveView(uPlot, host, runsAddress);
}

/** Styles go into the component's own shadow tree, before anything is shown. */
async function addStyles(host, assets) {
  const style = element("style");
  host.append(style);
  const sheets = await Promise.all(["uplot/uPlot.min.css", "live/live.css"].map((file) => fetch(assets + file)));
  style.textContent = (await Promise.all(sheets.map((sheet) => sheet.text()))).join("\n");
}
