/**
 * The arithmetic of one output value: the patch, the kernel, their products, the sum, the bias, and the output of the network.
 *
 * The pointer over the output, or the arrow keys, move the window; no request is sent to the server.
 */
import { divergingColours, floats, greyColours, number, sheet } from "./pixels.js";
import { windowAt } from "./sums.js";

const views = new WeakMap(); // host -> its WindowView
const SIDES = [150, 240]; // least and most pixels of the larger side of a picture; two stand side by side if they fit
const BETWEEN = 24; // pixels between two pictures
const MOST_CELLS = 121; // larger windows than 11 x 11 are not written out

export function mount({ data, parentElement }) {
  if (!views.has(parentElement)) views.set(parentElement, new WindowView(parentElement));
  views.get(parentElement).show(data);
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.root.remove(); // the same host may be mounted again
  views.delete(parentElement);
}

class WindowView {
  constructor(host) {
    this.root = document.createElement("div");
    this.root.className = "window";
    this.root.innerHTML = `<style>${STYLES}</style>
      <div class="pictures">
        <figure><figcaption class="input-name"></figcaption><canvas class="input"></canvas></figure>
        <figure><figcaption>Output</figcaption><canvas class="output" tabindex="0" role="application"
          aria-label="Output map. Arrow keys move the window."></canvas></figure>
      </div>
      <p class="hint">Move the pointer over the output, click to hold, or use the arrow keys.</p>
      <label class="which">Input map <select></select></label>
      <div class="tables"></div>
      <p class="sum" aria-live="polite"></p>`;
    host.append(this.root);
    this.output = this.root.querySelector(".output");
    this.select = this.root.querySelector("select");
    this.select.onchange = () => this.render();
    this.output.onpointermove = (event) => this.isFixed || this.move(...this.positionAt(event));
    this.output.onclick = (event) => {
      this.move(...this.positionAt(event));
      this.isFixed = !this.isFixed;
    };
    this.output.onkeydown = (event) => this.onKey(event);
  }

  show(data) {
    const isSameLayer = data.layer === this.data?.layer;
    this.data = {
      ...data,
      inputs: floats(data.inputs),
      kernel: floats(data.kernel),
      output: floats(data.output),
      after: data.after.map(({ name, values }) => ({ name, values: floats(values) })),
    };
    this.row = Math.min(isSameLayer ? this.row : data.rows >> 1, data.rows - 1);
    this.column = Math.min(isSameLayer ? this.column : data.columns >> 1, data.columns - 1);
    const chosen = isSameLayer ? this.select.selectedIndex : 0;
    this.select.replaceChildren(...data.names.map((name) => new Option(name)));
    this.select.selectedIndex = Math.max(0, Math.min(chosen, data.names.length - 1));
    this.root.querySelector(".which").hidden = data.names.length === 1;
    this.isFixed = false;
    this.render();
  }

  /** Row and column of the output under the pointer. */
  positionAt(event) {
    const box = this.output.getBoundingClientRect();
    const index = (offset, side, count) => Math.max(0, Math.min(count - 1, Math.floor((offset / side) * count)));
    return [index(event.clientY - box.top, box.height, this.data.rows), index(event.clientX - box.left, box.width, this.data.columns)];
  }

  move(row, column) {
    if (row === this.row && column === this.column) return;
    [this.row, this.column] = [row, column];
    this.render();
  }

  onKey(event) {
    const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const [down, right] = moves[event.key];
    const clamp = (value, count) => Math.max(0, Math.min(count - 1, value));
    this.move(clamp(this.row + down, this.data.rows), clamp(this.column + right, this.data.columns));
  }

  render() {
    const { data } = this;
    const map = Math.max(0, this.select.selectedIndex);
    const found = windowAt(data, this.row, this.column);
    this.root.querySelector(".input-name").textContent = data.names[map];
    const area = data.height * data.width;
    const input = data.inputs.subarray(map * area, (map + 1) * area);
    const extent = (count) => (count - 1) * data.dilation + 1;
    const padding = [data.left_padding ?? data.padding, data.padding];
    const corner = [this.column * data.stride - padding[0], this.row * data.stride - padding[1]];
    this.drawMap(".input", input, data.height, data.width, [...corner, extent(data.kernel_width), extent(data.kernel_height)], padding);
    this.drawMap(".output", data.output, data.rows, data.columns, [this.column, this.row, 1, 1], [0, 0]);
    this.renderTables(found, map);
    this.renderSum(found);
  }

  /** The larger side of a picture, in pixels. */
  side() {
    const [least, most] = SIDES;
    return Math.max(least, Math.min(most, Math.floor((this.root.clientWidth - BETWEEN) / 2)));
  }

