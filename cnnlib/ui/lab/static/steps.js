/**
 * The designs of undo and redo over a reload: a reload, like a restart of the server, begins a new session there, which has
 * none. Those that the browser's tab has stored are then sent to it, if they belong to the design on the screen.
 */
import { readTab, writeTab } from "../common/tab.js";

const KEY = "cnnlab-lab-steps";

/** Store the page's steps. @returns {?{past: string[], future: string[]}} Those that the page has lost; null if it has its own. */
export function keepSteps({ dataset, plan, past, future }) {
  const design = `${dataset.name} ${plan.link}`;
  const stored = past.length + future.length ? null : readTab(KEY);
  writeTab(KEY, { design, past, future }); // so lost ones are returned once, even if the page refuses them
  const isLost = stored?.design === design && stored.past.length + stored.future.length > 0;
  return isLost ? { past: stored.past, future: stored.future } : null;
}
