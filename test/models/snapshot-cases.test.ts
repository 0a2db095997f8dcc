/** Images whose changes and times are given, and what must not happen to them. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { TerminalError, TransientError } from "../../lakehouse/errors.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import { full, type ModelDefinition, type SnapshotOptions, snapshot } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { runModelTest } from "../../layers/models/model-test.ts";
import { periodAt } from "../../layers/models/snapshot/period.ts";
import { planBuild } from "../../layers/plan/plan-build.ts";
import { type Columns, date, defineTable, long, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { writeItems } from "./bronze-items.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const COLUMNS: Columns = { name: text(), items: long().nullable(), day: date() };
const SQL = "SELECT name, count(*) AS items FROM bronze.items GROUP BY name";

const imagesOf = (columns: Columns, key: string[]) =>
  defineTable({ name: "images", description: "Images.", key, columns });
const daily = (options: SnapshotOptions = {}, columns = COLUMNS, key = ["day", "name"]) =>
  snapshot(imagesOf(columns, key), options);

async function pipelineOf(model: ModelDefinition, sql = SQL): Promise<PipelineDefinition> {
  const root = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(`${root}/silver`, { recursive: true });
  await writeFile(`${root}/silver/images.sql`, sql);
  const source = postgres({ tables: { items: {} } });
  return { name: "shop", folder: pathToFileURL(`${root}/`), source, silver: { images: model } };
}

/** A lake with a clock, into which rows come. */
class Bench {
  now = Date.parse("2024-05-01T10:00:00Z");
  /** Whether no other lake can be reached. */
  isCut = false;
  private readonly root = `${folder.path}/${crypto.randomUUID()}`;
  readonly lake = this.dying(Number.POSITIVE_INFINITY);
  private lsn = 10;

  /** The lake in a process that is killed after so many commits. */
  private dying(commits: number): Lake {
    let left = commits;
    const dies = async () => {
      if (left-- <= 0) throw new TerminalError("killed", { code: "TEST_KILLED" });
    };
    const open = (root: string) =>
      faultyStore(new LocalStore(root), ({ method }) =>
        method === "putIfAbsent" ? { before: dies } : undefined,
      );
    const other = (address: string) => {
      if (this.isCut) throw new TransientError("out of reach", { code: "TEST_CUT" });
      return open(`${folder.path}/${address}`);
    };
    return new Lake(open(this.root), duckdb, { now: () => this.now, open: other });
  }

  /** One more item of this name, so many days later. */
  async add(name: string, days = 0): Promise<void> {
    this.now += days * 24 * 3600_000;
    this.lsn += 10;
    const item = { name, amount: 1 };
    await writeItems(this.lake, duckdb, [{ op: "i", id: 0, item, lsn: this.lsn, seq: 1, us: 0 }]);
  }

  /** `commits`: so many are written before the process is killed. */
  async build(pipeline: PipelineDefinition, anew: string[] = [], commits = Number.POSITIVE_INFINITY) {
    const lake = this.dying(commits);
    const [report] = await build({ lake, concurrency: 1, onProgress: ignoreProgress, anew }, pipeline);
    return report;
  }

  async images(where = "silver", columns = "day, name, items"): Promise<string[]> {
    const rows = await queryTable(
      this.lake,
      `shop/${where}/images`,
      `SELECT concat_ws(' ', ${columns}) AS row FROM t ORDER BY row`,
    );
    return rows.map(({ row }) => String(row));
  }
}

/** Three days, an item more on each; the last one is not taken in yet. */
async function threeDays(model = daily()): Promise<Bench> {
  const bench = new Bench();
  const pipeline = await pipelineOf(model);
  await bench.add("x");
  await bench.build(pipeline);
  await bench.add("x", 1);
  await bench.build(pipeline);
  await bench.add("x", 1);
  return bench;
}

it("writes the files of one image, and none where it is as it was", async () => {
  const bench = await threeDays();
  const pipeline = await pipelineOf(daily());
  const files = async () => [
    ...(await bench.lake.table("shop/silver/images").existingSnapshot()).files.keys(),
  ];
  const before = await files();
  expect(await bench.build(pipeline)).toMatchObject({ status: "incremental", rowsOut: 1 });
  expect(await files()).toEqual(expect.arrayContaining(before));
  expect((await files()).length).toBe(3);
  expect(await bench.build(pipeline)).toMatchObject({ status: "unchanged", rowsIn: 0 });
  await writeItems(bench.lake, duckdb, []);
  const version = (await bench.lake.table("shop/silver/images").existingSnapshot()).version;
  expect(await bench.build(pipeline)).toMatchObject({ status: "unchanged", version });
  await bench.add("y");
  expect(await bench.build(pipeline)).toMatchObject({ status: "incremental", rowsOut: 1 });
  expect(await files()).toEqual(expect.arrayContaining(before));
});

