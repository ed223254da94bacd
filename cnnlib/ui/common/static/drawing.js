/**
 * The drawing of the Draw page: its pad has the tools of the page only, and strokes and picture are stored in the
 * browser's tab.
 *
 * A reload starts a new session on the server, which has no drawing. The stored one is then sent to it.
 */
import { readTab, writeTab } from "./tab.js";

const KEY = "cnnlab-drawing";
let compared = false; // whether this page load has compared the stored drawing with the server's

const ownTools = new CSSStyleSheet();
ownTools.replaceSync(".dc-toolbar { display: none !important }");

export function mount({ data, setTriggerValue }) {
  hideOwnTools();
  const stored = compared || data.drawing.strokes.length ? null : readTab(KEY);
  compared = true;
  if (stored?.strokes?.length) setTriggerValue("restored", stored);
  else writeTab(KEY, data.drawing); // never before the comparison: a pad that was just mounted is empty
}

export function unmount() {}

/** Hide the toolbar of the pad's component, which repeats Undo and Clear; the component may be mounted later. */
function hideOwnTools(tries = 100) {
  const root = document.querySelector(".st-key-draw_pad [data-testid=stBidiComponentIsolated]")?.shadowRoot;
  if (root) root.adoptedStyleSheets = [...new Set([...root.adoptedStyleSheets, ownTools])];
  else if (tries) setTimeout(hideOwnTools, 50, tries - 1);
}
