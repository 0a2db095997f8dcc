import fc from "fast-check";
import { expect, it } from "vitest";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { shareSnapshot } from "../../layers/bronze/postgres/snapshot.ts";
import { describeAll } from "../../layers/bronze/source-tables.ts";
import { lakeHash, sourceHash } from "../../layers/bronze/verify/canonical.ts";
import { pairColumns } from "../../layers/bronze/verify/compared-columns.ts";
import { repairTables } from "../../layers/bronze/verify/repair-tables.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const texts = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }).map((s) => s.replaceAll("\0", "")),
  fc.constantFrom("", ",", '"', "\n", "1:a", "NULL", "\\", "{}", "é", "🤦🏼‍♂️", " x ", "1:a,2:bc"),
);
const moments = fc.oneof(
  fc.date({
    min: new Date("0001-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59Z"),
    noInvalidDate: true,
  }),
  fc.date({
    min: new Date("1969-12-01T00:00:00Z"),
    max: new Date("2040-01-01T00:00:00Z"),
    noInvalidDate: true,
  }),
);
const instants = fc.tuple(moments, fc.integer({ min: 0, max: 999 })).map(([moment, micros]) => {
  return `${moment.toISOString().slice(0, -1)}${String(micros).padStart(3, "0")}`;
});
const doubles = fc.oneof(
  fc.double().map((n) => (Object.is(n, -0) ? "-0" : String(n))),
  fc.constantFrom("NaN", "Infinity", "-Infinity", "-0", "5e-324", "1.7976931348623157e308", "0.1"),
);
const decimal = (digits: number, scale: number) =>
  fc.bigInt({ min: -(10n ** BigInt(digits)) + 1n, max: 10n ** BigInt(digits) - 1n }).map((n) => {
    const text = String(n < 0n ? -n : n).padStart(scale + 1, "0");
    return `${n < 0n ? "-" : ""}${text.slice(0, text.length - scale)}.${text.slice(text.length - scale)}`;
  });

/** By Postgres type: text of values that it takes. */
const TYPES = {
  boolean: fc.boolean().map(String),
  smallint: fc.integer({ min: -32768, max: 32767 }).map(String),
  integer: fc.integer().map(String),
  bigint: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  oid: fc.nat().map(String),
  real: fc.oneof(
    fc.float({ noNaN: true }).map((n) => (Object.is(n, -0) ? "-0" : String(n))),
    fc.constantFrom("NaN", "Infinity", "-0", "1e-45"),
  ),
  "double precision": doubles,
  "numeric(12,2)": fc.oneof(decimal(12, 2), fc.constantFrom("NaN", "-0.00", "-0.01")),
  "numeric(4,4)": decimal(4, 4),
  "numeric(38,38)": decimal(38, 38),
  "numeric(38,0)": decimal(38, 0).map((n) => n.replace(".", "")),
  numeric: fc.oneof(decimal(60, 30), fc.constantFrom("NaN", "1e100", "1.10")),
  date: fc.oneof(
    moments.map((m) => m.toISOString().slice(0, 10)),
    fc.constantFrom("infinity", "-infinity", "0044-03-15 BC", "12026-01-01"),
  ),
  timestamp: fc.oneof(instants, fc.constantFrom("infinity", "0044-03-15 01:02:03 BC", "12026-01-01")),
  timestamptz: fc.oneof(
    instants.map((i) => `${i}+00`),
    fc.constantFrom("-infinity", "12026-01-01 00:00:00+00"),
  ),
  bytea: fc.uint8Array({ maxLength: 20 }).map((b) => `\\x${Buffer.from(b).toString("hex")}`),
  text: texts,
  "varchar(40)": texts.map((t) => t.slice(0, 20)),
  "char(8)": fc.constantFrom("", "a", "abc     ", "abcdefgh", " b"),
  uuid: fc.uuid(),
  jsonb: fc.json(),
  json: fc.json(),
  interval: fc.constantFrom("1 day 2 hours", "-3 months", "0.000001 seconds"),
  inet: fc.constantFrom("10.0.0.1", "10.0.0.0/8", "::1"),
  "integer[]": fc.oneof(
    fc
      .array(fc.oneof(fc.integer().map(String), fc.constant("NULL")), { maxLength: 4 })
      .map((l) => `{${l.join()}}`),
    fc.constantFrom("{{1,2},{3,4}}", "[0:1]={1,2}"),
  ),
  "text[]": fc
    .array(fc.option(texts), { maxLength: 4 })
    .map(
      (l) => `{${l.map((t) => (t === null ? "NULL" : JSON.stringify(t).replace(/\\[nrtbf]/g, "?"))).join()}}`,
    ),
  "float8[]": fc.array(doubles, { maxLength: 3 }).map((l) => `{${l.join()}}`),
  "timestamptz[]": fc.array(instants, { maxLength: 3 }).map((l) => `{${l.map((i) => `"${i}+00"`).join()}}`),
} as const;

