/** Text columns. While they have few different values these are counted off, and a row keeps the place of its own. */
import { literal } from "../../../../lakehouse/duckdb/quote.ts";
import type { RowBatch } from "./binary-copy.ts";
import { BytesValues } from "./bytes-values.ts";
import type { SpooledColumn } from "./column-values.ts";
import { TextList } from "./text-list.ts";
import { withRoom } from "./with-room.ts";

const PLACES = { physical: "int32" } as const;

/** Text, and all that is sent as its text. */
export class TextValues extends BytesValues {
  /** Undefined once there were too many different values, or a long one: the column is text from then on. */
  private list: TextList | undefined = new TextList();
  /** What the places in the file that is being written stand for, where the column has become text since. */
  private former: TextList | undefined;
  private places = new Int32Array(4096);

  constructor() {
    super("text");
  }

  override get plain() {
    return this.list === undefined ? super.plain : PLACES;
  }

  override get size(): number {
    // As text, which they may become before the group ends.
    return this.list === undefined ? super.size : this.count * (4 + this.list.longest);
  }

  override get dictionary(): number {
    return this.list === undefined ? super.dictionary : 0;
  }

  override endFile(name: string): SpooledColumn {
    const list = this.former ?? this.list;
    this.former = undefined;
    const texts = list?.endFile() ?? [];
    if (list === undefined || texts.length === 0) return { sql: name };
    // What comes next may be others; rows that wait already need these.
    if (this.list !== undefined && this.count === 0) this.list = new TextList();
    const values = list.texts.map(literal).join(", ");
    // Of an enumeration, DuckDB need not look at the text of any row to write it.
    return {
      sql: `([${values}]::ENUM(${values})[])[${name}]`,
      texts: { min: texts[0] ?? "", max: texts.at(-1) ?? "" },
    };
  }

  override reset(): void {
    super.reset();
    this.former = undefined;
    if (this.list !== undefined) this.list = new TextList();
  }

  protected override takeValues(batch: RowBatch, first: number, fromRow = 0): void {
    const { list } = this;
    const row = list === undefined ? fromRow : this.takePlaces(list, batch, first, fromRow);
    if (row === batch.rows) return;
    if (list !== undefined) this.becomeText(list);
    super.takeValues(batch, first, row);
  }

  protected override encoded(): Uint8Array {
    if (this.list === undefined) return super.encoded();
    const places = this.places.subarray(0, this.count);
    this.list.use(places);
    return new Uint8Array(places.buffer, 0, this.count * 4);
  }

  /** Takes the rows up to the first whose value has no place in the list; returns its number. */
  private takePlaces(list: TextList, batch: RowBatch, first: number, fromRow: number): number {
    const { fields, columns, rows, bytes, view } = batch;
    this.places = withRoom(this.places, this.count + rows);
    const { places } = this;
    let { count } = this;
    let row = fromRow;
    for (let f = first + fromRow * columns; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      const place = list.placeOf(bytes, view, at, view.getInt32(at - 4));
      if (place === 0) break;
      places[count++] = place;
    }
    this.count = count;
    return row;
  }

  /** Writes out what the places that wait stand for. */
  private becomeText(list: TextList): void {
    const { places, count } = this;
    this.former = list;
    this.list = undefined;
    this.count = 0;
    for (let i = 0; i < count; i++) this.append(list.bytesOf(places[i] ?? 0));
    this.places = new Int32Array(0);
  }
}
