import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import fc from "fast-check";
import type pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import { afterAll, beforeAll, expect, it } from "vitest";
import { field, typedSql } from "../../lakehouse/delta/schema.ts";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import { identifiers } from "../../lakehouse/duckdb/quote.ts";
import { csvSql, isMisread, type ReadMode, valuesSql } from "../../layers/bronze/csv.ts";
import { describeTable, type TableDescription } from "../../layers/bronze/postgres/catalog.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { copyFields, sourceColumns, sourceName } from "../../layers/bronze/schema.ts";
import { ALL_TYPES, ALL_TYPES_SETUP, createAllTypes, type TypesRow, typesRow } from "../support/all-types.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";
import { hasPlace, isSame, shownSql } from "../support/stored-text.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();
let client: pg.Client;

beforeAll(async () => {
  await database.query(ALL_TYPES_SETUP);
  client = await connect(database.url);
});
afterAll(() => disconnect(client));

/** Rows of a table as COPY and DuckDB bring them into bronze's columns; shown as texts. */
async function readTable(table: TableDescription, mode: ReadMode): Promise<Row[]> {
  const file = `${folder.path}/${crypto.randomUUID()}.csv`;
  const shape = { table, withTransaction: false };
  const copy = `COPY (SELECT ${sourceColumns(shape)} FROM ${sourceName(table)} ORDER BY id) TO STDOUT (FORMAT csv)`;
  await pipeline(client.query(copyTo(copy)), createWriteStream(file));
  const values = `SELECT ${valuesSql(table.columns, mode)} FROM ${csvSql(copyFields(shape, mode), file)}`;
  const fields = table.columns.map((column) => field(column.name, column.deltaType));
  const typed = typedSql(values, [...fields, field("_ingot_rescued", "string")]);
  const shown = table.columns.map((column) => shownSql(column.name, column.deltaType));
  return duckdb.rows(
    `SELECT ${shown.join(", ")}, _ingot_rescued FROM (${typed}) AS stored ORDER BY stored.id`,
  );
}

/** The texts that Postgres prints, row by row. */
async function printed(table: TableDescription): Promise<(string | null)[][]> {
  const raw = { getTypeParser: () => (value: string) => value };
  const text = `SELECT ${identifiers(table.columns.map((column) => column.name))} FROM ${sourceName(table)} ORDER BY id`;
  const { rows } = await client.query({
    text,
    rowMode: "array",
    types: raw as unknown as pg.CustomTypesConfig,
  });
  return rows as (string | null)[][];
}

/** Problems of one stored row: values that differ from what Postgres printed, or are rescued without need. */
function problemsOf(table: TableDescription, texts: readonly (string | null)[], stored: Row): string[] {
  const rescued: Record<string, string> = JSON.parse(String(stored._ingot_rescued ?? "{}"));
  return table.columns.flatMap(({ name, sourceType, deltaType }, i) => {
    const text = texts[i] ?? null;
    const placed = text !== null && hasPlace(deltaType, text);
    const expected = placed || text === null ? undefined : text;
    const same = placed ? isSame(deltaType, text, stored[name]) : stored[name] === null;
    if (same && rescued[name] === expected) return [];
    return [
      `${name} (${sourceType}): ${JSON.stringify(text)} became ${JSON.stringify(stored[name])}, rescued ${JSON.stringify(rescued[name])}`,
    ];
  });
}

async function withRows<T>(
  rows: readonly TypesRow[],
  work: (table: TableDescription) => Promise<T>,
): Promise<T> {
  await database.query(`DROP TABLE IF EXISTS everything`);
  await createAllTypes(database, "everything", rows);
  return work(await describeTable(client, "everything", {}));
}

it("every value of every type is stored as Postgres prints it, or rescued", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(typesRow, { minLength: 1, maxLength: 20 }), (rows) =>
      withRows(rows, async (table) => {
        const texts = await printed(table);
        const careful = await readTable(table, "careful");
        expect(careful).toHaveLength(rows.length);
        expect(careful.flatMap((stored, i) => problemsOf(table, texts[i] ?? [], stored))).toEqual([]);
        const fast = await readTable(table, "fast").catch((error: unknown) => error);
        const rescues = careful.some((row) => row._ingot_rescued !== null);
        // What is fast gives the same, or says that it cannot.
        if (rescues) expect(isMisread(fast), String(fast).slice(0, 300)).toBe(true);
        else expect(fast).toEqual(careful);
      }),
    ),
    { numRuns: 8, endOnFailure: true },
  );
});

it("a fast read gives what a careful one gives, one column at a time", async () => {
  const rows = fc.sample(typesRow, { numRuns: 60, seed: 7 });
  await withRows(rows, async (table) => {
    const id = table.columns[0];
    for (const column of table.columns.slice(1)) {
      if (id === undefined) continue;
      const alone = { ...table, columns: [id, column] };
      const careful = await readTable(alone, "careful");
      const fast = await readTable(alone, "fast").catch((error: unknown) => error);
      if (careful.some((row) => row._ingot_rescued !== null)) expect(isMisread(fast), column.name).toBe(true);
      else expect(fast, column.name).toEqual(careful);
    }
  });
});

it("columns have the types that the documentation names", async () => {
  await withRows([], async (table) => {
    const types = Object.fromEntries(
      table.columns
        .slice(1)
        .map(({ name, deltaType }) => [
          name,
          typeof deltaType === "string" || deltaType.type !== "array"
            ? deltaType
            : `array<${String(deltaType.elementType)}>`,
        ]),
    );
    expect(Object.keys(types)).toEqual(ALL_TYPES.map(({ column }) => column));
    expect(
      Object.fromEntries(Object.entries(types).filter(([, type]) => type !== "string")),
    ).toMatchInlineSnapshot(`
      {
        "birthday": "date",
        "bool": "boolean",
        "bool[]": "array<boolean>",
        "bytea": "binary",
        "date": "date",
        "date[]": "array<date>",
        "float4": "float",
        "float4[]": "array<float>",
        "float8": "double",
        "float8[]": "array<double>",
        "int2": "short",
        "int2[]": "array<short>",
        "int4": "integer",
        "int4[]": "array<integer>",
        "int8": "long",
        "int8[]": "array<long>",
        "list_price": "decimal(10,2)",
        "list_price[]": "array<decimal(10,2)>",
        "numeric(12,2)": "decimal(12,2)",
        "numeric(12,2)[]": "array<decimal(12,2)>",
        "numeric(18,9)": "decimal(18,9)",
        "numeric(38,0)": "decimal(38,0)",
        "numeric(38,38)": "decimal(38,38)",
        "oid": "long",
        "positive": "integer",
        "tags": "array<string>",
        "text[]": "array<string>",
        "timestamp": "timestamp",
        "timestamp(0)": "timestamp",
        "timestamp[]": "array<timestamp>",
        "timestamptz": "timestamp",
        "timestamptz(3)": "timestamp",
        "timestamptz[]": "array<timestamp>",
        "uuid[]": "array<string>",
        "varchar(10)[]": "array<string>",
      }
    `);
    const display = await client.query<{ type: string }>(
      `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
        WHERE attrelid = 'everything'::regclass AND attnum > 0 AND atttypid <> 'interval'::regtype ORDER BY attnum`,
    );
    const named = table.columns.filter((column) => column.baseType !== "interval").map((c) => c.sourceType);
    expect(named).toEqual(display.rows.map((row) => row.type));
  });
});
