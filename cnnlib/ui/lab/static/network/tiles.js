/** The canvas of feature maps and vectors. */
import { corner } from "./layout.js";
import { decode, mapPalette } from "../colours.js";

const STACKED = [6, 3]; // offsets of the two cards behind a fold, in pixels

/** Prepare the columns of an answer for drawing: maps become one offscreen canvas each, tiles below one another. */
export function prepare(columns) {
  return columns.map((column) => (column.kind === "maps" && column.maps.length ? { ...column, sheet: mapSheet(column) } : column));
}

function mapSheet({ pixels, size: [height, width], maps, low, high }) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height * maps.length;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const target = new Int32Array(image.data.buffer);
  const levels = decode(pixels);
  const palette = mapPalette(low, high);
  for (let i = 0; i < target.length; i++) target[i] = palette[levels[i]];
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Fit a canvas to its size on the screen, and clear it. @returns {CanvasRenderingContext2D} In CSS pixels. */
export function fitCanvas(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/**
 * Draw all tiles and cells.
 *
 * @param {object} layout Of `layOut`.
 * @param {object[]} columns Of `prepare`, by column number; may be of an older plan, or empty.
 */
export function drawTiles(canvas, layout, panelHeight, columns, colours) {
  const context = fitCanvas(canvas, layout.width, panelHeight);
  context.imageSmoothingEnabled = false;
  for (const item of layout.items) {
    const column = columns[item.column];
    if (item.kind === "vector") drawCells(context, item, layout, column?.values ?? [], colours);
    else drawMaps(context, item, layout, column, colours);
  }
}

function drawMaps(context, item, layout, column, colours) {
  for (let i = 0; i < item.shown; i++) {
    const { x, y } = corner(item, i, layout);
    if (item.isFolded) drawStack(context, x, y, item.side, colours);
    drawTile(context, x, y, item.side, column?.sheet && i < column.maps.length ? column : null, i, colours);
  }
}

/** Two cards behind a tile: it stands for several columns. */
function drawStack(context, x, y, side, colours) {
  for (const offset of STACKED) {
    context.fillStyle = colours.card;
    context.strokeStyle = colours.line;
    roundPath(context, x + offset, y - offset / 2, side, side);
    context.fill();
    context.stroke();
  }
}

function drawTile(context, x, y, side, column, index, colours) {
  context.save();
  roundPath(context, x, y, side, side);
  context.fillStyle = column ? "#0a111c" : colours.empty;
  context.fill();
  if (column) {
    const [height, width] = column.size;
    context.clip();
    context.drawImage(column.sheet, 0, index * height, width, height, x, y, side, side);
  }
  context.restore();
  context.lineWidth = 1;
  context.strokeStyle = colours.line;
  roundPath(context, x, y, side, side);
  context.stroke();
}

function drawCells(context, item, layout, values, colours) {
  const peak = Math.max(1e-9, ...values.map(Math.abs));
  const inset = item.side > 5 ? 1 : item.side > 3 ? 0.5 : 0;
  for (let i = 0; i < item.shown; i++) {
    const { x, y } = corner(item, i, layout);
    const size = item.side - 2 * inset;
    context.globalAlpha = 1;
    context.fillStyle = colours.cell;
    context.fillRect(x + inset, y + inset, size, size);
    const value = values[i] ?? 0;
    if (!value) continue;
    context.globalAlpha = Math.min(1, 0.12 + 0.88 * (Math.abs(value) / peak));
    context.fillStyle = value > 0 ? colours.positive : colours.negative;
    context.fillRect(x + inset, y + inset, size, size);
  }
  context.globalAlpha = 1;
}

function roundPath(context, x, y, width, height) {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(4, width / 6));
}
