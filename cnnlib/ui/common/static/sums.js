/** The arithmetic of one output value; the same computation as `Arithmetic.at` in cnnlib/records/probe.py. */

/** Compute patch, products and result of one window position; padding is NaN for a maximum. */
export function windowAt(data, row, column) {
  const { count, height, width, kernel_height: rows, kernel_width: columns, reduce } = data;
  const patch = new Float64Array(count * rows * columns);
  const products = new Float64Array(patch.length);
  let total = reduce === "max" ? -Infinity : 0;
  let absoluteSum = 0;
  for (let i = 0; i < patch.length; i++) {
    const map = Math.floor(i / (rows * columns));
    const y = row * data.stride - data.padding + data.dilation * (Math.floor(i / columns) % rows);
    const x = column * data.stride - (data.left_padding ?? data.padding) + data.dilation * (i % columns);
    const inside = y >= 0 && x >= 0 && y < height && x < width;
    patch[i] = inside ? data.inputs[(map * height + y) * width + x] : reduce === "max" ? NaN : 0;
    products[i] = reduce === "max" ? patch[i] : patch[i] * data.kernel[i];
    if (Number.isNaN(products[i])) continue;
    total = reduce === "max" ? Math.max(total, products[i]) : total + products[i];
    absoluteSum += Math.abs(products[i]);
  }
  return { patch, products, total, value: total + data.bias, tolerance: 1e-5 * (1 + absoluteSum) };
}
