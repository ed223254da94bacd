/**
 * A column of numbers that grows at its end and can be drawn at any zoom for the price of the pixels.
 *
 * Beside the values it keeps, for every finished block of 2, 4, 8, ... of them, the position of the least and of the
 * greatest. A number that enters costs two comparisons on average; a curve of 100,000 points is drawn from about as many
 * blocks as the chart has pixels, and none of its peaks is lost.
 */
export class Column {
  constructor() {
    this.values = new Float64Array(1024);
    this.length = 0;
    this.least = []; // least[level - 1][block]: position of the least value of that block of 2 ** level
    this.greatest = [];
  }

  /** Add one value; NaN stands for "no number" and is never an extreme unless nothing else is there. */
  push(value) {
    if (this.length === this.values.length) this.#grow();
    this.values[this.length++] = value;
    let blocks = this.length; // finished blocks at this level
    for (let level = 0; blocks % 2 === 0; level++, blocks /= 2) this.#joinLastTwo(level, blocks);
  }

  at(position) {
    return this.values[position];
  }

  get last() {
    return this.length ? this.values[this.length - 1] : NaN;
  }

  /** How many values are smaller than `value`, in a column that never falls. */
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
   * Positions of the least and the greatest value of every block between two positions, in order.
   *
   * @param {number} from First position.
   * @param {number} to Position after the last.
   * @param {number} wanted About how many blocks; each gives at most two positions.
   */
  extremes(from, to, wanted) {
    let level = 0;
    while ((to - from) / 2 ** level > wanted) level++;
    const found = [];
    let start = from - (from % 2 ** level);
    while (start < to) {
      let size = level;
      while (start + 2 ** size > this.length) size--; // the newest block is not finished yet
      const [least, greatest] = this.#extremesOf(size, start / 2 ** size);
      found.push(Math.min(least, greatest));
      if (least !== greatest) found.push(Math.max(least, greatest));
      start += 2 ** size;
    }
    return found;
  }

  #extremesOf(level, block) {
    return level ? [this.least[level - 1][block], this.greatest[level - 1][block]] : [block, block];
  }

  #joinLastTwo(level, blocks) {
    const [leastLeft, greatestLeft] = this.#extremesOf(level, blocks - 2);
    const [leastRight, greatestRight] = this.#extremesOf(level, blocks - 1);
    const at = this.values;
    const rightIsLess = at[leastRight] < at[leastLeft] || Number.isNaN(at[leastLeft]);
    const rightIsGreater = at[greatestRight] > at[greatestLeft] || Number.isNaN(at[greatestLeft]);
    (this.least[level] ??= []).push(rightIsLess ? leastRight : leastLeft);
    (this.greatest[level] ??= []).push(rightIsGreater ? greatestRight : greatestLeft);
  }

  #grow() {
    const wider = new Float64Array(this.values.length * 2);
    wider.set(this.values);
    this.values = wider;
  }
}
