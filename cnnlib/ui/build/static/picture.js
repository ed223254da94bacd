/**
 * The picture of a network with its main numbers, and a card that describes the layer under the pointer or the focus.
 *
 * The SVG comes from the server; its titles hold the lines of the card. Tab focuses the picture, arrow keys move from layer to
 * layer. A click or Enter opens the settings of a layer. A changed SVG is replaced in place, so the page neither jumps nor flickers.
 *
 * Streamlit reports a slider when it is released. While one is dragged, its value is read here and sent to the server, which
 * answers with picture and numbers.
 */
import { element, write } from "../common/live/dom.js";
import { addStyles } from "../common/styles.js";

const views = new WeakMap(); // host -> promise of its View
const MARGIN = 8; // of the SVG, left and right
const MOST_SCALED = 1.5;
const LEAST_SCALED = 0.75; // below, the picture is scrolled
const HEADER = 64; // height in pixels of the bar that covers the top of the page

/** Shows the data; called at every change of the data or of the theme. The first call builds the view. */
export function mount({ data, parentElement, setTriggerValue }) {
  if (!views.has(parentElement)) views.set(parentElement, create(parentElement));
  views.get(parentElement).then((view) => view.show(data, (layer) => setTriggerValue("layer", layer)));
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.then((view) => view.remove()); // the same host may be mounted again
  views.delete(parentElement);
}

async function create(host) {
  await addStyles(host, [new URL("../common/tokens.css", import.meta.url).href, new URL("picture.css", import.meta.url).href]);
  return new View(host);
}

class View {
  constructor(host) {
    const root = (this.root = document.createElement("div"));
    root.className = "view tokens";
    root.innerHTML = `<p class="title"></p><dl class="numbers"></dl><p class="misfit" role="status"></p><div class="scroller"></div><div class="card" role="status" hidden></div>`;
    host.append(root);
    this.scroller = root.querySelector(".scroller");
    this.numbers = root.querySelector(".numbers");
    this.misfit = root.querySelector(".misfit");
    this.card = root.querySelector(".card");
    this.title = root.querySelector(".title");
    this.svg = "";
    this.clicks = 0;
    this.dragged = new Dragged((answer) => this.preview(answer));
    this.scroller.onclick = ({ target }) => this.open(target);
    new ResizeObserver(() => this.data && this.draw()).observe(root);
    this.scroller.onpointerover = ({ target }) => this.showCard(target.closest("[data-layer]"));
    this.scroller.onpointerleave = () => this.hide();
    this.scroller.onscroll = () => this.showCard(this.scroller.querySelector("[data-layer]:focus"));
    this.scroller.onkeydown = (event) => this.moveFocus(event);
    this.scroller.addEventListener("focusin", ({ target }) => this.showCard(target.closest("[data-layer]")));
    this.scroller.addEventListener("focusout", () => this.hide());
  }

  remove() {
    this.dragged.disconnect();
    this.root.remove();
  }

  show(data, onLayer) {
    Object.assign(this, { data, onLayer: data.clicks === undefined ? null : onLayer });
    this.title.textContent = data.title ?? "";
    this.misfit.textContent = "";
    this.root.classList.toggle("earlier", data.is_earlier ?? false);
    this.dragged.update(data.preview);
    this.showNumbers(data.numbers ?? []);
    this.draw();
    if (data.opened && data.clicks !== this.clicks) showControl(data.opened);
    this.clicks = data.clicks;
  }

  /** Shows the design of a slider that is dragged, or why it does not fit. */
  preview({ error = "", numbers, sizes }) {
    write(this.misfit, error);
    this.root.classList.toggle("earlier", Boolean(error));
    if (error) return;
    this.showNumbers(numbers);
    this.data = { ...this.data, sizes };
    this.draw();
  }

  showNumbers(numbers) {
    if (this.numbers.childElementCount !== numbers.length) this.numbers.replaceChildren(...numbers.map(tile));
    for (const [place, { text, exact, change, is_more: isMore, help }] of numbers.entries()) {
      const [name, value, difference] = this.numbers.children[place].children;
      name.title = `${help} Exact value: ${exact}.`;
      write(value, text);
      write(difference, change && change !== "±0" ? `${isMore ? "↑" : "↓"} ${change}` : change);
      difference.className = !change || change === "±0" ? "" : isMore ? "more" : "less";
    }
  }

  /** Shows the widest picture that has room, scaled to the whole width. */
  draw() {
    const room = this.scroller.clientWidth;
    const size = this.data.sizes.find(({ width }) => width <= room * 1.25) ?? this.data.sizes.at(-1);
    if (this.data.sizes.length > 1) this.dragged.size = this.data.sizes.indexOf(size);
    this.replace(size.svg);
    const picture = this.scroller.querySelector("svg");
    const scale = Math.min(MOST_SCALED, Math.max(LEAST_SCALED, room / (size.width + 2 * MARGIN)));
    picture.style.height = `${scale * picture.getAttribute("height")}px`;
    picture.dataset.tint = this.data.tint;
    if (!this.data.tint) delete picture.dataset.tint;
    for (const layer of this.layers()) layer.classList.toggle("marked", layer.dataset.layer === this.data.marked);
  }

