/**
 * Random transactions of several writers, while a process that loads and captures is killed, cut off and misled by its
 * store. Afterwards bronze amounts to the source, row for row, and holds every change that was committed since the
 * slot's beginning exactly once.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fc from "fast-check";
import { expect, it } from "vitest";
import { Lake } from "../../../lakehouse/lake.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { keepUp } from "../../../layers/bronze/keep-up.ts";
import { readPosition } from "../../../layers/bronze/position.ts";
import { type PipelineDefinition, postgres } from "../../../layers/definition/pipeline.ts";
import { bronzeChanges, bronzeRows, sourceRows } from "../../support/bronze-state.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { ingestContext } from "../../support/lake.ts";
import { useDatabase } from "../../support/postgres.ts";
import {
  COLUMNS,
  SCHEMA_CHANGES,
  SCHEMA_SQL,
  TABLES,
  type Transaction,
  transaction,
  write,
} from "./source.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();
const WORKER = new URL("./worker.ts", import.meta.url).pathname;

const KEYS: Readonly<Record<string, (row: Readonly<Record<string, unknown>>) => string>> = {
  accounts: (row) => `${row.id}`,
  lines: (row) => `${row.doc}/${row.line}`,
  bag: (row) => `${row.a ?? ""}/${row.b ?? ""}`,
};

/** What is done to the worker while the writers are busy, and after how many of its commits. */
const disturbance = fc.record({
  kind: fc.constantFrom("kill", "kill", "cut", "cut all"),
  after: fc.integer({ min: 0, max: 8 }),
});

interface Plan {
  readonly transactions: readonly (readonly Transaction[])[];
  readonly disturbances: readonly { readonly kind: string; readonly after: number }[];
  readonly follow: boolean;
  readonly seed: number;
  /** How many of the source's schema changes happen. */
  readonly schemaChanges: number;
}

/** A worker in a process of its own. */
class Worker {
  complaint = "";
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;

  constructor(instructions: object) {
    const args = ["--import", "jiti/register", WORKER, JSON.stringify(instructions)];
    this.child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stderr?.on("data", (chunk) => {
      this.complaint += chunk;
    });
  }

  /** Resolves when it has committed so often, or has ended. */
  async commits(count: number): Promise<void> {
    let seen = -1;
    const enough = new Promise<void>((resolve) => {
      this.child.stdout?.on("data", (chunk) => {
        seen += String(chunk).split("\n").length - 1;
        if (seen >= count) resolve();
      });
    });
    await Promise.race([enough, this.ended]);
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

async function play({ transactions, disturbances, follow, seed, schemaChanges }: Plan): Promise<void> {
  await database.query(
    "DROP SCHEMA IF EXISTS sales CASCADE; DROP TABLE IF EXISTS accounts, bag, audit; DROP FUNCTION IF EXISTS audit",
  );
  await database.query(SCHEMA_SQL);
  const name = `chaos_${crypto.randomUUID().slice(0, 8)}`;
  const lakeFolder = `${folder.path}/${name}`;
  const instructions = { url: database.url, lake: lakeFolder, name, tables: TABLES, follow };
  let worker = new Worker({ ...instructions, seed });
  let complaints = "";
  try {
    let busy = true;
    const writers = Promise.all(transactions.map((own) => write(database.url, own))).finally(() => {
      busy = false;
    });
    for (const [turn, { kind, after }] of disturbances.entries()) {
      const change = SCHEMA_CHANGES[turn];
      if (change !== undefined && turn < schemaChanges) await alter(change);
      await Promise.race([worker.commits(after), writers]);
      if (!busy) break;
      if (kind === "kill") {
        await worker.kill();
        complaints += worker.complaint;
        worker = new Worker({ ...instructions, seed: seed + turn + 1 });
      } else await cut(kind === "cut all");
    }
    await writers;
    await worker.kill();
    expect(complaints + worker.complaint).toBe("");

    const lake = new Lake(new LocalStore(lakeFolder), duckdb);
    const pipeline: PipelineDefinition = { name, source: postgres({ changes: "wal", tables: TABLES }) };
    await eventually(() => keepUp(ingestContext(lake, database.url), pipeline));
    await judge(lake, name);
  } finally {
    await worker.kill();
    await eventually(() =>
      database.query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
        [`ingot_${name}`],
      ),
    );
    await database.query(
      `DROP PUBLICATION IF EXISTS ingot_${name}; DROP PUBLICATION IF EXISTS ingot_${name}_inserts`,
    );
  }
}

/** Changes a table that is in use: it is asked for again where that ends in a deadlock. */
function alter(sql: string): Promise<unknown> {
  return eventually(() => database.query(sql));
}

/** Ends the stream's connection, or all of the worker's. */
async function cut(all: boolean): Promise<void> {
  await database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ingot' AND datname = current_database() AND ($1 OR backend_type = 'walsender')",
    [all],
  );
}

async function addedColumns(): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    "SELECT attname::text AS name FROM pg_attribute WHERE attrelid = 'accounts'::regclass AND attnum > 4 AND NOT attisdropped",
  );
  return rows.map((row) => row.name);
}

/** Postgres notices that a killed process is gone when it next sends to it. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === 100) throw error;
      await database.query("SELECT pg_sleep(0.05)");
    }
  }
}

async function judge(lake: Lake, name: string): Promise<void> {
  for (const [table, options] of Object.entries(TABLES)) {
    const columns = [...COLUMNS[table as keyof typeof TABLES]];
    if (table === "accounts") columns.push(...(await addedColumns()));
    const source = "schema" in options ? `${options.schema}.${table}` : table;
    const path = `${name}/bronze/${table}` as const;
    expect(await bronzeRows(lake, path, columns)).toEqual(await sourceRows(database, source, columns));
    const { snapshot } = readPosition(await lake.table(path).existingSnapshot()) ?? {};
    // What the load's snapshot did not show was committed since; the audit says what that was.
    const audit = await database.query<{ change: string }>(
      `SELECT concat_ws(' ', xid, op, key) AS change FROM audit WHERE tbl = $1 AND NOT pg_visible_in_snapshot(xid::xid8, $2::pg_snapshot)`,
      [table, snapshot],
    );
    const changes = (await bronzeChanges(lake, path))
      .filter((row) => row._ingot_op !== "r")
      .map((row) => [row._ingot_xid, row._ingot_op, KEYS[table]?.(row)].join(" "));
    expect(changes.sort()).toEqual(audit.map(({ change }) => change).sort());
  }
}

it("holds every change once, whatever happens to the one that takes them", async () => {
  const plan = fc.record({
    transactions: fc.array(fc.array(transaction, { minLength: 150, maxLength: 200 }), {
      minLength: 3,
      maxLength: 3,
    }),
    disturbances: fc.array(disturbance, { minLength: 3, maxLength: 6 }),
    follow: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1_000_000 }),
    schemaChanges: fc.integer({ min: 0, max: 4 }),
  });
  await fc.assert(fc.asyncProperty(plan, play), { numRuns: 3, endOnFailure: true });
}, 300_000);
