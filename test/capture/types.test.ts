/** Every type: what a load makes of a value and what capture makes of it are the same. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { ALL_TYPES, ALL_TYPES_SETUP, createAllTypes, typesRow } from "../support/all-types.ts";
import { captured, useCapture } from "./setup.ts";

const { database, duckdb, sync, tableOf, withTables } = await useCapture();

/** Rows that were captured stand this far behind the ones that were loaded. */
const CAPTURED = 1_000_000;

it("captures every value of every type as a load reads it", async () => {
  await database.query(ALL_TYPES_SETUP);
  const columns = ALL_TYPES.map(({ column }) => identifier(column)).join(", ");
  await fc.assert(
    fc.asyncProperty(fc.array(typesRow, { minLength: 20, maxLength: 60 }), async (rows) => {
      const table = `types_${crypto.randomUUID().slice(0, 8)}`;
      await createAllTypes(database, table, rows);
      await withTables("SELECT 1", captured({ [table]: {} }), async (pipeline) => {
        await database.query(
          `INSERT INTO ${table} (id, ${columns}) SELECT id + ${CAPTURED}, ${columns} FROM ${table}; UPDATE ${table} SET id = id + 1 WHERE id = (SELECT max(id) FROM ${table})`,
        );
        await sync(pipeline);
        const bronze = tableOf(pipeline, table);
        const all = await scanSql(bronze.store, scannable(await bronze.existingSnapshot()));
        const shown = `${columns}, _ingot_rescued`;
        const loaded = `SELECT id, ${shown} FROM (${all}) WHERE _ingot_op = 'r'`;
        const taken = `SELECT id - ${CAPTURED}, ${shown} FROM (${all}) WHERE _ingot_op = 'i'`;
        const different = await duckdb.rows(
          `(${loaded} EXCEPT ${taken}) UNION ALL (${taken} EXCEPT ${loaded})`,
        );
        expect(different).toEqual([]);
        const [counts] = await duckdb.rows(
          `SELECT count(*) FILTER (_ingot_op = 'r') AS loaded, count(*) FILTER (_ingot_op = 'i') AS captured, count(*) FILTER (_ingot_op = 'u') AS updated FROM (${all})`,
        );
        expect(counts).toEqual({ loaded: BigInt(rows.length), captured: BigInt(rows.length), updated: 1n });
      });
    }),
    { numRuns: 5 },
  );
}, 120_000);
