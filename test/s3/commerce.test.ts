/**
 * The whole of the shop on a folder, on S3, and on S3 with DuckDB's extension httpfs, of one database: what commands
 * answer, what tables hold and what is published is the same. What may differ is when and where: times of commits, ids
 * of runs, bytes, positions of slots.
 */
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { openHttpfs } from "../../lakehouse/duckdb/httpfs.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { httpfsExtension } from "../support/httpfs.ts";
import { useDatabase } from "../support/postgres.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";
import { s3Available, useS3 } from "../support/s3.ts";
import { IngotProcess } from "./ingot-process.ts";
import { makePlace, modelRows, type Place } from "./places.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const PIPELINE = new URL("../../pipelines/commerce/pipeline.ts", import.meta.url).pathname;
/** Each lake has a slot of its own. */
const CONFIG = `import { defineConfig } from "ingot";
import { commerce } from "${PIPELINE}";
const source = { ...commerce.source, wal: { slot: process.env.SHOP_SLOT } };
const schedules = { refresh: { cron: "* * * * * *" } };
export default defineConfig({ pipelines: [{ ...commerce, source, schedules }] });
`;

interface Steps {
  readonly steps: readonly { readonly rows: number; readonly tables: readonly Record<string, unknown>[] }[];
}

describe.skipIf(!s3Available() || !redisAvailable)("the shop", () => {
  const database = useDatabase();
  const redis = useRedis();
  const s3 = useS3();
  let onFolder: Place;
  let onS3: Place;
  /** By httpfs, where the machine has it. */
  let direct: Place | undefined;

  beforeAll(async () => {
    const root = folder.path;
    const place = (name: string, number: number, more: object = {}, environment: object = {}) =>
      makePlace({
        ...{ duckdb, root, name, config: CONFIG, ...more },
        environment: {
          DATABASE_URL: database.url,
          REDIS_URL: `${redis.url}/${number}`,
          SHOP_SLOT: `shop_${name}`,
          ...environment,
        },
      });
    onFolder = await place("folder", 1);
    onS3 = await place("bucket", 2, { s3 });
    if (httpfsExtension === undefined) return;
    direct = await place("direct", 3, { s3 }, { INGOT_S3_HTTPFS: httpfsExtension });
  });

  /** What `work` answers of the folder and of S3 is the same, and of the lakes `beside` them. */
  async function same<T>(work: (place: Place) => Promise<T>, ...beside: (Place | undefined)[]): Promise<T> {
    const first = await work(onFolder);
    for (const place of [onS3, ...beside])
      if (place !== undefined) expect(await work(place), place.name).toEqual(first);
    return first;
  }

  /** Reports of a step, without what is another one in each lake. */
  const step = (...args: string[]) =>
    same(async (place) => {
      const { steps } = await place.json<Steps>(...args);
      return steps.map(({ rows, tables }) => ({
        // All publish to one Redis, where what is equal is not written again.
        rows: tables.some(({ metric }) => metric !== undefined) ? undefined : rows,
        tables: tables
          .map(({ table, model, metric, status, rows: taken }) => ({ table, model, metric, status, taken }))
          .toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
      }));
    });
  const simulate = (seed: number, journeys: number) =>
    onFolder.json("simulate", "commerce", "--rate", "0", "--journeys", `${journeys}`, "--seed", `${seed}`);
  const published = async (place: Place) => {
    const { metrics } = await place.json<{ metrics: { metric: string; rows: unknown[] }[] }>("metrics");
    return metrics.map(({ metric, rows }) => ({ metric, rows }));
  };

  it("is loaded, follows changes, is built and published", async () => {
    await onFolder.json("bootstrap", "commerce", "--scale", "0.01");
    const [loaded] = await step("load");
    expect(loaded?.rows).toBeGreaterThan(1_000);
    await step("build");
    await direct?.json("load");
    await direct?.json("build");
    await simulate(1, 100);
    const [synced] = await step("sync");
    expect(synced?.rows).toBeGreaterThan(100);
    const [built] = await step("build");
    expect(built?.tables.filter(({ status }) => status === "incremental").length).toBeGreaterThan(5);
    await step("publish");
    await direct?.json("run");
    expect(Object.keys(await same(modelRows, direct))).toHaveLength(14);
    expect((await same(published, direct)).every(({ rows }) => rows.length > 0)).toBe(true);
  });

  it("sets rows aside that break their contract, and takes them back", async () => {
    await database.query("UPDATE users SET country = 'nowhere' WHERE id IN (1, 2)");
    await step("run");
    const listed = await same(async (place) => {
      const { rules } = await place.json<{ rules: Record<string, unknown>[] }>("quarantine", "ls");
      return rules.map(({ model, rule, rows }) => ({ model, rule, rows }));
    });
    expect(listed).toMatchObject([{ model: "silver.users", rule: expect.stringContaining("country") }]);
    const held = await same(async (place) => {
      const { rows } = await place.json<{ rows: Record<string, unknown>[] }>("quarantine", "show", "users");
      return rows.map(({ key, rules }) => JSON.stringify([key, rules])).toSorted();
    });
    expect(held).toHaveLength(2);
    await database.query("UPDATE users SET country = 'DE' WHERE id = 1");
    await step("run");
    await step("quarantine", "replay", "silver.users");
    expect(Object.keys(await same(modelRows))).toContain("commerce/quarantine/users");
    await database.query("UPDATE users SET country = 'FR' WHERE id = 2");
    await step("run");
    await same(modelRows);
  });

  it("is made again in ranges, compared, traced, verified and planned", async () => {
    const [{ day } = { day: "" }] = await database.query<{ day: string }>(
      "SELECT max(created_at AT TIME ZONE 'UTC')::date::text AS day FROM orders",
    );
    const range = ["--from", "2000-01-01", "--to", "2100-01-01", "--chunk", "100y", "--yes"];
    const backfill = (...args: string[]) =>
      same(async (place) => {
        const { report } = await place.json<{ report: Record<string, unknown> }>(
          "backfill",
          ...args,
          ...range,
        );
        return [report.chunks, report.rowsIn, report.rowsOut, report.left];
      });
    expect(await backfill("gold.daily_sales")).toEqual([1, expect.any(Number), 0, undefined]);
    expect(await backfill("bronze.orders", "--column", "created_at")).toEqual([1, expect.any(Number), 0, 0]);
    const differences = await same(async (place) => {
      const { stdout, code } = await place.run("diff", "gold.daily_sales", "--json");
      const { leftRows, rightRows, same: equal, different, onlyLeft, onlyRight } = JSON.parse(stdout);
      return { code, leftRows, rightRows, equal, different, onlyLeft, onlyRight };
    });
    expect(differences).toMatchObject({ leftRows: expect.any(Number), equal: expect.any(Number) });
    const traced = await same(async (place) => {
      const { root } = await place.json<{
        root: { rows: number; inputs: { table: string; rows: number }[] };
      }>(...["trace", "gold.daily_sales", `day=${day}`]);
      return { rows: root.rows, inputs: root.inputs.map((input) => [input.table, input.rows]) };
    });
    expect(traced.rows).toBe(1);
    const status = await same(async (place) => {
      const answer = await place.json<{ lake: string; tables: Record<string, unknown>[] }>("status");
      expect(answer.lake).toBe(place.environment.INGOT_LAKE);
      return answer.tables.map(({ table, rows, loading }) => ({ table, rows, loading }));
    });
    expect(status.length).toBeGreaterThan(21);
    const verified = await same(async (place) => {
      const { code, stdout } = await place.run("verify", "--json");
      const { tables } = JSON.parse(stdout) as { tables: Record<string, unknown>[] };
      return { code, tables: tables.map(({ table, status: found }) => [table, found]) };
    });
    expect(verified).toMatchObject({ code: 0, tables: expect.arrayContaining([["bronze.orders", "same"]]) });
    expect(await same(async (place) => (await place.run("plan")).code)).toBe(0);
  });

  it("is asked by SQL, over versions, into files, and as a DuckDB file", async () => {
    await same(async (place) => {
      const rows = async (sql: string) => JSON.parse((await place.run("sql", sql, "--json")).stdout);
      const now = await rows("SELECT count(*) AS n, sum(total)::VARCHAR AS total FROM silver.orders");
      const then = await rows("SELECT count(*) AS n FROM silver.orders AT (VERSION => 0)");
      expect(JSON.stringify(then)).not.toBe(JSON.stringify(now));
      return { now, then };
    });
    await same(async (place) => {
      const file = `${place.folder}/orders.parquet`;
      expect((await place.run("sql", "FROM silver.orders ORDER BY id", "--out", file)).code).toBe(0);
      return duckdb.rows(`SELECT * FROM read_parquet(${literal(file)})`);
    });
    await same(async (place) => {
      const file = `${place.folder}/copy.duckdb`;
      expect((await place.run("export", "duckdb", file, "--copy")).code).toBe(0);
      const opened = await DuckDb.open({ memoryMb: 128, threads: 1 });
      try {
        await opened.rows(`ATTACH ${literal(file)} AS lake (READ_ONLY)`);
        return await opened.rows("FROM lake.gold.daily_sales ORDER BY day");
      } finally {
        opened.close();
      }
    });
    const refused = await onS3.run("export", "duckdb", `${onS3.folder}/views.duckdb`);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("--copy")]);
  });

  it.skipIf(httpfsExtension === undefined)(
    "is seen through the views of a DuckDB file, by httpfs",
    async () => {
      if (direct === undefined || httpfsExtension === undefined) throw new Error("no place");
      const file = `${direct.folder}/views.duckdb`;
      expect((await direct.run("export", "duckdb", file)).stderr).toBe("");
      const opened = await DuckDb.open({ memoryMb: 128, threads: 1 });
      try {
        const { endpoint, credentials } = s3;
        const access = { endpoint, credentials, region: "us-east-1", extension: httpfsExtension };
        await openHttpfs(opened, `s3://${s3.bucket}`, access);
        await opened.rows(`ATTACH ${literal(file)} AS lake (READ_ONLY)`);
        const [views] = await opened.rows(
          "SELECT count(*) AS n FROM lake.ingot.versions WHERE kind = 'view'",
        );
        expect(Number(views?.n)).toBeGreaterThan(10);
        const [found] = await opened.rows("SELECT count(*)::INTEGER AS n FROM lake.silver.orders");
        const [wanted] = await database.query<{ n: number }>("SELECT count(*)::int AS n FROM orders");
        expect(found?.n).toBe(wanted?.n);
        expect((await readFile(file)).includes(s3.credentials.secretAccessKey)).toBe(false);
      } finally {
        opened.close();
      }
    },
  );

  it("is served", async () => {
    await same(async (place) => {
      const server = new IngotProcess(place.folder, ["serve", "--port", "0", "--json"], place.environment);
      const { url } = await server.logged((line) => "url" in line);
      const answer = await fetch(`${String(url)}/v1/commerce/daily_revenue`);
      const { rows } = (await answer.json()) as { rows: unknown[] };
      expect(rows.length).toBeGreaterThan(0);
      server.signal("SIGTERM");
      expect(await server.ended).toBe("SIGTERM");
      return rows;
    });
  });

  it("is kept up by two schedulers, one of which is killed", async () => {
    const start = () => new IngotProcess(onS3.folder, ["start", "--json", "--lease", "2"], onS3.environment);
    const isRun = ({ msg, status }: Record<string, unknown>) => msg === "run ended" && status === "succeeded";
    const workers = [start(), start()];
    const runner = await Promise.any(workers.map((worker) => worker.logged(isRun).then(() => worker)));
    await simulate(3, 30);
    await runner.logged(({ msg }) => msg === "run started", runner.lines.length).catch(() => {});
    runner.signal("SIGKILL");
    expect(await runner.ended).toBe("SIGKILL");
    const other = workers.find((worker) => worker !== runner);
    if (other === undefined) throw new Error("no other");
    await simulate(4, 30);
    const before = other.lines.length;
    await other.logged(isRun, before);
    await other.logged(isRun, other.lines.length);
    other.signal("SIGTERM");
    expect(await other.ended).toBe("SIGTERM");
    expect(other.lines.at(-1)).toMatchObject({ msg: "stopped" });
    await onFolder.json("run");
    await onS3.json("run");
    await same(modelRows);
    await same(published);
  });
});
