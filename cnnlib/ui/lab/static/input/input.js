/** The input: a picture of the validation split, or a pad to draw on. */
import { button, element, setAttribute, write } from "../format.js";
import { Camera } from "./camera.js";
import { Pad } from "./pad.js";
import { decode, paintPicture } from "../colours.js";

export class Input {
  /** @param {object} on onPicture(index), onDrawing(Uint8Array|null). */
  constructor(on) {
    Object.assign(this, { on, size: [1, 28, 28], index: 0, total: 1, isDrawing: false });
    this.canvas = element("canvas", { class: "picture", "data-testid": "lab-input", role: "img", "aria-label": "Input" });
    this.heading = element("h3", {}, ["Input"]);
    this.about = element("p", { class: "sub" });
    this.number = element("input", { type: "text", inputmode: "numeric", "aria-label": "Number of the picture", size: "4" });
    this.number.addEventListener("change", () => this.#type(Number(this.number.value)));
    const back = button("‹", { "aria-label": "Previous picture", title: "Previous picture" }, () => this.#go(this.index - 1));
    const next = button("›", { "aria-label": "Next picture", title: "Next picture" }, () => this.#go(this.index + 1));
    this.browse = element("div", { class: "browse" }, [back, this.number, next]);
    this.draw = button("✎ Draw", { class: "draw", "data-testid": "lab-draw" }, () => this.toggle());
    this.tools = this.#buildTools();
    this.hint = element("p", { class: "sub hint", "aria-live": "polite" });
    this.page = element("a", { class: "sub" }, ["More tools to draw"]);
    const box = element("div", { class: "frame" }, [this.canvas]);
    this.root = element("div", { class: "source" }, [element("header", {}, [this.heading, this.about]), box, this.browse, this.draw, this.tools, this.hint, this.page]);
    this.pad = new Pad(this.canvas, () => this.isDrawing && this.on.onDrawing(() => this.pad.pixels()));
    this.canvas.addEventListener("pointerup", () => this.#showNote());
    this.camera = new Camera((video, size) => this.pad.fill(video, size));
    this.#setPen();
  }

  #setPen() {
    const { value, min, max } = this.width;
    this.pad.pen = Number(value);
    this.width.style.setProperty("--share", `${(100 * (value - min)) / (max - min)}%`);
  }

  #buildTools() {
    this.width = element("input", { type: "range", min: "0.03", max: "0.2", step: "0.005", value: "0.085", "aria-label": "Width of the pen", title: "Width of the pen" });
    this.width.addEventListener("input", () => this.#setPen());
    this.colour = element("input", { type: "color", value: "#ffffff", "aria-label": "Colour of the pen", title: "Colour of the pen" });
    this.colour.addEventListener("input", () => (this.pad.colour = this.colour.value));
    const clear = button("Clear", { "data-testid": "lab-clear" }, () => this.#clear());
    this.file = element("input", { type: "file", accept: "image/*", class: "spoken", tabindex: "-1", "aria-hidden": "true" });
    this.file.addEventListener("change", () => this.#upload());
    const upload = button("Upload", { title: "The middle square of a picture of yours" }, () => this.file.click());
    this.film = button("Camera", { "data-testid": "lab-camera", "aria-pressed": "false", title: "What your camera sees, in its middle" }, () => this.#film());
    this.film.hidden = !Camera.isOffered;
    return element("div", { class: "tools" }, [this.width, this.colour, clear, upload, this.film, this.file]);
  }

  /** @param {object} dataset name, title, in_size, validation_count. @param {number} index Of the picture. @param {string} page Of drawing. */
  show(dataset, index, page) {
    if (String(this.size) !== String(dataset.in_size) && this.isDrawing) this.toggle();
    Object.assign(this, { size: dataset.in_size, index, total: Math.max(1, dataset.validation_count) });
    const [channels, height, width] = this.size;
    this.root.style.setProperty("--ratio", String(width / height));
    write(this.about, `${channels}@${height}×${width}`);
    if (this.number !== this.number.getRootNode().activeElement) this.number.value = String(index);
    this.number.title = `Picture ${index} of ${this.total} that the network does not learn from`;
    this.browse.hidden = this.isDrawing;
    this.tools.hidden = !this.isDrawing;
    this.colour.hidden = channels !== 3;
    write(this.draw, this.isDrawing ? "Back to pictures" : "✎ Draw");
    setAttribute(this.draw, "aria-pressed", this.isDrawing);
    if (!this.isDrawing) write(this.hint, "An unseen picture. Or draw your own.");
    setAttribute(this.page, "href", page);
    this.page.hidden = !this.isDrawing;
    this.root.classList.toggle("drawing", this.isDrawing);
  }

  /** Show the picture of an answer; while the person draws, only how the drawing differs from the training pictures. */
  showPicture({ pixels, label, note }, classes) {
    this.pixels = pixels;
    this.note = note;
    this.#showNote();
    if (!this.isDrawing) {
      paintPicture(this.canvas, decode(pixels), this.size);
      setAttribute(this.canvas, "aria-label", `Input: picture ${this.index}, ${classes[label] ?? "without a class"}`);
      write(this.heading, label === null ? "Input" : `Input: ${classes[label] ?? label}`);
    }
  }

  /** Show how the drawing differs from the training pictures, once the pen rests. */
  #showNote() {
    if (this.isDrawing && !this.pad.last && !this.camera.isOn) write(this.hint, this.note || this.said);
  }

  #say(text) {
    this.note = "";
    write(this.hint, (this.said = text));
  }

  /** The middle of the picture, in pixels from the top of another element; the middle of that one unless it stands beside it. */
  middleIn(other) {
    const box = this.canvas.getBoundingClientRect();
    const middle = box.top + box.height / 2 - other.getBoundingClientRect().top;
    return middle > 0 && middle < other.clientHeight ? middle : other.clientHeight / 2;
  }

  #type(index) {
    if (Number.isInteger(index) && index >= 0 && index < this.total) return this.#go(index);
    this.number.value = String(this.index);
    write(this.hint, `There are the unseen pictures 0 to ${this.total - 1}.`);
  }

  #go(index) {
    this.on.onPicture(((index % this.total) + this.total) % this.total);
  }

  /** Open the pad, and close it again. */
  toggle() {
    this.isDrawing = !this.isDrawing;
    if (this.isDrawing) {
      write(this.heading, "Your drawing");
      this.#say("Maps and answer follow your pen.");
      setAttribute(this.canvas, "aria-label", "Pad: draw with the pointer");
      this.pad.open(this.size, this.size[0] === 3 ? this.#copy() : null);
    } else {
      this.#stopCamera();
      this.pad.close();
      this.on.onDrawing(null);
    }
  }

  /** A copy of the picture, to draw on it. */
  #copy() {
    if (!this.pixels) return null;
    const copy = document.createElement("canvas");
    paintPicture(copy, decode(this.pixels), this.size);
    return copy;
  }

  async #upload() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    this.#stopCamera();
    try {
      const picture = await createImageBitmap(file);
      this.pad.fill(picture, picture);
      this.#say("Your picture. Draw on it, or upload another one.");
    } catch {
      this.#say("This file is not a picture that the browser can read. Choose a PNG or a JPEG.");
    }
  }

  #clear() {
    this.#stopCamera();
    this.pad.clear();
  }

  /** Open the camera; or keep the picture of this moment, to draw on it. */
  async #film() {
    if (this.camera.isOn) return this.#stopCamera();
    setAttribute(this.film, "aria-pressed", true);
    write(this.film, "Hold");
    this.#say("What your camera sees. Hold a picture to draw on it.");
    try {
      await this.camera.start();
    } catch (error) {
      this.#stopCamera();
      this.#say(error.message);
    }
  }

  #stopCamera() {
    this.camera.stop();
    setAttribute(this.film, "aria-pressed", false);
    write(this.film, "Camera");
  }

  destroy() {
    this.camera.stop();
    this.pad.destroy();
  }
}