it("takes a row out of the present image that is no longer there", async () => {
  const bench = new Bench();
  const pipeline = await pipelineOf(daily(), `${SQL} HAVING count(*) < 2`);
  await bench.add("x");
  await bench.build(pipeline);
  expect(await bench.images()).toEqual(["2024-05-01 x 1"]);
  await bench.add("x", 1);
  await bench.add("y");
  await bench.build(pipeline);
  await bench.add("y");
  await bench.build(pipeline);
  expect(await bench.images()).toEqual(["2024-05-01 x 1"]);
});

it("takes the image of a new day although nothing changed, also an empty one", async () => {
  const bench = new Bench();
  const pipeline = await pipelineOf(daily(), `${SQL} HAVING count(*) > 1`);
  await bench.add("x");
  expect(await bench.build(pipeline)).toMatchObject({ rowsOut: 0 });
  expect(await bench.build(pipeline)).toMatchObject({ status: "unchanged" });
  bench.now += 24 * 3600_000;
  expect(await bench.build(pipeline)).toMatchObject({ status: "incremental", rowsOut: 0 });
  expect(await bench.build(pipeline)).toMatchObject({ status: "unchanged" });
});

it("keeps old images where SQL changes, a column comes, or a model is made anew", async () => {
  const bench = await threeDays();
  const doubled = SQL.replace("count(*)", "2 * count(*)");
  await bench.build(await pipelineOf(daily(), doubled));
  const old = ["2024-05-01 x 1", "2024-05-02 x 2"];
  expect(await bench.images()).toEqual([...old, "2024-05-03 x 6"]);
  await bench.build(await pipelineOf(daily()), ["silver.images"]);
  expect(await bench.images()).toEqual([...old, "2024-05-03 x 3"]);
  const more = { most: long().nullable(), ...COLUMNS };
  const pipeline = await pipelineOf(
    daily({}, more),
    SQL.replace("SELECT", "SELECT max(_ingot_lsn) AS most,"),
  );
  const plan = await planBuild(bench.lake, pipeline);
  expect(plan).toMatchObject({ problems: [], models: [{ action: "increment" }] });
  await bench.build(pipeline);
  expect(await bench.images("silver", "day, coalesce(most, 0)")).toEqual([
    "2024-05-01 0",
    "2024-05-02 0",
    "2024-05-03 40",
  ]);
});

it.each([
  ["a column goes", daily({}, { name: text(), day: date() }), "SELECT DISTINCT name FROM bronze.items"],
  [
    "a type changes",
    daily({}, { ...COLUMNS, items: text() }),
    `SELECT name, items::VARCHAR AS items FROM (${SQL})`,
  ],
  [
    "a column comes that is not null",
    daily({}, { ...COLUMNS, more: long() }),
    `SELECT *, 1 AS more FROM (${SQL})`,
  ],
  ["hours take the place of days", daily({ every: "hour" }, { ...COLUMNS, day: timestamp() }), SQL],
  [
    "the images' column has another name",
    daily({ column: "date" }, { name: text(), items: long(), date: date() }, ["date"]),
    SQL,
  ],
  [
    "the kind changes",
    full(imagesOf(COLUMNS, ["name", "day"])),
    `SELECT *, DATE '2024-01-01' AS day FROM (${SQL})`,
  ],
])("refuses to lose images where %s", async (_, model, sql) => {
  const bench = await threeDays();
  const pipeline = await pipelineOf(model, sql);
  const code = "MODEL_SNAPSHOT_IMAGES";
  expect((await planBuild(bench.lake, pipeline)).problems).toMatchObject([{ code }]);
  for (const anew of [[], ["silver.images"]])
    await expect(bench.build(pipeline, anew)).rejects.toMatchObject({ code, next: expect.anything() });
  expect(await bench.images()).toEqual(["2024-05-01 x 1", "2024-05-02 x 2"]);
});

it("refuses a contract whose columns old images do not fill", async () => {
  const bench = await threeDays();
  const nothing = SQL.replace("count(*)", "nullif(count(*), 3)");
  await bench.build(await pipelineOf(daily(), nothing));
  const strict = await pipelineOf(daily({}, { ...COLUMNS, items: long() }));
  bench.now += 24 * 3600_000;
  await expect(bench.build(strict)).rejects.toMatchObject({ code: "MODEL_SNAPSHOT_IMAGES" });
});

it.each([
  ["no such column", daily({ column: "date" })],
  ["a column that is no date", daily({}, { ...COLUMNS, day: timestamp() })],
  ["a column outside of the key", daily({}, COLUMNS, ["name"])],
])("refuses %s for the images", async (_, model) => {
  const bench = new Bench();
  await bench.add("x");
  const run = bench.build(await pipelineOf(model));
  await expect(run).rejects.toMatchObject({ code: "MODEL_SNAPSHOT", allowed: expect.anything() });
});

