/**
 * The Lab's unfolded network over a saved step of a run: it shows the maps of the page's picture, and a click on one chooses its
 * layer and channel for the page.
 */
import { Maps } from "../lab/network/maps.js";
import { Network } from "../lab/network/network.js";
import { addStyles } from "../common/styles.js";
import { colourSamples, readColours } from "../lab/colours.js";
import { element } from "../lab/format.js";

const views = new WeakMap(); // host -> promise of its SavedNetwork

export function mount({ data, parentElement, setTriggerValue }) {
  if (!views.has(parentElement)) views.set(parentElement, create(parentElement));
  views.get(parentElement).then((view) => view.update(data, setTriggerValue));
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.then((view) => view.destroy());
  views.delete(parentElement);
}

async function create(host) {
  await addStyles(host, ["../common/tokens.css", "../lab/lab.css"].map((sheet) => new URL(sheet, import.meta.url).href));
  return new SavedNetwork(host);
}

/** Has what `Maps` reads of the Lab: state, network, controls, lens and runState. */
class SavedNetwork {
  constructor(host) {
    const nothing = () => {};
    this.state = { data: null, get: (name) => this.state.data[name] };
    this.network = new Network({ onView: () => this.#look(), onDraw: () => this.#redraw(), onPicture: nothing, onDrawing: nothing, onResize: nothing });
    Object.assign(this, { controls: { isMoving: false }, lens: { setAnswer: () => this.#dropHidden() }, runState: "finished" });
    this.root = element("div", { class: "lab-page tokens saved" }, [colourSamples(), element("h2", { class: "spoken" }, ["The network"]), this.network.root]);
    host.append(this.root);
  }

  update(data, send) {
    const isOther = JSON.stringify(data.chosen) !== JSON.stringify(this.state.data?.chosen);
    this.state.data = data;
    this.send = send;
    if (isOther) this.network.chosen = data.chosen;
    this.network.setPlan(data.plan, data.plan.link);
    this.network.input.show(data.dataset, 0, "");
    this.maps ??= new Maps(this, () => {});
    this.maps.ask();
    this.#redraw();
  }

  destroy() {
    this.maps?.stop();
    this.network.destroy();
    this.root.remove();
  }

  /** Other maps are on the screen, or another one is chosen. */
  #look() {
    const { chosen } = this.network;
    if (chosen && String(chosen) !== String(this.state.data.chosen)) this.send("chosen", chosen);
    this.maps?.ask();
  }

  /** The network shows the strongest maps of each column; where the chosen one is not among them, none is marked. */
  #dropHidden() {
    const [column, map] = this.network.chosen ?? [];
    const { maps } = this.network.answer.columns[column] ?? {};
    if (maps && !maps.includes(map)) this.network.choose(null);
  }

  #redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.network.draw(readColours(this.root));
    });
  }
}
