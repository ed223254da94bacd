/** Colours of the canvases: the palette of maps, and the theme's colours as the stylesheet defines them. */
import { element } from "./format.js";

// Maps are dark in both themes, so that strong values shine. Zero is the darkest; blue is positive, orange negative.
const POSITIVE = [[10, 17, 28], [12, 52, 88], [28, 104, 164], [120, 184, 228], [246, 251, 255]];
const BRIGHTNESS = 0.7; // exponent; small values stay visible beside large ones
const NEGATIVE = [[10, 17, 28], [74, 42, 12], [160, 92, 20], [232, 168, 84], [255, 244, 224]];

/** Pack red, green and blue into one integer in the byte order of canvas image data (little-endian). */
export const pack = ([red, green, blue]) => (255 << 24) | (blue << 16) | (green << 8) | red;

/** Decode base64 to bytes. */
export function decode(text) {
  const raw = atob(text);
  const decoded = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) decoded[i] = raw.charCodeAt(i);
  return decoded;
}

/** Encode bytes as base64. */
export function encode(bytes) {
  let raw = "";
  for (const each of bytes) raw += String.fromCharCode(each);
  return btoa(raw);
}

/** The packed colours of the 256 levels of a column whose values go from `low` to `high`. */
export function mapPalette(low, high) {
  const peak = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return Int32Array.from({ length: 256 }, (_, level) => pack(signedColour((low + (level / 255) * (high - low)) / peak)));
}

/** The colour of a value from -1 to 1. */
function signedColour(value) {
  const stops = value < 0 ? NEGATIVE : POSITIVE;
  const position = Math.min(1, Math.abs(value) || 0) ** BRIGHTNESS * (stops.length - 1);
  const left = Math.min(Math.floor(position), stops.length - 2);
  return stops[left].map((each, k) => Math.round(each + (stops[left + 1][k] - each) * (position - left)));
}

const SAMPLES = ["positive", "negative", "faint", "line", "card", "empty", "cell", "skip", "muted"];

/** Hidden elements with the colours of canvases. */
export const colourSamples = () => element("div", { class: "samples", hidden: "" }, SAMPLES.map((name) => element("i", { "data-name": name, class: name })));

/** Read the colours that the stylesheet gives to canvases, from hidden samples. @returns {Record<string, string>} */
export function readColours(root) {
  const found = {};
  for (const sample of root.querySelectorAll(".samples i")) found[sample.dataset.name] = getComputedStyle(sample).color;
  return found;
}

/** Paint channels of bytes, one or three of h x w, into a canvas of their size. */
export function paintPicture(canvas, pixels, [channels, height, width]) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true }); // small, and the pad reads it
  const image = context.createImageData(width, height);
  const target = new Int32Array(image.data.buffer);
  const area = height * width;
  const [green, blue] = channels === 3 ? [area, 2 * area] : [0, 0];
  for (let i = 0; i < area; i++) target[i] = pack([pixels[i], pixels[i + green], pixels[i + blue]]);
  context.putImageData(image, 0, 0);
}
