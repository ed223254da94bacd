/** Keys of the whole page: Space plays and pauses, Ctrl+Z undoes, Ctrl+Shift+Z and Ctrl+Y redo. */

const OPERABLE = "button, a, input, select, textarea, summary, [contenteditable], [role=dialog], [role=slider], [role=option], [role=tab], [role=menuitem], [role=combobox]";
const WRITABLE = "input:not([type=range], [type=color], [type=file], [type=checkbox]), textarea, [contenteditable]";

export class Keyboard {
  /** @param {object} on onPlay(), onUndo(), onRedo(). */
  constructor(on) {
    this.on = on;
    this.listener = (event) => this.#onKey(event);
    document.addEventListener("keydown", this.listener);
  }

  destroy() {
    document.removeEventListener("keydown", this.listener);
  }

  #onKey(event) {
    const [target] = event.composedPath();
    const isIn = (selector) => target instanceof Element && target.closest(selector) !== null;
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key === " " && !event.repeat && !event.ctrlKey && !event.altKey && !event.metaKey && !isIn(OPERABLE)) return this.#run(event, this.on.onPlay);
    if (!(event.ctrlKey || event.metaKey) || event.altKey || isIn(WRITABLE)) return;
    const key = event.key.toLowerCase();
    if (key === "y" || (key === "z" && event.shiftKey)) this.#run(event, this.on.onRedo);
    else if (key === "z") this.#run(event, this.on.onUndo);
  }

  #run(event, action) {
    event.preventDefault();
    action();
  }
}
