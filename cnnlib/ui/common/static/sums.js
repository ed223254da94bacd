/** The arithmetic of one output value, as `Arithmetic.at` in cnnlib/records/probe.py does it. */

/** What a window covers and what comes of it; NaN stands where a maximum has padding. */
export function windowAt(data, row, column) {
  const { count, height, width, kernel_height: rows, kernel_width: columns, reduce } = data;
  const patch = new Float64Array(count * rows * columns);
  const products = new Float64Array(patch.length);
  let total = reduce === "max" ? -Infinity : 0;
  let size = 0;
  for (let place = 0; place < patch.length; place++) {
    const map = Math.floor(place / (rows * columns));
    const y = row * data.stride - data.padding + data.dilation * (Math.floor(place / columns) % rows);
    const x = column * data.stride - data.padding + data.dilation * (place % columns);
    const inside = y >= 0 && x >= 0 && y < height && x < width;
    patch[place] = inside ? data.inputs[(map * height + y) * width + x] : reduce === "max" ? NaN : 0;
    products[place] = reduce === "max" ? patch[place] : patch[place] * data.kernel[place];
    if (Number.isNaN(products[place])) continue;
    total = reduce === "max" ? Math.max(total, products[place]) : total + products[place];
    size += Math.abs(products[place]);
  }
  return { patch, products, total, value: total + data.bias, tolerance: 1e-5 * (1 + size) };
}