it("lets a past image be: a clock that is a little behind does nothing, one that is far behind is told", async () => {
  const bench = await threeDays();
  const pipeline = await pipelineOf(daily());
  await bench.build(pipeline);
  const images = await bench.images();
  await bench.add("x", -1);
  expect(await bench.build(pipeline)).toMatchObject({ status: "unchanged" });
  await bench.add("x", -1);
  await expect(bench.build(pipeline)).rejects.toMatchObject({ code: "MODEL_SNAPSHOT_CLOCK" });
  expect(await bench.images()).toEqual(images);
  bench.now += 2 * 24 * 3600_000;
  await bench.build(pipeline);
  expect(await bench.images()).toEqual([...images.slice(0, 2), "2024-05-03 x 5"]);
});

it("lets a past image be where the later one is empty, and goes on once images of the future are deleted", async () => {
  const bench = new Bench();
  const pipeline = await pipelineOf(daily(), `${SQL} HAVING count(*) < 2`);
  await bench.add("x");
  await bench.build(pipeline);
  await bench.add("x", 1);
  expect(await bench.build(pipeline)).toMatchObject({ status: "incremental", rowsOut: 0 });
  await bench.add("x", -1);
  expect(await bench.build(pipeline)).toMatchObject({ status: "unchanged" });
  expect(await bench.images()).toEqual(["2024-05-01 x 1"]);
  await bench.add("y", 9);
  await bench.build(pipeline);
  await bench.add("y", -9);
  await expect(bench.build(pipeline)).rejects.toMatchObject({ code: "MODEL_SNAPSHOT_CLOCK" });
  await deleteRows(bench.lake.table("shop/silver/images"), "day > DATE '2024-05-02'");
  await expect(bench.build(pipeline)).rejects.toMatchObject({ code: "MODEL_SNAPSHOT_CLOCK" });
  expect(await bench.images()).toEqual(["2024-05-01 x 1"]);
  await bench.add("z", 1);
  expect(await bench.build(pipeline)).toMatchObject({ status: "incremental" });
  expect(await bench.images()).toEqual(["2024-05-01 x 1", "2024-05-02 z 1"]);
});

it("keeps images while their cold place cannot be reached, says so, and moves them later", async () => {
  const lake = `archive-${crypto.randomUUID()}`;
  const model = daily({ cold: { afterDays: 1, lake } });
  const bench = await threeDays(model);
  const pipeline = await pipelineOf(model);
  bench.isCut = true;
  expect(await bench.build(pipeline)).toMatchObject({
    status: "incremental",
    warning: expect.stringContaining("out of reach"),
  });
  const images = ["2024-05-01 x 1", "2024-05-02 x 2", "2024-05-03 x 3"];
  expect(await bench.images()).toEqual(images);
  expect(await bench.build(pipeline)).toMatchObject({ warning: expect.stringContaining("out of reach") });
  bench.isCut = false;
  const report = await bench.build(pipeline);
  expect(report).toMatchObject({ status: "incremental" });
  expect(report?.warning).toBeUndefined();
  expect(await bench.images()).toEqual(images.slice(1));
});

it("moves many images in few commits, and keeps those of another model or lake apart", async () => {
  const lake = `archive-${crypto.randomUUID()}`;
  const cold = await pipelineOf(daily({ cold: { afterDays: 1, lake } }));
  const hot = await pipelineOf(daily());
  const bench = new Bench();
  await bench.add("x");
  for (let day = 0; day < 30; day++) {
    await bench.build(hot);
    bench.now += 24 * 3600_000;
  }
  expect(await bench.build(cold)).toMatchObject({ status: "incremental" });
  expect(await bench.images()).toEqual(["2024-05-30 x 1", "2024-05-31 x 1"]);
  const other = await bench.lake.other(lake);
  const rows = await queryTable(
    other,
    "shop/cold/images",
    "SELECT count(*) AS n, count(DISTINCT day) AS days FROM t",
  );
  expect(rows).toEqual([{ n: 29n, days: 29n }]);
  const rival = new Bench();
  await rival.add("y");
  await rival.build(cold);
  rival.now += 2 * 24 * 3600_000;
  expect(await rival.build(cold)).toMatchObject({ warning: expect.stringContaining("holds other images") });
  expect((await rival.images()).length).toBe(2);
});

