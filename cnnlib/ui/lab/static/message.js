/** A sentence from the page over the network: an error of an action, or what a run waits for. */
import { button, element, setAttribute, write } from "./format.js";

export class Message {
  constructor() {
    this.dismissed = "";
    this.text = element("p", { role: "status" });
    this.link = element("a", {}, ["Open it"]);
    this.close = button("×", { "aria-label": "Close the message" }, () => this.#dismiss());
    this.root = element("div", { class: "message" }, [this.text, this.link, this.close]);
    this.root.hidden = true;
  }

  /** @param {string} message @param {string} subject Address of what it is about, or "". @param {string} note Of the run, and its place in line. */
  show(message, subject, note) {
    const isDismissed = !message || message === this.dismissed;
    this.message = message;
    const shown = isDismissed ? note : message;
    this.close.hidden = isDismissed;
    this.link.hidden = isDismissed || !subject;
    setAttribute(this.link, "href", subject);
    this.root.hidden = !shown;
    write(this.text, shown);
  }

  /** A new action: the same message may come again. */
  forget() {
    this.dismissed = "";
    if (this.message) this.root.hidden = true;
  }

  #dismiss() {
    this.dismissed = this.message;
    this.root.hidden = true;
  }
}
