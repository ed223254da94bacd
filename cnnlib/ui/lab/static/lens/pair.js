/** The two maps whose sum a residual block gives: its branch and its skip, with the place marked in both. */
import { LensMap } from "./map.js";
import { element, figure, write } from "../format.js";

export class Pair {
  constructor() {
    this.maps = [new LensMap(() => {}), new LensMap(() => {})];
    this.names = this.maps.map(() => element("small", {}));
    const sign = (text) => element("span", { class: "lens-sign", "aria-hidden": "true" }, [text]);
    const [branch, skip] = this.maps.map(({ root }, i) => element("figure", { class: "step-sums" }, [root, this.names[i]]));
    this.root = element("div", { class: "lens-equation lens-pair", hidden: "" }, [sign("="), branch, sign("+"), skip]);
  }

  /** @param {object} data Of `decodeLens`, with two inputs. @param {object} numbers Of `numbersAt`. */
  show({ inputs, height, width }, { shares }) {
    const area = height * width;
    ["branch", "skip"].forEach((name, i) => {
      this.maps[i].setMap(inputs.subarray(i * area, (i + 1) * area), height, width, `The ${name}`, true);
      write(this.names[i], `${name} ${figure(shares[i])}`);
    });
  }

  draw(place, colours) {
    for (const map of this.maps) map.draw(place, null, colours, true);
  }
}
