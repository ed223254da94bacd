/** The order of the maps in each column: held for two seconds so that tiles do not jump, and longer around the chosen map. */

const HOLD_MS = 2000;

export class Order {
  constructor() {
    this.clear();
  }

  /** Forget all orders: the next answer brings the strongest maps. */
  clear() {
    this.columns = new Map(); // column -> {maps, since}
  }

  /**
   * The maps to ask for, by column.
   *
   * @param {object[]} columns Of the plan.
   * @param {Set<number>} visible Columns on the screen; of the others no maps are asked for.
   * @param {object} view open: columns that show all their maps; chosen: column and map, whose column and the one before keep
   *   their order; tiles: maps that a column shows.
   * @param {boolean} isLive Whether the weights change; otherwise all orders are kept.
   */
  held(columns, visible, { open, chosen, tiles }, isLive) {
    const asked = {};
    columns.forEach((column, number) => {
      if (column.kind !== "maps") return;
      if (!visible.has(number)) asked[number] = [];
      else if (!open.includes(number) && this.#isHeld(number, chosen, Math.min(tiles, column.shape[0]), isLive)) asked[number] = this.columns.get(number).maps;
    });
    return asked;
  }

  #isHeld(number, chosen, least, isLive) {
    const held = this.columns.get(number);
    if (!held || held.maps.length < least) return false;
    return !isLive || performance.now() - held.since < HOLD_MS || (chosen && (number === chosen[0] || number === chosen[0] - 1));
  }

  /** Show a map of a column in the place of the last of the `count` maps for which it has room; it may have more room later. */
  include(column, map, count) {
    const maps = this.columns.get(column)?.maps ?? [];
    const others = maps.filter((each) => each !== map);
    this.columns.set(column, { maps: [...others.slice(0, count - 1), map, ...others.slice(count - 1)], since: performance.now() });
  }

  /** Store the orders of an answer. */
  receive(columns) {
    columns.forEach(({ kind, maps }, number) => {
      if (kind !== "maps") return;
      const held = this.columns.get(number);
      if (!held || String(held.maps) !== String(maps) || performance.now() - held.since >= HOLD_MS) this.columns.set(number, { maps, since: performance.now() });
    });
  }
}
