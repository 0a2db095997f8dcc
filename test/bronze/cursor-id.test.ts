/** Tables that are only appended to, synced by an increasing id. */
import fc from "fast-check";
import type pg from "pg";
import { describe, expect, it } from "vitest";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { readPosition } from "../../layers/bronze/position.ts";
import { finalId } from "../../layers/bronze/query/id-marks.ts";
import { type PipelineDefinition, postgres, type SourceTable } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

/** A lake with one table that is synced by its column `id`. */
async function loaded(table: string, options: SourceTable = {}) {
  const pipeline: PipelineDefinition = {
    name: "p",
    source: postgres({ tables: { [table]: { cursor: "id", ...options } } }),
  };
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  await load(context, pipeline);
  const ids = async () => {
    const rows = await queryTable(lake, `p/bronze/${table}`, "SELECT id::VARCHAR AS id FROM t ORDER BY t.id");
    return rows.map(({ id }) => id);
  };
  return {
    ids,
    sync: () => sync(context, pipeline),
    /** Every row that has committed so far is there once. */
    expectAll: async () => {
      const source = await database.query<{ id: string }>(
        `SELECT id::text FROM ${table} ORDER BY ${table}.id`,
      );
      expect(await ids()).toEqual(source.map(({ id }) => id));
    },
    /** The id behind which the next sync looks. */
    behind: async () => {
      const position = readPosition(await lake.table(`p/bronze/${table}`).existingSnapshot());
      return finalId(position?.marks ?? [], position?.xmin ?? 0n);
    },
    version: async () => (await lake.table(`p/bronze/${table}`).existingSnapshot()).version,
  };
}

/** What one of several sessions does. */
type Step =
  | { readonly do: "begin" | "insert" | "draw" | "use" | "commit" | "rollback"; readonly session: number }
  | { readonly do: "savepoint" | "back" | "release"; readonly session: number }
  | { readonly do: "sync" };

class Writer {
  private readonly client: pg.Client;
  private readonly table: string;
  private open = false;
  private savepoints = 0;
  private drawn: string[] = [];

  constructor(client: pg.Client, table: string) {
    this.client = client;
    this.table = table;
  }

  /** Does what can be done now. */
  async run(step: Exclude<Step["do"], "sync">): Promise<void> {
    if (step === "commit" || step === "rollback") await this.end(step);
    else if (["savepoint", "back", "release"].includes(step)) await this.mark(step);
    else if (step === "insert") await this.client.query(`INSERT INTO ${this.table} DEFAULT VALUES`);
    else if (step === "use") await this.use();
    else if (step === "begin" && !this.open) {
      await this.client.query("BEGIN");
      this.open = true;
    } else if (step === "draw" && this.open) {
      // An id that is drawn long before the transaction writes.
      const { rows } = await this.client.query(`SELECT nextval('${this.table}_id_seq')::text AS id`);
      this.drawn.push(rows[0].id);
    }
  }

  private async use(): Promise<void> {
    const id = this.drawn.pop();
    if (id !== undefined) await this.client.query(`INSERT INTO ${this.table} VALUES (${id})`);
  }

  private async mark(step: string): Promise<void> {
    if (!this.open) return;
    if (step === "savepoint") await this.client.query(`SAVEPOINT s${++this.savepoints}`);
    else if (this.savepoints === 0) return;
    else if (step === "back") await this.client.query(`ROLLBACK TO SAVEPOINT s${this.savepoints}`);
    else await this.client.query(`RELEASE SAVEPOINT s${this.savepoints--}`);
  }

  private async end(step: "commit" | "rollback"): Promise<void> {
    if (!this.open) return;
    while (step === "commit" && this.drawn.length > 0) await this.use();
    await this.client.query(step);
    this.open = false;
    this.savepoints = 0;
    this.drawn = [];
  }
}

const session = fc.nat({ max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("begin" as const), session }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("insert" as const, "draw" as const), session }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("use" as const, "commit" as const), session }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rollback" as const), session }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("savepoint" as const, "back" as const, "release" as const),
      session,
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: "sync" as const }) },
);

it("takes every row once, in whatever order ids are drawn and committed", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), fc.boolean(), async (steps, keyed) => {
      const table = `appended_${++run}`;
      await database.query(`CREATE TABLE ${table} (id bigserial${keyed ? " PRIMARY KEY" : ""})`);
      await database.query(`INSERT INTO ${table} SELECT FROM generate_series(1, 5)`);
      const clients = await Promise.all([0, 1, 2].map(() => database.connect()));
      try {
        const t = await loaded(table, keyed ? {} : { key: "none" });
        const writers = clients.map((client) => new Writer(client, table));
        for (const one of steps) {
          if (one.do === "sync") {
            await t.sync();
            await t.expectAll();
          } else await writers[one.session]?.run(one.do);
        }
        for (const writer of writers) await writer.run("commit");
        for (let i = 0; i < 5; i++) await t.sync();
        await t.expectAll();
        const [last] = await database.query<{ id: string }>(`SELECT max(id)::text AS id FROM ${table}`);
        expect(await t.behind()).toBe(BigInt(last?.id ?? 0));
      } finally {
        await Promise.all(clients.map((client) => client.end()));
      }
    }),
    { numRuns: 5, interruptAfterTimeLimit: 90_000 },
  );
});

