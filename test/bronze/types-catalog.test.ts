import type pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeSchema, describeTable } from "../../layers/bronze/postgres/catalog.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { useDatabase } from "../support/postgres.ts";

const database = useDatabase();
const empty = useDatabase();
let client: pg.Client;
beforeAll(async () => {
  client = await connect(database.url);
});
afterAll(() => disconnect(client));

it("describes an ordinary table: numbers and types of its columns, what is computed, its key", async () => {
  await database.query(`CREATE DOMAIN name_of AS varchar(20)`);
  await database.query(`CREATE TABLE orders (gone int, b bigint, a name_of, total numeric(10,2)[], double_b bigint GENERATED ALWAYS AS (b * 2) STORED,
    PRIMARY KEY (b, a) INCLUDE (total))`);
  await database.query("ALTER TABLE orders DROP COLUMN gone");
  await database.query(
    "INSERT INTO orders SELECT g, 'x' || g FROM generate_series(1, 2000) g; ANALYZE orders",
  );
  const table = await describeTable(client, "orders", {});
  expect(
    table.columns.map(({ name, attnum, sourceType, generated }) => ({ name, attnum, sourceType, generated })),
  ).toEqual([
    { name: "b", attnum: 2, sourceType: "bigint" },
    { name: "a", attnum: 3, sourceType: "name_of" },
    { name: "total", attnum: 4, sourceType: "numeric(10,2)[]" },
    { name: "double_b", attnum: 5, sourceType: "bigint", generated: true },
  ]);
  expect(table).toMatchObject({
    kind: "r",
    key: ["b", "a"],
    replicaIdentity: "d",
    identityColumns: ["b", "a"],
    estimatedRows: 2000,
    hasTransactionIds: true,
    relations: [String(table.oid)],
  });
  expect(table.bytes).toBeGreaterThan(0);
  await database.query("ALTER TABLE orders REPLICA IDENTITY FULL");
  expect(await describeTable(client, "orders", {})).toMatchObject({
    replicaIdentity: "f",
    identityColumns: ["b", "a", "total", "double_b"],
  });
  await database.query(
    "CREATE UNIQUE INDEX by_a ON orders (a); ALTER TABLE orders REPLICA IDENTITY USING INDEX by_a",
  );
  expect(await describeTable(client, "orders", {})).toMatchObject({
    replicaIdentity: "i",
    identityColumns: ["a"],
  });
  await database.query("ALTER TABLE orders REPLICA IDENTITY NOTHING");
  expect(await describeTable(client, "orders", {})).toMatchObject({
    replicaIdentity: "n",
    identityColumns: [],
  });
});

it("describes partitioned tables with their partitions, and what is not a table but can be read", async () => {
  await database.query(`CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
    INSERT INTO parts SELECT generate_series(0, 19); ANALYZE parts;
    CREATE VIEW seen AS SELECT id FROM parts; CREATE MATERIALIZED VIEW kept AS SELECT id FROM parts;
    CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
    CREATE FOREIGN TABLE far (line text) SERVER files OPTIONS (filename '/dev/null');
    CREATE SEQUENCE numbers; CREATE TABLE nothing (); CREATE TABLE keyless (n int);
    CREATE TABLE twice ("A" int PRIMARY KEY, a int); CREATE TABLE own ("_INGOT_x" int PRIMARY KEY)`);
  const parts = await describeTable(client, "parts", {});
  expect(parts).toMatchObject({ kind: "p", key: ["id"], estimatedRows: 20 });
  expect(parts.relations).toHaveLength(3);
  expect(parts.bytes).toBeGreaterThan(0);
  const view = await describeTable(client, "seen", { key: ["id"] });
  expect(view).toMatchObject({
    kind: "v",
    key: ["id"],
    hasTransactionIds: false,
    identityColumns: [],
    bytes: 0,
  });
  expect(await describeTable(client, "kept", { key: "none" })).toMatchObject({
    kind: "m",
    hasTransactionIds: true,
  });
  expect(await describeTable(client, "far", { key: "none" })).toMatchObject({
    kind: "f",
    hasTransactionIds: false,
  });
  for (const [name, code] of Object.entries({
    seen: "POSTGRES_NO_KEY",
    keyless: "POSTGRES_NO_KEY",
    numbers: "POSTGRES_NOT_A_TABLE",
    nothing: "POSTGRES_NO_COLUMNS",
    twice: "POSTGRES_AMBIGUOUS_COLUMN",
    own: "POSTGRES_RESERVED_COLUMN",
    missing: "POSTGRES_NO_TABLE",
  })) {
    await expect(describeTable(client, name, {}), name).rejects.toMatchObject({ code });
  }
});

it("asks whether a database without any table is the one that is meant", async () => {
  const other = await connect(empty.url);
  try {
    await expect(describeTable(other, "orders", {})).rejects.toMatchObject({
      code: "POSTGRES_NO_TABLE",
      next: expect.stringContaining("export DATABASE_URL="),
    });
  } finally {
    await disconnect(other);
  }
});

it("lists the tables of a schema: no partitions, no views, none of extensions", async () => {
  const long = "ü".repeat(31);
  await database.query(`CREATE SCHEMA "My ""schema"""; CREATE EXTENSION cube SCHEMA "My ""schema""";
    CREATE TABLE "My ""schema""".b (); CREATE TABLE "My ""schema"""."${long}" (id int PRIMARY KEY);
    CREATE TABLE "My ""schema""".a (id int) PARTITION BY LIST (id);
    CREATE TABLE "My ""schema""".a_1 PARTITION OF "My ""schema""".a DEFAULT; CREATE VIEW "My ""schema""".v AS SELECT 1 AS one`);
  expect(await describeSchema(client, 'My "schema"')).toEqual(["a", "b", long]);
  expect((await describeTable(client, "bronze_name", { schema: 'My "schema"', table: long })).bronze).toBe(
    "bronze_name",
  );
  await expect(describeSchema(client, "absent")).rejects.toMatchObject({ code: "POSTGRES_NO_SCHEMA" });
});
