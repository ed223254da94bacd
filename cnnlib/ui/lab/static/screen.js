/** The arrangement of the parts, as high as the window, and the theme's colours. */
import { colourSamples } from "./colours.js";
import { element } from "./format.js";

const MARGIN = 8; // below the Lab, in pixels
const LEAST_HEIGHT = 560;

export class Screen {
  /** @param {HTMLElement} host @param {object} parts The Lab's. @param {() => void} onResize */
  constructor(host, parts, onResize) {
    this.onResize = onResize;
    const bottom = element("div", { class: "bottom" }, [parts.curves.root, parts.strip.root, parts.lens.root]);
    const side = element("div", { class: "side" }, [parts.controls.root, parts.next.root]);
    parts.network.root.prepend(parts.message.root);
    this.grid = element("div", { class: "lab" }, [colourSamples(), parts.bar.root, side, parts.network.root, bottom]);
    this.root = element("div", { class: "lab-page tokens" }, [this.grid]);
    host.append(this.root);
    this.listener = () => this.#fit();
    window.addEventListener("resize", this.listener);
    this.observer = new ResizeObserver(this.listener);
    this.observer.observe(this.root);
    this.#fit();
  }

  /** Fill the window below the app's menu. */
  #fit() {
    const top = this.root.getBoundingClientRect().top + scrolled(this.root);
    const height = Math.max(LEAST_HEIGHT, Math.floor(window.innerHeight - top - MARGIN));
    this.grid.style.setProperty("--lab-height", `${height}px`);
    this.onResize();
  }

  /** Colours and font of the curves' axes. */
  theme({ muted, line }) {
    return { text: muted, line, font: `11px ${getComputedStyle(this.root).fontFamily}` };
  }

  destroy() {
    window.removeEventListener("resize", this.listener);
    this.observer.disconnect();
    this.root.remove();
  }
}

/** How far the elements around one are scrolled, together. */
function scrolled(inner) {
  let total = 0;
  for (let each = inner; each; each = each.parentNode ?? each.host) total += each.scrollTop ?? 0;
  return total;
}
