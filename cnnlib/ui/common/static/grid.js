/**
 * Many small pictures on one canvas: filters, feature maps, gradients.
 *
 * The pointer or the arrow keys select a tile, and its numbers are shown below. If tiles can be picked, a click or Enter picks
 * one; only a pick is sent to the server.
 */
import { divergingColours, greyColours, number, reader, sheet } from "./pixels.js";

const views = new WeakMap(); // host -> its Grid
const GAP = 6;

export function mount({ data, parentElement, setTriggerValue }) {
  if (!views.has(parentElement)) views.set(parentElement, new Grid(parentElement));
  views.get(parentElement).show(data, (tile) => setTriggerValue("picked", tile));
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.destroy();
  views.delete(parentElement);
}

class Grid {
  constructor(host) {
    const root = document.createElement("div");
    root.className = "grid";
    root.innerHTML = `<style>${STYLES}</style><canvas tabindex="0" role="img"></canvas><div class="readout" aria-live="polite"></div>`;
    host.append(root);
    this.canvas = root.querySelector("canvas");
    this.readout = root.querySelector(".readout");
    this.canvas.onpointermove = (event) => this.showReadout(this.tileAt(event));
    this.canvas.onpointerleave = () => this.showReadout(null);
    this.canvas.onclick = (event) => this.pickTile(this.tileAt(event)?.tile);
    this.canvas.onkeydown = (event) => this.onKey(event);
    this.canvas.onblur = () => this.hasKeyboardFrame && this.setKeyboardFrame(false);
    this.resizeObserver = new ResizeObserver(() => this.data && root.clientWidth !== this.drawnWidth && this.draw());
    this.resizeObserver.observe(root);
    this.root = root;
  }

  destroy() {
    this.resizeObserver.disconnect();
    this.root.remove(); // the same host may be mounted again
  }

  show(data, pick) {
    this.data = data;
    this.pick = pick;
    this.read = reader(data);
    this.sheet = null;
    this.silent = new Set([...data.silent, ...data.dead]);
    this.dead = new Set(data.dead);
    this.active = this.hasKeyboardFrame ? Math.min(this.active, data.count - 1) : data.selected ?? 0;
    this.canvas.setAttribute("aria-label", data.title);
    this.draw();
    this.showReadout(this.position?.tile < data.count ? this.position : null); // its numbers may have changed
  }

