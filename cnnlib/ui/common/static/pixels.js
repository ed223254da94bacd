/** Numbers as pixels: decoding what the server sends, and the colours of signed and unsigned values. */

const FALLBACK = ["#003f66", "#005d96", "#4785b9", "#8cb1d3", "#d0ddeb", "#efd8d3", "#e4a08d", "#d26647", "#b03400", "#7a2400"];

function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
  return found;
}

/** Base64 as float32 numbers (little-endian, as every browser's machine is). */
export const floats = (text) => new Float32Array(bytes(text).buffer);

/**
 * Tiles of numbers as the server packs them: exact float32, or one byte a number between a tile's own limits.
 * Returns a function (tile, place) -> number.
 */
export function reader({ values, exact, size, lows, highs }) {
  if (exact) {
    const all = floats(values);
    return (tile, place) => all[tile * size + place];
  }
  const all = bytes(values);
  return (tile, place) => lows[tile] + (all[tile * size + place] / 255) * (highs[tile] - lows[tile]);
}

/** 256 colours from below zero to above zero, in the page's diverging scale; zero has the colour of the page. */
export function divergingColours(host) {
  const style = getComputedStyle(host);
  const listed = style.getPropertyValue("--st-chart-diverging-colors").split(",").filter((c) => c.trim());
  const page = style.getPropertyValue("--st-background-color").trim() || "#ffffff";
  const stops = (listed.length > 1 ? listed : FALLBACK).map((c) => c.trim()).map(rgb);
  stops.splice(stops.length / 2, 0, rgb(page));
  return ramp(stops);
}

export const greyColours = () => ramp([[0, 0, 0], [255, 255, 255]]);

const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

function ramp(stops) {
  return Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1);
    const left = Math.min(Math.floor(place), stops.length - 2);
    return stops[left].map((value, k) => Math.round(value + (stops[left + 1][k] - value) * (place - left)));
  });
}

/** A colour as the number that stands for it in the memory of a canvas (little-endian). */
const packed = ([red, green, blue]) => (255 << 24) | (blue << 16) | (green << 8) | red;

/**
 * Many tiles beside each other on one canvas, a pixel per number: painting from one canvas is much cheaper than from many.
 * `limits` has [low, high] of each tile, or one for all; three channels lie one behind the other.
 */
export function sheet(read, { count, height, width, channels, limits }, columns, colours) {
  const canvas = document.createElement("canvas");
  canvas.width = columns * width;
  canvas.height = Math.ceil(count / columns) * height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Int32Array(image.data.buffer);
  const inks = Int32Array.from(colours, packed);
  const area = height * width;
  for (let tile = 0; tile < count; tile++) {
    const [low, high] = limits[tile % limits.length];
    const scale = high > low ? 255 / (high - low) : 0;
    const level = (place) => {
      const found = (read(tile, place) - low) * scale;
      return found > 0 ? Math.min(255, Math.round(found)) : 0; // what is no number is as nothing
    };
    const corner = Math.floor(tile / columns) * height * canvas.width + (tile % columns) * width;
    for (let place = 0; place < area; place++) {
      const at = corner + Math.floor(place / width) * canvas.width + (place % width);
      pixels[at] = channels === 3 ? packed([level(place), level(area + place), level(2 * area + place)]) : inks[level(place)];
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** A number as people read it: four figures, never a long tail. */
export function number(value) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 0.001 || size >= 100000) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}
