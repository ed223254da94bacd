/** HTML that the server wrote, such as the card of a verdict, with styles of its own. */
import { element } from "./live/dom.js";

export function mount({ data, parentElement }) {
  let root = parentElement.querySelector(".document");
  if (!root) parentElement.append((root = element("div", { class: "document" })));
  if (root.dataset.text === data.html) return; // unchanged: the selection and the focus stay
  root.dataset.text = data.html;
  root.innerHTML = data.html;
}

export function unmount({ parentElement }) {
  parentElement.querySelector(".document")?.remove();
}
