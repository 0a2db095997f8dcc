/** What a step is given and what becomes of what it gives: odd values, odd names, mistakes. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { inferSchema } from "../../lakehouse/delta/infer-schema.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { META_FIELDS, SOURCE_DOMAIN } from "../../layers/definition/bronze-columns.ts";
import { type ModelDefinition, stateful } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { readModels } from "../../layers/models/model.ts";
import { runModelTest } from "../../layers/models/model-test.ts";
import { planBuild } from "../../layers/plan/plan-build.ts";
import {
  array,
  date,
  decimal,
  defineTable,
  double,
  integer,
  long,
  struct,
  text,
  timestamp,
} from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

async function pipelineOf(made: ModelDefinition, sql: string): Promise<PipelineDefinition> {
  const root = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(`${root}/gold`, { recursive: true });
  await writeFile(`${root}/gold/made.sql`, sql);
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { events: {}, others: {} } }),
    gold: { made },
  };
}
const run = (lake: Lake, pipeline: PipelineDefinition, anew: string[] = []) =>
  build({ lake, concurrency: 1, onProgress: ignoreProgress, anew }, pipeline);

/** Adds rows to bronze. */
async function write(lake: Lake, sql: string): Promise<void> {
  const columns = await duckdb.rows(`DESCRIBE ${sql}`);
  const own = columns.map((c) => ({ name: String(c.column_name), type: String(c.column_type) }));
  const schema = { type: "struct" as const, fields: [...inferSchema(own).fields, ...META_FIELDS] };
  const meta = META_FIELDS.map((f) => `NULL AS ${f.name}`).join(", ");
  const domains = [{ domain: SOURCE_DOMAIN, configuration: JSON.stringify({ key: [] }), removed: false }];
  await writeRows(duckdb, lake.table("shop/bronze/events"), `SELECT *, ${meta} FROM (${sql})`, {
    schema,
    domains,
  });
}

