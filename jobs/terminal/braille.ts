/** A canvas of dots: each character of a terminal holds two by four of them, as a pattern of braille. */

/** Bit of each dot of a character, by row and column. */
const BITS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;
const BLANK = 0x2800;

export class DotCanvas {
  /** Dots from left to right. */
  readonly width: number;
  /** Dots from top to bottom. */
  readonly height: number;
  private readonly cells: Uint8Array;
  private readonly columns: number;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.width = columns * 2;
    this.height = rows * 4;
    this.cells = new Uint8Array(columns * rows);
  }

  /** Sets a dot; outside of the canvas nothing happens. */
  dot(x: number, y: number): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const cell = (y >> 2) * this.columns + (x >> 1);
    this.cells[cell] = (this.cells[cell] ?? 0) | (BITS[y & 3]?.[x & 1] ?? 0);
  }

  /** A straight line of dots (Bresenham). */
  line(fromX: number, fromY: number, toX: number, toY: number): void {
    const dx = Math.abs(toX - fromX);
    const dy = -Math.abs(toY - fromY);
    const stepX = fromX < toX ? 1 : -1;
    const stepY = fromY < toY ? 1 : -1;
    let [x, y, error] = [fromX, fromY, dx + dy];
    this.dot(x, y);
    while (x !== toX || y !== toY) {
      const doubled = error * 2;
      if (doubled >= dy) {
        error += dy;
        x += stepX;
      }
      if (doubled <= dx) {
        error += dx;
        y += stepY;
      }
      this.dot(x, y);
    }
  }

  /** Lines of text, from the top. */
  lines(): string[] {
    const rows: string[] = [];
    for (let start = 0; start < this.cells.length; start += this.columns) {
      const row = this.cells.subarray(start, start + this.columns);
      rows.push(Array.from(row, (bits) => (bits === 0 ? " " : String.fromCharCode(BLANK + bits))).join(""));
    }
    return rows;
  }
}
