/** A logical message in the shape of a captured row. */
import type { TableDescription } from "../postgres/catalog.ts";
import { FIELD, Tuple } from "../postgres/replication/pgoutput.ts";
import type { Shape } from "./captured-table.ts";

/** Bytes of content that are written as hexadecimal digits at once; a text of all of them might be too long. */
const STEP = 1 << 20;

/** The shape of the rows of a table of messages. */
export function messageShape({ oid, schema, name, columns }: TableDescription): Shape {
  return {
    relation: { oid, schema, name, replicaIdentity: "n", columns: [] },
    columns: columns.map((column) => ({ ...column, hasPlace: true })),
    careful: false,
    bare: [false, true, true],
    key: [],
    lacks: undefined,
  };
}

/** Prefix, content and transactional as Postgres would print them. */
export function messageTuple(prefix: string, content: Buffer, transactional: boolean): Tuple {
  const first = Buffer.byteLength(prefix);
  const second = 2 + 2 * content.length;
  const buffer = Buffer.allocUnsafe(first + second + 1);
  buffer.write(prefix, 0);
  buffer.write("\\x", first, "latin1");
  for (let from = 0; from < content.length; from += STEP) {
    buffer.write(content.toString("hex", from, from + STEP), first + 2 + 2 * from, "latin1");
  }
  buffer.write(transactional ? "t" : "f", first + second, "latin1");
  const tuple = new Tuple();
  tuple.buffer = buffer;
  tuple.count = 3;
  tuple.kinds.fill(FIELD.text, 0, 3);
  tuple.starts.set([0, first, first + second]);
  tuple.ends.set([first, first + second, buffer.length]);
  return tuple;
}
