/** The canvas of links: what feeds what, the contributions to the chosen map with its kernels, and the skips of blocks. */
import { ARCS, corner } from "./layout.js";
import { fitCanvas } from "./tiles.js";

const NARROWEST_GAP = 16; // between columns, for links at all
const MOST_FAINT = 260; // links of one gap; with more, only every second, third, ... is drawn
const KERNEL_SIDE = [20, 28]; // least and most, by the gap between the columns
const MOST_CHOSEN = 24; // links into the chosen map or unit: the strongest
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
  context.strokeStyle = view.colours.faint;
  const strength = view.links ? 0.5 : 1;
  drawFaint(context, [{ x: 0, y: view.inputY }], ends[0]?.left ?? [], strength);
  for (let i = 1; i < ends.length; i++) drawFaint(context, ends[i - 1].right, ends[i].left, strength);
  const answers = view.answers.map((y) => ({ x: layout.width, y }));
  drawFaint(context, ends.at(-1)?.right ?? [{ x: 0, y: view.inputY }], answers, strength);
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

function drawFaint(context, from, to, strength) {
  if (!from.length || !to.length || to[0].x - from[0].x < NARROWEST_GAP) return;
  const every = Math.ceil((from.length * to.length) / MOST_FAINT);
  context.globalAlpha = strength * Math.max(FAINTEST, Math.min(1, (to[0].x - from[0].x) / 70));
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

/** The links into the chosen map, unit or answer: thickness is the size of the contribution, colour and dash its sign. */
function drawChosen(context, layout, { links, shown, inputY, answers, columns, colours }) {
  const before = layout.items.find((each) => each.column === links.column - 1);
  const end = links.column === columns.length - 1 ? answerEnd(answers[links.map], layout) : sideOf(links.column, links.map, layout, shown, "left");
  if (!end || (links.column > 1 && !before)) return;
  const strongest = [...links.from].sort((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution)).slice(0, MOST_CHOSEN);
  const sources = strongest.map((link) => ({ ...link, start: startOf(link, layout, shown, inputY, links) })).filter((link) => link.start);
  const peak = Math.max(1e-9, ...sources.map(({ contribution }) => Math.abs(contribution)));
  for (const { start, contribution } of sources) drawLink(context, start, end, contribution, peak, colours);
  for (const { start, kernel } of sources) if (kernel) drawKernel(context, start, end, kernel, colours);
}

const answerEnd = (y, layout) => (y === undefined ? null : { x: layout.width, y });

function startOf({ map }, layout, shown, inputY, { column, from }) {
  if (column === 1) return { x: 0, y: inputY + (map - (from.length - 1) / 2) * 26 };
  return sideOf(column - 1, map, layout, shown, "right");
}

/** The middle of the left or right side of a map's tile or a unit's cell; null if it is not on the screen. */
function sideOf(column, number, layout, shown, side) {
  const item = layout.items.find((each) => each.column === column);
  const place = item?.kind === "vector" ? number : (shown[column] ?? []).indexOf(number);
  if (!item || place < 0 || place >= item.shown) return null;
  const { x, y } = corner(item, place, layout);
  return { x: side === "left" ? x : x + item.side, y: y + item.side / 2 };
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
    if (item.isFolded) drawArc(context, start + 10, item.x + item.width / 2 - 10, layout.top - 5, false, 0.6); // more than one
  });
}

function drawArc(context, left, right, base, isDashed, height = 1) {
  const peak = base - height * (ARCS - 2);
  context.setLineDash(isDashed ? [4, 3] : []);
  context.beginPath();
  context.moveTo(left, base);
  context.bezierCurveTo(left + 4, peak, right - 4, peak, right, base);
  context.stroke();
  context.setLineDash([]);
}
