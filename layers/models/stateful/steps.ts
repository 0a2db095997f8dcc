/** Goes through rows key by key and in order, and hands each to the model's step. */
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { modelError } from "../contract.ts";
import { KeySteps } from "./key-steps.ts";
import { type PlainRow, plainItems, plainRow, textItems, textRow } from "./row-columns.ts";
import type { Spool } from "./spool.ts";
import type { Stepper } from "./stepper.ts";

/** Queries of what to step through. */
interface StepRows {
  /** Rows in the columns of the input. */
  readonly rows: string;
  /** Rows to go on from, one for a key at most, in the columns of the contract. */
  readonly last: string | undefined;
}

/** Hands every row to the step and spools what it makes. */
export async function runSteps(
  session: Session,
  stepper: Stepper,
  { rows, last }: StepRows,
  spool: Spool,
): Promise<void> {
  const { model, by, order, input } = stepper;
  const columns = model.contract.columns;
  const filled = [...by, ...order];
  const items = [...plainItems(input, "r"), ...textItems(filled, "r")];
  const [inputEnd, textsEnd] = [items.length - filled.length, items.length];
  if (last !== undefined) items.push(...textItems(filled, "l"), ...plainItems(columns, "l"));
  const lastEnd = textsEnd + filled.length;
  const equal = by.map((name) => `r.${identifier(name)} = l.${identifier(name)}`).join(" AND ");
  const joined = last === undefined ? "" : ` LEFT JOIN (${last}\n) AS l ON ${equal}`;
  // By all columns in the end: rows that are equal in the order have one order nevertheless.
  const ordered = [...new Set([...filled, ...Object.keys(input)])].map((name) => `r.${identifier(name)}`);
  const sql = `SELECT ${items.join(", ")} FROM (${rows}\n) AS r${joined} ORDER BY ${ordered.join(", ")}`;
  const steps = new KeySteps(stepper);
  const { chunks } = await modelError(model, () => session.stream(sql));
  const iterator = chunks[Symbol.asyncIterator]();
  for (;;) {
    const next = await modelError(model, () => iterator.next());
    if (next.done === true) break;
    const made: PlainRow[] = [];
    for (const values of next.value) {
      const row = {
        plain: plainRow(input, values.slice(0, inputEnd)),
        texts: textRow(filled, values.slice(inputEnd, textsEnd)),
      };
      if (steps.isOther(row)) {
        made.push(...steps.end());
        // What is joined has a value in each column of the key.
        const isThere = last !== undefined && (values[textsEnd] ?? null) !== null;
        const newest = {
          texts: textRow(filled, values.slice(textsEnd, lastEnd)),
          plain: plainRow(columns, values.slice(lastEnd)),
        };
        steps.begin(row, isThere ? newest : undefined);
      }
      made.push(...steps.take(row));
    }
    await spool.write(made);
  }
  await spool.write(steps.end());
}