const NAMES = Object.keys(TYPES).map((_, i) =>
  `c ${i}/"~é`.slice(0, i % 2 === 0 ? undefined : 3 + String(i).length),
);
const row = fc.tuple(
  ...Object.values(TYPES).map((value) => fc.option(value as fc.Arbitrary<string>, { freq: 6 })),
);

let tables = 0;

/** A table with one column of every type, loaded; and its pipeline. */
async function loaded(rows: readonly (readonly (string | null)[])[]) {
  const name = `types_${++tables}`;
  const quoted = NAMES.map((column) => `"${column.replaceAll('"', '""')}"`);
  const columns = Object.keys(TYPES).map((type, i) => `${quoted[i]} ${type}`);
  await database.query(`CREATE TABLE ${name} (id int PRIMARY KEY, ${columns.join(", ")})`);
  for (const [id, values] of rows.entries()) {
    const parameters = values.map((_, i) => `$${i + 1}`);
    await database.query(`INSERT INTO ${name} VALUES (${[id, ...parameters].join(", ")})`, [...values]);
  }
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  const pipeline: PipelineDefinition = { name: "p", source: postgres({ tables: { [name]: {} } }) };
  await load(context, pipeline);
  return { name, lake, context, pipeline, quoted };
}

it("hashes rows of every type alike in Postgres and in the lake", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 25 }), async (rows) => {
      const { name, lake, context, pipeline } = await loaded(rows);
      const [table] = await describeAll(context.connectionString, pipeline);
      const target = lake.table(`p/bronze/${name}`);
      const base = await target.existingSnapshot();
      if (table === undefined) throw new Error("no table");
      const { columns, drifted } = pairColumns(table, base);
      expect(drifted).toEqual([]);
      for (const column of columns) {
        const compared = [{ name: "id", type: "integer" }, ...(column.name === "id" ? [] : [column])];
        const client = await database.connect();
        await client.query("SET TimeZone = 'UTC'; SET extra_float_digits = 3");
        const source = await client.query(
          `SELECT id, (${sourceHash(compared)})::text AS hash FROM ${name} ORDER BY id`,
        );
        await client.end();
        const rowsOfLake = await scanSql(target.store, scannable(base));
        const lakeRows = await duckdb.rows(
          `SELECT id, (${lakeHash(compared)})::VARCHAR AS hash FROM (${rowsOfLake}) ORDER BY id`,
        );
        expect({ column: column.name, rows: lakeRows }).toEqual({ column: column.name, rows: source.rows });
      }
      await database.query(`DROP TABLE ${name}`);
    }),
    { numRuns: 5 },
  );
});

it("finds any single value that is another one, repairs it, and then finds none", async () => {
  const types = Object.entries(TYPES) as [string, fc.Arbitrary<string>][];
  const changes = fc.integer({ min: 0, max: types.length - 1 }).chain((at) => {
    const [, value] = types[at] ?? ["text", texts];
    return fc.record({ at: fc.constant(at), value: fc.option(value, { freq: 6 }) });
  });
  const rows = fc.array(row, { minLength: 3, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(rows, fc.array(changes, { minLength: 4, maxLength: 8 }), async (values, list) => {
      const { name, context, pipeline, quoted } = await loaded(values);
      const tables = await describeAll(context.connectionString, pipeline);
      const compare = async () => {
        const shared = await shareSnapshot(context.connectionString);
        const [report] = await repairTables(context, pipeline, shared, { tables, movePosition: false });
        await shared.end();
        return report;
      };
      for (const { at, value } of list) {
        const [column, type] = [quoted[at], types[at]?.[0]];
        const [before] = await database.query<{ same: boolean }>(
          `SELECT (${column} IS NULL) = ($1::${type} IS NULL) AND concat(${column}) = concat($1::${type}) AS same FROM ${name} WHERE id = 1`,
          [value],
        );
        await database.query(`UPDATE ${name} SET ${column} = $1 WHERE id = 1`, [value]);
        const differs = before?.same ? 0 : 1;
        expect(await compare()).toMatchObject({
          different: differs,
          missing: 0,
          extra: 0,
          repaired: differs,
        });
        expect(await compare()).toMatchObject({ status: "same", bytes: 0 });
      }
      await database.query(`DROP TABLE ${name}`);
    }),
    { numRuns: 4 },
  );
});
