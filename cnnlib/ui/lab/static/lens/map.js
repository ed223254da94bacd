/** The enlarged map of the lens: the pointer or the arrow keys choose one place of it. */
import { fitCanvas } from "../network/tiles.js";
import { mapPalette } from "../colours.js";
import { element, setAttribute } from "../format.js";

const MOVES = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

export class LensMap {
  /** @param {(row: number, column: number, isByKey: boolean) => void} onPlace */
  constructor(onPlace) {
    Object.assign(this, { onPlace, rows: 1, columns: 1, place: [0, 0] });
    this.canvas = element("canvas", { tabindex: "0", role: "application", "aria-roledescription": "map" });
    this.root = element("div", { class: "lens-map" }, [this.canvas]);
    this.canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.canvas.addEventListener("pointerdown", (event) => this.#point(event));
    this.canvas.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #point({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const index = (offset, side, count) => Math.max(0, Math.min(count - 1, Math.floor((offset / side) * count)));
    const [row, column] = [index(clientY - box.top, box.height, this.rows), index(clientX - box.left, box.width, this.columns)];
    if (row !== this.place[0] || column !== this.place[1]) this.onPlace(row, column, false);
  }

  #onKey(event) {
    const [down, right] = MOVES[event.key] ?? [];
    if (down === undefined) return;
    event.preventDefault();
    const clamp = (value, count) => Math.max(0, Math.min(count - 1, value));
    this.onPlace(clamp(this.place[0] + down, this.rows), clamp(this.place[1] + right, this.columns), true);
  }

  /** Take the values of a map; `isStill` where there is nothing to point at. */
  setMap(values, rows, columns, name, isStill) {
    Object.assign(this, { rows, columns });
    this.picture = paintMap(values, rows, columns);
    setAttribute(this.canvas, "tabindex", isStill ? "-1" : "0");
    setAttribute(this.canvas, "role", isStill ? "img" : "application");
    setAttribute(this.canvas, "aria-label", isStill ? name : `${name}. Arrow keys move to another number.`);
    this.canvas.style.cursor = isStill ? "default" : "crosshair";
    this.isStill = isStill;
  }

  /** Draw the map with a frame around the place, and the window of a pooling. @param {number[]|null} pool x, y, side. @param {boolean} isFramed */
  draw(place, pool, colours, isFramed = !this.isStill) {
    this.place = place;
    const side = Math.min(this.root.clientWidth, this.root.clientHeight);
    if (!this.picture || side < 8) return;
    const scale = side / Math.max(this.rows, this.columns);
    const [width, height] = [this.columns * scale, this.rows * scale];
    const context = fitCanvas(this.canvas, width, height);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.picture, 0, 0, width, height);
    if (!isFramed) return;
    if (pool) frame(context, pool[0] * scale, pool[1] * scale, pool[2] * scale, "#ffffffb0", [3, 2]);
    frame(context, place[1] * scale, place[0] * scale, scale, colours.negative, []);
  }
}

function frame(context, x, y, side, colour, dash) {
  context.setLineDash(dash);
  for (const [style, width] of dash.length ? [[colour, 1]] : [["#ffffff", 4], [colour, 2]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.strokeRect(x - 0.5, y - 0.5, side + 1, side + 1);
  }
}

/** Paint values with the colours of the network's tiles, one pixel each. */
function paintMap(values, rows, columns) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const target = new Int32Array(image.data.buffer);
  let [low, high] = [0, 0];
  for (const value of values) if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const palette = mapPalette(low, high);
  const scale = high > low ? 255 / (high - low) : 0;
  for (let i = 0; i < target.length; i++) target[i] = palette[Math.max(0, Math.min(255, Math.round((values[i] - low) * scale))) || 0];
  context.putImageData(image, 0, 0);
  return canvas;
}
