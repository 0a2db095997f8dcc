import fc from "fast-check";
import { expect, it } from "vitest";
import type { ProgressEvent } from "../../lakehouse/progress.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { RateLimit } from "../../layers/bronze/postgres/rate-limit.ts";
import { type PostgresSource, postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { DIVIDES } from "./large-table.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const pipelineOf = (source: Omit<PostgresSource, "kind">) => ({ name: "p", source: postgres(source) });

it("readers that wait as they are told take no more than the rate, whatever they take and when", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 65_536 }), fc.nat({ max: 3000 })), {
        minLength: 1,
        maxLength: 200,
      }),
      (megabytes, takes) => {
        let now = 0;
        const rate = new RateLimit(megabytes, () => now);
        let taken = 0;
        for (const [bytes, idle] of takes) {
          now += idle;
          const wait = rate.take(bytes);
          taken += bytes;
          expect(wait).toBeGreaterThanOrEqual(0);
          // The bytes a second, a quarter of a second's burst, and the buffer that was just taken.
          expect(taken - bytes).toBeLessThanOrEqual(megabytes * 1000 * (now + 250) + 1);
          now += wait;
        }
      },
    ),
  );
});

it("several readers share the rate", () => {
  let now = 0;
  const rate = new RateLimit(1, () => now);
  const waits = Array.from({ length: 10 }, () => rate.take(100_000));
  expect(waits).toEqual([0, 0, 50, 150, 250, 350, 450, 550, 650, 750]);
  now = 750;
  expect(rate.take(0)).toBe(0);
});

it("a table is read with as many connections as there may be, and in statements that end in time", async () => {
  await database.query("CREATE TABLE gentle (id bigint PRIMARY KEY, pad text)");
  await database.query("INSERT INTO gentle SELECT g, repeat('p', 300) FROM generate_series(1, 30000) g");
  const lake = newLake(folder.path, duckdb);
  const seen: number[] = [];
  const looks: Promise<unknown>[] = [];
  const look = async () => {
    const [row] = await database.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'ingot' AND query LIKE 'COPY%' AND state = 'active'",
    );
    seen.push(row?.n ?? 0);
  };
  const onProgress = () => void looks.push(look());
  const source = {
    tables: { gentle: {} },
    limits: { connections: 2, statementSeconds: 1, megabytesPerSecond: 100 },
  };
  const context = { ...ingestContext(lake, database.url), concurrency: 8, onProgress };
  expect(await load(context, pipelineOf(source))).toMatchObject([{ rows: 30_000 }]);
  await Promise.all(looks);
  expect(Math.max(...seen)).toBeLessThanOrEqual(2);
  // 10 MB, of which a statement takes at most 1.6 MB before its rate is known.
  const { version } = await lake.table("p/bronze/gentle").existingSnapshot();
  if (DIVIDES) expect(version).toBeGreaterThan(2);
  else expect(version).toBe(0);
  expect(await queryTable(lake, "p/bronze/gentle", "SELECT count(DISTINCT id)::INTEGER AS n FROM t")).toEqual(
    [{ n: 30_000 }],
  );
});

it("a statement that takes too long and cannot be made shorter is an error that says so", async () => {
  await database.query(
    "CREATE VIEW slow AS SELECT g AS id, pg_sleep(0.05)::text AS s FROM generate_series(1, 1000) g",
  );
  const source = { tables: { slow: { key: ["id"] } }, limits: { statementSeconds: 0.2 } };
  const failure = load(ingestContext(newLake(folder.path, duckdb), database.url), pipelineOf(source));
  await expect(failure).rejects.toMatchObject({ name: "TransientError", code: "POSTGRES_STATEMENT_TIMEOUT" });
});

it("says how many rows there will be, also of a table that was never analysed", async () => {
  await database.query(
    "CREATE TABLE measured (id bigint PRIMARY KEY, pad text) WITH (autovacuum_enabled = false)",
  );
  await database.query("INSERT INTO measured SELECT g, repeat('p', 300) FROM generate_series(1, 20000) g");
  await database.query("CREATE TABLE small (id bigint PRIMARY KEY)");
  const events: ProgressEvent[] = [];
  const context = { ...ingestContext(newLake(folder.path, duckdb), database.url), concurrency: 1 };
  await load(
    { ...context, onProgress: (event) => events.push(event) },
    pipelineOf({ tables: { measured: {}, small: {} } }),
    { rangeBytes: 100 * 8192 },
  );
  const totals = events.filter(
    ({ task, totalRows }) => task === "bronze.measured" && totalRows !== undefined,
  );
  // Known from the first range that was read; the last one is the end.
  if (DIVIDES) expect(totals.length).toBeGreaterThan(2);
  for (const { totalRows } of totals) expect(Math.abs((totalRows ?? 0) - 20_000)).toBeLessThan(1000);
  expect(events.filter(({ task }) => task === "load p").at(-1)).toMatchObject({
    state: "done",
    rows: 20_000,
  });
  // The large one first.
  const firstOf = (name: string) => events.findIndex(({ task }) => task === name);
  expect(firstOf("bronze.measured")).toBeLessThan(firstOf("bronze.small"));
});
