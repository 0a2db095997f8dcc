import { expect, it } from "vitest";
import { summary } from "../../jobs/commands/step-command.ts";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { overwriteRows } from "../../lakehouse/delta/change/overwrite.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { inferSchema } from "../../lakehouse/delta/infer-schema.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { full } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import type { PublishedMetric } from "../../layers/definition/published.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { publish, rollback } from "../../layers/publish/publish.ts";
import { setLost } from "../../layers/publish/set-lost.ts";
import type { Publication, PublishOutcome, PublishTarget, RowBatch } from "../../layers/publish/target.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** A gold table of these rows; contract key `k`. */
async function goldLake(sql: string): Promise<Lake> {
  const lake = newLake(folder.path, duckdb);
  const session = await duckdb.session();
  const schema = inferSchema(await session.describe(sql));
  await session.close();
  await createTable(lake.table("shop/gold/top"), { schema });
  await appendRows(lake.table("shop/gold/top"), sql);
  return lake;
}

const contract = (key: readonly string[]) =>
  defineTable({
    name: "top",
    description: "top",
    key: key as ["k"],
    columns: { k: long(), v: text(), ...Object.fromEntries(key.map((name) => [name, text()])) },
  });

function pipelineOf(
  publications: readonly Partial<PublishedMetric>[],
  key: readonly string[] = ["k"],
): PipelineDefinition {
  return {
    name: "shop",
    source: postgres({ tables: {} }),
    gold: { top: full(contract(key)) },
    publish: publications.map((part) => ({ model: "top", title: "Top", ...part })),
  };
}

/** A target of files that keeps the publications it was given. */
class Watched extends EmbeddedTarget {
  readonly given: Publication[] = [];
  override publish(publication: Publication): Promise<PublishOutcome> {
    this.given.push(publication);
    return super.publish(publication);
  }
}

const run = (lake: Lake, target: PublishTarget, pipeline: PipelineDefinition) =>
  publish({ lake, target: async () => target, onProgress: ignoreProgress }, pipeline);

async function published(sql: string, part: Partial<PublishedMetric>, key?: readonly string[]) {
  const target = new Watched(new MemoryStore());
  await run(await goldLake(sql), target, pipelineOf([part], key));
  const [publication] = target.given;
  const batches: RowBatch[] = [];
  for await (const batch of publication?.rows() ?? []) batches.push(batch);
  return { rows: (await target.read("shop/top"))?.rows, batch: batches[0], target };
}

it("gives values of all types as JSON without loss", async () => {
  const { rows } = await published(
    `SELECT 1::BIGINT AS k, 9007199254740993::BIGINT AS wide, 12.50::DECIMAL(9,2) AS price, DATE '2026-02-03' AS day,
       TIMESTAMP '2026-02-03 04:05:06.7' AS local, TIMESTAMPTZ '2026-02-03 04:05:06+02' AS instant, 'NaN'::DOUBLE AS nan,
       0.1::DOUBLE AS part, true AS flag, NULL::VARCHAR AS nothing, 'ü"\\n' AS quoted, 'ab'::BLOB AS bytes,
       {'a': 9007199254740993::BIGINT, 'b"': [DATE '2026-01-01']} AS nested, [9007199254740993, 2]::BIGINT[] AS list,
       1 AS "order", 2 AS "a""b", MAP {'x': 1} AS map`,
    {},
  );
  expect(rows).toEqual([
    {
      k: 1,
      wide: "9007199254740993",
      price: "12.50",
      day: "2026-02-03",
      local: "2026-02-03T04:05:06.700000",
      instant: "2026-02-03T02:05:06.000000Z",
      nan: null,
      part: 0.1,
      flag: true,
      nothing: null,
      quoted: 'ü"\\n',
      bytes: "YWI=",
      nested: { a: "9007199254740993", 'b"': ["2026-01-01"] },
      list: ["9007199254740993", 2],
      order: 1,
      'a"b': 2,
      map: { x: 1 },
    },
  ]);
});

const TEN = `SELECT i::BIGINT AS k, 'it''s ' || i AS v, i % 3 AS "a""b", CASE WHEN i = 4 THEN NULL ELSE i * 1.5 END AS price,
  DATE '2026-01-01' + i::INTEGER AS day FROM range(10) AS t(i)`;