  /** Opens the settings of a layer, or of the norm or activation that is a band on it. */
  open(target) {
    const layer = target.closest("[data-layer]");
    if (layer && this.onLayer) this.onLayer(target.closest("[data-band]")?.dataset.band ?? layer.dataset.layer);
  }

  replace(svg) {
    if (svg === this.svg) return;
    this.svg = svg;
    const focused = this.scroller.querySelector("[data-layer]:focus")?.dataset.layer;
    this.hide();
    this.scroller.innerHTML = svg;
    for (const layer of this.layers()) labelLayer(layer);
    const refocused = focused && this.scroller.querySelector(`[data-layer="${CSS.escape(focused)}"]`);
    const first = refocused || this.layers()[0];
    first.tabIndex = 0;
    refocused?.focus();
  }

  layers() {
    return [...this.scroller.querySelectorAll("[data-layer]")];
  }

  /** Moves the focus between layers at arrow keys, Home and End; Escape hides the card. */
  moveFocus(event) {
    const layers = this.layers();
    const current = layers.indexOf(event.target);
    const targets = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: layers.length - 1 };
    const next = layers[targets[event.key]];
    if (event.key === "Escape") this.hide();
    if (event.key === "Enter") this.open(event.target);
    if (!next) return;
    event.preventDefault();
    layers[current].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Shows the card of a layer above it, or below where there is no room; hides it for none. */
  showCard(layer) {
    if (!layer) return this.hide();
    const [heading, ...lines] = layer.lines;
    this.card.replaceChildren(element("b", {}, [heading]), ...lines.flatMap(cells));
    this.card.hidden = false;
    const box = layer.getBoundingClientRect();
    const card = this.card.getBoundingClientRect();
    const x = Math.min(Math.max(8, box.left + box.width / 2 - card.width / 2), innerWidth - card.width - 8);
    const above = box.top - card.height - 6;
    this.card.style.left = `${x}px`;
    this.card.style.top = `${above > HEADER ? above : box.bottom + 6}px`;
  }

  hide() {
    this.card.hidden = true;
  }
}

/** Moves the title to the card's lines and the name for screen readers: the browser's tooltip would cover the card. */
function labelLayer(layer) {
  const title = layer.querySelector("title");
  layer.lines = title.textContent.split("\n");
  title.remove();
  layer.setAttribute("role", "img");
  layer.setAttribute("aria-label", layer.lines.join(", "));
  layer.tabIndex = -1;
}

/** Scrolls to a control of the page, focuses it, and draws a frame around it for a moment. */
function showControl(key, tries = 120) {
  const control = document.querySelector(`.st-key-${CSS.escape(key)}`);
  const field = control?.querySelector("input, [role=radio], [aria-haspopup]"); // the help is a button, too
  field?.focus({ preventScroll: true });
  if (document.activeElement !== field && tries) return requestAnimationFrame(() => showControl(key, tries - 1)); // its tab opens
  if (!control) return;
  control.scrollIntoView({ block: "center" });
  const frame = { outline: "2px solid var(--accent)", outlineOffset: "4px" };
  control.animate([frame, frame, { ...frame, outlineColor: "transparent" }], 1500);
}

/** Splits "name: value" into two cells. */
function cells(line) {
  const [name, ...value] = line.split(": ");
  return [element("span", {}, [name]), element("span", {}, [value.join(": ")])];
}

function tile({ label }) {
  return element("div", {}, [element("dt", {}, [label]), element("dd"), element("dd")]);
}

/** Asks for the preview of a slider of the page while it is dragged: one question at a time, the newest value next. */
class Dragged {
  #preview = null; // address, request, and the name of the control of each slider
  #turn = 0; // answers to questions from before the last update are outdated
  #next = null; // the body of the next question
  #isWaiting = false;
  size = 0; // place of the shown picture among those of different widths

  constructor(show) {
    this.show = show;
    this.observer = new MutationObserver((changes) => changes.forEach(({ target }) => this.#read(target)));
  }

  update(preview) {
    if (preview && !this.#preview) this.observer.observe(document.body, { attributes: true, attributeFilter: ["value"], subtree: true });
    this.#preview = preview;
    this.#turn += 1;
    this.#next = null;
  }

  disconnect() {
    this.observer.disconnect();
    this.update(null);
  }

  #read(input) {
    const key = input.type === "range" && input.closest('[class*="st-key-build_"]')?.className.match(/st-key-(build_\w+)/)[1];
    const control = key && this.#preview?.sliders[key];
    if (!control) return;
    this.#next = { ...this.#preview.request, control, value: Number(input.value), size: this.size };
    if (!this.#isWaiting) this.#ask();
  }

  async #ask() {
    this.#isWaiting = true;
    while (this.#next) {
      const [turn, body] = [this.#turn, JSON.stringify(this.#next)];
      this.#next = null;
      const answer = await fetch(this.#preview.address, { method: "POST", headers: { "content-type": "application/json" }, body })
        .then((response) => (response.ok ? response.json() : null))
        .catch(() => null); // the numbers come with the release
      if (answer && turn === this.#turn) this.show(answer);
    }
    this.#isWaiting = false;
  }
}
