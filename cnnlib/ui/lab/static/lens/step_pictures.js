/** The pictures of one batch in a row, each with its loss before and after, and the loss of the whole batch. */
import { decode, paintPicture } from "../colours.js";
import { element, figure, setAttribute } from "../format.js";

export class StepPictures {
  constructor() {
    this.canvases = [];
    this.list = element("div", { class: "step-pictures", role: "img" });
    this.loss = element("p", { class: "step-loss" });
    this.root = element("div", { class: "step-head" }, [this.list, this.loss]);
  }

  /** @param {object} view Of the route: pictures, count, loss. */
  show({ pictures, count, loss: [before, after] }, classes) {
    const pixels = decode(pictures.pixels);
    const area = pixels.length / pictures.labels.length;
    while (this.canvases.length < pictures.labels.length) this.canvases.push(this.list.appendChild(element("canvas", {})));
    while (this.canvases.length > pictures.labels.length) this.canvases.pop().remove();
    this.canvases.forEach((canvas, i) => {
      const [was, is] = pictures.losses[i];
      paintPicture(canvas, pixels.subarray(i * area, (i + 1) * area), pictures.size);
      setAttribute(canvas, "data-better", is <= was);
      setAttribute(canvas, "title", `${classes?.[pictures.labels[i]] ?? pictures.labels[i]}: loss ${figure(was)} before, ${figure(is)} after`);
    });
    setAttribute(this.list, "aria-label", `${pictures.labels.length} of the ${count} pictures of this batch`);
    this.loss.replaceChildren(`loss on these ${count}: ${figure(before)} → `, element("b", {}, [figure(after)]));
  }
}
