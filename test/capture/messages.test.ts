/** What applications write into the WAL beside their tables, and changes that were made elsewhere. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { verify } from "../../layers/bronze/verify/verify.ts";
import { full } from "../../layers/definition/model.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { queryTable } from "../support/lake.ts";
import { serverMajor } from "../support/postgres.ts";
import { captured, useCapture } from "./setup.ts";

const {
  database,
  folder,
  lake,
  context,
  load,
  sync,
  dropSlot,
  changesOf,
  expectSame,
  unacknowledged,
  withTables,
} = await useCapture();

const OUTBOX = { wal: { messages: "outbox" } };

const textOf = (row: Row) => Buffer.from(row.content as Uint8Array).toString();
const rowsOf = (pipeline: PipelineDefinition, table = "outbox") => changesOf(pipeline, table);
const contents = async (pipeline: PipelineDefinition) => (await rowsOf(pipeline)).map(textOf);

/** Emits and answers where the record ends. What is not transactional is flushed, or nobody would see it yet. */
async function emit(content: string, transactional: boolean, prefix = "orders"): Promise<number> {
  const flushes = serverMajor >= 17;
  // Before version 17 a message cannot ask for it: the end of a transaction that has an id is flushed, with the message.
  const emitted = `pg_logical_emit_message($1, $2, $3${flushes ? ", NOT $1" : ""})`;
  const [row] = await database.query<{ lsn: string }>(
    `SELECT (${emitted} - '0/0')::text AS lsn${flushes ? "" : ", pg_current_xact_id()"}`,
    [transactional, prefix, content],
  );
  return Number(row?.lsn);
}

/** From these majors on a server sends messages, and knows where a change was made. */
const [SENDS, KNOWS] = [serverMajor >= 14, serverMajor >= 16];
const describeWhere = (holds: boolean, name: string, work: () => void) => {
  if (holds) describe(name, work);
};

describeWhere(!KNOWS, "an older server", () => {
  const refused = [
    ...(SENDS ? [] : [["POSTGRES_MESSAGES", { messages: "outbox" }] as const]),
    ["POSTGRES_ORIGIN", { origin: "none" }] as const,
  ];

  it.each(refused)("is not asked for what it cannot send: %s", async (code, wal) => {
    await database.query("CREATE TABLE IF NOT EXISTS refused (id int PRIMARY KEY)");
    const slots = "SELECT slot_name FROM pg_replication_slots ORDER BY 1";
    const before = await database.query(slots);
    const pipeline = captured({ refused: {} }, { wal });
    await expect(load(pipeline)).rejects.toMatchObject({ code });
    expect(await database.query(slots)).toEqual(before);
    expect(await lake.table(`${pipeline.name}/bronze/refused`).snapshot()).toBeUndefined();
  });

  it.each(refused)("goes on without what comes later and is refused: %s", async (code, wal) => {
    const table = code.toLowerCase();
    await withTables(`CREATE TABLE ${table} (id int PRIMARY KEY)`, captured({ [table]: {} }), async (p) => {
      await database.query(`INSERT INTO ${table} VALUES (1)`);
      const asking = { ...p, source: { ...p.source, wal } };
      await expect(sync(asking)).rejects.toMatchObject({ code });
      expect(await sync(p)).toMatchObject([{ status: "committed", rows: 1 }]);
      await expectSame(p, table, ["id"]);
    });
  });
});

