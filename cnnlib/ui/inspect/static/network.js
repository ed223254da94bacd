/**
 * The Lab's unfolded network over a saved step of a run: it shows the maps of the page's picture, and a click on one chooses its
 * layer and channel for the page.
 */
import { Maps } from "../lab/network/maps.js";
import { Network } from "../lab/network/network.js";
import { addStyles } from "../common/styles.js";
import { colourSamples, readColours } from "../lab/colours.js";
import { button, element, write } from "../lab/format.js";
import { heading } from "../lab/network/names.js";

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
    Object.assign(this, { controls: { isMoving: false }, lens: { setAnswer: () => this.#markChosen() }, runState: "finished" });
    this.root = element("div", { class: "lab-page tokens saved" }, [colourSamples(), element("h2", { class: "spoken" }, ["The network"]), this.network.root]);
    this.missing = button("", { hidden: "" }, () => this.#showChosen());
    this.network.about.after(element("span", { class: "missing", role: "status" }, [this.missing]));
    this.isWanted = false; // the chosen map is to be shown
    host.append(this.root);
  }

  update(data, send) {
    const isOther = JSON.stringify(data.chosen) !== JSON.stringify(this.state.data?.chosen);
    this.state.data = data;
    this.send = send;
    if (isOther) {
      this.network.chosen = data.chosen;
      this.isWanted = false;
      this.missing.hidden = true;
    }
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

  /** The network shows the strongest maps of each column. Where the chosen one is not among them none is marked, and a button shows it. */
  #markChosen() {
    const { network, missing } = this;
    const { chosen, plan } = this.state.data;
    const [column, map] = chosen ?? [];
    const { maps } = network.answer.columns[column] ?? {};
    const count = this.#countShown(column);
    const isMissing = Boolean(maps) && !maps.slice(0, count).includes(map);
    if (isMissing && this.isWanted) return this.#showChosen();
    this.isWanted = false;
    if (!isMissing && !missing.hidden && !network.chosen) network.choose(...chosen);
    if (missing.matches(":focus")) this.root.querySelector(".map[aria-pressed=true]")?.focus();
    missing.hidden = !isMissing;
    if (!isMissing) return;
    const { title } = heading(plan.columns[column], plan.spec);
    const place = count ? `not among the ${count} maps shown of ${title}` : `in ${title}, which is folded`;
    write(missing, `Channel ${map} is ${place}: show it`);
    if (String(network.chosen) === String(chosen)) network.choose(null);
  }

  /** Show the chosen map in the place of the weakest of its column, which may have to be unfolded first. */
  #showChosen() {
    const [column, map] = this.state.data.chosen;
    this.isWanted = this.network.single(column);
    if (this.isWanted) return; // the maps of the column come first
    this.network.chosen = this.state.data.chosen;
    this.maps.include(column, map, this.#countShown(column));
  }

  /** The number of maps that a column has room for; 0 where it is folded. */
  #countShown(column) {
    return this.network.layout.items.find((item) => item.column === column)?.shown ?? 0;
  }

  #redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.network.draw(readColours(this.root));
    });
  }
}
