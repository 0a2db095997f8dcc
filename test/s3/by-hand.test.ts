/**
 * Commands by hand beside schedulers that are at the same tables, on a folder and on S3, while the source goes on
 * changing: each of them succeeds, no change is lost, and none is taken twice.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { currentStateSql } from "../../layers/definition/bronze-state.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { type TestDatabase, useDatabase } from "../support/postgres.ts";
import { s3Available, useS3 } from "../support/s3.ts";
import { IngotProcess } from "./ingot-process.ts";
import { makePlace, type Place } from "./places.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** The same models for every pipeline: rows as they are, and a figure for each day. */
async function configOf(name: string, changes: string, schedule: string): Promise<string> {
  const models = `${folder.path}/models`;
  await mkdir(`${models}/silver`, { recursive: true });
  await mkdir(`${models}/gold`, { recursive: true });
  await writeFile(`${models}/silver/items.sql`, `SELECT id, v, "at" FROM bronze.${name}`);
  await writeFile(
    `${models}/gold/daily.sql`,
    `SELECT CAST("at" AT TIME ZONE 'UTC' AS DATE) AS day, count(*) AS items, sum(v) AS total FROM silver.items GROUP BY day`,
  );
  return `import { aggregate, date, decimal, defineConfig, defineTable, long, merge, postgres, timestamp } from "ingot";
const items = defineTable({ name: "items", description: "items", key: ["id"],
  columns: { id: long(), v: long(), at: timestamp() } });
const daily = defineTable({ name: "daily", description: "days", key: ["day"],
  columns: { day: date(), items: long(), total: decimal(38, 0) } });
export default defineConfig({ pipelines: [{
  name: "p_${name}", folder: new URL("file://${models}/"),
  source: postgres({ changes: "${changes}", tables: { ${name}: { deletes: "${changes === "query" ? "compare" : "ignore"}" } } }),
  silver: { items: merge(items) }, gold: { daily: aggregate(daily) },
  schedules: { live: ${schedule} },
}] });
`;
}

/** Goes on changing rows until it is told to end. */
function keepChanging(database: TestDatabase, table: string) {
  let goesOn = true;
  const work = (async () => {
    for (let round = 1; goesOn; round++) {
      // Some 100 transactions a second.
      await delay(10);
      const id = (round * 7) % 40;
      await database.query(`UPDATE ${table} SET v = v + 1 WHERE id = $1`, [id]);
      if (round % 5 === 0) await database.query(`DELETE FROM ${table} WHERE id = $1`, [id + 1]);
      await database.query(
        `INSERT INTO ${table} VALUES ($1::int, $2, timestamptz '2026-01-01 12:00+00' + $1::int * interval '1 day') ON CONFLICT DO NOTHING`,
        [id + 1, round],
      );
    }
  })();
  // Whoever stops it is told.
  work.catch(() => {});
  return async () => {
    goesOn = false;
    await work;
  };
}

