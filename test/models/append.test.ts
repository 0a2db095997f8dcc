/** Models that are appended to: each row of bronze once, in the table or in quarantine. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { optimizeTable } from "../../lakehouse/delta/maintain/optimize.ts";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { META_FIELDS, SOURCE_DOMAIN } from "../../layers/definition/bronze-columns.ts";
import { append, type ModelDefinition } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { readModels } from "../../layers/models/model.ts";
import { brokenRules, heldRows } from "../../layers/models/quarantine/read-quarantine.ts";
import { defineTable, integer, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { writeRows } from "../support/rows.ts";
import { dyingLake } from "./dying-lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const columns = {
  id: long(),
  // Decided in JavaScript.
  even: long().check((n) => n.refine((value) => value % 2n === 0n)),
  grade: integer().check((n) => n.max(5)),
  op: text(),
};
const events = defineTable({ name: "events", description: "events", columns });
const SQL = `SELECT id, even, CAST(grade AS INTEGER) AS grade, _ingot_op AS op
  FROM (SELECT * FROM bronze.events WHERE grade <> 'skip') ORDER BY 1`;

async function pipelineOf(sql: string, model: ModelDefinition = append(events)): Promise<PipelineDefinition> {
  const root = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(`${root}/silver`, { recursive: true });
  await writeFile(`${root}/silver/events.sql`, sql);
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { events: {} } }),
    silver: { events: model },
  };
}
let pipeline: PipelineDefinition;
beforeAll(async () => {
  pipeline = await pipelineOf(SQL);
});
const run = (lake: Lake, definition = pipeline, anew: string[] = []) =>
  build({ lake, concurrency: 1, onProgress: ignoreProgress, anew }, definition);

const schema: StructType = {
  type: "struct",
  fields: [field("id", "long"), field("even", "long"), field("grade", "string"), ...META_FIELDS],
};
interface Event {
  readonly op: "r" | "u" | "d";
  readonly id: number;
  readonly even: number | null;
  readonly grade: string;
  readonly lsn: number;
}
/** Appends to bronze. */
async function write(lake: Lake, rows: readonly Event[], key: readonly string[] = []): Promise<void> {
  const values = rows.map(({ op, id, even, grade, lsn }) => {
    const own = op === "d" && key.length > 0 ? `${id}, NULL, NULL` : `${id}, ${even ?? "NULL"}, '${grade}'`;
    return `SELECT ${own}, '${op}', ${lsn}, ${op === "r" ? 0 : 1}, NULL, NULL, NULL, NULL`;
  });
  const nothing = `SELECT ${schema.fields.map(() => "NULL").join(", ")} WHERE false`;
  const names = schema.fields.map(({ name }) => name).join(", ");
  const sql = `SELECT * FROM (${values.join(" UNION ALL ") || nothing}) AS v(${names})`;
  const domains = [{ domain: SOURCE_DOMAIN, configuration: JSON.stringify({ key }), removed: false }];
  await writeRows(duckdb, lake.table("shop/bronze/events"), sql, { schema, domains });
}

/** Rows of the table, and what is held: keys, rules, rows as bronze has them. */
async function state(lake: Lake) {
  const kept = await queryTable(lake, "shop/silver/events", "FROM t ORDER BY ALL");
  const there = (await lake.tables("shop")).includes("shop/quarantine/events");
  const held = there ? await heldRows(lake, "shop", "events", 10_000) : [];
  const texts = held.map(({ key, rules, raw }) => JSON.stringify([key, rules, raw])).sort();
  return { kept, held: texts };
}

/** What a row of bronze gives: nothing, a row of the table, or one in quarantine with the rules that it breaks. */
function fateOf({ op, id, even, grade }: Event, key: readonly string[]) {
  const isBare = op === "d" && key.length > 0;
  if (grade === "skip" || isBare) return undefined;
  const number = /^\d+$/.test(grade) ? Number(grade) : null;
  const rules = [
    ...(number === null ? ["cast"] : []),
    ...(even === null ? ["even.required"] : even % 2 === 0 ? [] : ["even.refine"]),
    ...(number === null ? ["grade.required"] : number > 5 ? ["grade.max"] : []),
  ];
  if (rules.length === 0) return { row: { id: BigInt(id), even: BigInt(even ?? 0), grade: number, op } };
  return { rules: rules.sort().join(), id };
}

