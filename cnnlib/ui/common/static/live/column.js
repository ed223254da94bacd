/**
 * A growing column of numbers that can be drawn at any zoom in time proportional to the width in pixels.
 *
 * Beside the values it stores, for every complete block of 2, 4, 8, ... values, the positions of the least and the greatest.
 * Adding a value costs two comparisons on average; a curve of 100,000 points is drawn from about as many blocks as the chart
 * has pixels, and keeps all its peaks.
 */
export class Column {
  constructor() {
    this.values = new Float64Array(1024);
    this.length = 0;
    this.least = []; // least[level - 1][block]: position of the least value of that block of 2 ** level
    this.greatest = [];
  }

  /** Add one value. NaN means "no number" and is an extreme only of a block without numbers. */
  push(value) {
    if (this.length === this.values.length) this.#grow();
    this.values[this.length++] = value;
    let blocks = this.length; // complete blocks at this level
    for (let level = 0; blocks % 2 === 0; level++, blocks /= 2) this.#joinLastTwo(level, blocks);
  }

  at(position) {
    return this.values[position];
  }

  get last() {
    return this.length ? this.values[this.length - 1] : NaN;
  }

  /** Count the values smaller than `value`, in a column that never decreases. */
  countBelow(value) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.values[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Find the positions of the least and the greatest value of every block between two positions, in order.
   *
   * @param {number} from First position.
   * @param {number} to Position after the last.
   * @param {number} blockCount Approximate number of blocks; each gives at most two positions.
   */
  extremes(from, to, blockCount) {
    let level = 0;
    while ((to - from) / 2 ** level > blockCount) level++;
    const positions = [];
    let start = from - (from % 2 ** level);
    while (start < to) {
      let size = level;
      while (start + 2 ** size > this.length) size--; // the newest block is not complete yet
      const [least, greatest] = this.#extremesOf(size, start / 2 ** size);
      positions.push(Math.min(least, greatest));
      if (least !== greatest) positions.push(Math.max(least, greatest));
      start += 2 ** size;
    }
    return positions;
  }

  #extremesOf(level, block) {
    return level ? [this.least[level - 1][block], this.greatest[level - 1][block]] : [block, block];
  }

  #joinLastTwo(level, blocks) {
    const [leastLeft, greatestLeft] = this.#extremesOf(level, blocks - 2);
    const [leastRight, greatestRight] = this.#extremesOf(level, blocks - 1);
    const { values } = this;
    const rightIsLess = values[leastRight] < values[leastLeft] || Number.isNaN(values[leastLeft]);
    const rightIsGreater = values[greatestRight] > values[greatestLeft] || Number.isNaN(values[greatestLeft]);
    (this.least[level] ??= []).push(rightIsLess ? leastRight : leastLeft);
    (this.greatest[level] ??= []).push(rightIsGreater ? greatestRight : greatestLeft);
  }

  #grow() {
    const wider = new Float64Array(this.values.length * 2);
    wider.set(this.values);
    this.values = wider;
  }
}
