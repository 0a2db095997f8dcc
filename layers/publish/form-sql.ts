/** What a form needs of each row beside its JSON: key, score, value; and what rows must fulfil to have that form. */
import type { StructColumnType } from "../../lakehouse/duckdb/columns.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { PublishedForm } from "../definition/published.ts";
import type { RowBatch } from "./target.ts";

/** SQL of `id`, `score` and `value` of each row; `key`: the columns of the contract's key. */
export function formSql(form: PublishedForm, columns: StructColumnType, key: readonly string[], row: string) {
  const text = (name: string) => `CAST(${columnSql(name, columns, row)} AS VARCHAR)`;
  const none = "CAST(NULL AS VARCHAR)";
  const parts = { id: none, score: "CAST(NULL AS DOUBLE)", value: none };
  switch (form.kind) {
    case "list":
      return parts;
    case "scalar":
      return { ...parts, value: text(form.value) };
    case "hash":
      return "field" in form ? { ...parts, id: text(form.field), value: text(form.value) } : parts;
    case "ranking":
      return {
        ...parts,
        id: text(form.member),
        score: `CAST(${columnSql(form.score, columns, row)} AS DOUBLE)`,
      };
    case "series":
      return {
        ...parts,
        score: `epoch_us(CAST(${columnSql(form.time, columns, row)} AS TIMESTAMPTZ)) / 1000`,
      };
    case "lookup":
      return { ...parts, id: lookupSql((form.by ?? key).map(text)) };
  }
}

/** As `rowId` makes it. */
function lookupSql(parts: readonly string[]): string {
  const [only] = parts;
  if (only === undefined) {
    throw new TerminalError(
      "a lookup needs columns to look rows up by, and the model's contract has no key",
      {
        code: "PUBLISH_NO_KEY",
        next: 'Name them: as: { kind: "lookup", by: ["id"] }.',
      },
    );
  }
  if (parts.length === 1) return only;
  return parts.map((part) => `replace(replace(${part}, '%', '%25'), ':', '%3A')`).join(" || ':' || ");
}

function columnSql(name: string, { members }: StructColumnType, row: string): string {
  if (members.has(name)) return `${row}.${identifier(name)}`;
  throw new TerminalError("a publication names a column that it does not have", {
    code: "PUBLISH_UNKNOWN_COLUMN",
    value: name,
    allowed: [...members.keys()].join(", "),
    next: "Correct the name, or take the column into the publication.",
  });
}

const needsId = (form: PublishedForm) =>
  form.kind === "lookup" || form.kind === "ranking" || (form.kind === "hash" && "field" in form);
const needsScore = (form: PublishedForm) => form.kind === "ranking" || form.kind === "series";
const isSingle = (form: PublishedForm) =>
  form.kind === "scalar" || (form.kind === "hash" && !("field" in form));

/** Passes rows on that have what their form needs; throws `PUBLISH_NULL`, `PUBLISH_NOT_ONE_ROW`. */
export async function* checkedRows(
  form: PublishedForm,
  set: string,
  batches: AsyncIterable<RowBatch>,
): AsyncGenerator<RowBatch, void, undefined> {
  let rows = 0;
  for await (const batch of batches) {
    rows += batch.json.length;
    if (isSingle(form) && rows > 1) break;
    const ids = batch.ids as readonly (string | null)[];
    const scores = batch.scores as readonly (number | null)[];
    const missing =
      needsId(form) && ids.includes(null)
        ? ids.indexOf(null)
        : needsScore(form)
          ? scores.findIndex((score) => score === null || Number.isNaN(score))
          : -1;
    if (missing >= 0) {
      throw new TerminalError(`${set} is published as ${form.kind}, and a row lacks what that needs`, {
        code: "PUBLISH_NULL",
        value: JSON.stringify(form),
        allowed: "rows without NULL in the columns that the form names",
        next: "Leave such rows out with `where`, or choose other columns.",
      });
    }
    yield batch;
  }
  if (isSingle(form) && rows !== 1) {
    throw new TerminalError(`${set} is published as ${form.kind}, which takes one row`, {
      code: "PUBLISH_NOT_ONE_ROW",
      value: rows > 1 ? "more than one row" : "no row",
      allowed: "exactly one row",
      next: "Choose the row with `where` or `limit`, or publish a list.",
    });
  }
}

/** The error for rows that share a key, of which a form can hold only one. */
export function repeatedKey(set: string, form: PublishedForm): TerminalError {
  return new TerminalError(`${set} is published as ${form.kind}, and several rows have the same key`, {
    code: "PUBLISH_KEY_REPEATED",
    value: JSON.stringify(form),
    allowed: "one row for each key",
    next: "Name columns that tell the rows apart.",
  });
}
