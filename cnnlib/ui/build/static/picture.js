/**
 * The picture of a network, with a card that describes the layer under the pointer or the focus.
 *
 * The SVG comes from the server; its titles hold the lines of the card. Tab focuses the picture, arrow keys move from layer to
 * layer. A changed SVG is replaced in place, so the page neither jumps nor flickers.
 */
const views = new WeakMap(); // host -> its View
const HEADER = 64; // height in pixels of the bar that covers the top of the page

/** Shows the data; called at every change of the data or of the theme. The first call builds the view. */
export function mount({ data, parentElement }) {
  if (!views.has(parentElement)) views.set(parentElement, new View(parentElement));
  views.get(parentElement).show(data.svg, data.words);
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.root.remove(); // the same host may be mounted again
  views.delete(parentElement);
}

class View {
  constructor(host) {
    const root = (this.root = document.createElement("div"));
    root.className = "view";
    root.innerHTML = `<style>${STYLES}</style><div class="scroller"></div><p class="words"></p><div class="card" role="status" hidden></div>`;
    host.append(root);
    this.scroller = root.querySelector(".scroller");
    this.caption = root.querySelector(".words");
    this.card = root.querySelector(".card");
    this.svg = "";
    this.scroller.onpointerover = ({ target }) => this.showCard(target.closest("[data-layer]"));
    this.scroller.onpointerleave = () => this.hide();
    this.scroller.onscroll = () => this.showCard(this.scroller.querySelector("[data-layer]:focus"));
    this.scroller.onkeydown = (event) => this.moveFocus(event);
    this.scroller.addEventListener("focusin", ({ target }) => this.showCard(target.closest("[data-layer]")));
    this.scroller.addEventListener("focusout", () => this.hide());
  }

  show(svg, caption) {
    this.caption.textContent = caption;
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
    this.card.replaceChildren(element("b", heading), ...lines.flatMap(cells));
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

/** Splits "name: value" into two cells. */
function cells(line) {
  const [name, ...value] = line.split(": ");
  return [element("span", name), element("span", value.join(": "))];
}

function element(tag, text) {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}

const STYLES = `
.scroller { overflow-x: auto; overflow-y: hidden; color: var(--st-text-color); container-type: inline-size; }
.scroller svg { display: block; width: 100%; min-width: calc(0.72 * var(--width)); font-family: var(--st-font); }
@container (min-width: 1000px) { .scroller svg { height: calc(1.3 * var(--height)); } }
[data-layer]:focus-visible > path:not(.wide) { stroke: var(--st-text-color); stroke-opacity: 1; stroke-width: 1.5; }
.card {
  position: fixed; z-index: 1000; display: grid; grid-template-columns: auto auto; gap: 0.1rem 0.75rem; max-width: 24rem;
  padding: 0.5rem 0.75rem; pointer-events: none; font: 0.8125rem/1.4 var(--st-font); color: var(--st-text-color);
  background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
  box-shadow: 0 4px 16px rgb(0 0 0 / 20%);
}
.words { display: none; margin: 0.5rem 0 0; font: 600 0.875rem/1.4 var(--st-font); color: var(--st-text-color); }
@media (max-width: 900px) {
  .view { padding-bottom: 0.5rem; background: var(--st-background-color); border-bottom: 1px solid var(--st-border-color); }
  .words { display: block; }
  .scroller svg { width: auto; height: 180px; min-width: 0; }
}
.card[hidden] { display: none; }
.card b { grid-column: 1 / -1; }
.card span:nth-of-type(odd) { opacity: 0.7; }
`;