const event = fc.record({
  op: fc.constantFrom("u" as const, "u" as const, "d" as const),
  id: fc.integer({ min: 1, max: 3 }),
  even: fc.option(fc.integer({ min: 0, max: 2 })),
  grade: fc.constantFrom("1", "2", "9", "x", "skip"),
  // Rows that were read at one moment, and that nothing may tell apart.
  isRead: fc.boolean(),
});
const batch = fc.record({
  events: fc.array(event, { maxLength: 6 }),
  fails: fc.option(fc.integer({ min: 0, max: 3 })),
  isCompacted: fc.boolean(),
});

it.each([
  ["a key", ["id"]],
  ["no key", []],
])(
  "has each row of bronze with %s once, in the table or in quarantine, wherever a run stops",
  async (_, key) => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 5 }), async (batches) => {
        const lake = newLake(folder.path, duckdb);
        let lsn = 100;
        const written: Event[] = [];
        for (const { events: changes, fails, isCompacted } of batches) {
          const rows = changes.map(({ isRead, ...rest }): Event => {
            lsn += 1;
            // With a key, two rows are never of one place.
            return isRead && key.length === 0 ? { ...rest, op: "r", lsn: 50 } : { ...rest, lsn };
          });
          await write(lake, rows, key);
          written.push(...rows);
          if (isCompacted) await optimizeTable(lake.table("shop/bronze/events"));
          await run(fails === null ? lake : dyingLake(lake, fails)).catch((error) =>
            expect(error.code).toBe("TEST_KILLED"),
          );
        }
        await run(lake);
        const found = await state(lake);
        const fates = written.flatMap((one) => fateOf(one, key) ?? []);
        expect(found.kept.length + found.held.length).toBe(fates.length);
        const rows = fates.flatMap(({ row }) => (row === undefined ? [] : [textOf(row)]));
        expect(found.kept.map(textOf).sort()).toEqual(rows.sort());
        const broken = fates.flatMap(({ id, rules }) => (rules === undefined ? [] : [`${id} ${rules}`]));
        expect(found.held.map(idAndRules).sort()).toEqual(broken.sort());
        await run(lake, pipeline, ["silver.events"]);
        expect(await state(lake)).toEqual(found);
      }),
      { numRuns: 10 },
    );
  },
  300_000,
);

const textOf = (row: Record<string, unknown>) =>
  JSON.stringify(Object.entries(row).sort(), (_, value) =>
    typeof value === "bigint" ? Number(value) : value,
  );
function idAndRules(held: string): string {
  const [, rules, raw] = JSON.parse(held) as [unknown, string[], { id: string }];
  return `${raw.id} ${rules.sort().join()}`;
}

const good = (id: number, lsn = id): Event => ({ op: "u", id, even: 2, grade: "1", lsn });

it("names the row of bronze, and counts what it held", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [good(1), good(2), { ...good(3), grade: "9" }], ["id"]);
  const [report] = await run(lake);
  expect(report).toMatchObject({ status: "rebuilt", rowsIn: 3, rowsOut: 2, held: 1 });
  await write(lake, [{ ...good(4), even: 3, grade: "x" }, good(5)], ["id"]);
  const [next] = await run(lake);
  expect(next).toMatchObject({ status: "incremental", rowsIn: 2, rowsOut: 1, held: 1 });
  expect(await heldRows(lake, "shop", "silver.events", 1)).toMatchObject([
    {
      key: { id: "4", _ingot_op: "u", _ingot_lsn: "4", _ingot_seq: "1" },
      raw: { id: "4", even: "3", grade: "x" },
    },
  ]);
  expect((await brokenRules(lake, "shop")).map(({ rule, rows }) => [rule, rows])).toContainEqual(["cast", 1]);
});

