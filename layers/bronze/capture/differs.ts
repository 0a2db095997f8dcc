/** What of a row, or of a table, became another. */
import { FIELD, type Relation, type Tuple } from "../postgres/replication/pgoutput.ts";

/** Whether a field has another value than before; one that was not sent has not. */
export function differs(a: Tuple, b: Tuple, at: number): boolean {
  if (a.kinds[at] !== b.kinds[at]) return b.kinds[at] !== FIELD.unchanged;
  const [start, end] = [a.starts[at] ?? 0, a.ends[at] ?? 0];
  return a.buffer.compare(b.buffer, b.starts[at] ?? 0, b.ends[at] ?? 0, start, end) !== 0;
}

export function sameColumns(a: Relation, b: Relation): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
