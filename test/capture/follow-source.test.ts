/** What happens to the source's tables while they are followed, without a change of their rows. */
import { expect, it } from "vitest";
import { follow } from "../../layers/bronze/follow.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { useCutOff } from "../support/cut-off.ts";
import { captured, useCapture } from "./setup.ts";

const { context, database, both, expectSame, withTables } = await useCapture();
const way = useCutOff(() => database.url);

/** Follows while `change` happens, until the source was looked at anew; `state` is what is waited for. */
async function following(
  pipeline: PipelineDefinition,
  change: string,
  reached: () => Promise<boolean>,
): Promise<void> {
  const stop = new AbortController();
  let isChanged = false;
  await follow(context(), pipeline, {
    signal: stop.signal,
    look: { every: 20 },
    limits: { milliseconds: 10 },
    onFollowing: async () => {
      if (isChanged) {
        if (await reached()) stop.abort();
        return;
      }
      isChanged = true;
      await database.query(change);
    },
  });
}

it("tables that are made later in a schema that is taken whole are loaded", async () => {
  const pipeline = captured({}, { discover: ["later"] });
  const sql = "CREATE SCHEMA later; CREATE TABLE later.first (id int PRIMARY KEY)";
  await withTables(sql, pipeline, async () => {
    const change =
      "CREATE TABLE later.second (id int PRIMARY KEY); INSERT INTO later.second VALUES (1); INSERT INTO later.first VALUES (1)";
    const reached = () =>
      both(pipeline, "second", ["id"], "later.second").then(
        ({ bronze }) => bronze.length === 1,
        () => false,
      );
    await following(pipeline, change, reached);
    await expectSame(pipeline, "second", ["id"], "later.second");
    await expectSame(pipeline, "first", ["id"], "later.first");
  });
});

it("a partition that is emptied is compared, a column that comes with a default is read", async () => {
  const sql = `CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10); CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20);
    INSERT INTO log VALUES (1), (11); CREATE TABLE plain (id int PRIMARY KEY); INSERT INTO plain VALUES (1)`;
  await withTables(sql, captured({ log: {}, plain: {} }), async (pipeline) => {
    const emptied = async () => (await both(pipeline, "log", ["id"])).bronze.length === 1;
    await following(pipeline, "TRUNCATE log_1", emptied);
    await expectSame(pipeline, "log", ["id"]);
    const altered = () =>
      both(pipeline, "plain", ["id", "state"]).then(
        ({ bronze }) => bronze[0] === '["1","open"]',
        () => false,
      );
    await following(pipeline, "ALTER TABLE plain ADD COLUMN state text DEFAULT 'open'", altered);
    await expectSame(pipeline, "plain", ["id", "state"]);
  });
});

it("a table that is dropped stays as it was, and comes back", async () => {
  const sql =
    "CREATE TABLE stays (id int PRIMARY KEY); CREATE TABLE goes (id int PRIMARY KEY); INSERT INTO goes VALUES (1)";
  await withTables(sql, captured({ stays: {}, goes: {} }), async (pipeline) => {
    await following(pipeline, "DROP TABLE goes", async () => true);
    expect((await both(pipeline, "goes", ["id"], "stays")).bronze).toHaveLength(1);
    const back = async () => (await both(pipeline, "goes", ["id"])).bronze[0] === '["2"]';
    await following(pipeline, "CREATE TABLE goes (id int PRIMARY KEY); INSERT INTO goes VALUES (2)", back);
    await expectSame(pipeline, "goes", ["id"]);
  });
});

it.each(["cut", "silence"] as const)(
  "%s: a source that is away is told, and followed on when it is back",
  async (how) => {
    const sql = `CREATE TABLE ${how}_off (id int PRIMARY KEY)`;
    await withTables(sql, captured({ [`${how}_off`]: {} }), async (pipeline) => {
      const stop = new AbortController();
      const told: string[] = [];
      const lost = expect.stringMatching(/^POSTGRES_(UNREACHABLE|CONNECTION_LOST)$/);
      await follow({ ...context(), connectionString: way.through(database.url) }, pipeline, {
        signal: stop.signal,
        look: { every: 20, patience: 2_000 },
        limits: { milliseconds: 10 },
        onFollowing: async () => {
          told.push("follows");
          if (told.length === 1) way[how]();
          else await database.query(`INSERT INTO ${how}_off VALUES (1)`);
        },
        onRetry: async ({ code }) => {
          told.push(code ?? "");
          if (told.length === 3) way.mend();
        },
        onCommitted: () => stop.abort(),
      });
      expect(told).toEqual(["follows", ...told.slice(1, -1).map(() => lost), "follows"]);
      expect(told.length).toBeGreaterThan(3);
      await expectSame(pipeline, `${how}_off`, ["id"]);
    });
  },
);
