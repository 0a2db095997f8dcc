/** Gathers what a page tells of a pipeline: from its definition, its SQL, and the tables that the lake holds. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { countRows } from "../../lakehouse/delta/stats.ts";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";
import { META_COLUMNS } from "../../layers/definition/bronze-columns.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { lastRuns } from "../../layers/journal.ts";
import { isDirect, type Origins, ROWS } from "../../layers/lineage/origin.ts";
import { lineageOf } from "../../layers/lineage/read-lineage.ts";
import type { Model } from "../../layers/models/planned-model.ts";
import { describeContract, typeText } from "./describe-contract.ts";
import type {
  DescribedOrigin,
  DescribedPipeline,
  DescribedRun,
  DescribedState,
  DescribedTable,
} from "./described.ts";

/** Describes a pipeline. Tables that the lake does not hold yet are told without rows and runs. */
export async function describePipeline(lake: Lake, pipeline: PipelineDefinition): Promise<DescribedPipeline> {
  const { models, lineage } = await lineageOf(lake, pipeline);
  const runs = await lastRuns(lake, pipeline.name);
  const usersOf = (name: string) => models.flatMap((m) => (m.references.includes(name) ? [m.name] : []));
  const snapshotOf = (name: string) => {
    const [layer = "", table = ""] = name.split(".");
    return lake.table(`${pipeline.name}/${layer}/${table}`).snapshot();
  };
  const tables: DescribedTable[] = [];
  for (const name of bronzeTables(pipeline, [...lineage.sources.keys()])) {
    const snapshot = await snapshotOf(name);
    tables.push({
      ...NOTHING,
      name,
      layer: "bronze",
      columns: bronzeColumns(snapshot, lineage.sources.get(name) ?? []),
      users: usersOf(name),
      state: snapshot && stateOf(snapshot),
      lastRun: runOf(runs.get(name)),
    });
  }
  for (const model of models) {
    const snapshot = await snapshotOf(model.name);
    const own = lineage.models.get(model.name);
    const { columns, checks } = describeContract(model.contract);
    tables.push({
      ...NOTHING,
      name: model.name,
      layer: model.layer,
      kind: model.kind,
      description: model.contract.description,
      columns: columns.map((column) => ({ ...column, from: originsOf(own?.columns.get(column.name) ?? []) })),
      checks,
      audits: model.audits.map(({ name, severity, check }) => ({
        name,
        severity,
        sql: check.kind === "sql" ? maskSecrets(check.sql) : undefined,
      })),
      unresolved: own?.unresolved ?? [],
      rowsBy: originsOf((own?.rows ?? []).filter(({ column }) => column !== ROWS)),
      inputs: model.references,
      users: usersOf(model.name),
      sql: maskSecrets(model.sql),
      published: publishedAs(pipeline, model),
      state: snapshot && stateOf(snapshot),
      lastRun: runOf(runs.get(model.name)),
    });
  }
  return { name: pipeline.name, tables };
}

const NOTHING = {
  kind: undefined,
  description: undefined,
  checks: [],
  audits: [],
  unresolved: [],
  rowsBy: [],
  inputs: [],
  sql: undefined,
  published: undefined,
} as const;

/** Tables that the source is asked for, and those that models read beside them. */
function bronzeTables({ source }: PipelineDefinition, read: readonly string[]): Set<string> {
  return new Set([...Object.keys(source.tables).map((table) => `bronze.${table}`), ...read]);
}

/** Columns of the source; of Ingot's own those that a model reads. */
function bronzeColumns(snapshot: Snapshot | undefined, read: readonly string[]): DescribedTable["columns"] {
  if (snapshot === undefined) return read.map(unknownColumn);
  return snapshot.schema.fields
    .filter((field) => !META_COLUMNS.includes(field.name) || read.includes(field.name))
    .map(({ name, type }) => ({
      ...unknownColumn(name),
      type: typeText(type as Parameters<typeof typeText>[0]),
    }));
}

const unknownColumn = (name: string) => ({
  name,
  type: "",
  nullable: undefined,
  description: undefined,
  marks: [],
  checks: [],
  from: [],
});

/** Each column once: as a value where it is one anywhere. */
function originsOf(origins: Origins): DescribedOrigin[] {
  const found = new Map<string, DescribedOrigin>();
  for (const { table, column, how } of origins) {
    const key = `${table} ${column}`;
    if (found.get(key)?.role === "value") continue;
    found.set(key, { table, column, role: isDirect(how) ? "value" : "condition" });
  }
  return [...found.values()].sort((a, b) => Number(a.role === "condition") - Number(b.role === "condition"));
}

const publishedAs = ({ publish = [] }: PipelineDefinition, { layer, table }: Model) =>
  layer === "gold" ? publish.find((metric) => metric.model === table)?.title : undefined;

const stateOf = (snapshot: Snapshot): DescribedState => ({
  rows: countRows(snapshot.files.values()),
  bytes: [...snapshot.files.values()].reduce((sum, file) => sum + file.size, 0),
  version: snapshot.version,
  changedAt: snapshot.timestamp,
});

function runOf(row: Row | undefined): DescribedRun | undefined {
  if (row === undefined) return undefined;
  return {
    startedAt: Date.parse(String(row.started_at)),
    status: String(row.status),
    rowsIn: Number(row.rows_in),
    rowsOut: Number(row.rows_out),
  };
}
