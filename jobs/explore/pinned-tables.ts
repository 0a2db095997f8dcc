/** The tables of a lake at one moment, as those see them who may not see personal values. */
import { physicalName } from "../../lakehouse/delta/mapping.ts";
import { planScan, type ScanPlan, scannable } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import { maskedQuarantineSql, maskedSql } from "../../layers/contract/masked.ts";
import { META } from "../../layers/definition/bronze-columns.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { long, text } from "../../schemas/columns.ts";
import type { AnyContract } from "../../schemas/table.ts";

export interface PinnedTable {
  readonly path: TablePath;
  readonly pipeline: string;
  readonly layer: string;
  readonly name: string;
  readonly table: DeltaTable;
  /** The newest version when the lake was looked at. */
  readonly snapshot: Snapshot;
  /** What is hidden; absent where nothing is. */
  readonly contract: AnyContract | undefined;
}

/** All tables at their newest version; `masked` are the pipelines whose contracts hide values. */
export async function pinTables(lake: Lake, masked: readonly PipelineDefinition[]): Promise<PinnedTable[]> {
  const pinned: PinnedTable[] = [];
  for (const path of await lake.tables()) {
    const [pipeline = "", layer = "", name = ""] = path.split("/");
    const table = lake.table(path);
    const snapshot = await table.existingSnapshot();
    const definition = masked.find((p) => p.name === pipeline);
    const contract =
      layer === "bronze" ? bronzeContract(definition, snapshot) : contractOf(definition, layer, name);
    pinned.push({ path, pipeline, layer, name, table, snapshot, contract });
  }
  return pinned;
}

/** The rows of a table at a version; `key` makes digests. */
export async function shownRows(pinned: PinnedTable, snapshot: Snapshot, key: string): Promise<ScanPlan> {
  const plan = await planScan(pinned.table.store, scannable(snapshot));
  return { ...plan, sql: shownSql(plan.sql, pinned, snapshot, key) };
}

/** As `shownRows` of the newest version, with its columns and no row: names no file. */
export async function noRows(pinned: PinnedTable, key: string): Promise<string> {
  const { sql } = await planScan(pinned.table.store, { ...scannable(pinned.snapshot), files: [] });
  return shownSql(sql, pinned, pinned.snapshot, key);
}

function shownSql(sql: string, pinned: PinnedTable, snapshot: Snapshot, key: string): string {
  const { contract, layer } = pinned;
  if (contract === undefined) return sql;
  if (layer === "quarantine") return maskedQuarantineSql(sql, contract);
  return maskedSql(sql, contractAt(contract, pinned.snapshot, snapshot), key);
}

/**
 * The contract for the columns of an older version. A column that has been renamed since is known by its name in
 * files. What neither the contract nor the newest version knows any more may have been sensitive: it is hidden.
 */
function contractAt(contract: AnyContract, newest: Snapshot, version: Snapshot): AnyContract {
  const nameNow = new Map(newest.schema.fields.map((f) => [physicalName(f), f.name]));
  const columns = version.schema.fields.flatMap((f) => {
    const now = nameNow.get(physicalName(f));
    const known = [now ?? f.name, f.name].flatMap((name) => contract.columns[name] ?? []);
    const column = known.find(({ sensitivity }) => sensitivity !== undefined) ?? known[0];
    if (column !== undefined) return [[f.name, column] as const];
    return now === undefined ? [[f.name, hiddenColumn(f.type === "string")] as const] : [];
  });
  return { ...contract, columns: Object.fromEntries(columns) };
}

const hiddenColumn = (isText: boolean) => (isText ? text() : long()).sensitive("mask");

function contractOf(
  pipeline: PipelineDefinition | undefined,
  layer: string,
  table: string,
): AnyContract | undefined {
  if (pipeline === undefined || layer.startsWith("_")) return undefined;
  const [silver, gold] = [pipeline.silver?.[table], pipeline.gold?.[table]];
  // Images of either layer go to one place.
  const cold = silver?.cold === undefined ? gold : silver;
  return (layer === "gold" ? gold : layer === "cold" ? cold : silver)?.contract;
}

/**
 * Bronze has no contract: hidden are columns that any contract of the pipeline calls sensitive, and in a table that has
 * such a column what was set aside of its rows.
 */
function bronzeContract(
  pipeline: PipelineDefinition | undefined,
  { schema }: Snapshot,
): AnyContract | undefined {
  const models = [...Object.values(pipeline?.silver ?? {}), ...Object.values(pipeline?.gold ?? {})];
  const sensitive = models.flatMap(({ contract }) =>
    Object.entries(contract.columns).filter(
      ([name, { sensitivity }]) => sensitivity !== undefined && schema.fields.some((f) => f.name === name),
    ),
  );
  const [model] = models;
  if (model === undefined || sensitive.length === 0) return undefined;
  const rescued = [META.rescued, text().nullable().sensitive("mask")] as const;
  return { ...model.contract, columns: Object.fromEntries([...sensitive, rescued]) };
}