  draw() {
    const { height, width, count } = this.data;
    const available = (this.drawnWidth = this.root.clientWidth || 600);
    this.scale = Math.max(1, Math.round(this.data.tile / width));
    while (this.scale > 1 && this.scale * width > available) this.scale--;
    this.cell = [width * this.scale + GAP, height * this.scale + GAP];
    const rows = Math.max(1, Math.ceil(count / Math.max(1, Math.floor(available / this.cell[0]))));
    this.columns = Math.max(1, Math.ceil(count / rows)); // all rows about equally long
    if (this.sheet?.width !== this.columns * width) {
      const colours = this.data.signed ? divergingColours(this.root) : greyColours();
      this.sheet = sheet(this.read, this.data, this.columns, colours);
    }
    const size = [Math.min(available, this.columns * this.cell[0]), rows * this.cell[1]];
    const pixelRatio = window.devicePixelRatio || 1;
    [this.canvas.width, this.canvas.height] = size.map((side) => Math.round(side * pixelRatio));
    [this.canvas.style.width, this.canvas.style.height] = size.map((side) => `${side}px`);
    const context = this.canvas.getContext("2d");
    context.scale(pixelRatio, pixelRatio);
    context.imageSmoothingEnabled = false;
    const style = getComputedStyle(this.root);
    const names = { border: "--st-border-color", frame: "--st-primary-color", silent: "--mark-orange" };
    const lineColours = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, style.getPropertyValue(name)]));
    for (let i = 0; i < count; i++) this.drawTile(context, i, lineColours);
    this.canvas.dataset.drawn = String(Number(this.canvas.dataset.drawn ?? 0) + 1);
  }

  drawTile(context, i, lineColours) {
    const { height, width } = this.data;
    const [x, y] = this.corner(i);
    const [w, h] = [this.cell[0] - GAP, this.cell[1] - GAP];
    context.drawImage(this.sheet, (i % this.columns) * width, Math.floor(i / this.columns) * height, width, height, x, y, w, h);
    context.lineWidth = 1;
    context.strokeStyle = lineColours.border;
    context.strokeRect(x - 0.5, y - 0.5, w + 1, h + 1);
    if (this.silent.has(i)) {
      context.strokeStyle = lineColours.silent;
      context.beginPath();
      context.moveTo(x, y + h);
      context.lineTo(x + w, y);
      if (this.dead.has(i)) {
        context.moveTo(x, y);
        context.lineTo(x + w, y + h);
      }
      context.stroke();
    }
    if (i === this.active && (this.data.selected !== null || this.hasKeyboardFrame)) {
      context.lineWidth = 2;
      context.strokeStyle = lineColours.frame;
      context.strokeRect(x - 2, y - 2, w + 4, h + 4);
    }
  }

  corner(i) {
    return [(i % this.columns) * this.cell[0] + GAP / 2, Math.floor(i / this.columns) * this.cell[1] + GAP / 2];
  }

  /** The tile under the pointer, with row and column of the pixel; row is null on the border, the result is null outside. */
  tileAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const tile = Math.floor(py / this.cell[1]) * this.columns + Math.floor(px / this.cell[0]);
    if (tile >= this.data.count || px >= this.columns * this.cell[0]) return null;
    const [x, y] = this.corner(tile);
    const [column, row] = [Math.floor((px - x) / this.scale), Math.floor((py - y) / this.scale)];
    const inside = row >= 0 && column >= 0 && row < this.data.height && column < this.data.width;
    return { tile, row: inside ? row : null, column };
  }

  showReadout(position) {
    this.position = position;
    const text = this.describe(position);
    if (this.readout.textContent !== text) this.readout.textContent = text;
  }

  describe(position) {
    if (!position || position.tile < 0) return this.data.hint;
    const name = this.data.names[position.tile] + this.describeState(position.tile);
    const { width, height, channels } = this.data;
    if (position.row === null || position.row >= height || position.column >= width) return name;
    const values = Array.from({ length: channels }, (_, c) => this.read(position.tile, c * width * height + position.row * width + position.column));
    const about = this.data.exact ? "" : "about ";
    return `${name}, row ${position.row}, column ${position.column}: ${about}${values.map(number).join(", ")}`;
  }

  describeState(tile) {
    if (this.dead.has(tile)) return " (dead: the same value on every tested picture)";
    return this.silent.has(tile) ? " (silent: the same value at every position)" : "";
  }

  onKey(event) {
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    if (event.key === "Enter") return this.pickTile(this.active);
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.active = Math.max(0, Math.min(this.data.count - 1, this.active + moves[event.key]));
    this.setKeyboardFrame(true);
    this.showReadout({ tile: this.active, row: null });
  }

  /** Show or hide the frame around the tile selected by keyboard, also if tiles cannot be picked. */
  setKeyboardFrame(isShown) {
    this.hasKeyboardFrame = isShown;
    this.draw();
  }

  pickTile(tile) {
    if (tile === undefined || this.data.selected === null) return;
    this.active = tile;
    this.draw();
    this.pick(tile);
  }
}

const STYLES = `
.grid { color: var(--st-text-color); font: 0.8125rem/1.5 var(--st-font); font-variant-numeric: tabular-nums; }
.grid canvas { display: block; cursor: crosshair; border-radius: 2px; }
.grid canvas:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.readout { min-height: 1.5em; margin-top: 0.25rem; opacity: 0.8; }
`;