it.each([undefined, "archive"])(
  "moves an image once, wherever the run that moves it dies (%s)",
  async (name) => {
    const died: number[] = [];
    for (let commits = 0; commits < 6; commits++) {
      const lake = name && `${name}-${crypto.randomUUID()}`;
      const model = daily({ cold: lake === undefined ? { afterDays: 1 } : { afterDays: 1, lake } });
      const bench = await threeDays(model);
      const pipeline = await pipelineOf(model);
      const place = lake === undefined ? bench.lake : await bench.lake.other(lake);
      const cold = async () =>
        (await place.table("shop/cold/images").snapshot()) === undefined
          ? []
          : (await queryTable(place, "shop/cold/images", "FROM t")).map(
              ({ name, items }) => `${name} ${items}`,
            );
      const report = await bench.build(pipeline, [], commits).catch((error) => {
        expect(error.code).toBe("TEST_KILLED");
        return { warning: "killed" };
      });
      if (report?.warning?.includes("killed")) died.push(commits);
      const hot = await bench.images();
      expect([...hot, ...(await cold()).map((row) => `2024-05-01 ${row}`)]).toContain("2024-05-01 x 1");
      await bench.build(pipeline);
      expect(await bench.images()).toEqual(["2024-05-02 x 2", "2024-05-03 x 3"]);
      expect(await cold()).toEqual(["x 1"]);
    }
    // The image of the day, the lake's name, the cold table, the model's.
    expect(died).toEqual([0, 1, 2, 3]);
  },
);

const at = (text: string) => Date.parse(text);
it.each([
  ["day", "Europe/Berlin", "2024-03-30T22:59:59.999Z", "2024-03-30T00:00:00Z"],
  ["day", "Europe/Berlin", "2024-03-30T23:00:00Z", "2024-03-31T00:00:00Z"],
  // The day that summer time begins has 23 hours.
  ["day", "Europe/Berlin", "2024-03-31T21:59:59Z", "2024-03-31T00:00:00Z"],
  ["day", "Europe/Berlin", "2024-03-31T22:00:00Z", "2024-04-01T00:00:00Z"],
  ["day", "Europe/Berlin", "2024-10-27T22:59:59Z", "2024-10-27T00:00:00Z"],
  ["day", "Pacific/Kiritimati", "2024-05-01T10:00:00Z", "2024-05-02T00:00:00Z"],
  ["hour", "Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-27T00:00:00Z"],
  ["hour", "Europe/Berlin", "2024-10-27T01:30:00Z", "2024-10-27T01:00:00Z"],
  ["hour", "Asia/Kathmandu", "2024-05-01T10:14:59Z", "2024-05-01T09:15:00Z"],
  ["hour", "Asia/Kathmandu", "2024-05-01T10:15:00Z", "2024-05-01T10:15:00Z"],
  ["hour", "UTC", "1969-12-31T23:59:59.5Z", "1969-12-31T23:00:00Z"],
] as const)("counts %ss of %s: %s lies in %s", (every, timeZone, now, period) => {
  expect(new Date(periodAt(at(now), { every, timeZone })).toISOString()).toBe(
    new Date(at(period)).toISOString(),
  );
});

it("is tested on few rows and at given times", async () => {
  const pipeline = await pipelineOf(daily({ cold: { afterDays: 1, lake: "s3://nowhere/at-all" } }));
  const item = (name: string) => `SELECT '${name}' AS name`;
  const test = {
    name: "an image a day",
    model: "silver.images",
    at: "2026-05-01T10:00:00Z",
    given: { "bronze.items": item("x") },
    expect: [{ day: "2026-05-01", name: "x", items: 1n }],
    steps: [
      {
        at: "2026-05-02T10:00:00+02:00",
        change: { "bronze.items": item("x") },
        expect: [
          { day: "2026-05-01", name: "x", items: 1n },
          { day: "2026-05-02", name: "x", items: 2n },
        ],
      },
    ],
  };
  expect(await runModelTest(duckdb, pipeline, test)).toBeUndefined();
  await expect(runModelTest(duckdb, pipeline, { ...test, at: "yesterday" })).rejects.toMatchObject({
    code: "MODEL_TEST",
  });
});

it.each([
  ["a zone that is none", { timeZone: "Europe/Nowhere" }],
  ["a period that is none", { every: "week" }],
  ["images that go at once", { cold: { afterDays: 0 } }],
  ["part of a day", { cold: { afterDays: 1.5 } }],
])("refuses a configuration with %s", async (_, options) => {
  const pipeline = await pipelineOf(daily(options as SnapshotOptions));
  const parse = () => parseConfig({ pipelines: [pipeline] }, {}, "ingot.config.ts");
  expect(parse).toThrow(expect.objectContaining({ code: "CONFIG_INVALID", allowed: expect.anything() }));
  const allowed = {
    timeZone: "Europe/Berlin",
    every: "hour",
    cold: { afterDays: 1, lake: "./cold" },
  } as const;
  const fine = await pipelineOf(daily(allowed));
  expect(parseConfig({ pipelines: [fine] }, {}, "ingot.config.ts").pipelines).toHaveLength(1);
});
