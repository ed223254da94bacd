/** Changes made by hand during a run, as one row of labels under the time axis; labels that would overlap are merged. */
import { element } from "./dom.js";

const CHARACTER_WIDTH = 6.3; // of a label, in CSS pixels
const PADDING = 12;
const GAP = 4;

/**
 * Merge marks whose labels would overlap.
 *
 * @param {{x: number, text: string}[]} marks In the order of x, which is in pixels here.
 * @param {number} width Of the row; labels stay inside.
 * @returns {{x: number, left: number, width: number, marks: object[]}[]} x: Mean position of the merged marks.
 */
export function mergeMarks(marks, width) {
  const merged = [];
  for (const mark of marks) {
    let label = place([mark], width);
    while (merged.length && merged.at(-1).left + merged.at(-1).width + GAP > label.left) label = place([...merged.pop().marks, ...label.marks], width);
    merged.push(label);
  }
  return merged;
}

function place(marks, width) {
  const x = marks.reduce((sum, mark) => sum + mark.x, 0) / marks.length;
  const needed = labelText(marks).length * CHARACTER_WIDTH + PADDING;
  return { x, marks, width: needed, left: Math.max(0, Math.min(width - needed, x - needed / 2)) };
}

/** Text of a merged label. */
export const labelText = (marks) => (marks.length === 1 ? marks[0].text : `${marks.length} changes`);

/** The row of labels under one chart. */
export class MarkRow {
  constructor() {
    this.shown = "";
    this.root = element("div", { class: "marks", role: "list", "aria-label": "Changes by hand" });
    this.root.hidden = true;
  }

  /**
   * @param {{x: number, text: string, at: string}[]} marks x in pixels from the left of the plot; at: the place in words.
   * @param {number} left Of the plot inside the chart, in pixels.
   * @param {number} width Of the plot, in pixels.
   */
  draw(marks, left, width) {
    const labels = mergeMarks(marks, width);
    const shown = JSON.stringify([labels, left]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.root.hidden = !labels.length;
    this.root.style.marginLeft = `${left}px`;
    this.root.style.width = `${width}px`;
    this.root.replaceChildren(...labels.map(buildLabel));
  }
}

function buildLabel({ left, width, marks }) {
  const all = marks.map((mark) => `${mark.text} at ${mark.at}`);
  const label = element("span", { class: "mark", role: "listitem", tabindex: "0", title: all.join("\n"), "aria-label": all.join("; ") }, [labelText(marks)]);
  label.style.left = `${left}px`;
  label.style.width = `${width}px`;
  return label;
}