  /** Draw a map, enlarged, with its padding [left, above] and a frame around [x, y, width, height]. */
  drawMap(selector, values, height, width, [x, y, w, h], [left, above]) {
    const canvas = this.root.querySelector(selector);
    const [fullHeight, fullWidth] = [height + 2 * above, width + 2 * left];
    const scale = Math.max(2, Math.floor(this.side() / Math.max(fullHeight, fullWidth)));
    [canvas.width, canvas.height] = [fullWidth * scale, fullHeight * scale];
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    const signed = values.some((value) => value < 0);
    const largest = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
    const colours = signed ? divergingColours(this.root) : greyColours();
    const shape = { count: 1, height, width, channels: 1, limits: [[signed ? -largest : 0, largest]] };
    const tile = sheet((_, position) => values[position], shape, 1, colours);
    context.fillStyle = "rgba(125, 136, 148, 0.35)";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(tile, left * scale, above * scale, width * scale, height * scale);
    const lineWidth = Math.max(2, scale / 5);
    const style = getComputedStyle(this.root);
    const [page, mark] = ["--st-background-color", "--mark-orange"].map((name) => style.getPropertyValue(name));
    for (const [colour, width] of [[page, 2 * lineWidth], [mark, lineWidth]]) { // a rim keeps it visible on orange values
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect((x + left) * scale, (y + above) * scale, w * scale, h * scale);
    }
  }

  renderTables(found, map) {
    const { kernel_height: rows, kernel_width: columns, reduce } = this.data;
    const area = rows * columns;
    const valuesOfMap = (values) => values.slice(map * area, (map + 1) * area);
    const shown = reduce === "max" ? [["Window", found.patch]] : [["Window", found.patch], ["× Kernel", this.data.kernel], ["= Products", found.products]];
    const container = this.root.querySelector(".tables");
    if (area > MOST_CELLS) return void (container.textContent = `The window has ${area} values, too many to show. Their sum is below.`);
    container.replaceChildren(...shown.map(([name, values]) => createTable(name, [...valuesOfMap(values)], columns, reduce === "max" ? found.total : null)));
  }

  renderSum(found) {
    const { data } = this;
    const maps = data.count > 1 ? ` over all ${data.count} input maps` : "";
    const total = data.reduce === "max" ? `largest value ${number(found.total)}` : `sum of products${maps} ${number(found.total)}`;
    const bias = data.bias === 0 ? "" : ` + bias ${number(data.bias)} = ${number(found.value)}`;
    const position = this.row * data.columns + this.column;
    const actual = data.output[position];
    const after = data.after.map(({ name, values }) => `. After ${name}: ${number(values[position])}`).join("");
    const comparison = Math.abs(found.value - actual) <= found.tolerance ? `Matches ${data.source}`
      : `Differs from ${data.source} (${number(actual)}) by ${number(found.value - actual)}`;
    this.root.querySelector(".sum").textContent =
      `Row ${this.row}, column ${this.column}: ${total}${bias}. ${comparison}${after}.`;
  }
}

function createTable(name, values, columns, marked) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = name;
  const table = document.createElement("table");
  for (let start = 0; start < values.length; start += columns) {
    const row = table.insertRow();
    for (const value of values.slice(start, start + columns)) {
      const cell = row.insertCell();
      cell.textContent = Number.isNaN(value) ? "·" : number(value);
      if (marked !== null && value === marked) cell.className = "largest";
    }
  }
  figure.append(caption, table);
  return figure;
}

const STYLES = `
.window { color: var(--st-text-color); font: 0.8125rem/1.5 var(--st-font); font-variant-numeric: tabular-nums; }
.window figure { margin: 0; min-width: 0; max-width: 100%; overflow-x: auto; }
.window figcaption { opacity: 0.8; margin-bottom: 0.25rem; }
.pictures, .tables { display: flex; flex-wrap: wrap; gap: 0.75rem 1.25rem; margin-bottom: 0.75rem; }
.hint { opacity: 0.8; margin: 0 0 0.75rem; }
.pictures canvas { display: block; max-width: 100%; image-rendering: pixelated; border: 1px solid var(--st-border-color); }
.output { cursor: crosshair; }
.output:focus-visible, select:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.which { display: block; margin-bottom: 0.75rem; }
.which[hidden] { display: none; }
select { font: inherit; color: inherit; background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); max-width: 100%; }
table { border-collapse: collapse; }
td { border: 1px solid var(--st-border-color); padding: 0.15rem 0.4rem; text-align: right; }
.largest { font-weight: 700; outline: 2px solid var(--mark-orange); outline-offset: -2px; }
.sum { font-size: 0.9375rem; margin: 0; }
`;
