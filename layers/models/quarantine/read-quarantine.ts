/** What is in quarantine: by table and rule, and row by row. */
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { Row } from "../../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { Lake } from "../../../lakehouse/lake.ts";
import type { AnyContract } from "../../../schemas/table.ts";
import { maskedQuarantineSql } from "../../contract/masked.ts";
import { quarantinePath } from "./quarantine-table.ts";

/** Rows of one model that break one rule. A row that breaks several is in several. */
export interface BrokenRule {
  /** `silver.orders` */
  readonly model: string;
  readonly rule: string;
  readonly rows: number;
  /** ISO 8601, UTC. */
  readonly oldest: string;
}

/** Rows in quarantine by model and rule, the most first. */
export async function brokenRules(lake: Lake, pipeline: string): Promise<BrokenRule[]> {
  const found: BrokenRule[] = [];
  for (const name of await quarantined(lake, pipeline)) {
    const sql = await rowsSql(lake.table(quarantinePath(pipeline, name)));
    const rows = await lake.duckdb.rows(
      `SELECT rule, count(*)::DOUBLE AS rows, strftime(min(held_at) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS oldest
         FROM (SELECT unnest(rules) AS rule, held_at FROM (${sql})) GROUP BY rule ORDER BY rows DESC, rule`,
    );
    for (const { rule, rows: count, oldest } of rows)
      found.push({
        model: `silver.${name}`,
        rule: String(rule),
        rows: Number(count),
        oldest: String(oldest),
      });
  }
  return found;
}

export interface HeldRow {
  readonly key: unknown;
  readonly rules: readonly string[];
  readonly raw: unknown;
  readonly heldAt: string;
}

/** Rows of one model in quarantine, the newest first; without the values that `contract`, where given, calls sensitive. */
export async function heldRows(
  lake: Lake,
  pipeline: string,
  table: string,
  limit: number,
  contract?: AnyContract,
): Promise<HeldRow[]> {
  const rowsOfTable = await rowsSql(await tableOf(lake, pipeline, table));
  const sql = contract === undefined ? rowsOfTable : maskedQuarantineSql(rowsOfTable, contract);
  const rows = await lake.duckdb.rows(
    `SELECT key, to_json(rules)::VARCHAR AS rules, raw, strftime(held_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS held_at
       FROM (${sql}) ORDER BY lsn DESC, seq DESC LIMIT ${Math.max(0, Math.floor(limit))}`,
  );
  return rows.map(toHeldRow);
}

const toHeldRow = ({ key, rules, raw, held_at }: Row): HeldRow => ({
  key: JSON.parse(String(key)),
  rules: JSON.parse(String(rules)),
  raw: JSON.parse(String(raw)),
  heldAt: String(held_at),
});

/** Takes rows out of quarantine for good: all, or those that break a rule. They come back when the model is made anew. */
export async function dropHeld(lake: Lake, pipeline: string, table: string, rule?: string): Promise<number> {
  const where = rule === undefined ? undefined : `list_contains(rules, ${literal(rule)})`;
  return (await deleteRows(await tableOf(lake, pipeline, table), where)).deletedRows;
}

/** Names of the models that have a quarantine. */
async function quarantined(lake: Lake, pipeline: string): Promise<string[]> {
  const paths = await lake.tables(pipeline);
  return paths.flatMap((path) => {
    const [, layer, name] = path.split("/");
    return layer === "quarantine" && name !== undefined ? [name] : [];
  });
}

async function tableOf(lake: Lake, pipeline: string, table: string): Promise<DeltaTable> {
  const known = await quarantined(lake, pipeline);
  const name = table.replace(/^silver\./, "");
  if (known.includes(name)) return lake.table(quarantinePath(pipeline, name));
  throw new TerminalError(`${table} has nothing in quarantine`, {
    code: "QUARANTINE_EMPTY",
    value: table,
    allowed: known.map((k) => `silver.${k}`).join(", ") || "no model of this pipeline ever had a row there",
    next: "`ingot quarantine ls` shows what is there.",
  });
}

async function rowsSql(table: DeltaTable): Promise<string> {
  return scanSql(table.store, scannable(await table.existingSnapshot()));
}
