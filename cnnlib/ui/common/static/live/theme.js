/** Colours and fonts of the page's theme, from the `--st-*` variables that Streamlit sets on the component's host. */

export function readTheme(host) {
  const style = getComputedStyle(host);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  return {
    text: read("text-color"),
    border: read("border-color"),
    font: `12px ${read("font")}`,
    palette: read("chart-categorical-colors").split(","),
  };
}

/** Make a #rrggbb colour transparent; written as #rrggbbaa, since canvas has no currentColor. */
export const fainter = (colour, alpha) =>
  /^#[0-9a-f]{6}$/i.test(colour) ? colour + Math.round(alpha * 255).toString(16).padStart(2, "0") : colour;
