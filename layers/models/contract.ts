/** Where a model's rows meet its contract: columns and types before they are written, nulls before they are seen. */
import { createHash } from "node:crypto";
import { field, type StructType, typedSql } from "../../lakehouse/delta/schema.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import { countRows } from "../../lakehouse/delta/stats.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { AnyContract } from "../../schemas/table.ts";
import { sqlColumns } from "../definition/model-columns.ts";
import type { Model } from "./planned-model.ts";
import { sqlErrorText } from "./sensitive.ts";

/** The Delta schema of a contract. */
export function contractSchema(contract: AnyContract): StructType {
  return {
    type: "struct",
    fields: Object.entries(contract.columns).map(([name, c]) => field(name, c.type, true, c.description)),
  };
}

/**
 * Checks that the SQL of a model gives exactly the contract's columns, but for those that Ingot adds. The tables it reads
 * must be there as views.
 */
export async function checkColumns({ session, model, inputs }: CheckedRun): Promise<void> {
  const columns = [...inputs].map(([name, { schema }]) => [name, schema.fields]);
  const asked = JSON.stringify([model.fingerprint, model.file, model.sql, columns]);
  const digest = createHash("sha256").update(asked).digest("hex");
  if (PASSED.has(digest)) return;
  await findColumns(session, model);
  if (PASSED.size >= MOST_PASSED) PASSED.clear();
  PASSED.add(digest);
}

interface CheckedRun {
  readonly session: Session;
  readonly model: Model;
  readonly inputs: ReadonlyMap<string, { readonly schema: StructType }>;
}

/** Checks that were passed, of models over inputs with these columns. */
const PASSED = new Set<string>();
const MOST_PASSED = 1000;

async function findColumns(session: Session, model: Model): Promise<void> {
  const columns = await modelError(model, () => session.describe(model.sql));
  const given = columns.map((column) => column.name);
  const wanted = Object.keys(sqlColumns(model));
  const missing = wanted.filter((name) => !given.includes(name));
  const unknown = given.filter((name) => !wanted.includes(name));
  if (missing.length === 0 && unknown.length === 0) return;
  throw new TerminalError(
    `the SQL of model ${model.name} does not give the columns of its ${columnsName(model)}`,
    {
      code: "MODEL_COLUMNS",
      value: [...missing.map((name) => `missing ${name}`), ...unknown.map((name) => `unknown ${name}`)].join(
        ", ",
      ),
      allowed: wanted.join(", "),
      next: `Correct ${model.file}, or the ${columnsName(model)}.`,
    },
  );
}

/** What says which columns a model's SQL gives, for messages. */
export const columnsName = ({ input, contract }: Model): string =>
  input === undefined ? `contract "${contract.name}"` : "input";

/** Runs a step of a model; what DuckDB says of its SQL is told with the file. */
export async function modelError<T>(model: Model, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof TerminalError) || cause.code !== "DUCKDB_SQL") throw cause;
    const text = sqlErrorText(cause, model.readsSensitive);
    throw new TerminalError(`model ${model.name} failed: ${text}`, {
      code: "MODEL_SQL",
      value: model.file,
      next: "Correct the SQL and run `ingot build` again; its table is as it was before.",
      // Stacks are shown with their causes.
      ...(text === cause.message ? { cause } : {}),
    });
  }
}

/** Makes `relation` of the rows that a query of the model gives, as values of the contract's types. */
export async function rowsOfModel(
  { session, model }: { readonly session: Session; readonly model: Model },
  sql: string,
  relation: string,
): Promise<void> {
  const typed = typedSql(sql, contractSchema(model.contract).fields);
  await modelError(model, () => session.run(`CREATE TABLE ${relation} AS ${typed}`));
}

/** Refuses a relation in the columns of the contract with nulls where it allows none. */
export async function refuseNulls(
  { session, model }: { readonly session: Session; readonly model: Model },
  relation: string,
): Promise<void> {
  const names = Object.keys(model.contract.columns);
  const counts = names.map((name, i) => `count(*) - count(${identifier(name)}) AS n${i}`);
  const [found] = await session.rows(`SELECT count(*) AS rows, ${counts.join(", ")} FROM ${relation}`);
  const nulls = new Map(names.map((name, i) => [name, Number(found?.[`n${i}`])]));
  checkNulls(model, { rows: Number(found?.rows), nulls, files: [] });
}

/** Refuses rows with nulls where the contract allows none. Writing counted them, so nothing is read. */
export function checkNulls(model: Model, staged: Pick<Staged, "rows" | "nulls" | "files">): void {
  for (const [name, column] of Object.entries(model.contract.columns)) {
    if (column.isNullable) continue;
    const unparted = staged.files.filter((file) => file.partitionValues[name] === null);
    const nulls = (staged.nulls.get(name) ?? 0) + countRows(unparted);
    if (nulls === 0) continue;
    throw new TerminalError(`model ${model.name} breaks its contract: ${nulls} rows have no ${name}`, {
      code: "CONTRACT_NULL",
      value: `${name} is null in ${nulls} of ${staged.rows} rows`,
      allowed: `${name} is not nullable in contract "${model.contract.name}"`,
      next: `Give it a value in ${model.file}, or say .nullable() in the contract. Nothing was committed.`,
    });
  }
}
