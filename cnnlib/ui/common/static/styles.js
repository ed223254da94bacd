/** Style sheets of a component. */
import { element } from "./live/dom.js";

/** Load styles into the component's shadow tree, before anything is shown. */
export async function addStyles(host, addresses) {
  const style = element("style");
  host.append(style);
  const sheets = await Promise.all(addresses.map(async (address) => (await fetch(address)).text()));
  style.textContent = sheets.join("\n");
}
