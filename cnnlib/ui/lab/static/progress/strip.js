/** Unseen pictures that turn right or wrong, and the confusion matrix behind a tab where its counts are known. */
import { button, element, setAttribute, write } from "../format.js";
import { Confusion } from "../../common/confusion.js";
import { decode, paintPicture } from "../colours.js";

export class Strip {
  /** @param {(index: number) => void} onPicture Called with the index of a picture that is clicked. */
  constructor(onPicture) {
    Object.assign(this, { onPicture, cards: [], key: "", tab: "pictures" });
    this.score = element("span", { class: "caption" });
    this.tabs = [["pictures", "Unseen pictures"], ["confusion", "Confusion"]].map(([name, label]) => button(label, { role: "tab", "data-tab": name }, () => this.#open(name)));
    this.tablist = element("div", { class: "tabs", role: "tablist", "aria-label": "What it can do" }, this.tabs);
    this.tablist.addEventListener("keydown", (event) => this.#onKey(event));
    this.list = element("div", { class: "cards", role: "tabpanel", "aria-label": "Unseen pictures" });
    this.empty = element("p", { class: "note" }, ["The pictures come with the first maps."]);
    this.confusion = new Confusion();
    setAttribute(this.confusion.root, "role", "tabpanel");
    this.root = element("section", { class: "panel strip", "aria-label": "What it can do" }, [
      element("header", {}, [this.tablist, this.score]), this.empty, this.list, this.confusion.root,
    ]);
    this.#open("pictures");
  }

  #open(name) {
    this.tab = name;
    for (const tab of this.tabs) {
      setAttribute(tab, "aria-selected", tab.dataset.tab === name);
      setAttribute(tab, "tabindex", tab.dataset.tab === name ? "0" : "-1");
    }
    this.list.hidden = name !== "pictures";
    this.confusion.root.hidden = name !== "confusion";
    this.score.hidden = name !== "pictures";
  }

  #onKey({ key }) {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const next = this.tabs.find((tab) => tab.dataset.tab !== this.tab);
    if (next.hidden) return;
    this.#open(next.dataset.tab);
    next.focus();
  }

  /** Show the counts of the newest epoch; without them there is no tab. */
  showConfusion(counts, classes) {
    const [, tab] = this.tabs;
    tab.hidden = !counts;
    if (!counts && this.tab === "confusion") this.#open("pictures");
    if (counts) this.confusion.show(counts, classes, { isShort: true });
  }

  /** Show the strip of an answer. */
  show({ pictures, labels, predicted, size, pixels }, classes, trained) {
    if (!pictures.length) return;
    const key = JSON.stringify([pictures, size]);
    if (key !== this.key) this.#build(pictures, size.slice(-2), decode(pixels));
    this.key = key;
    this.empty.hidden = true;
    labels.forEach((label, i) => this.#showCard(this.cards[i], classes[label], classes[predicted[i]], trained ? label === predicted[i] : null, pictures[i]));
    const right = labels.filter((label, i) => label === predicted[i]).length;
    write(this.score, trained ? `${right} of ${labels.length} right` : `${right} of ${labels.length} right, by chance`);
  }

  #build(pictures, [height, width], pixels) {
    const area = pixels.length / pictures.length; // channels x height x width
    const size = [area / (height * width), height, width];
    this.cards = pictures.map((index, i) => {
      const canvas = element("canvas", { "aria-hidden": "true" });
      paintPicture(canvas, pixels.subarray(i * area, (i + 1) * area), size);
      const text = element("span", {});
      return { text, root: button("", { class: "card" }, () => this.onPicture(index)), parts: [canvas, text] };
    });
    for (const { root, parts } of this.cards) root.append(...parts);
    this.list.classList.toggle("wide", size[0] === 3);
    this.list.replaceChildren(...this.cards.map(({ root }) => root));
  }

  /** @param {boolean|null} isRight null: the network is not trained yet, and only guesses. */
  #showCard(card, truth, guess, isRight, index) {
    const [mark, verdict] = isRight === null ? ["", "a guess"] : isRight ? ["✓ ", "right"] : ["✗ ", "wrong"];
    write(card.text, mark + guess);
    setAttribute(card.root, "data-right", isRight);
    const sentence = `Picture ${index}, a ${truth}: it says ${guess}, ${verdict}.`;
    setAttribute(card.root, "aria-label", `${sentence} Look at its maps.`);
    setAttribute(card.root, "title", sentence);
  }
}
