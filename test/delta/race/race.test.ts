import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { createTable } from "../../../lakehouse/delta/create.ts";
import { vacuumTable } from "../../../lakehouse/delta/maintain/vacuum.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../../lakehouse/store/store.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { RACE_SCHEMA, raceOperations } from "../../support/race/operations.ts";
import { type RivalPlan, runRival, type Told } from "../../support/race/rival.ts";
import { judge } from "../../support/race/verdict.ts";
import { s3Available, useS3 } from "../../support/s3.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const s3 = useS3();

const RIVALS = 3;
const FAULTS = { failBefore: 0.01, failAfter: 0.01, missNewest: 0.1 };
const runs = Number(process.env.INGOT_RUNS ?? 6);

const races = fc.record({
  vectors: fc.boolean(),
  feed: fc.boolean(),
  plans: fc.array(
    fc.record({ operations: fc.array(raceOperations, { minLength: 2, maxLength: 6 }), seed: fc.nat() }),
    {
      minLength: RIVALS,
      maxLength: RIVALS,
    },
  ),
});
type Race = typeof races extends fc.Arbitrary<infer T> ? T : never;

/** Sets a table up, lets the rivals loose on it, and judges what came of it. */
async function hold(
  store: ObjectStore,
  race: Race,
  run: (plan: RivalPlan) => Promise<Told[]>,
): Promise<void> {
  const table = new DeltaTable(store, duckdb);
  await createTable(table, {
    schema: RACE_SCHEMA,
    properties: {
      ...(race.vectors ? { "delta.enableDeletionVectors": "true" } : {}),
      ...(race.feed ? { "delta.enableChangeDataFeed": "true" } : {}),
    },
  });
  const told = await Promise.all(
    race.plans.map((plan, i) => run({ ...plan, name: `rival${i}`, faults: FAULTS })),
  );
  await judge(table, duckdb, told.flat());
  // Nobody writes any more: whatever the newest version does not need may go.
  const before = await rowsOf(table);
  await vacuumTable(table, { retainHours: 0, force: true });
  expect(await rowsOf(new DeltaTable(store, duckdb))).toEqual(before);
}

async function rowsOf(table: DeltaTable) {
  return duckdb.rows(
    `SELECT * FROM (${await scanSql(table.store, scannable(await table.existingSnapshot()))}) ORDER BY ALL`,
  );
}

describe("rivals on one table: the log is a serial order that explains every version", () => {
  test("in memory, side by side in one process", async () => {
    await fc.assert(
      fc.asyncProperty(races, async (race) => {
        const store = new MemoryStore(`${crypto.randomUUID()}/`);
        await hold(store, race, (plan) => runRival(store, duckdb, plan));
      }),
      { numRuns: runs },
    );
  });

  test("on a folder, in processes of their own", async () => {
    const processes = useProcesses({});
    await fc.assert(
      fc.asyncProperty(races, async (race) => {
        const root = `${folder.path}/${crypto.randomUUID()}`;
        await hold(new LocalStore(root), race, (plan) => processes.run(root, plan));
      }),
      { numRuns: runs },
    );
  });

  test.skipIf(!s3Available())("on S3, in processes of their own", async () => {
    const processes = useProcesses(s3.environment());
    await fc.assert(
      fc.asyncProperty(races, async (race) => {
        const store = s3.store();
        await hold(store, race, (plan) => processes.run(store.root, plan));
      }),
      { numRuns: Math.ceil(runs / 2) },
    );
  });
});

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** Rivals that stay for all runs of a test, one process each; a plan goes to the one of its name. */
function useProcesses(environment: Record<string, string>) {
  const started = new Map<string, { readonly child: ChildProcess; readonly lines: Interface }>();
  const rivalOf = (name: string) => {
    const found = started.get(name);
    if (found) return found;
    const main = new URL("../../support/race/main.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, ["--import", "jiti/register", main], {
      env: { ...process.env, ...environment },
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    child.once("exit", () => started.delete(name));
    const rival = { child, lines: createInterface({ input: child.stdout }) };
    started.set(name, rival);
    return rival;
  };
  return {
    run(address: string, plan: RivalPlan): Promise<Told[]> {
      const { child, lines } = rivalOf(plan.name);
      return new Promise((resolve, reject) => {
        const onExit = (code: number | null) => reject(new Error(`${plan.name} ended with ${code}`));
        child.once("exit", onExit);
        lines.once("line", (line) => {
          child.off("exit", onExit);
          resolve(JSON.parse(line) as Told[]);
        });
        child.stdin?.write(`${JSON.stringify({ address, plan })}\n`);
      });
    },
  };
}
