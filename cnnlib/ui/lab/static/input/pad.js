/** A pad to draw on: pointer strokes on a canvas, area-averaged to the pixels of the network's input. */
import { keepInk, luminance } from "./ink.js";

const SIDE = 288; // about; the pad has a whole number of pixels for each pixel of the input

export class Pad {
  /** @param {HTMLCanvasElement} canvas @param {() => void} onChange After each part of a stroke. */
  constructor(canvas, onChange) {
    Object.assign(this, { canvas, onChange, active: false, last: null, pen: 0.085, colour: "#ffffff" });
    this.listeners = { pointerdown: (event) => this.#begin(event), pointermove: (event) => this.#move(event), pointerup: () => this.#end(), pointercancel: () => this.#end() };
    for (const [name, listener] of Object.entries(this.listeners)) canvas.addEventListener(name, listener);
  }

  /** Start drawing on an empty pad for an input of this size. @param {CanvasImageSource|null} under A picture to draw on. */
  open([channels, height, width], under) {
    const scale = Math.max(1, Math.round(SIDE / Math.max(height, width)));
    Object.assign(this, { channels, height, width, scale, active: true });
    Object.assign(this.canvas, { width: width * scale, height: height * scale });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.clear(under);
  }

  close() {
    this.active = false;
    this.last = null;
  }

  /** Empty the pad, or show a picture of the input's size on it. @param {HTMLCanvasElement|null} under */
  clear(under = null) {
    const { width, height } = this.canvas;
    this.context.fillStyle = "#000000";
    this.context.fillRect(0, 0, width, height);
    this.context.imageSmoothingEnabled = false;
    if (under) this.context.drawImage(under, 0, 0, width, height);
    this.onChange();
  }

  /** Fill the pad with the middle of a photograph; with its ink only if the input is grey. @param {CanvasImageSource} picture @param {object} size Its width and height. */
  fill(picture, { width, height }) {
    const { canvas } = this;
    const scale = Math.min(width / canvas.width, height / canvas.height);
    const [w, h] = [canvas.width * scale, canvas.height * scale];
    this.context.imageSmoothingEnabled = true;
    this.context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h, 0, 0, canvas.width, canvas.height);
    if (this.channels === 1) {
      const image = this.context.getImageData(0, 0, canvas.width, canvas.height);
      keepInk(image);
      this.context.putImageData(image, 0, 0);
    }
    this.onChange();
  }

  /** The drawing as bytes, channels x height x width: means over the pad's pixels in each pixel of the input. */
  pixels() {
    const { channels, height, width, scale } = this;
    const { data } = this.context.getImageData(0, 0, width * scale, height * scale);
    const area = height * width;
    const sums = new Float32Array(3 * area);
    for (let y = 0, i = 0; y < height * scale; y++) {
      const row = Math.floor(y / scale) * width;
      for (let x = 0; x < width * scale; x++, i += 4) {
        const target = row + Math.floor(x / scale);
        for (let channel = 0; channel < 3; channel++) sums[channel * area + target] += data[i + channel];
      }
    }
    return channels === 3 ? Uint8Array.from(sums, (sum) => sum / scale ** 2) : this.#grey(sums, area);
  }

  /** Luminance of the means of red, green and blue, once for each channel of the input. */
  #grey(sums, area) {
    const found = new Uint8Array(this.channels * area);
    for (let i = 0; i < area; i++) {
      const grey = luminance(sums[i], sums[area + i], sums[2 * area + i]) / this.scale ** 2;
      for (let channel = 0; channel < this.channels; channel++) found[channel * area + i] = Math.round(grey);
    }
    return found;
  }

  #begin(event) {
    if (!this.active || event.button > 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.#place(event);
    this.#line(this.last, this.last);
  }

  #move(event) {
    if (!this.active || !this.last) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      const place = this.#place(each);
      this.#line(this.last, place);
      this.last = place;
    }
  }

  #end() {
    this.last = null;
  }

  #place({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return [((clientX - box.left) / box.width) * this.canvas.width, ((clientY - box.top) / box.height) * this.canvas.height];
  }

  #line(from, to) {
    const { context } = this;
    context.strokeStyle = this.colour;
    context.lineWidth = this.pen * this.canvas.width;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    this.onChange();
  }

  destroy() {
    for (const [name, listener] of Object.entries(this.listeners)) this.canvas.removeEventListener(name, listener);
  }
}
