import { beforeAll, expect, it } from "vitest";
import { type Draft, type DraftOptions, draftProject } from "../../jobs/init/draft.ts";
import { defaults } from "../../jobs/init/questions.ts";
import { useDatabase } from "../support/postgres.ts";

const database = useDatabase();

beforeAll(() =>
  database.query(`
    CREATE SCHEMA closed;
    CREATE TABLE keyed (id int PRIMARY KEY, at timestamptz NOT NULL, updated_at timestamptz NOT NULL, "modifiedAt" timestamptz);
    CREATE INDEX ON keyed (updated_at); CREATE INDEX ON keyed ("modifiedAt");
    CREATE TABLE coded (code text NOT NULL UNIQUE, last_modified timestamptz NOT NULL);
    CREATE TABLE indexed (code text NOT NULL, n int NOT NULL);
    CREATE UNIQUE INDEX indexed_key ON indexed (n, code); ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_key;
    CREATE TABLE whole (note text); ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE computed (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED NOT NULL);
    CREATE UNLOGGED TABLE brief (id int PRIMARY KEY);
    CREATE SCHEMA family; CREATE TABLE family.parent (id int PRIMARY KEY); CREATE TABLE family.child (PRIMARY KEY (id)) INHERITS (family.parent);
    CREATE TABLE closed.hidden (id int PRIMARY KEY);
    CREATE TABLE ruled (id int PRIMARY KEY); ALTER TABLE ruled ENABLE ROW LEVEL SECURITY;
    CREATE ROLE reader LOGIN PASSWORD 'secret word'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
    CREATE ROLE streamer LOGIN REPLICATION PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO streamer`),
);

const draft = (options: DraftOptions = {}, user?: string, password = ""): Promise<Draft> => {
  const url = new URL(database.url);
  if (user !== undefined) Object.assign(url, { username: user, password });
  return draftProject(url.href, { name: "p", ...options }, defaults);
};

const optionsOf = ({ pipeline }: Draft) =>
  Object.fromEntries(pipeline.tables.map(({ name, options }) => [name, options]));
const modelled = ({ pipeline }: Draft) =>
  pipeline.tables.filter(({ model }) => model !== undefined).map(({ name }) => name);

it("captures from the WAL where that is allowed, by keys that the log carries", async () => {
  const found = await draft();
  expect(found.pipeline.choice).toMatchObject({ changes: "wal", obstacles: [] });
  expect(found.pipeline.choice.why).toContain("wal_level is logical");
  expect(optionsOf(found)).toEqual({
    coded: { key: "none" },
    computed: {},
    indexed: { key: ["n", "code"] },
    keyed: {},
    nothing: { key: "none" },
    ruled: {},
    whole: { key: "none" },
    hidden: { schema: "closed" },
    child: { schema: "family" },
  });
  expect(found.left).toEqual([
    { table: "public.brief", why: expect.stringContaining("unlogged") },
    { table: "family.parent", why: expect.stringContaining("inherit") },
  ]);
  expect(modelled(found)).toEqual(["computed", "indexed", "keyed", "ruled", "hidden", "child"]);
  const text = found.files.get("pipelines/p/pipeline.ts");
  expect(text).toContain('changes: "wal"');
  expect(text).toContain('"public"."nothing" REPLICA IDENTITY FULL');
  expect(found.files.get("schemas/computed.ts")).not.toContain("twice");
  expect(found.files.get("pipelines/p/silver/computed.sql")).toMatch(/^-- .*not captured: twice\.$/m);
});

it("asks the tables by query, with cursor and comparison of keys", async () => {
  const found = await draft({ changes: "query" });
  expect(optionsOf(found)).toMatchObject({
    brief: { deletes: "compare" },
    coded: { key: ["code"], deletes: "compare" },
    keyed: { cursor: "updated_at", deletes: "compare" },
    whole: { key: "none" },
  });
  expect(found.files.get("schemas/computed.ts")).toContain("twice: integer(),");
});

