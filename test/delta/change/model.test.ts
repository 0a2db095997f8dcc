import fc from "fast-check";
import { expect, test } from "vitest";
import { alterTable } from "../../../lakehouse/delta/alter.ts";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { changeFeedSql } from "../../../lakehouse/delta/change/change-feed.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../../lakehouse/delta/change/merge.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { updateRows } from "../../../lakehouse/delta/change/update.ts";
import { createTable } from "../../../lakehouse/delta/create.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { field, type StructType } from "../../../lakehouse/delta/schema.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import {
  conditions,
  keyedRowsSql,
  mergeStatement,
  merges,
  rowsSql,
  sortedRows,
} from "../../support/table-model.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const SCHEMA: StructType = {
  type: "struct",
  fields: [field("k", "integer"), field("v", "long"), field("s", "string"), field("p", "string")],
};

const steps = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), rows: rowsSql(6) }),
  fc.record({
    kind: fc.constant("delete" as const),
    where: fc.option(conditions, { freq: 12, nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("update" as const),
    where: fc.option(conditions, { nil: undefined }),
    set: fc.constantFrom<Record<string, string>>({ v: "v + 1" }, { s: "s || 'u'", v: "k" }, { p: "'b c'" }),
  }),
  fc.record({ kind: fc.constant("merge" as const), source: keyedRowsSql, spec: merges }),
  fc.record({ kind: fc.constant("overwrite" as const), rows: rowsSql(5) }),
  fc.record({ kind: fc.constant("replace" as const), rows: rowsSql(5), where: conditions }),
  fc.record({ kind: fc.constant("grow" as const) }),
);
type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never;

const layouts = fc.record({
  partitioned: fc.boolean(),
  vectors: fc.boolean(),
  feed: fc.boolean(),
  mapped: fc.boolean(),
});

test("rows after any statements equal those of DuckDB after the same, and the feed from version to version leads there", async () => {
  await fc.assert(
    fc.asyncProperty(layouts, fc.array(steps, { minLength: 1, maxLength: 7 }), async (layout, history) => {
      const table = new DeltaTable(new LocalStore(`${folder.path}/${crypto.randomUUID()}`), duckdb);
      await createTable(table, {
        schema: SCHEMA,
        partitionBy: layout.partitioned ? ["p"] : [],
        properties: {
          ...(layout.vectors ? { "delta.enableDeletionVectors": "true" } : {}),
          ...(layout.feed ? { "delta.enableChangeDataFeed": "true" } : {}),
          ...(layout.mapped ? { "delta.columnMapping.mode": "name" } : {}),
        },
      });
      const session = await duckdb.session();
      try {
        await session.run("CREATE TABLE model (k INTEGER, v BIGINT, s VARCHAR, p VARCHAR)");
        let columns = SCHEMA.fields.map((f) => f.name);
        for (const step of history) {
          const before = await table.existingSnapshot();
          await session.run("CREATE OR REPLACE TABLE former AS FROM model");
          columns = await apply(step, table, session, columns);
          const after = await table.existingSnapshot();
          const rows = await scanSql(table.store, scannable(after));
          const expected = await sortedRows(session, "FROM model", columns);
          expect(await sortedRows(session, rows, columns)).toEqual(expected);
          if (after.version === before.version) continue;
          const feed = await changeFeedSql(table, before.version + 1, after.version);
          const names = columns.filter(
            (c) => c !== "added" || before.schema.fields.some((f) => f.name === c),
          );
          const replayed = `
            (SELECT ${names.join(", ")} FROM former EXCEPT ALL
              SELECT ${names.join(", ")} FROM (${feed}) WHERE _change_type IN ('delete', 'update_preimage'))
            UNION ALL SELECT ${names.join(", ")} FROM (${feed}) WHERE _change_type IN ('insert', 'update_postimage')`;
          expect(await sortedRows(session, replayed, names)).toEqual(
            await sortedRows(session, "FROM model", names),
          );
        }
      } finally {
        await session.close();
      }
    }),
    { numRuns: Number(process.env.INGOT_RUNS ?? 30) },
  );
});

/** Does the same to both; gives the columns that the table then has. */
async function apply(
  step: Step,
  table: DeltaTable,
  session: Awaited<ReturnType<typeof duckdb.session>>,
  columns: string[],
): Promise<string[]> {
  const where = "where" in step && step.where !== undefined ? ` WHERE ${step.where}` : "";
  switch (step.kind) {
    case "append":
      await appendRows(table, step.rows);
      await session.run(`INSERT INTO model BY NAME ${step.rows}`);
      break;
    case "delete":
      await deleteRows(table, step.where);
      await session.run(`DELETE FROM model${where}`);
      break;
    case "update":
      await updateRows(table, step.set, step.where);
      await session.run(
        `UPDATE model SET ${Object.entries(step.set)
          .map(([c, sql]) => `${c} = ${sql}`)
          .join(", ")}${where}`,
      );
      break;
    case "merge":
      await mergeRows(table, { ...step.spec, source: step.source });
      await session.run(
        mergeStatement(
          "model",
          columns.filter((c) => c !== "added"),
          step.source,
          step.spec,
        ),
      );
      break;
    case "overwrite":
      await overwriteRows(table, step.rows);
      await session.run(`DELETE FROM model; INSERT INTO model BY NAME ${step.rows}`);
      break;
    case "replace": {
      const rows = `SELECT * FROM (${step.rows}) WHERE ${step.where}`;
      await overwriteRows(table, rows, { where: step.where });
      await session.run(`DELETE FROM model WHERE ${step.where}; INSERT INTO model BY NAME ${rows}`);
      break;
    }
    case "grow":
      if (columns.includes("added")) break;
      await alterTable(table, { addColumn: { name: "added", type: "double" } });
      await session.run("ALTER TABLE model ADD COLUMN added DOUBLE");
      return [...columns, "added"];
  }
  return columns;
}