describeWhere(SENDS, "messages", () => {
  it("are rows of their transaction, in order with its changes, or stand for themselves", async () => {
    await withTables("CREATE TABLE sold (id int PRIMARY KEY)", captured({ sold: {} }, OUTBOX), async (p) => {
      const other = await database.connect();
      try {
        await other.query("BEGIN; INSERT INTO sold VALUES (1)");
        await other.query(
          "SELECT pg_logical_emit_message(true, 'a \"b\", é', '\\x00ff22'::bytea); INSERT INTO sold VALUES (2)",
        );
        const end = await emit("", false, "");
        await other.query("SELECT pg_logical_emit_message(true, 'last', 'x')");
        await other.query("COMMIT");
        const reports = await sync(p);
        expect(reports).toMatchObject([
          { table: "bronze.sold", status: "committed", rows: 2 },
          { table: "bronze.outbox", mode: "sync", status: "committed", rows: 3, deleted: 0 },
        ]);
        const [alone, first, last, ...none] = await rowsOf(p);
        const [one, two] = await rowsOf(p, "sold");
        expect(none).toEqual([]);
        expect(alone).toMatchObject({
          prefix: "",
          transactional: false,
          _ingot_op: "i",
          _ingot_lsn: BigInt(end - 1),
          _ingot_seq: 1n,
          _ingot_xid: null,
          _ingot_committed_at: null,
          _ingot_rescued: null,
        });
        expect(alone?.content).toHaveLength(0);
        const transaction = (row: Row | undefined) => [
          row?._ingot_lsn,
          row?._ingot_xid,
          String(row?._ingot_committed_at),
        ];
        expect([first?.prefix, first?.transactional]).toEqual(['a "b", é', true]);
        expect(Buffer.from(first?.content as Uint8Array).toString("hex")).toBe("00ff22");
        expect([one, first, two, last].map((row) => row?._ingot_seq)).toEqual([1n, 2n, 3n, 4n]);
        for (const row of [first, last, two]) expect(transaction(row)).toEqual(transaction(one));
        expect((await sync(p)).at(-1)).toMatchObject({ table: "bronze.outbox", status: "unchanged" });
        const verified = await verify(context(), p, { repair: true });
        expect(verified).toMatchObject([{ table: "bronze.sold", status: "same" }]);
      } finally {
        await other.end();
      }
    });
  });

  it("are taken once each, however often the slot begins anew, and however long they are", async () => {
    const sql = "CREATE TABLE beside (id serial PRIMARY KEY, n int)";
    await withTables(sql, captured({ beside: {} }, OUTBOX), async (p) => {
      const sent: string[] = [];
      const ends: number[] = [];
      const send = async (content: string, transactional: boolean) => {
        const end = await emit(content, transactional);
        sent.push(content);
        if (!transactional) ends.push(end);
      };
      for (let round = 0; round < 6; round++) {
        await unacknowledged(p, async () => {
          for (let n = 0; n < 40 + (round % 2); n++) {
            // Records that end at every place of a page, and some that span several.
            await send(`${round}.${n} ${"x".repeat((n * 997 + round * 131) % 9_000)}`, n % 3 === 0);
            if (n % 7 === 0) await database.query("INSERT INTO beside (n) VALUES ($1)", [n]);
          }
          await sync(p);
        });
        await send(`${round} between`, round % 2 === 0);
        await sync(p);
        expect(await contents(p)).toEqual(sent);
      }
      const rows = await rowsOf(p);
      expect(new Set(rows.map((row) => `${row._ingot_lsn} ${row._ingot_seq}`)).size).toBe(sent.length);
      const alone = rows.filter((row) => row.transactional === false);
      expect(alone.map((row) => Number(row._ingot_lsn) + 1)).toEqual(ends);
      await expectSame(p, "beside", ["id", "n"]);
      const long = "long ".repeat(4_000_000);
      await emit(long, false);
      await sync(p);
      expect((await contents(p)).at(-1) === long).toBe(true);
    });
  }, 120_000);

  it("do not hide a transaction that commits right behind what was acknowledged", async () => {
    const sql = "CREATE TABLE behind (id int PRIMARY KEY)";
    await withTables(sql, captured({ behind: {} }, OUTBOX), async (p) => {
      const other = await database.connect();
      try {
        for (let id = 1; id <= 5; id++) {
          await other.query(
            `BEGIN; INSERT INTO behind VALUES (${id}); SELECT pg_logical_emit_message(true, '', '${id}')`,
          );
          await emit(`alone ${id}`, false);
          await sync(p);
          await other.query("COMMIT");
          await sync(p);
        }
      } finally {
        await other.end();
      }
      expect(await contents(p)).toEqual([1, 2, 3, 4, 5].flatMap((id) => [`alone ${id}`, String(id)]));
      await expectSame(p, "behind", ["id"]);
    });
  });

  it("have the place in their transaction that they had, where its other rows are in bronze already", async () => {
    await withTables(
      "CREATE TABLE before (id int PRIMARY KEY)",
      captured({ before: {} }, OUTBOX),
      async (p) => {
        const without: PipelineDefinition = { ...p, source: { ...p.source, wal: {} } };
        await unacknowledged(p, async () => {
          await database.query(
            "BEGIN; INSERT INTO before VALUES (1); UPDATE before SET id = 2; SELECT pg_logical_emit_message(true, '', 'x'); COMMIT",
          );
          // As if the run had been killed between the commits of the two tables.
          await sync(without);
        });
        expect(await rowsOf(p)).toEqual([]);
        await sync(p);
        expect((await rowsOf(p)).map((row) => row._ingot_seq)).toEqual([4n]);
        expect((await rowsOf(p, "before")).map((row) => row._ingot_seq)).toEqual([1n, 2n, 3n]);
      },
    );
  });

  it("begin with the slot where there are no tables, and where the option comes later", async () => {
    const p = captured({}, OUTBOX);
    await withTables("", p, async () => {
      await emit("first", true);
      expect(await load(p)).toMatchObject([{ table: "bronze.outbox", status: "skipped" }]);
      expect(await sync(p)).toMatchObject([{ table: "bronze.outbox", status: "committed", rows: 1 }]);
      expect(await contents(p)).toEqual(["first"]);
    });
    await withTables("CREATE TABLE later (id int PRIMARY KEY)", captured({ later: {} }), async (plain) => {
      await emit("passed over", true);
      await sync(plain);
      await emit("taken", false);
      const asking = { ...plain, source: { ...plain.source, ...OUTBOX } };
      expect(await load(asking)).toMatchObject([
        { table: "bronze.later", status: "skipped" },
        { table: "bronze.outbox", status: "committed", mode: "load", rows: 0 },
      ]);
      await sync(asking);
      expect(await contents(asking)).toEqual(["taken"]);
    });
  });

  it("can be read by models", async () => {
    const root = `${folder.path}/models`;
    await mkdir(`${root}/gold`, { recursive: true });
    await writeFile(
      `${root}/gold/told.sql`,
      "SELECT prefix, count(*) AS messages, string_agg(content::VARCHAR, ',' ORDER BY _ingot_lsn, _ingot_seq) AS texts FROM bronze.outbox GROUP BY prefix",
    );
    const told = defineTable({
      name: "told",
      description: "messages by prefix",
      key: ["prefix"],
      columns: { prefix: text(), messages: long(), texts: text().nullable() },
    });
    const p = { ...captured({}, OUTBOX), folder: pathToFileURL(`${root}/`), gold: { told: full(told) } };
    await withTables("", p, async () => {
      const building = { lake, concurrency: 1, onProgress: ignoreProgress };
      await build(building, p);
      for (const n of [1, 2]) await emit(`${n}`, n === 1, "a");
      await emit("3", false, "b");
      await sync(p);
      await build(building, p);
      expect(await queryTable(lake, `${p.name}/gold/told`, "FROM t ORDER BY prefix")).toEqual([
        { prefix: "a", messages: 2n, texts: "1,2" },
        { prefix: "b", messages: 1n, texts: "3" },
      ]);
    });
  });

  it("go on with a new slot, and say what was lost with the former", async () => {
    await withTables(
      "CREATE TABLE stays (id int PRIMARY KEY)",
      captured({ stays: {} }, OUTBOX),
      async (p) => {
        await emit("one", false);
        await sync(p);
        await emit("lost", false);
        await dropSlot(p);
        await expect(load({ ...p, source: { ...p.source, tables: {} } })).resolves.toMatchObject([
          { table: "bronze.outbox", status: "skipped" },
        ]);
        await sync(p);
        await emit("two", false);
        await sync(p);
        expect(await contents(p)).toEqual(["one", "two"]);
        const history = await lake.table(`${p.name}/bronze/outbox`).history();
        expect(history.map(({ operationParameters }) => operationParameters?.ingest)).toContain("repair");
      },
    );
  });

  it("take no name that another table has, or had", async () => {
    const sql = "CREATE SCHEMA found; CREATE TABLE found.outbox (id int PRIMARY KEY)";
    const p = captured({}, { discover: ["found"] });
    await withTables(sql, p, async () => {
      const asking = { ...p, source: { ...p.source, ...OUTBOX } };
      await expect(load(asking)).rejects.toMatchObject({ code: "SOURCE_NAME_TAKEN" });
      await database.query("DROP SCHEMA found CASCADE; CREATE SCHEMA found");
      await expect(sync(asking)).rejects.toMatchObject({ code: "BRONZE_FOREIGN_TABLE" });
    });
  });
});