it("a user without rights gets a query, the reasons, and what may not be read is left out", async () => {
  const found = await draft({}, "reader", "secret word");
  expect(found.pipeline.choice.changes).toBe("query");
  expect(found.pipeline.choice.why).toContain("reader has no right to replicate");
  expect(found.pipeline.choice.why).toContain("may not make a publication");
  expect(found.left.map(({ table }) => table)).toEqual([
    "public.ruled",
    "closed.hidden",
    "family.child",
    "family.parent",
  ]);
  expect([...found.files.values()].join("")).not.toContain("secret");
  const asked = await draft({ changes: "wal" }, "reader", "secret word");
  expect(asked.pipeline.choice).toMatchObject({ changes: "wal", publication: undefined });
  expect(asked.pipeline.choice.obstacles).toContain("reader has no right to replicate");
});

it("a publication that exists is used where none can be made", async () => {
  const tables = { exclude: ["ruled", "closed.*", "family.*", "brief", "whole", "nothing", "coded"] };
  expect((await draft(tables, "streamer", "x")).pipeline.choice.changes).toBe("query");
  await database.query(
    "CREATE PUBLICATION ours FOR TABLE keyed, indexed, computed WITH (publish_via_partition_root)",
  );
  await database.query(
    "CREATE PUBLICATION ours_inserts WITH (publish = 'insert, truncate', publish_via_partition_root)",
  );
  const found = await draft(tables, "streamer", "x");
  expect(found.pipeline.choice).toMatchObject({ changes: "wal", publication: "ours" });
  expect(found.files.get("pipelines/p/pipeline.ts")).toContain('wal: { publication: "ours" }');
});

it("a column that is never null may be null where it holds what only Postgres has, known by statistics or not", async () => {
  await database.query(`CREATE SCHEMA odd;
    CREATE TABLE odd.small (id int PRIMARY KEY, a date NOT NULL, b timestamptz NOT NULL, c numeric(9,2) NOT NULL, d date NOT NULL, e text NOT NULL);
    CREATE TABLE odd.big (LIKE odd.small INCLUDING ALL);
    INSERT INTO odd.big SELECT g, DATE '2020-01-01' + g % 900, now() + g * interval '1 s', g, DATE '2020-01-01' + g, 'infinity' FROM generate_series(1, 20000) g;
    INSERT INTO odd.small SELECT * FROM odd.big LIMIT 100;
    INSERT INTO odd.small VALUES (0, 'infinity', '0044-03-15 BC', 'NaN', '9999-12-31', 'NaN');
    INSERT INTO odd.big SELECT * FROM odd.small WHERE id = 0;
    ANALYZE odd.big`);
  const { pipeline } = await draft({ schemas: ["odd"], changes: "query" });
  for (const { model } of pipeline.tables) {
    expect(model?.columns.filter(({ nullable }) => nullable).map(({ name }) => name)).toEqual([
      "a",
      "b",
      "c",
    ]);
  }
});

it("takes the schemas and tables that were asked for, and says what there is instead", async () => {
  expect(modelled(await draft({ schemas: ["closed"] }))).toEqual(["hidden"]);
  expect(modelled(await draft({ tables: ["closed.*", "keye*"] }))).toEqual(["keyed", "hidden"]);
  await expect(draft({ schemas: ["open"] })).rejects.toMatchObject({
    code: "INIT_SCHEMA",
    allowed: expect.stringContaining("public, closed"),
  });
  await expect(draft({ exclude: ["keye"] })).rejects.toMatchObject({ code: "INIT_TABLE", value: "keye" });
  await expect(draft({ name: "Main" })).rejects.toMatchObject({ code: "INIT_NAME" });
});

it("five hundred tables are no trouble", async () => {
  await database.query(`CREATE SCHEMA many; DO $$ BEGIN FOR i IN 1..500 LOOP
    EXECUTE format('CREATE TABLE many.t_%s (id bigint PRIMARY KEY, a text)', i); END LOOP; END $$`);
  const found = await draft({ schemas: ["many"] });
  expect(found.pipeline.tables).toHaveLength(500);
  expect(found.files.size).toBe(1002);
});
