/** One table made by models of four kinds, each held against the same audits, over bronze that tests write themselves. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import type { AuditDefinition } from "../../layers/definition/audit.ts";
import { META_FIELDS, SOURCE_DOMAIN } from "../../layers/definition/bronze-columns.ts";
import { aggregate, append, full, type ModelDefinition, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { defineTable, long, text, timestamp } from "../../schemas/index.ts";
import { writeRows } from "../support/rows.ts";

export const columns = {
  id: long().nullable(),
  kind: text().nullable(),
  n: long().nullable(),
  email: text().nullable().sensitive("mask"),
  seen: timestamp().nullable(),
};
const item = defineTable({
  name: "item",
  description: "items",
  key: ["id"],
  columns: { ...columns, id: long() },
});
const loose = defineTable({ name: "loose", description: "items, no key", columns });
export const kind = defineTable({
  name: "kind",
  description: "kinds",
  key: ["kind"],
  columns: { kind: text(), label: text().nullable() },
});

const GROUPS = `SELECT id, max(kind) AS kind, max(n) AS n, max(email) AS email, max(seen) AS seen
  FROM silver.merged GROUP BY id`;

/** SQL by model; all but `kinds` give the same columns. */
const SQL: Readonly<Record<string, string>> = {
  "silver/kinds": "SELECT kind, label FROM bronze.kinds",
  "silver/merged": "SELECT id, kind, n, email, seen FROM bronze.items",
  "silver/appended": "SELECT id, kind, n, email, seen FROM bronze.items",
  "gold/grouped": GROUPS,
  "gold/listed": "SELECT id, kind, n, email, seen FROM silver.merged",
  "gold/loose": "SELECT id, kind, n, email, seen FROM silver.merged",
};

/** Models that are held against the audits, as `layer.table`. */
export const AUDITED = ["silver.merged", "silver.appended", "gold.grouped", "gold.listed", "gold.loose"];

interface Options {
  /** By `layer.table`. */
  readonly audits?: Readonly<Record<string, readonly AuditDefinition[]>>;
  readonly sql?: Readonly<Record<string, string>>;
  readonly contracts?: Readonly<Record<string, ModelDefinition>>;
}

export async function auditPipeline(
  folder: string,
  { audits = {}, sql = {}, contracts = {} }: Options = {},
): Promise<PipelineDefinition> {
  const root = `${folder}/${crypto.randomUUID()}`;
  await mkdir(`${root}/silver`, { recursive: true });
  await mkdir(`${root}/gold`);
  for (const [name, text] of Object.entries({ ...SQL, ...sql })) await writeFile(`${root}/${name}.sql`, text);
  const model = (name: string, definition: ModelDefinition): ModelDefinition => {
    const own = audits[name];
    return { ...(contracts[name] ?? definition), ...(own === undefined ? {} : { audits: own }) };
  };
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { items: {}, kinds: {} } }),
    silver: {
      kinds: model("silver.kinds", merge(kind)),
      merged: model("silver.merged", merge(item)),
      appended: model("silver.appended", append(loose)),
    },
    gold: {
      grouped: model("gold.grouped", aggregate(item)),
      listed: model("gold.listed", full(item)),
      loose: model("gold.loose", full(loose)),
    },
  };
}

const SOURCES = {
  items: [
    field("id", "long"),
    field("kind", "string"),
    field("n", "long"),
    field("email", "string"),
    field("seen", "timestamp"),
  ],
  kinds: [field("kind", "string"), field("label", "string")],
} as const;

/** A change of a row; values as SQL in the order of the table's columns. */
export interface RowChange {
  readonly op: "i" | "u" | "d";
  readonly values: readonly string[];
}

let lsn = 0;

/** Commits changes to a bronze table. */
export async function changeBronze(
  lake: Lake,
  duckdb: DuckDb,
  source: keyof typeof SOURCES,
  changes: readonly RowChange[],
): Promise<void> {
  const own = SOURCES[source];
  const schema: StructType = { type: "struct", fields: [...own, ...META_FIELDS] };
  const names = own.map((f) => f.name).join(", ");
  lsn += 1;
  const rows = changes.map(({ op, values }, i) => `(${[...values, `'${op}'`, lsn, i + 1].join(", ")})`);
  const given =
    rows.length === 0
      ? `SELECT ${own.map((f) => `NULL AS ${f.name}`).join(", ")}, NULL AS op, NULL AS lsn, NULL AS seq WHERE false`
      : `SELECT * FROM (VALUES ${rows.join(", ")}) v(${names}, op, lsn, seq)`;
  const sql = `SELECT ${names}, op AS _ingot_op, lsn AS _ingot_lsn, seq AS _ingot_seq, NULL AS _ingot_xid,
    make_timestamptz(lsn::BIGINT * 1000000) AS _ingot_committed_at, NULL AS _ingot_at, NULL AS _ingot_rescued FROM (${given})`;
  const key = [source === "items" ? "id" : "kind"];
  const domains = [{ domain: SOURCE_DOMAIN, configuration: JSON.stringify({ key }), removed: false }];
  await writeRows(duckdb, lake.table(`shop/bronze/${source}`), sql, { schema, domains });
}

/** An item as the values of a change. */
export const itemOf = (
  id: number,
  { kind = "a", n = id, email = `e${id}`, seen = "2026-01-01 00:00:00+00" }: Record<string, unknown> = {},
): string[] => [
  String(id),
  sqlText(kind),
  n === null ? "NULL::BIGINT" : String(n),
  sqlText(email),
  seen === null ? "NULL::TIMESTAMPTZ" : `TIMESTAMPTZ '${seen}'`,
];

export const sqlText = (value: unknown): string => (value === null ? "NULL::VARCHAR" : `'${value}'`);

export const upsert = (values: readonly string[]): RowChange => ({ op: "u", values });

/** Where the clocks of these tests stand. */
export const NOW = Date.parse("2026-01-02T00:00:00Z");

/** What tests of audits do with lakes under a folder: make one, change its bronze tables, build all of it. */
export function auditBench(duckdb: DuckDb, folder: { readonly path: string }) {
  const settings = (lake: Lake) => ({ lake, concurrency: 2, onProgress: ignoreProgress });
  return {
    settings,
    lakeAt: (now: () => number = () => NOW) =>
      new Lake(new LocalStore(`${folder.path}/lake-${crypto.randomUUID()}`), duckdb, { now }),
    buildAll: (lake: Lake, pipeline: PipelineDefinition) => build(settings(lake), pipeline),
    withAudits: (model: string, ...audits: AuditDefinition[]) =>
      auditPipeline(folder.path, { audits: { [model]: audits } }),
    items: (lake: Lake, ...rows: (readonly string[])[]) =>
      changeBronze(lake, duckdb, "items", rows.map(upsert)),
    kinds: (lake: Lake, ...names: string[]) => {
      const rows = names.map((name) => upsert([sqlText(name), "'x'"]));
      return changeBronze(lake, duckdb, "kinds", rows);
    },
  };
}
