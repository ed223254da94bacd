/**
 * One output value, number by number: the patch, the kernel, their products, the sum, the bias, and what the network has there.
 *
 * Moving over the output, or with arrow keys, moves the window; nothing is asked of the server.
 */
import { divergingColours, floats, greyColours, number, sheet } from "./pixels.js";
import { windowAt } from "./sums.js";

const views = new WeakMap(); // host -> its WindowView
const SIDE = 240; // pixels of the larger side of a picture
const MOST_CELLS = 121; // beyond 11 x 11 the tables are pictures

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
        <figure><figcaption>Output: move over it, click to stay, arrow keys</figcaption><canvas class="output" tabindex="0" role="application"
          aria-label="Output map. Arrow keys move the window."></canvas></figure>
      </div>
      <label class="which">Input map <select></select></label>
      <div class="tables"></div>
      <p class="sum" aria-live="polite"></p>`;
    host.append(this.root);
    this.output = this.root.querySelector(".output");
    this.select = this.root.querySelector("select");
    this.select.onchange = () => this.render();
    this.output.onpointermove = (event) => this.stays || this.move(...this.place(event));
    this.output.onclick = (event) => {
      this.move(...this.place(event));
      this.stays = !this.stays;
    };
    this.output.onkeydown = (event) => this.key(event);
  }

  show(data) {
    const kept = data.layer === this.data?.layer;
    this.data = {
      ...data,
      inputs: floats(data.inputs),
      kernel: floats(data.kernel),
      output: floats(data.output),
      after: data.after.map(({ name, values }) => ({ name, values: floats(values) })),
    };
    this.row = Math.min(kept ? this.row : data.rows >> 1, data.rows - 1);
    this.column = Math.min(kept ? this.column : data.columns >> 1, data.columns - 1);
    const chosen = kept ? this.select.selectedIndex : 0;
    this.select.replaceChildren(...data.names.map((name) => new Option(name)));
    this.select.selectedIndex = Math.max(0, Math.min(chosen, data.names.length - 1));
    this.root.querySelector(".which").hidden = data.names.length === 1;
    this.stays = false;
    this.render();
  }

  place(event) {
    const box = this.output.getBoundingClientRect();
    const at = (offset, side, count) => Math.max(0, Math.min(count - 1, Math.floor((offset / side) * count)));
    return [at(event.clientY - box.top, box.height, this.data.rows), at(event.clientX - box.left, box.width, this.data.columns)];
  }

  move(row, column) {
    if (row === this.row && column === this.column) return;
    [this.row, this.column] = [row, column];
    this.render();
  }

  key(event) {
    const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const [down, right] = moves[event.key];
    const within = (value, count) => Math.max(0, Math.min(count - 1, value));
    this.move(within(this.row + down, this.data.rows), within(this.column + right, this.data.columns));
  }

  render() {
    const { data } = this;
    const map = Math.max(0, this.select.selectedIndex);
    const found = windowAt(data, this.row, this.column);
    this.root.querySelector(".input-name").textContent = data.names[map];
    const area = data.height * data.width;
    const input = data.inputs.subarray(map * area, (map + 1) * area);
    const reach = (count) => (count - 1) * data.dilation + 1;
    const corner = [this.column * data.stride - data.padding, this.row * data.stride - data.padding];
    this.paint(".input", input, data.height, data.width, [...corner, reach(data.kernel_width), reach(data.kernel_height)], data.padding);
    this.paint(".output", data.output, data.rows, data.columns, [this.column, this.row, 1, 1], 0);
    this.tables(found, map);
    this.sentence(found);
  }

  /** A map, enlarged, with its padding, and a frame around [x, y, width, height]. */
  paint(which, values, height, width, [x, y, w, h], padding) {
    const canvas = this.root.querySelector(which);
    const [tall, wide] = [height + 2 * padding, width + 2 * padding];
    const scale = Math.max(2, Math.floor(SIDE / Math.max(tall, wide)));
    [canvas.width, canvas.height] = [wide * scale, tall * scale];
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    const signed = values.some((value) => value < 0);
    const most = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    const colours = signed ? divergingColours(this.root) : greyColours();
    const shape = { count: 1, height, width, channels: 1, limits: [[signed ? -most : 0, most]] };
    const tile = sheet((_, place) => values[place], shape, 1, colours);
    context.fillStyle = "rgba(125, 136, 148, 0.35)";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(tile, padding * scale, padding * scale, width * scale, height * scale);
    const thick = Math.max(2, scale / 5);
    const page = getComputedStyle(this.root).getPropertyValue("--st-background-color") || "#ffffff";
    for (const [ink, width] of [[page, 2 * thick], ["#d08000", thick]]) { // with a rim, to be seen on values that are orange too
      context.strokeStyle = ink;
      context.lineWidth = width;
      context.strokeRect((x + padding) * scale, (y + padding) * scale, w * scale, h * scale);
    }
  }

  tables(found, map) {
    const { kernel_height: rows, kernel_width: columns, reduce } = this.data;
    const area = rows * columns;
    const part = (values) => values.slice(map * area, (map + 1) * area);
    const shown = reduce === "max" ? [["Window", found.patch]] : [["Window", found.patch], ["× Kernel", this.data.kernel], ["= Products", found.products]];
    const holder = this.root.querySelector(".tables");
    if (area > MOST_CELLS) return void (holder.textContent = `The window holds ${area} values, too many to write out; their sum stands below.`);
    holder.replaceChildren(...shown.map(([name, values]) => table(name, [...part(values)], columns, reduce === "max" ? found.total : null)));
  }

  sentence(found) {
    const { data } = this;
    const maps = data.count > 1 ? ` over all ${data.count} input maps` : "";
    const total = data.reduce === "max" ? `largest value ${number(found.total)}` : `sum of products${maps} ${number(found.total)}`;
    const bias = data.bias === 0 ? "" : ` + bias ${number(data.bias)} = ${number(found.value)}`;
    const place = this.row * data.columns + this.column;
    const own = data.output[place];
    const after = data.after.map(({ name, values }) => `. After ${name}: ${number(values[place])}`).join("");
    const agrees = Math.abs(found.value - own) <= found.tolerance ? "the same" : `it differs by ${number(found.value - own)}`;
    this.root.querySelector(".sum").textContent =
      `Row ${this.row}, column ${this.column}: ${total}${bias}. ${data.teller} has ${number(own)} here: ${agrees}${after}.`;
  }
}

function table(name, values, columns, marked) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = name;
  const made = document.createElement("table");
  for (let at = 0; at < values.length; at += columns) {
    const row = made.insertRow();
    for (const value of values.slice(at, at + columns)) {
      const cell = row.insertCell();
      cell.textContent = Number.isNaN(value) ? "·" : number(value);
      if (marked !== null && value === marked) cell.className = "largest";
    }
  }
  figure.append(caption, made);
  return figure;
}

const STYLES = `
.window { color: var(--st-text-color); font: 0.8125rem/1.5 var(--st-font); font-variant-numeric: tabular-nums; }
.window figure { margin: 0; min-width: 0; max-width: 100%; overflow-x: auto; }
.window figcaption { opacity: 0.8; margin-bottom: 0.25rem; }
.pictures, .tables { display: flex; flex-wrap: wrap; gap: 1rem 2rem; margin-bottom: 0.75rem; }
.pictures canvas { display: block; max-width: 100%; image-rendering: pixelated; border: 1px solid var(--st-border-color); }
.output { cursor: crosshair; }
.output:focus-visible, select:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.which { display: block; margin-bottom: 0.75rem; }
.which[hidden] { display: none; }
select { font: inherit; color: inherit; background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); max-width: 100%; }
table { border-collapse: collapse; }
td { border: 1px solid var(--st-border-color); padding: 0.15rem 0.4rem; text-align: right; }
.largest { font-weight: 700; outline: 2px solid #d08000; outline-offset: -2px; }
.sum { font-size: 0.9375rem; margin: 0; }
`;
