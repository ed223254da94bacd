/** The canvas of links: what feeds what, the contributions to the chosen map with its kernels, and the skips of blocks. */
import { ARCS, corner } from "./layout.js";
import { fitCanvas } from "./tiles.js";

const NARROWEST_GAP = 16; // between columns, for links at all
const MOST_FAINT = 260; // links of one gap; with more, only every second, third, ... is drawn
const KERNEL_SIDE = [20, 28]; // least and most, by the gap between the columns
const VECTOR_ENDS = 7; // points at a vector where links begin and end
const FAINTEST = 0.45; // opacity of the links in a narrow gap

/**
 * @param {object} layout Of `layOut`.
 * @param {object} view height, inputY (the middle of the input), answers (y of each answer), columns (of the plan), links (of
 *   the answer, or null), shown (map numbers by column), colours.
 */
export function drawLinks(canvas, layout, view) {
  const context = fitCanvas(canvas, layout.width, view.height);
  const ends = layout.items.map((item) => tileEnds(item, layout));
  drawFaint(context, [{ x: 0, y: view.inputY }], ends[0]?.left ?? [], view.colours);
  for (let i = 1; i < ends.length; i++) drawFaint(context, ends[i - 1].right, ends[i].left, view.colours);
  const answers = view.answers.map((y) => ({ x: layout.width, y }));
  drawFaint(context, ends.at(-1)?.right ?? [{ x: 0, y: view.inputY }], answers, view.colours);
  if (layout.hasSkips) drawSkips(context, layout, view);
  if (view.links) drawChosen(context, layout, view);
}

/** Points at the left and the right of each tile, and a few at the sides of a vector or of an open column. */
function tileEnds(item, layout) {
  if (item.kind === "vector" || item.isOpen) {
    const length = item.rows * (item.side + item.gap) - item.gap;
    const start = corner(item, 0, layout).y;
    const ys = Array.from({ length: VECTOR_ENDS }, (_, i) => start + (length * (i + 0.5)) / VECTOR_ENDS);
    return { left: ys.map((y) => ({ x: item.x - 2, y })), right: ys.map((y) => ({ x: item.x + item.width + 2, y })) };
  }
  const corners = Array.from({ length: item.shown }, (_, i) => corner(item, i, layout));
  const middle = item.side / 2;
  const stacked = item.isFolded ? 6 : 0;
  return {
    left: corners.map(({ x, y }) => ({ x, y: y + middle })),
    right: corners.map(({ x, y }) => ({ x: x + item.side + stacked, y: y + middle })),
  };
}

function drawFaint(context, from, to, colours) {
  if (!from.length || !to.length || to[0].x - from[0].x < NARROWEST_GAP) return;
  const every = Math.ceil((from.length * to.length) / MOST_FAINT);
  context.strokeStyle = colours.faint;
  context.globalAlpha = Math.max(FAINTEST, Math.min(1, (to[0].x - from[0].x) / 70));
  context.lineWidth = 1;
  context.beginPath();
  let number = 0;
  for (const start of from) for (const end of to) if (number++ % every === 0) curve(context, start, end);
  context.stroke();
  context.globalAlpha = 1;
}

function curve(context, start, end) {
  const middle = (start.x + end.x) / 2;
  context.moveTo(start.x, start.y);
  context.bezierCurveTo(middle, start.y, middle, end.y, end.x, end.y);
}

/** The links into the chosen map: thickness is the size of the contribution, colour and dash its sign. */
function drawChosen(context, layout, { links, shown, inputY, colours }) {
  const item = layout.items.find((each) => each.column === links.column);
  const before = layout.items.find((each) => each.column === links.column - 1);
  const place = (shown[links.column] ?? []).indexOf(links.map);
  if (!item || place < 0 || place >= item.shown || item.kind === "vector" || (links.column > 1 && !before)) return;
  const target = corner(item, place, layout);
  const end = { x: target.x, y: target.y + item.side / 2 };
  const sources = links.from.map((link) => ({ ...link, start: startOf(link, before, layout, shown, inputY, links) })).filter((link) => link.start);
  const peak = Math.max(1e-9, ...sources.map(({ contribution }) => Math.abs(contribution)));
  for (const { start, contribution } of sources) drawLink(context, start, end, contribution, peak, colours);
  for (const { start, kernel } of sources) if (kernel) drawKernel(context, start, end, kernel, colours);
}