describeWhere(SENDS, "origin", () => {
  /** A row and a message that were made elsewhere, and came here by replication. */
  async function replicate(id: number): Promise<void> {
    const applier = await database.connect();
    try {
      await applier.query("SELECT pg_replication_origin_session_setup('elsewhere')");
      await applier.query(
        `BEGIN; INSERT INTO mirrored VALUES (${id}); SELECT pg_logical_emit_message(true, '', '${id}'); COMMIT`,
      );
    } finally {
      await applier.end();
    }
  }

  it.each([["any", ["1", "2", "3"]] as const, ...(KNOWS ? [["none", ["1", "3"]] as const] : [])])(
    "%s",
    async (origin, taken) => {
      const pipeline = captured({ mirrored: {} }, { wal: { origin, messages: "outbox" } });
      await withTables("CREATE TABLE mirrored (id int PRIMARY KEY)", pipeline, async (p) => {
        await database.query("SELECT pg_replication_origin_create('elsewhere')");
        try {
          await database.query(
            "INSERT INTO mirrored VALUES (1); SELECT pg_logical_emit_message(true, '', '1')",
          );
          await replicate(2);
          await database.query(
            "INSERT INTO mirrored VALUES (3); SELECT pg_logical_emit_message(true, '', '3')",
          );
          await sync(p);
          expect((await rowsOf(p, "mirrored")).map((row) => String(row.id))).toEqual(taken);
          expect(await contents(p)).toEqual(taken);
        } finally {
          await database.query("SELECT pg_replication_origin_drop('elsewhere'); DROP TABLE mirrored");
        }
      });
    },
  );
});
