/** Numbers as pixels: decoding of the server's base64, colour scales for signed and unsigned values, number format. */

function bytes(text) {
  const raw = atob(text);
  const decoded = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) decoded[i] = raw.charCodeAt(i);
  return decoded;
}

/** Decode base64 to float32 numbers (little-endian, like all machines with a browser). */
export const floats = (text) => new Float32Array(bytes(text).buffer);

/**
 * Decode tiles of numbers: exact float32, or one byte per number between the limits of its tile.
 * Returns a function (tile, position) -> number.
 */
export function reader({ values, exact, size, lows, highs }) {
  if (exact) {
    const all = floats(values);
    return (tile, position) => all[tile * size + position];
  }
  const all = bytes(values);
  return (tile, position) => lows[tile] + (all[tile * size + position] / 255) * (highs[tile] - lows[tile]);
}

/** 256 colours of the page's diverging scale, from negative to positive; zero has the background colour of the page. */
export function divergingColours(host) {
  const style = getComputedStyle(host);
  const listed = style.getPropertyValue("--st-chart-diverging-colors").split(",");
  const page = style.getPropertyValue("--st-background-color").trim();
  const stops = listed.map((colour) => rgb(colour.trim()));
  stops.splice(stops.length / 2, 0, rgb(page));
  return ramp(stops);
}

export const greyColours = () => ramp([[0, 0, 0], [255, 255, 255]]);

const rgb = (colour) => [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));

function ramp(stops) {
  return Array.from({ length: 256 }, (_, i) => {
    const position = (i / 255) * (stops.length - 1);
    const left = Math.min(Math.floor(position), stops.length - 2);
    return stops[left].map((value, k) => Math.round(value + (stops[left + 1][k] - value) * (position - left)));
  });
}

/** Pack a colour into one integer in the byte order of canvas image data (little-endian). */
const packColour = ([red, green, blue]) => (255 << 24) | (blue << 16) | (green << 8) | red;

/**
 * Draw many tiles side by side on one canvas, one pixel per number: drawing from one canvas is much cheaper than from many.
 * `limits` has [low, high] of each tile, or one pair for all; the three channels of a tile follow each other.
 */
export function sheet(read, { count, height, width, channels, limits }, columns, colours) {
  const canvas = document.createElement("canvas");
  canvas.width = columns * width;
  canvas.height = Math.ceil(count / columns) * height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Int32Array(image.data.buffer);
  const palette = Int32Array.from(colours, packColour);
  const area = height * width;
  for (let tile = 0; tile < count; tile++) {
    const [low, high] = limits[tile % limits.length];
    const scale = high > low ? 255 / (high - low) : 0;
    const level = (position) => {
      const scaled = (read(tile, position) - low) * scale;
      return scaled > 0 ? Math.min(255, Math.round(scaled)) : 0; // 0 for NaN too
    };
    const corner = Math.floor(tile / columns) * height * canvas.width + (tile % columns) * width;
    for (let i = 0; i < area; i++) {
      const target = corner + Math.floor(i / width) * canvas.width + (i % width);
      pixels[target] = channels === 3 ? packColour([level(i), level(area + i), level(2 * area + i)]) : palette[level(i)];
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Format a number with four significant digits. */
export function number(value) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 0.001 || size >= 100000) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}