function startOf({ map }, before, layout, shown, inputY, { column, from }) {
  if (column === 1) return { x: 0, y: inputY + (map - (from.length - 1) / 2) * 26 };
  const place = (shown[column - 1] ?? []).indexOf(map);
  if (place < 0 || place >= before.shown || before.kind !== "maps") return null;
  const { x, y } = corner(before, place, layout);
  return { x: x + before.side, y: y + before.side / 2 };
}

function drawLink(context, start, end, contribution, peak, colours) {
  context.strokeStyle = contribution < 0 ? colours.negative : colours.positive;
  context.setLineDash(contribution < 0 ? [7, 3] : []);
  context.lineWidth = 0.75 + 4.25 * (Math.abs(contribution) / peak);
  context.beginPath();
  curve(context, start, end);
  context.stroke();
  context.setLineDash([]);
}

/** A kernel as a small grid in the middle of its link, at the height where it starts. */
function drawKernel(context, start, end, kernel, colours) {
  const gap = end.x - start.x;
  const size = kernel.length;
  const [least, most] = KERNEL_SIDE;
  const side = Math.min(Math.max(least, Math.min(most, gap / 5)), gap - 12);
  if (side < size * 3) return;
  const cell = side / size;
  const left = start.x + gap * 0.424 - side / 2;
  const top = start.y + (end.y - start.y) * 0.352 - side / 2; // the curve's height at four tenths of its length
  const peak = Math.max(1e-9, ...kernel.flat().map(Math.abs));
  context.fillStyle = colours.card;
  context.fillRect(left - 1.5, top - 1.5, side + 3, side + 3);
  kernel.forEach((row, r) => row.forEach((weight, c) => {
    context.globalAlpha = Math.min(1, Math.abs(weight) / peak);
    context.fillStyle = weight < 0 ? colours.negative : colours.positive;
    context.fillRect(left + c * cell, top + r * cell, cell - 0.5, cell - 0.5);
  }));
  context.globalAlpha = 1;
  context.lineWidth = 1;
  context.strokeStyle = colours.line;
  context.strokeRect(left - 1.5, top - 1.5, side + 3, side + 3);
}

/** An arc over each block: solid where the input is passed on whole, dashed where it goes through a projection. */
function drawSkips(context, layout, { columns, colours }) {
  context.strokeStyle = colours.skip;
  context.lineWidth = 1.75;
  layout.items.forEach((item, i) => {
    const column = columns[item.column];
    if (!column?.is_block) return;
    const before = columns[item.first - 1];
    const from = layout.items[i - 1];
    const start = from ? from.x + from.width / 2 : 2;
    const isProjected = String(before.shape) !== String(columns[item.first].shape);
    drawArc(context, start + 4, item.x + item.width / 2 - 4, layout.top - 5, isProjected);
    if (item.isFolded) drawTimes(context, item, layout, colours);
  });
}

function drawArc(context, left, right, base, isDashed) {
  context.setLineDash(isDashed ? [4, 3] : []);
  context.beginPath();
  context.moveTo(left, base);
  context.bezierCurveTo(left + 4, base - ARCS + 2, right - 4, base - ARCS + 2, right, base);
  context.stroke();
  context.setLineDash([]);
}

/** A second arc, one behind the other, over a fold of blocks. */
function drawTimes(context, item, layout) {
  const middle = item.x + item.width / 2;
  drawArc(context, middle, middle + 16, layout.top - 5, false);
}
