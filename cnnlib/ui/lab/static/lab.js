/**
 * The Lab: one screen on which a network is shaped, trained and read at the same time.
 *
 * The page mounts it once and passes new data at any time. Plans, maps and curves come from the server's routes; only actions
 * that have to be remembered go through the page.
 */
import { loadUPlot } from "../common/live/uplot.js";
import { addStyles } from "../common/styles.js";
import { Lab } from "./view.js";

const labs = new WeakMap(); // host -> promise of its Lab

/** Update the component; the first call builds it. Called at every change of the page's data or theme. */
export function mount({ data, parentElement, setTriggerValue }) {
  if (!labs.has(parentElement)) labs.set(parentElement, createLab(parentElement, data.names));
  labs.get(parentElement).then((lab) => lab.update(data, setTriggerValue));
}

export function unmount({ parentElement }) {
  labs.get(parentElement)?.then((lab) => lab.destroy());
  labs.delete(parentElement);
}

async function createLab(host, names) {
  const common = new URL("../common", import.meta.url).href;
  const own = new URL("lab.css", import.meta.url).href;
  const [uPlot] = await Promise.all([loadUPlot(`${common}/uplot`), addStyles(host, [`${common}/uplot/uPlot.min.css`, `${common}/tokens.css`, own])]);
  return new Lab(host, uPlot, names);
}
