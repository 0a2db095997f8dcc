/**
 * Models checked without running them: their SQL is bound to empty tables in the columns that their inputs will have,
 * and what it would give is compared with the contract.
 */
import { duckdbType, type StructType } from "../../lakehouse/delta/schema.ts";
import type { DuckDb, Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { codeOf, messageOf } from "../../lakehouse/errors.ts";
import { sqlColumns } from "../definition/model-columns.ts";
import { columnsName } from "../models/contract.ts";
import type { Model } from "../models/planned-model.ts";
import { nodeOf, nodesOf, parseQuery } from "../models/syntax.ts";
import { fits } from "./fits.ts";

/** Something that would make a model fail, or its table wrong. */
export interface Problem {
  /** `MODEL_SQL`, `MODEL_COLUMNS`, `MODEL_TYPE` and those that models themselves raise. */
  readonly code: string;
  readonly model: string;
  /** Of the SQL. */
  readonly file: string;
  /** From 1, where it is known. */
  readonly line?: number;
  readonly problem: string;
  readonly allowed?: string;
  readonly next: string;
}

/** Columns of the tables that models read, by `layer.table`. */
export type InputSchemas = ReadonlyMap<string, StructType>;

/** Problems of one model's SQL against its contract. The session gets a view for each input. */
export async function checkModel(
  duckdb: DuckDb,
  session: Session,
  model: Model,
  inputs: InputSchemas,
): Promise<Problem[]> {
  for (const reference of model.references) {
    const schema = inputs.get(reference);
    if (schema === undefined) return [];
    const [layer = "", name = ""] = reference.split(".");
    await session.view(layer, name, emptySql(schema));
  }
  const at = { model: model.name, file: model.file };
  let given: readonly { readonly name: string; readonly type: string }[];
  try {
    given = await session.describe(model.sql);
  } catch (error) {
    if (codeOf(error) !== "DUCKDB_SQL") throw error;
    const next = `Correct ${model.file}.`;
    return [{ ...at, ...lineIn(messageOf(error)), code: "MODEL_SQL", problem: firstLine(error), next }];
  }
  const clashes = typeProblems(model, given);
  const nulls = clashes.length === 0 ? new Set() : await nullColumns(duckdb, model.sql);
  return [...columnProblems(model, given), ...clashes.flatMap((c) => (nulls.has(c.column) ? [] : c.problem))];
}

/** Columns that are NULL and nothing else: they pass for integers. */
async function nullColumns(duckdb: DuckDb, sql: string): Promise<ReadonlySet<string>> {
  const items = nodesOf((await parseQuery(duckdb, sql))?.select_list);
  const names = items.flatMap(({ class: kind, value, alias }) =>
    kind === "CONSTANT" && nodeOf(value)?.is_null === true ? [String(alias)] : [],
  );
  return new Set(names);
}

/** A query that gives no row, in the columns of a schema. */
export const emptySql = ({ fields }: StructType) =>
  `SELECT ${fields.map((f) => `NULL::${duckdbType(f.type)} AS ${identifier(f.name)}`).join(", ")} WHERE false`;

const firstLine = (error: unknown) => messageOf(error).split("\n")[0] ?? "";

/** DuckDB names the line of the text that it was given. */
function lineIn(message: string): { readonly line?: number } {
  const line = /^LINE (\d+):/m.exec(message)?.[1];
  return line === undefined ? {} : { line: Number(line) };
}

type Columns = readonly { readonly name: string; readonly type: string }[];

function columnProblems(model: Model, given: Columns): Problem[] {
  const wanted = Object.keys(sqlColumns(model));
  const said = saidBy(model);
  const names = given.map(({ name }) => name);
  const common = { code: "MODEL_COLUMNS", model: model.name, file: model.file, allowed: wanted.join(", ") };
  const missing = wanted
    .filter((name) => !names.includes(name))
    .map((name) => ({
      ...common,
      problem: `does not give the column ${name} of its ${said}`,
      next: `Add it to ${model.file}, or take it out of the ${columnsName(model)}.`,
    }));
  const unknown = names
    .filter((name) => !wanted.includes(name))
    .map((name) => ({
      ...common,
      ...lineOf(model, name),
      problem: `gives a column ${name} that its ${said} does not have`,
      next: `Add it to the ${columnsName(model)}, or take it out of ${model.file}.`,
    }));
  return [...missing, ...unknown];
}

const saidBy = ({ input }: Model) => (input === undefined ? "contract" : "input");

interface Clash {
  readonly column: string;
  readonly problem: Problem;
}

function typeProblems(model: Model, given: Columns): Clash[] {
  return Object.entries(sqlColumns(model)).flatMap(([name, { type }]) => {
    const column = given.find((c) => c.name === name);
    const wanted = duckdbType(type);
    if (column === undefined || fits(column.type, wanted)) return [];
    const problem: Problem = {
      code: "MODEL_TYPE",
      model: model.name,
      file: model.file,
      ...lineOf(model, name),
      problem: `gives ${name} as ${column.type}, its ${saidBy(model)} says ${wanted}`,
      allowed: `what ${wanted} takes without loss`,
      next: `Say CAST(… AS ${wanted}) in ${model.file} where that is meant, or change the ${columnsName(model)}.`,
    };
    return [{ column: name, problem }];
  });
}

/** The line that names a column of the result; the last one where several do. */
function lineOf({ sql }: Model, column: string): { readonly line?: number } {
  const escaped = column.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const lines = sql.split("\n");
  for (const pattern of [new RegExp(`\\bAS\\s+"?${escaped}"?\\b`, "i"), new RegExp(`\\b${escaped}\\b`)]) {
    const at = lines.findLastIndex((line) => pattern.test(line));
    if (at >= 0) return { line: at + 1 };
  }
  return {};
}
