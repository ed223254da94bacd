/** Where each column and each tile stands. Pure arithmetic: no elements, no pixels of pictures. */

const GAP = 6; // between tiles
const LARGEST_TILE = 60;
const SMALLEST_TILE = 26;
const ROWS_WANTED = [[280, 5], [Infinity, 7]]; // tiles of a column below this height
const NARROWEST = 46; // of a column with its heading
const SPACE = 14; // between columns at least
const MOST_SIDE_BY_SIDE = 14; // columns; with more, repeated ones fold
const OPEN_TILES = [[64, 34], [160, 24], [Infinity, 16]]; // up to so many maps: side of a tile in a column that is open
const CELLS = [12, 10, 8, 6, 5, 4, 3, 2]; // sides of a vector's cells
const WIDEST_VECTOR = [84, 150]; // least and most, by the width of the panel

export const HEAD = 50; // height of the headings
export const ARCS = 26; // height of the skips' arcs, where there are any
export const FOOT = 44; // height of "+ 25 more" and the bar of shares

/**
 * Lay out the columns of a network without input and answers.
 *
 * @param {object[]} columns Of the plan.
 * @param {number[][]} folds Of the plan: place of the first column and count.
 * @param {object} view width, height (of the panel in pixels), unfolded (Map "first:count" -> boolean), open (Set of columns).
 * @returns {object} items (one for each visible column), width, top and height of the tiles, rows (of most tiles), canFold.
 */
export function layOut(columns, folds, view) {
  const hasSkips = columns.some((column) => column.is_block);
  const top = HEAD + (hasSkips ? ARCS : 6);
  const height = Math.max(80, view.height - top - FOOT);
  const items = visibleColumns(columns, folds, view);
  const tile = tileSide(items, view.width, height, items.map((item) => columns[item.column]));
  const widest = Math.max(WIDEST_VECTOR[0], Math.min(WIDEST_VECTOR[1], view.width / Math.max(1, items.length) - 80));
  for (const item of items) fillItem(item, columns[item.column], { tile, height, widest, isOpen: view.open.has(item.column) });
  return { ...place(items, view.width), top, height, tile, rows: Math.max(1, Math.floor((height + GAP) / (tile + GAP))), hasSkips };
}

/** The columns that are shown, folds as one; the input and the answers stand beside them. */
function visibleColumns(columns, folds, view) {
  const last = columns.length - 1;
  const crowded = last - 1 > MOST_SIDE_BY_SIDE || (last - 1) * (NARROWEST + SPACE) > view.width;
  const items = [];
  for (let column = 1; column < last; column++) {
    const fold = folds.find(([first, size]) => first === column && size > 1);
    const key = fold && fold.join(":");
    const isFolded = fold && !(view.unfolded.get(key) ?? !crowded);
    const size = isFolded ? fold[1] : 1;
    const end = column + size - 1;
    items.push({ column: end, first: column, count: size, isFolded: Boolean(isFolded), foldKey: key ?? null, folds: fold?.[1] ?? 0 });
    column = end;
  }
  return items;
}

function tileSide(items, width, height, columns) {
  const [, usual] = ROWS_WANTED.find(([most]) => height < most);
  const counts = columns.filter(({ kind }) => kind === "maps").map(({ shape }) => shape[0]);
  const rows = counts.includes(usual + 1) ? usual + 1 : usual; // rather smaller tiles than "+ 1 more"
  const byHeight = Math.floor((height + GAP) / rows) - GAP;
  const byWidth = Math.floor(Math.max(width / Math.max(1, items.length), NARROWEST + SPACE)) - SPACE - 4;
  return Math.max(SMALLEST_TILE, Math.min(LARGEST_TILE, byHeight, byWidth));
}

/** Give an item its grid: tile (or cell) side, rows, columns of tiles, and width. */
function fillItem(item, column, { tile, height, widest, isOpen }) {
  item.kind = column.kind;
  item.total = column.shape[0];
  if (column.kind === "vector") return fillVector(item, height, widest);
  const side = isOpen ? Math.min(tile, OPEN_TILES.find(([most]) => item.total <= most)[1]) : tile;
  const gap = isOpen ? 3 : GAP;
  const rows = Math.max(1, Math.floor((height + gap) / (side + gap)));
  const shown = isOpen ? item.total : Math.min(item.total, rows);
  const across = Math.ceil(shown / rows);
  Object.assign(item, { side, gap, isOpen, shown, rows: Math.ceil(shown / across), across, hidden: item.total - shown });
  item.width = across * (side + gap) - gap;
}

function fillVector(item, height, widest) {
  const fits = (cell) => Math.ceil(item.total / Math.floor(height / cell)) * cell <= widest;
  const side = CELLS.find(fits) ?? CELLS.at(-1);
  const square = Math.ceil(Math.sqrt(item.total / 3)); // a block three times as high as wide, if it fits
  const most = Math.floor(height / side);
  const across = Math.max(Math.ceil(item.total / most), Math.min(square, Math.floor(widest / side)));
  Object.assign(item, { side, gap: 0, rows: Math.ceil(item.total / across), across, shown: item.total, hidden: 0, width: across * side });
}

/** Spread the columns over the width; where they do not fit, they keep their least width and the panel scrolls. */
function place(items, width) {
  const least = items.map((item) => Math.max(NARROWEST, item.width) + SPACE);
  const needed = least.reduce((sum, each) => sum + each, 0);
  const extra = Math.max(0, width - needed) / Math.max(1, items.length);
  let x = 0;
  items.forEach((item, i) => {
    Object.assign(item, { slot: x, slotWidth: least[i] + extra, x: x + (least[i] + extra - item.width) / 2 });
    x += item.slotWidth;
  });
  return { items, width: Math.max(width, Math.ceil(needed)) };
}

/** The corner of a tile of an item; the grid is centred in the height of the tiles. */
export function corner(item, index, { top, height }) {
  const pitch = item.side + item.gap;
  const used = item.rows * pitch - item.gap;
  const start = top + Math.max(0, (height - used) / 2);
  return { x: item.x + Math.floor(index / item.rows) * pitch, y: start + (index % item.rows) * pitch };
}
