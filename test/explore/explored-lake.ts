import { join } from "node:path";
import type { Runtime } from "../../jobs/runtime.ts";
import { alterTable } from "../../lakehouse/delta/alter.ts";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { field } from "../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { long, text } from "../../schemas/columns.ts";
import { defineTable } from "../../schemas/table.ts";

const people = defineTable({
  name: "people",
  description: "People.",
  key: ["id"],
  columns: {
    id: long(),
    mail: text().nullable().sensitive("hash"),
    name: text().nullable().sensitive("mask"),
    age: long().nullable().sensitive("mask"),
    city: text().nullable(),
  },
});

const pipelines = [
  { name: "mine", silver: { people: { kind: "full", contract: people } } },
  { name: "other" },
] as unknown as readonly PipelineDefinition[];

/**
 * A lake of two pipelines: `gold.daily` of three versions, `silver.people` with personal values, whose column `mail` was
 * called `letters` up to version 1 and which had a column `phone` then, and tables with all that can be odd about one.
 */
export async function makeLake(folder: string, duckdb: DuckDb): Promise<Runtime> {
  const lakeRoot = join(folder, "the 'lake'");
  const lake = new Lake(new LocalStore(lakeRoot), duckdb);

  const daily = lake.table("mine/gold/daily");
  await createTable(daily, {
    schema: { type: "struct", fields: [field("day", "date"), field("revenue", "decimal(12,2)")] },
    partitionBy: ["day"],
    properties: { "delta.enableDeletionVectors": "true" },
  });
  await appendRows(
    daily,
    "SELECT DATE '2026-01-01' + i::INTEGER AS day, i * 1.5 AS revenue FROM range(4) t(i)",
  );
  await deleteRows(daily, "day = DATE '2026-01-02'");

  const table = lake.table("mine/silver/people");
  await createTable(table, {
    schema: {
      type: "struct",
      fields: [
        field("id", "long"),
        field("letters", "string"),
        field("name", "string"),
        field("age", "long"),
        field("city", "string"),
        field("phone", "string"),
      ],
    },
    properties: { "delta.columnMapping.mode": "name", "delta.enableDeletionVectors": "true" },
  });
  await appendRows(
    table,
    "SELECT 1 AS id, 'a@secret' AS letters, 'Ann Secret' AS name, 41 AS age, 'Bern' AS city, '555-secret' AS phone UNION ALL SELECT 2, NULL, NULL, NULL, NULL, NULL",
  );
  await alterTable(table, { renameColumn: { from: "letters", to: "mail" } }, { dropColumn: "phone" });

  const odd = lake.table('mine/bronze/odd "table".csv');
  await createTable(odd, {
    schema: {
      type: "struct",
      fields: [field("order", "long"), field('a"b', "string"), field("p'q", "string")],
    },
    partitionBy: ["p'q"],
    properties: { "delta.columnMapping.mode": "id", "delta.enableDeletionVectors": "true" },
  });
  await appendRows(
    odd,
    `SELECT i AS "order", 'it''s ' || i AS "a""b", if(i % 3 = 0, NULL, 'x/''' || i % 3) AS "p'q" FROM range(10) t(i)`,
  );
  await deleteRows(odd, `"order" IN (3, 4)`);

  const source = lake.table("mine/bronze/people");
  const texts = ["mail", "name", "city", "_ingot_rescued"].map((name) => field(name, "string"));
  await createTable(source, { schema: { type: "struct", fields: [field("id", "long"), ...texts] } });
  await appendRows(
    source,
    `SELECT 1 AS id, 'a@secret' AS mail, 'Ann Secret' AS name, 'Bern' AS city, '{"age":"secret"}' AS _ingot_rescued`,
  );

  const other = lake.table("other/gold/daily");
  await createTable(other, { schema: { type: "struct", fields: [field("n", "long")] } });
  await appendRows(other, "SELECT 7 AS n");

  return {
    config: { memoryMb: 256, threads: 2, s3: {}, pipelines },
    folder,
    lakeRoot,
    lake,
    pipelines: (name?: string) => pipelines.filter((p) => name === undefined || p.name === name),
  } as unknown as Runtime;
}
