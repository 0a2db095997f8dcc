/** Column lineage of a pipeline: for every column of every model the columns of its inputs. */
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { META, META_COLUMNS } from "../definition/bronze-columns.ts";
import type { ModelKind } from "../definition/model.ts";
import { addedColumns } from "../definition/model-columns.ts";
import { type Origin, type Origins, ROWS, through } from "./origin.ts";
import { analyseQuery } from "./sql/query.ts";
import { allOrigins, columnOf, type Relation, tableRelation } from "./sql/relation.ts";
import { parseQuery, readFunctionNames } from "./sql/syntax-tree.ts";

/** What of a model is looked at. */
interface LineageModel {
  /** `silver.orders` */
  readonly name: string;
  readonly sql: string;
  /** File of the SQL, for messages. */
  readonly file: string;
  readonly contract: { readonly columns: Readonly<Record<string, unknown>> };
  /** Absent where the SQL gives all columns. */
  readonly kind?: ModelKind;
  /** Of a snapshot. */
  readonly column?: string;
  /** Of a stateful model: the columns that its rows take over from those of its SQL. */
  readonly by?: readonly string[];
  readonly order?: readonly string[];
}

export interface ModelLineage {
  /** `gold.daily_revenue` */
  readonly model: string;
  /** By column of the contract, in its order. */
  readonly columns: ReadonlyMap<string, Origins>;
  /** What decides which rows the model has: conditions, groups, joins; and the tables whose rows they are made of. */
  readonly rows: Origins;
  /** Names in the SQL that were not found; lineage through them is missing. */
  readonly unresolved: readonly string[];
}

/** Lineage of all models, in the order in which they run, and the tables that they start from. */
export interface PipelineLineage {
  readonly models: ReadonlyMap<string, ModelLineage>;
  /** Columns of the tables that no model makes (bronze): those known, or those that models name. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
}

/**
 * Lineage of models, in any order. `sources` holds the columns of bronze tables where they are known; a table that is
 * not in it is taken to have every column that a model asks it for.
 */
export async function readLineage(
  duckdb: DuckDb,
  models: readonly LineageModel[],
  sources: ReadonlyMap<string, readonly string[]> = new Map(),
): Promise<PipelineLineage> {
  const functions = await readFunctionNames(duckdb);
  const known = new Map(sources);
  for (const { name, contract } of models) known.set(name, Object.keys(contract.columns));
  const found = new Map<string, ModelLineage>();
  for (const model of models) {
    const query = await parseQuery(duckdb, model.sql, model.file);
    const table = (name: string) =>
      tableRelation(name, known.get(name), name.startsWith("bronze.") ? META_COLUMNS : []);
    const { relation, unresolved } = analyseQuery(query, functions, table);
    const missing = new Set(unresolved);
    const columns = new Map<string, Origins>();
    const added = addedOrigins(model, relation);
    for (const name of Object.keys(model.contract.columns)) {
      const origins = added.get(name) ?? columnOf(relation, name) ?? relation.others?.(name);
      if (origins === undefined) missing.add(name);
      columns.set(name, origins ?? []);
    }
    const rows = [...relation.rows, ...relation.tables];
    found.set(model.name, { model: model.name, columns, rows, unresolved: [...missing] });
  }
  return { models: found, sources: sourceColumns(found, sources) };
}

/**
 * Columns that the SQL does not give: the times of versions are those of the source's commits, an image's is the clock's,
 * and what a step makes may come from all that it is given.
 */
function addedOrigins(model: LineageModel, relation: Relation): Map<string, Origins> {
  const { kind, contract, by = [], order = [], ...options } = model;
  if (kind === undefined) return new Map();
  if (kind === "stateful") {
    const made = Object.keys(contract.columns).filter((name) => ![...by, ...order].includes(name));
    const origins = through("transformation", allOrigins(relation));
    return new Map(made.map((name) => [name, origins]));
  }
  const times = relation.tables.map(
    ({ table }): Origin => ({ table, column: META.committedAt, how: "transformation" }),
  );
  return new Map(addedColumns({ kind, ...options }).map((name) => [name, kind === "scd2" ? times : []]));
}

function sourceColumns(
  models: ReadonlyMap<string, ModelLineage>,
  known: ReadonlyMap<string, readonly string[]>,
): Map<string, readonly string[]> {
  const columns = new Map<string, Set<string>>();
  for (const { columns: own, rows } of models.values()) {
    for (const { table, column } of [...[...own.values()].flat(), ...rows]) {
      if (models.has(table)) continue;
      const names = columns.get(table) ?? new Set(known.get(table));
      if (column !== ROWS) names.add(column);
      columns.set(table, names);
    }
  }
  return new Map([...columns].map(([table, names]) => [table, [...names]]));
}