it("waits for transactions that drew an id before they had one of their own", async () => {
  await database.query("CREATE TABLE early (id bigserial PRIMARY KEY)");
  await database.query("INSERT INTO early SELECT FROM generate_series(1, 3)");
  const t = await loaded("early");
  const slow = await database.connect();
  await slow.query("BEGIN");
  const { rows } = await slow.query(
    "SELECT nextval('early_id_seq') AS id, pg_current_xact_id_if_assigned() AS own",
  );
  expect(rows[0]).toMatchObject({ id: "4", own: null });
  await database.query("INSERT INTO early SELECT FROM generate_series(1, 3)");
  for (let i = 0; i < 5; i++) await t.sync();
  expect(await t.behind()).toBeUndefined();
  await slow.query("INSERT INTO early VALUES (4); COMMIT");
  await slow.end();
  await t.sync();
  await t.expectAll();
  for (let i = 0; i < 3; i++) await t.sync();
  expect(await t.behind()).toBe(7n);
  // Nothing more is written down of a table in which nothing happens.
  const version = await t.version();
  expect((await t.sync()).map(({ status }) => status)).toEqual(["unchanged"]);
  expect(await t.version()).toBe(version);
});

it("looks only behind what is final, and everywhere after a truncation", async () => {
  await database.query("CREATE TABLE restarted (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int)");
  await database.query("INSERT INTO restarted (v) SELECT 1 FROM generate_series(1, 100)");
  const t = await loaded("restarted", { deletes: "compare" });
  for (let i = 0; i < 4; i++) await t.sync();
  expect(await t.behind()).toBe(100n);
  // An update is none of what such a table is for; verification finds it.
  await database.query("UPDATE restarted SET v = 2 WHERE id = 5; DELETE FROM restarted WHERE id = 6");
  expect(await t.sync()).toMatchObject([{ rows: 1, deleted: 1 }]);
  await database.query(
    "TRUNCATE restarted RESTART IDENTITY; INSERT INTO restarted (v) SELECT 3 FROM generate_series(1, 20)",
  );
  expect(await t.sync()).toMatchObject([{ rows: 20 + 80, deleted: 80 }]);
});

it("takes nullable and small ids, in partitions that come and go", async () => {
  await database.query("CREATE TABLE parted (id smallint, d int) PARTITION BY RANGE (d)");
  await database.query("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)");
  await database.query("INSERT INTO parted SELECT g, 1 FROM generate_series(1, 20) g");
  const t = await loaded("parted", { key: "none" });
  for (let i = 0; i < 4; i++) await t.sync();
  expect(await t.behind()).toBe(20n);
  await database.query("CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)");
  await database.query("INSERT INTO parted VALUES (NULL, 1), (21, 11), (22, 1)");
  await t.sync();
  expect(await t.ids()).toHaveLength(23);
  await database.query("INSERT INTO parted VALUES (23, 11)");
  await t.sync();
  await t.expectAll();
});

describe("ids that do not come in order", () => {
  it.each([
    ["cached", "bigserial", "ALTER SEQUENCE cached_id_seq CACHE 20", "POSTGRES_CURSOR_CACHE", "CACHE 20"],
    ["identity", "int GENERATED ALWAYS AS IDENTITY (CACHE 5)", "SELECT", "POSTGRES_CURSOR_CACHE", "CACHE 5"],
    [
      "down",
      "int GENERATED ALWAYS AS IDENTITY (INCREMENT -1)",
      "SELECT",
      "POSTGRES_CURSOR_ORDER",
      "INCREMENT -1",
    ],
    ["round", "int GENERATED ALWAYS AS IDENTITY (CYCLE)", "SELECT", "POSTGRES_CURSOR_ORDER", "CYCLE"],
    ["loose", "int DEFAULT nextval('shared')", "SELECT", "POSTGRES_CURSOR_CACHE", "CACHE 7"],
  ])("%s", async (table, type, then, code, value) => {
    await database.query("CREATE SEQUENCE IF NOT EXISTS shared CACHE 7");
    await database.query(`CREATE TABLE ${table} (id ${type}, PRIMARY KEY (id)); ${then}`);
    const failure = loaded(table).then((t) => t.sync());
    await expect(failure).rejects.toMatchObject({ code, value: expect.stringContaining(value) });
  });

  it("of a type that is neither a moment nor an id", async () => {
    await database.query("CREATE TABLE untimed (id int PRIMARY KEY, local timestamp)");
    await expect(loaded("untimed", { cursor: "local" })).rejects.toMatchObject({
      code: "POSTGRES_CURSOR_TYPE",
      value: "local timestamp",
    });
  });
});