it("takes rows out of quarantine where the contract or the SQL is changed so that they are right", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [good(1), { ...good(2), grade: "9" }, { ...good(3), grade: "x" }]);
  await run(lake);
  expect((await state(lake)).held.length).toBe(2);
  const looser = defineTable({
    name: "events",
    description: "events",
    columns: { ...columns, grade: integer() },
  });
  await run(lake, { ...pipeline, silver: { events: append(looser) } });
  expect((await state(lake)).held.map(idAndRules)).toEqual(["3 cast,grade.required"]);
  const other = await pipelineOf(
    "SELECT id, even, coalesce(try_cast(grade AS INTEGER), 0) AS grade, _ingot_op AS op FROM bronze.events",
    append(looser),
  );
  await run(lake, other);
  const found = await state(lake);
  expect([found.kept.length, found.held]).toEqual([3, []]);
});

it("counts rows like those it holds, and reads no file of other places for it", async () => {
  const lake = newLake(folder.path, duckdb);
  const bad: Event = { op: "r", id: 1, even: 1, grade: "1", lsn: 50 };
  const paths = async () =>
    [...(await lake.table("shop/bronze/events").existingSnapshot()).files.keys()].map(
      (path) => `${lake.store.root}/shop/bronze/events/${path}`,
    );
  await write(lake, [good(10), good(11)]);
  const [far = ""] = await paths();
  await write(lake, [bad]);
  await run(lake);
  await write(lake, [bad, { ...good(60), even: 3 }]);
  await rename(far, `${far}.hidden`);
  expect(await run(lake)).toMatchObject([{ status: "incremental", held: 2 }]);
  await rename(`${far}.hidden`, far);
  const found = await state(lake);
  expect([found.kept.length, found.held.length]).toEqual([2, 3]);
  await run(lake, pipeline, ["silver.events"]);
  expect(await state(lake)).toEqual(found);
});

it("holds the rows of the bronze table that is there, also where one of lower LSNs took its place", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [good(101), { ...good(102), even: 1 }], ["id"]);
  await run(lake);
  await rm(`${lake.store.root}/shop/bronze/events`, { recursive: true });
  const again = new Lake(lake.store, duckdb);
  await write(again, [good(1), good(2), { ...good(3), even: 1 }], ["id"]);
  expect(await run(again)).toMatchObject([{ status: "rebuilt", held: 1 }]);
  expect((await state(again)).held.map(idAndRules)).toEqual(["3 even.refine"]);
  expect((await state(again)).kept.length).toBe(2);
});

it("stops before anything is committed when too much breaks", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [good(1)]);
  const strict = { ...pipeline, silver: { events: append(events, { quarantine: { stopAtRate: 0.5 } }) } };
  await run(lake, strict);
  await write(lake, [good(2), { ...good(3), even: 1 }]);
  const before = await lake.tables("shop");
  await expect(run(lake, strict)).rejects.toMatchObject({ code: "QUARANTINE_LIMIT", value: "1 of 2 rows" });
  expect([await lake.tables("shop"), (await state(lake)).kept.length]).toEqual([before, 1]);
  await run(lake);
  expect((await state(lake)).kept.length).toBe(2);
});

it("fails at a broken row of which its SQL does not tell where it is from, and says so", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [good(1), { ...good(2), even: 1 }]);
  const many = await pipelineOf(
    "SELECT id, unnest([even]) AS even, 1 AS grade, 'u' AS op FROM bronze.events",
  );
  await expect(run(lake, many)).rejects.toMatchObject({
    code: "CONTRACT_BROKEN",
    next: expect.stringContaining("without WITH and unnest"),
  });
});

it("is refused outside of silver, whose quarantine it would share", async () => {
  const definition = { ...pipeline, silver: {}, gold: { events: append(events) } };
  await mkdir(new URL("gold/", pipeline.folder), { recursive: true });
  await writeFile(new URL("gold/events.sql", pipeline.folder), SQL);
  await expect(readModels(duckdb, definition)).rejects.toMatchObject({ code: "MODEL_APPEND" });
});
