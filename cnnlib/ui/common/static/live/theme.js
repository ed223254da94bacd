/** Colours and fonts of the page's theme, from the `--st-*` variables that Streamlit sets on the component's host. */

const FALLBACK = ["#0068a8", "#d08000", "#0e9c79", "#c43a00", "#bc6ab4", "#2a97ea"];

export function readTheme(host) {
  const style = getComputedStyle(host);
  const read = (name, fallback) => style.getPropertyValue(`--st-${name}`).trim() || fallback;
  const palette = read("chart-categorical-colors", "").split(",").filter(Boolean);
  return {
    text: read("text-color", "#17202a"),
    border: read("border-color", "#d5dde5"),
    font: `12px ${read("font", "sans-serif")}`,
    palette: palette.length ? palette : FALLBACK,
  };
}

/** Make a #rrggbb colour transparent; written as #rrggbbaa, since canvas has no currentColor. */
export const fainter = (colour, alpha) =>
  /^#[0-9a-f]{6}$/i.test(colour) ? colour + Math.round(alpha * 255).toString(16).padStart(2, "0") : colour;
