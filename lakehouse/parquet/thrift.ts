/**
 * Thrift's compact protocol, as much of it as the metadata of a Parquet file needs (thrift/doc/specs/
 * thrift-compact-protocol.md). A struct is a list of its fields in the order of their ids; absent ones are undefined.
 */

/** A value with the way in which it is written. */
export type Thrift =
  | { readonly i32: number }
  | { readonly i64: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly struct: Fields }
  | { readonly list: readonly Thrift[] };

/** Fields of a struct by their id. */
export type Fields = Readonly<Record<number, Thrift | undefined>>;

const TYPE = { true: 1, false: 2, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 };

/** Bytes of a struct. */
export function encodeStruct(fields: Fields): Buffer {
  const out: number[] = [];
  writeStruct(out, fields);
  return Buffer.from(out);
}

function writeStruct(out: number[], fields: Fields): void {
  let last = 0;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const id = Number(key);
    // Ids of one struct lie close together: the short form, with their distance, always does.
    out.push(((id - last) << 4) | typeOf(value));
    last = id;
    if (!("bool" in value)) writeValue(out, value);
  }
  out.push(0);
}

function writeValue(out: number[], value: Thrift): void {
  if ("i32" in value) writeVarint(out, value.i32 * 2);
  else if ("i64" in value) writeVarint(out, value.i64 * 2);
  else if ("bool" in value) out.push(value.bool ? TYPE.true : TYPE.false);
  else if ("struct" in value) writeStruct(out, value.struct);
  else if ("list" in value) writeList(out, value.list);
  else {
    const bytes = Buffer.from(value.text);
    writeVarint(out, bytes.length);
    for (const byte of bytes) out.push(byte);
  }
}

function writeList(out: number[], list: readonly Thrift[]): void {
  const type = list[0] === undefined ? TYPE.struct : typeOf(list[0]);
  if (list.length < 15) out.push((list.length << 4) | type);
  else {
    out.push(0xf0 | type);
    writeVarint(out, list.length);
  }
  for (const value of list) writeValue(out, value);
}

/** A number that is not negative, seven bits a byte, the lowest first. */
function writeVarint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
}

function typeOf(value: Thrift): number {
  if ("i32" in value) return TYPE.i32;
  if ("i64" in value) return TYPE.i64;
  if ("bool" in value) return value.bool ? TYPE.true : TYPE.false;
  if ("text" in value) return TYPE.binary;
  return "list" in value ? TYPE.list : TYPE.struct;
}
