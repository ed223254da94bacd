/**
 * The picture of a network, with a card that describes the layer under the pointer or the focus.
 *
 * The SVG comes from the server; its titles hold the lines of the card. Tab focuses the picture, arrow keys move from layer to
 * layer. A click or Enter opens the settings of a layer. A changed SVG is replaced in place, so the page neither jumps nor flickers.
 */
const views = new WeakMap(); // host -> its View
const MARGIN = 8; // of the SVG, left and right
const MOST_SCALED = 1.5;
const LEAST_SCALED = 0.75; // below, the picture is scrolled
const HEADER = 64; // height in pixels of the bar that covers the top of the page

/** Shows the data; called at every change of the data or of the theme. The first call builds the view. */
export function mount({ data, parentElement, setTriggerValue }) {
  if (!views.has(parentElement)) views.set(parentElement, new View(parentElement));
  views.get(parentElement).show(data, (layer) => setTriggerValue("layer", layer));
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.root.remove(); // the same host may be mounted again
  views.delete(parentElement);
}

class View {
  constructor(host) {
    const root = (this.root = document.createElement("div"));
    root.className = "view";
    root.innerHTML = `<style>${STYLES}</style><p class="title"></p><div class="scroller"></div><p class="words"></p><div class="card" role="status" hidden></div>`;
    host.append(root);
    this.scroller = root.querySelector(".scroller");
    this.caption = root.querySelector(".words");
    this.card = root.querySelector(".card");
    this.title = root.querySelector(".title");
    this.svg = "";
    this.clicks = 0;
    this.scroller.onclick = ({ target }) => this.open(target);
    new ResizeObserver(() => this.data && this.draw()).observe(root);
    this.scroller.onpointerover = ({ target }) => this.showCard(target.closest("[data-layer]"));
    this.scroller.onpointerleave = () => this.hide();
    this.scroller.onscroll = () => this.showCard(this.scroller.querySelector("[data-layer]:focus"));
    this.scroller.onkeydown = (event) => this.moveFocus(event);
    this.scroller.addEventListener("focusin", ({ target }) => this.showCard(target.closest("[data-layer]")));
    this.scroller.addEventListener("focusout", () => this.hide());
  }

  show(data, onLayer) {
    Object.assign(this, { data, onLayer: data.clicks === undefined ? null : onLayer });
    this.title.textContent = data.title ?? "";
    this.caption.textContent = data.words ?? "";
    this.draw();
    if (data.opened && data.clicks !== this.clicks) showControl(data.opened);
    this.clicks = data.clicks;
  }

  /** Shows the widest picture that has room, scaled to the whole width. */
  draw() {
    const room = this.scroller.clientWidth;
    const size = this.data.sizes.find(({ width }) => width <= room * 1.25) ?? this.data.sizes.at(-1);
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

/** Scrolls to a control of the page, focuses it, and draws a frame around it for a moment. */
function showControl(key, tries = 120) {
  const control = document.querySelector(`.st-key-${CSS.escape(key)}`);
  const field = control?.querySelector("input, [role=radio], [aria-haspopup]"); // the help is a button, too
  field?.focus({ preventScroll: true });
  if (document.activeElement !== field && tries) return requestAnimationFrame(() => showControl(key, tries - 1)); // its tab opens
  if (!control) return;
  control.scrollIntoView({ block: "center" });
  const frame = { outline: "2px solid #147bc1", outlineOffset: "4px" };
  control.animate([frame, frame, { ...frame, outlineColor: "transparent" }], 1500);
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
.scroller svg { display: block; width: auto; margin: 0 auto; font-family: var(--st-font); }
.title { margin: 0.5rem 0 0; font: 0.875rem/1.4 var(--st-font); color: var(--st-text-color); }
.title:empty { display: none; }
[data-layer] { cursor: pointer; }
.marked > path:not(.wide) { stroke: var(--st-text-color); stroke-opacity: 1; stroke-width: 2; }
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
}
.card[hidden] { display: none; }
.card b { grid-column: 1 / -1; }
.card span:nth-of-type(odd) { opacity: 0.7; }
`;