async function play(database: TestDatabase, place: Place, name: string, follows: boolean): Promise<void> {
  await database.query(
    `CREATE TABLE ${name} (id bigint PRIMARY KEY, v bigint NOT NULL, at timestamptz NOT NULL)`,
  );
  await database.query(
    `INSERT INTO ${name} SELECT g, g, timestamptz '2026-01-01 12:00+00' + g * interval '1 day' FROM generate_series(0, 59) g`,
  );
  await place.json("run");
  const bronze = place.lake.table(`p_${name}/bronze/${name}`);
  // Rows that a disk has lost: only a backfill finds them.
  await deleteRows(bronze, "id IN (45, 50, 55)");
  const stop = keepChanging(database, name);
  const start = () =>
    new IngotProcess(place.folder, ["start", "--json", "--verbose", "--lease", "3"], place.environment);
  const workers = [start(), start()];
  try {
    const succeeded = ({ msg, status }: Record<string, unknown>) =>
      msg === "run ended" && status === "succeeded";
    const busy = await Promise.any(
      workers.map((worker) =>
        worker.logged((line) => (follows ? line.msg === "batch" : succeeded(line))).then(() => worker),
      ),
    );
    const range = ["--from", "2026-01-01", "--to", "2026-04-01", "--yes"];
    const read = await place.json<{ report: Record<string, number> }>(
      ...["backfill", `bronze.${name}`, "--column", "at", "--chunk", "60d", ...range],
    );
    expect(read.report.rowsOut).toBeGreaterThanOrEqual(3);
    await place.json("backfill", "gold.daily", "--chunk", "30d", ...range);
    for (const command of [["sync"], ["build"], ["load"]]) await place.json(...command);
    // Several at once.
    await Promise.all([
      place.json("sync"),
      place.json("build"),
      place.json("backfill", "gold.daily", ...range),
      place.json("backfill", `bronze.${name}`, "--column", "at", "--chunk", "60d", ...range),
    ]);
    // They did not end by it.
    await busy.logged(succeeded, busy.lines.length);
    for (const worker of workers) worker.signal("SIGTERM");
    expect(await Promise.all(workers.map((worker) => worker.ended))).toEqual(["SIGTERM", "SIGTERM"]);
    const failed = workers.flatMap(({ lines }) => lines.filter(({ status }) => status === "failed"));
    expect(failed).toEqual([]);
  } finally {
    for (const worker of workers) worker.signal("SIGKILL");
    await stop();
  }
  await place.json("run");
  const { lake } = place;
  const source = await database.query(`SELECT id::text, v::text FROM ${name} ORDER BY ${name}.id`);
  const asText = (sql: string) =>
    `SELECT id::VARCHAR AS id, v::VARCHAR AS v FROM (${sql}) AS s ORDER BY s.id`;
  expect(await queryTable(lake, bronzeOf(name), asText(currentStateSql("FROM t", ["id"], [])))).toEqual(
    source,
  );
  expect(await queryTable(lake, `p_${name}/silver/items`, asText("FROM t"))).toEqual(source);
  const twice = `SELECT id, _ingot_lsn, _ingot_seq, _ingot_op, count(*) AS n FROM t GROUP BY ALL HAVING n > 1`;
  expect(await queryTable(lake, bronzeOf(name), twice)).toEqual([]);
  expect(
    await queryTable(
      lake,
      `p_${name}/gold/daily`,
      "SELECT day::VARCHAR AS day, items::INTEGER AS items, total::VARCHAR AS total FROM t ORDER BY ALL",
    ),
  ).toEqual(
    await database.query(
      `SELECT (at AT TIME ZONE 'UTC')::date::text AS day, count(*)::int AS items, sum(v)::text AS total FROM ${name} GROUP BY 1 ORDER BY 1`,
    ),
  );
}

const bronzeOf = (name: string) => `p_${name}/bronze/${name}` as const;
const FOLLOW = "{ follow: { buildEverySeconds: 1 }, steps: ['build'], retries: 5 }";
const CRON = "{ cron: '* * * * * *', steps: ['sync', 'build'] }";

describe("on a folder", () => {
  const database = useDatabase();
  it.each([
    ["query", "query"],
    ["capture", "wal"],
  ])("beside schedulers that %s", async (name, changes) => {
    const config = await configOf(name, changes, CRON);
    const environment = { DATABASE_URL: database.url };
    const place = await makePlace({ duckdb, root: folder.path, name, config, environment });
    await play(database, place, name, false);
  });
});

describe.skipIf(!s3Available())("on S3", () => {
  const database = useDatabase();
  const s3 = useS3();
  it("beside schedulers that follow", async () => {
    const name = "remote";
    const config = await configOf(name, "wal", FOLLOW);
    const environment = { DATABASE_URL: database.url };
    const place = await makePlace({ duckdb, root: folder.path, name, config, s3, environment });
    await play(database, place, name, true);
  });
});
