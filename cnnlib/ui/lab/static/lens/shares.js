/** The shares of all input maps in one sum: a bar each, of which one is chosen by clicking or by arrow keys. */
import { fitCanvas } from "../network/tiles.js";
import { element, figure, setAttribute, write } from "../format.js";

export class Shares {
  /** @param {(source: number) => void} onChoose */
  constructor(onChoose) {
    Object.assign(this, { onChoose, shares: [], source: 0 });
    this.canvas = element("canvas", { tabindex: "0", role: "slider", "aria-orientation": "horizontal", "aria-label": "Input map", "aria-valuemin": "0" });
    this.name = element("small", {});
    this.root = element("div", { class: "lens-shares" }, [this.name, this.canvas]);
    this.canvas.addEventListener("click", (event) => this.#click(event));
    this.canvas.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** @param {ArrayLike<number>} shares None hides the bars. @param {(index: number) => string} nameOf */
  show(shares, source, nameOf) {
    Object.assign(this, { shares, source, nameOf });
    this.root.hidden = !shares.length;
    if (!shares.length) return;
    setAttribute(this.canvas, "aria-valuemax", shares.length - 1);
    setAttribute(this.canvas, "aria-valuenow", source);
    setAttribute(this.canvas, "aria-valuetext", `${nameOf(source)}: ${figure(shares[source])}`);
    write(this.name, `what each of ${shares.length} maps adds`);
  }

  #click({ clientX }) {
    const box = this.canvas.getBoundingClientRect();
    const place = Math.floor(((clientX - box.left) / box.width) * this.shares.length);
    this.onChoose(Math.max(0, Math.min(this.shares.length - 1, place)));
  }

  #onKey(event) {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.onChoose(Math.max(0, Math.min(this.shares.length - 1, this.source + step)));
  }

  draw(colours) {
    const [width, height] = [this.root.clientWidth, this.canvas.parentElement.clientHeight - this.name.offsetHeight];
    if (this.root.hidden || width < 8 || height < 8) return;
    const context = fitCanvas(this.canvas, width, height);
    const pitch = width / this.shares.length;
    const peak = Math.max(1e-12, ...Array.from(this.shares, Math.abs));
    const middle = height / 2;
    this.shares.forEach((share, i) => {
      const bar = (share / peak) * (middle - 1);
      context.fillStyle = i === this.source ? colours.empty : colours.card;
      context.fillRect(i * pitch, 0, pitch, height);
      context.fillStyle = share < 0 ? colours.negative : colours.positive;
      context.globalAlpha = i === this.source ? 1 : 0.55;
      context.fillRect(i * pitch + 0.5, Math.min(middle, middle - bar), Math.max(1, pitch - 1), Math.max(1, Math.abs(bar)));
      context.globalAlpha = 1;
    });
    context.fillStyle = colours.line;
    context.fillRect(0, middle, width, 1);
    context.strokeStyle = colours.negative;
    context.lineWidth = 1.5;
    context.strokeRect(this.source * pitch + 0.75, 0.75, Math.max(3, pitch - 1.5), height - 1.5);
  }
}
