/** Photographs of a drawing on paper, as light ink on black: what `cnnlib.probe.drawing.ink_on_paper` does on the Draw page. */

const PAPER_NOISE = 0.25; // of the strongest ink: weaker is paper

/** Luminance of red, green and blue (ITU-R BT.601). */
export const luminance = (red, green, blue) => 0.299 * red + 0.587 * green + 0.114 * blue;

/** Replace a picture by its ink, the distance of each pixel from the grey of the edge. @param {ImageData} image */
export function keepInk({ data, width, height }) {
  const grey = Float32Array.from({ length: width * height }, (_, i) => luminance(data[4 * i], data[4 * i + 1], data[4 * i + 2]));
  const paper = median(edge(grey, width, height));
  const ink = grey.map((each) => Math.abs(each - paper));
  const strongest = ink.reduce((one, other) => Math.max(one, other), 0);
  ink.forEach((each, i) => data.fill(strongest && each >= PAPER_NOISE * strongest ? (255 * each) / strongest : 0, 4 * i, 4 * i + 3));
}

function edge(grey, width, height) {
  const sides = Array.from({ length: height }, (_, y) => [grey[y * width], grey[(y + 1) * width - 1]]).flat();
  return [...grey.slice(0, width), ...grey.slice(-width), ...sides];
}

function median(values) {
  const sorted = values.sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