const keys = (rows: readonly Readonly<Record<string, unknown>>[] | undefined) => rows?.map((row) => row.k);

it("takes the part that is declared, in the order that is declared", async () => {
  const parts: [Partial<PublishedMetric>, unknown[]][] = [
    [{}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    [{ orderBy: ["-k"], limit: 3 }, [9, 8, 7]],
    [{ orderBy: ['a"b', "-k"], limit: 2 }, [9, 6]],
    [{ where: { v: "it's 4" } }, [4]],
    [{ where: { v: "' OR true --" } }, []],
    [{ where: { 'a"b': 2, k: { gt: 2, lte: 8 } } }, [5, 8]],
    [{ where: { price: { isNull: true } } }, [4]],
    [{ where: { k: { in: [1n, 2] }, price: { isNull: false } } }, [1, 2]],
    [{ where: { k: { in: [] } } }, []],
    [{ where: { day: { gte: "2026-01-09" } } }, [8, 9]],
    [{ sql: "WITH x AS (FROM top WHERE k > 7) SELECT k, v FROM x -- the last", orderBy: ["k"] }, [8, 9]],
  ];
  for (const [part, expected] of parts) {
    expect([part.where, keys((await published(TEN, part)).rows)]).toEqual([part.where, expected]);
  }
  expect((await published(TEN, { columns: ["v"], limit: 1 })).rows).toEqual([{ v: expect.any(String) }]);
});

it("gives forms the keys, scores and values that they need", async () => {
  const ranking = await published(TEN, {
    as: { kind: "ranking", member: "v", score: "price" },
    where: { price: { isNull: false } },
  });
  expect([ranking.batch?.ids[1], ranking.batch?.scores[1]]).toEqual(["it's 1", 1.5]);
  const series = await published(TEN, { as: { kind: "series", time: "day" } });
  expect(series.batch?.scores[1]).toBe(Date.UTC(2026, 0, 2));
  const scalar = await published(TEN, { as: { kind: "scalar", value: "price" }, where: { k: 3 } });
  expect(scalar.batch?.values).toEqual(["4.5"]);
  const hash = await published(TEN, { as: { kind: "hash", field: "v", value: "price" } });
  expect([hash.batch?.ids[4], hash.batch?.values[4]]).toEqual(["it's 4", null]);
});

it("looks rows up by dates, decimals, and keys of several columns that cannot run into each other", async () => {
  const sql = `SELECT 1::BIGINT AS k, * FROM (VALUES ('a:b', 'c', DATE '2026-01-01'), ('a', 'b:c', DATE '2026-01-02'),
    ('100%', '%3A', DATE '2026-01-03')) AS t(x, y, day)`;
  const { target } = await published(sql, { as: { kind: "lookup", by: ["x", "y"] } });
  expect(await target.readRow("shop/top", ["a:b", "c"])).toMatchObject({ day: "2026-01-01" });
  expect(await target.readRow("shop/top", ["a", "b:c"])).toMatchObject({ day: "2026-01-02" });
  expect(await target.readRow("shop/top", ["100%", "%3A"])).toMatchObject({ day: "2026-01-03" });
  const days = await published(sql, { as: { kind: "lookup", by: ["day"] } });
  expect(await days.target.readRow("shop/top", ["2026-01-02"])).toMatchObject({ x: "a" });
});

it("refuses rows that do not have the declared form", async () => {
  const refused: [Partial<PublishedMetric>, string][] = [
    [{ as: { kind: "lookup", by: ['a"b'] } }, "PUBLISH_KEY_REPEATED"],
    [{ as: { kind: "ranking", member: 'a"b', score: "k" } }, "PUBLISH_KEY_REPEATED"],
    [
      {
        as: { kind: "series", time: "day" },
        sql: "SELECT day FROM top UNION ALL FROM (SELECT day FROM top)",
      },
      "PUBLISH_KEY_REPEATED",
    ],
    [{ as: { kind: "lookup", by: ["price"] } }, "PUBLISH_NULL"],
    [{ as: { kind: "ranking", member: "k", score: "price" } }, "PUBLISH_NULL"],
    [{ as: { kind: "scalar", value: "price" } }, "PUBLISH_NOT_ONE_ROW"],
    [{ as: { kind: "hash" }, where: { k: -1 } }, "PUBLISH_NOT_ONE_ROW"],
    [{ as: { kind: "scalar", value: "nothing" } }, "PUBLISH_UNKNOWN_COLUMN"],
    [{ where: { nothing: 1 } }, "DUCKDB_SQL"],
    [{ sql: "SELECT 1) -- " }, "DUCKDB_SQL"],
  ];
  for (const [part, code] of refused) {
    const failure = await published(TEN, part).catch((error: unknown) => error);
    expect([JSON.stringify(part), (failure as { code?: string }).code]).toEqual([JSON.stringify(part), code]);
  }
});

it("begins again with the newest gold table where the set was lost meanwhile", async () => {
  const lake = await goldLake("SELECT 1::BIGINT AS k, 'old' AS v");
  class Losing extends Watched {
    override async publish(publication: Publication): Promise<PublishOutcome> {
      if (this.given.length > 0) return super.publish(publication);
      this.given.push(publication);
      await overwriteRows(lake.table("shop/gold/top"), "SELECT 1::BIGINT AS k, 'new' AS v");
      throw setLost(publication.set);
    }
  }
  const target = new Losing(new MemoryStore());
  const [report] = await run(lake, target, pipelineOf([{}]));
  expect(report).toMatchObject({ status: "published", version: 2 });
  expect((await target.read("shop/top"))?.rows).toEqual([{ k: 1, v: "new" }]);
});

it("publishes a model several times, to several targets, and goes on where one of them fails", async () => {
  const lake = await goldLake(TEN);
  const files = new EmbeddedTarget(new MemoryStore());
  const other = new EmbeddedTarget(new MemoryStore(), { folder: "other" });
  const pipeline = pipelineOf([
    { name: "first", limit: 1, to: ["away", "files", "other"] },
    { name: "all", title: "All" },
  ]);
  const target = async (name?: string) => {
    if (name === "away") throw new Error("away");
    return name === "other" ? other : files;
  };
  const context = { lake, target, onProgress: ignoreProgress };
  await expect(publish(context, pipeline)).rejects.toThrow("away");
  expect((await files.read("shop/first"))?.rows).toHaveLength(1);
  expect((await other.read("shop/first"))?.rows).toHaveLength(1);
  expect((await files.read("shop/all"))?.rows).toHaveLength(10);
  await appendRows(lake.table("shop/gold/top"), TEN.replace("range(10)", "range(10, 12)"));
  const healed = pipelineOf([
    { name: "first", limit: 1, to: ["files", "other"] },
    { name: "all", title: "All" },
  ]);
  expect(await publish(context, healed)).toMatchObject([
    { metric: "first", target: "files", status: "published", written: 0 },
    { metric: "first", target: "other", status: "published", written: 0 },
    { metric: "all", status: "published", written: 12 },
  ]);
  expect(await rollback(target, healed, ["all"])).toEqual([{ metric: "all", version: 1 }]);
  expect((await files.read("shop/all"))?.rows).toHaveLength(10);
  await expect(rollback(target, healed, ["nothing"])).rejects.toMatchObject({
    code: "PUBLISH_UNKNOWN_METRIC",
  });
});

it("a new version of the same rows writes none of them, and the summary says so", async () => {
  const lake = await goldLake(TEN);
  const target = new EmbeddedTarget(new MemoryStore());
  const pipeline = pipelineOf([{}, { name: "other" }]);
  const step = { pipeline: "shop", step: "publish" as const, durationMs: 0, rows: 0 };
  const said = async () => summary([{ ...step, tables: await run(lake, target, pipeline) }]);
  expect(await said()).toContain("published new versions of 2 of 2 sets (20 rows, 20 of them written)");
  expect(await said()).toContain("published nothing: no change in 2 sets");
  await overwriteRows(lake.table("shop/gold/top"), TEN);
  expect(await said()).toContain("published new versions of 2 of 2 sets (20 rows, 0 of them written)");
});