it("goes on from the table as it would go on from memory, whatever the values", async () => {
  const made = defineTable({
    name: "made",
    description: "made",
    key: ['a"b', "day", "order"],
    columns: {
      'a"b': text(),
      day: date(),
      order: decimal(10, 2),
      at: timestamp(),
      seen: array(text()),
      about: struct({ at: timestamp(), of: decimal(9, 3).nullable(), count: long() }).nullable(),
      total: decimal(12, 2),
      rate: double().nullable(),
      note: text().nullable(),
    },
  });
  const given: unknown[] = [];
  const notes: unknown[] = [];
  const model = stateful(made, {
    input: { 'a"b': text(), day: date(), order: decimal(10, 2), at: timestamp(), note: text().nullable() },
    by: ['a"b', "day"],
    order: ["at", "order"],
    step(last, row) {
      given.push(last);
      notes.push(row.note);
      const { seen = [], about, total = "0", rate, note } = last ?? {};
      const of = about?.of === "1.000" ? null : "01.0";
      return [
        {
          seen: [...seen, `\uFEFF${row.order}`, `${row.note}`.slice(0, 1)],
          about: { at: row.at, of, count: (about?.count ?? 0n) + 1n },
          total: `00${(Number(total) - 0.5).toFixed(1)}`.replace("00-", "-00"),
          rate: rate === undefined || rate === null ? -0 : rate / 3 + 0.1,
          note: `\uFEFF${note ?? ""}${row.note?.slice(-1) ?? "\0"}`,
        },
      ];
    },
  });
  const pipeline = await pipelineOf(model, 'SELECT "a""b", day, "order", "at", note FROM bronze.events');
  const row = (key: string, order: number, micros: number, note: string) =>
    `(${key}, DATE '0044-03-15', ${order}::DECIMAL(10,2), make_timestamptz(1700000000000000 + ${micros}), ${note}::VARCHAR)`;
  const rows = [
    row("'x'", 1.5, 1, "'🐟'"),
    row("chr(65279) || 'x'", 1.5, 2, "NULL"),
    row("'x'", 2, 7, "chr(65279) || 'é'"),
    row("'x'", 2.25, 7, "'a' || chr(0)"),
    row("''", 0, 7, "''"),
    row("'x'", 3, 999, "'''\"\n\\'"),
    row("chr(65279) || 'x'", 1.25, 3, "'z'"),
  ];
  const select = (some: readonly string[]) =>
    `SELECT * FROM (VALUES ${some.join(", ")}) v("a""b", day, "order", "at", note)`;
  const lake = newLake(folder.path, duckdb);
  for (const [i, one] of rows.entries()) {
    await write(lake, select([one]));
    const [report] = await run(lake, pipeline);
    expect(report?.status).toBe(i === 0 ? "rebuilt" : "incremental");
  }
  expect(notes).toContain("\uFEFFé");
  // One by one, and so never from memory.
  expect(given.length).toBe(rows.length);
  const kept = await queryTable(lake, "shop/gold/made", "FROM t ORDER BY ALL");
  expect(kept.length).toBe(rows.length);
  expect(
    kept
      .map((r) => String(r.at))
      .sort()
      .at(-1),
  ).toBe("2023-11-14T22:13:20.000999Z");
  const byStep = (list: unknown[]) =>
    list
      .map((value) =>
        JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}` : Object.is(v, -0) ? "-0" : v)),
      )
      .sort();
  const before = byStep(given.splice(0).map((last) => last ?? null));
  await run(lake, pipeline, ["gold.made"]);
  expect(byStep(given.map((last) => last ?? null))).toEqual(before);
  expect(await queryTable(lake, "shop/gold/made", "FROM t ORDER BY ALL")).toEqual(kept);
});

const columns = { id: long(), tick: long(), n: integer(), mail: text().sensitive("mask").nullable() };
const plain = defineTable({ name: "plain", description: "plain", key: ["id"], columns });
const numbered = defineTable({ name: "numbered", description: "numbered", key: ["id", "n"], columns });
const placed = defineTable({ name: "placed", description: "placed", key: ["id", "tick"], columns });
const input = { id: long(), tick: long(), mail: text().sensitive("mask").nullable() };
const options = { input, by: ["id"], order: ["tick"] } as const;
const SQL = "SELECT id, tick, mail FROM bronze.events";
const events = (...rows: string[]) =>
  `SELECT id::BIGINT AS id, tick::BIGINT AS tick, 'secret@x.y' AS mail FROM (VALUES ${rows.join(", ")}) v(id, tick)`;

it.each<[string, ModelDefinition, string]>([
  [
    "failed",
    stateful(plain, {
      ...options,
      step: ({ mail } = { mail: "?" } as never, row) => {
        throw new Error(`${mail}${row.mail}`);
      },
    }),
    "MODEL_STEP_FAILED",
  ],
  ["no row for the first", stateful(plain, { ...options, step: () => [] }), "MODEL_STEP"],
  [
    "the key of the newest row twice",
    stateful(plain, {
      ...options,
      step: (last) => {
        const row = { n: 1, mail: null };
        return last ? [row, row] : [row];
      },
    }),
    "MODEL_STEP",
  ],
  [
    "the key holds a column of the order",
    stateful(placed, { ...options, step: (last) => (last ? [] : [{ n: 1, mail: null }]) }),
    "MODEL_STEP",
  ],
  ["no list", stateful(plain, { ...options, step: (async () => []) as never }), "MODEL_STEP"],
  ["no object", stateful(plain, { ...options, step: () => ["x"] as never }), "MODEL_STEP"],
  ["a column m", stateful(plain, { ...options, step: () => [{ n: 1, m: 1 }] as never }), "MODEL_STEP"],
  [
    "breaks its contract: n",
    stateful(plain, { ...options, step: () => [{ n: "1", mail: null }] as never }),
    "MODEL_STEP",
  ],
  [
    "more than once",
    stateful(numbered, { ...options, step: (_, { tick }) => [{ n: Number(tick % 2n), mail: null }] }),
    "MODEL_REPEATED_KEY",
  ],
])("fails where a step gives %s, and leaves the table as it was", async (message, model, code) => {
  const lake = newLake(folder.path, duckdb);
  const pipeline = await pipelineOf(model, SQL);
  await write(lake, events("(1, 1)", "(1, 2)", "(1, 3)", "(2, 1)"));
  const error = await run(lake, pipeline).catch((e: unknown) => e);
  expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
  expect(JSON.stringify(error) + String(error) + String((error as Error).cause)).not.toContain("secret@x.y");
  expect(await lake.tables("shop")).toEqual(["shop/bronze/events"]);
});

it.each([
  ["several steps", (tick: bigint) => [10 - Number(tick)]],
  ["one step", (tick: bigint) => [30 - 2 * Number(tick), 29 - 2 * Number(tick)]],
])("goes on from the last row of %s, also where others of its place have greater keys", async (_, given) => {
  const made = defineTable({
    name: "made",
    description: "made",
    key: ["id", "n"],
    columns: { id: long(), n: integer(), day: long(), before: integer().nullable() },
  });
  const model = stateful(made, {
    input: { id: long(), day: long(), tick: long() },
    by: ["id"],
    order: ["day"],
    step: (last, { tick }) => {
      const [first, ...others] = given(tick).map((n) => ({ n, before: last?.n ?? null }));
      return [...(first ? [first] : []), ...others];
    },
  });
  const pipeline = await pipelineOf(
    model,
    "SELECT id, tick // 10 AS day, tick % 10 AS tick FROM bronze.events",
  );
  const lake = newLake(folder.path, duckdb);
  await write(lake, events("(1, 11)", "(1, 12)", "(1, 13)", "(2, 1)"));
  await run(lake, pipeline);
  await write(lake, events("(1, 25)", "(2, 15)"));
  expect(await run(lake, pipeline)).toMatchObject([{ status: "incremental" }]);
  const kept = await queryTable(lake, "shop/gold/made", "FROM t ORDER BY ALL");
  const last = given(3n).at(-1);
  expect(kept).toContainEqual({ id: 1n, n: given(5n)[0], day: 2n, before: last });
  await run(lake, pipeline, ["gold.made"]);
  expect(await queryTable(lake, "shop/gold/made", "FROM t ORDER BY ALL")).toEqual(kept);
});

it("refuses the key of a row that stands since long in an increment as in a rebuild", async () => {
  const lake = newLake(folder.path, duckdb);
  const back = stateful(numbered, {
    ...options,
    step: (_, { tick }) => [{ n: Number(tick % 3n), mail: null }],
  });
  const pipeline = await pipelineOf(back, SQL);
  for (const at of [1, 2, 3]) {
    await write(lake, events(`(1, ${at})`));
    await run(lake, pipeline);
  }
  const before = await queryTable(lake, "shop/gold/made", "FROM t ORDER BY ALL");
  await write(lake, events("(1, 4)"));
  await expect(run(lake, pipeline)).rejects.toMatchObject({ code: "MODEL_REPEATED_KEY" });
  expect(await queryTable(lake, "shop/gold/made", "FROM t ORDER BY ALL")).toEqual(before);
});

it("refuses a row that is none of the input", async () => {
  const lake = newLake(folder.path, duckdb);
  const model = stateful(plain, { ...options, step: () => [{ n: 1, mail: null }] });
  const pipeline = await pipelineOf(model, SQL);
  await write(lake, events("(1, 1)", "(NULL, 2)"));
  await expect(run(lake, pipeline)).rejects.toMatchObject({
    code: "CONTRACT_BROKEN",
    value: '{"id":null,"tick":"2"}',
  });
});

const step = () => [];
const column = (name: string) => ({ ...options, step, by: [name] }) as never;
it.each<[string, ModelDefinition]>([
  ["does not say", stateful(plain, { input, by: ["id"], order: ["tick"] } as never)],
  ["does not say", stateful(plain, { ...options, step, order: [] })],
  ["not in the key", stateful(plain, column("n"))],
  ["not a column of its input", stateful(numbered, column("n"))],
  ["is nullable", stateful(plain, { ...options, order: ["mail"], step } as never)],
  [
    "long in its input",
    stateful(
      defineTable({
        name: "plain",
        description: "plain",
        key: ["id"],
        columns: { ...columns, id: integer() },
      }),
      {
        ...options,
        step,
      } as never,
    ),
  ],
])("refuses a declaration that %s", async (message, model) => {
  const pipeline = await pipelineOf(model, SQL);
  await expect(readModels(duckdb, pipeline)).rejects.toMatchObject({
    code: "MODEL_STATEFUL",
    message: expect.stringContaining(message),
  });
});

const counted = stateful(plain, { ...options, step: (last) => [{ n: (last?.n ?? 0) + 1, mail: null }] });

it.each([
  "SELECT e.id, e.tick, e.mail FROM bronze.events e JOIN bronze.others o ON o.id = e.id",
  "SELECT id, max(tick) AS tick, NULL AS mail FROM bronze.events GROUP BY id",
  "SELECT id, tick, mail FROM bronze.events WHERE tick < epoch(now())",
])("refuses %s", async (sql) => {
  await expect(readModels(duckdb, await pipelineOf(counted, sql))).rejects.toMatchObject({
    code: "MODEL_STATEFUL",
  });
});

it("is planned by its input, and made anew when its step changes", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, events("(1, 1)", "(1, 2)"));
  const wrong = await planBuild(
    lake,
    await pipelineOf(counted, "SELECT id, tick::VARCHAR AS tick, 1 AS n FROM bronze.events"),
  );
  expect(wrong.problems.map(({ code, problem }) => [code, problem])).toEqual([
    ["MODEL_COLUMNS", "does not give the column mail of its input"],
    ["MODEL_COLUMNS", "gives a column n that its input does not have"],
    ["MODEL_TYPE", "gives tick as VARCHAR, its input says BIGINT"],
  ]);
  const pipeline = await pipelineOf(counted, SQL);
  expect((await planBuild(lake, pipeline)).problems).toEqual([]);
  await run(lake, pipeline);
  const other = stateful(plain, { ...options, step: (last) => [{ n: (last?.n ?? 0) + 2, mail: null }] });
  const changed = { ...pipeline, gold: { made: other } };
  expect((await planBuild(lake, changed)).models).toMatchObject([{ action: "rebuild" }]);
  await run(lake, changed);
  expect(await queryTable(lake, "shop/gold/made", "SELECT n FROM t")).toEqual([{ n: 4 }]);
});

it("makes a table without rows of an input without rows, and rows of those that come", async () => {
  const lake = newLake(folder.path, duckdb);
  const pipeline = await pipelineOf(counted, SQL);
  await write(lake, `${events("(1, 1)")} WHERE false`);
  expect(await run(lake, pipeline)).toMatchObject([{ status: "rebuilt", rowsOut: 0 }]);
  await write(lake, events("(1, 1)"));
  expect(await run(lake, pipeline)).toMatchObject([{ status: "incremental", rowsOut: 1 }]);
});

it("is tested over bronze too", async () => {
  const given = (rows: string) => `SELECT * FROM (VALUES ${rows}) v(id, tick, mail)`;
  const test = {
    name: "counts",
    model: "gold.made",
    given: { "bronze.events": given("(1::BIGINT, 1::BIGINT, NULL::VARCHAR), (1, 2, NULL)") },
    expect: [{ id: 1n, tick: 2n, n: 2 }],
    steps: [
      {
        change: { "bronze.events": given("(1::BIGINT, 0::BIGINT, NULL::VARCHAR)") },
        expect: [{ id: 1n, tick: 2n, n: 3 }],
      },
    ],
  };
  expect(await runModelTest(duckdb, await pipelineOf(counted, SQL), test)).toBeUndefined();
});
