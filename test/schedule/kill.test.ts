/**
 * Two schedulers on one lake, each of which is killed again and again in the middle of a run: every due time has its
 * effect exactly once, nothing overlaps, nothing is lost.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Lake, openStore } from "../../lakehouse/lake.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { dueTimes } from "../../layers/schedule/due-times.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { s3Available, useS3 } from "../support/s3.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const WORKER = new URL("./worker.ts", import.meta.url).pathname;
const JOBS = { "p.one": "*/3 * * * * *", "p.two": "*/4 * * * * *" };
/** Milliseconds; a busy machine renews late, and a lease that is lost by that would look like an overlap. */
const LEASE = 6_000;
const PATIENCE = 120_000;

interface Place {
  readonly lake: string;
  readonly store: ObjectStore;
  readonly environment: Readonly<Record<string, string>>;
}

/** One worker after another under the same name. */
class Worker {
  complaints = "";
  deaths = 0;
  private child: ChildProcess | undefined;
  private exited: Promise<unknown> = Promise.resolve();
  private onRun: () => void = () => {};

  constructor(
    private readonly name: string,
    private readonly place: Place,
    private readonly notes: string,
  ) {}

  start(): void {
    const { lake, environment } = this.place;
    const instructions = { lake, notes: this.notes, owner: this.name, leaseMilliseconds: LEASE };
    const args = ["--import", "jiti/register", WORKER, JSON.stringify(instructions)];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = new Promise((resolve) => child.once("exit", resolve));
    child.stderr.on("data", (chunk) => {
      this.complaints += chunk;
    });
    createInterface(child.stdout).on("line", (line) => {
      const event = JSON.parse(line) as { event: string; deaths?: number };
      if (event.event === "run started") this.onRun();
      this.deaths += event.deaths ?? 0;
    });
    this.child = child;
  }

  /** Resolves when the next run has begun in it. */
  nextRun(): Promise<void> {
    return new Promise((resolve) => {
      this.onRun = resolve;
    });
  }

  async kill(): Promise<void> {
    await writeFile(`${this.notes}/killed-${this.child?.pid}`, "");
    this.child?.kill("SIGKILL");
    await this.exited;
  }

  async stop(): Promise<void> {
    this.child?.kill("SIGTERM");
    await this.exited;
  }
}

/** How many runs begin before one is killed, and how far into it. */
const kill = fc.record({ runs: fc.integer({ min: 1, max: 3 }), after: fc.integer({ min: 0, max: 1_000 }) });

async function play(place: Place, kills: readonly { readonly runs: number; readonly after: number }[]) {
  const notes = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(notes);
  const workers = ["a", "b"].map((name) => new Worker(name, place, notes));
  try {
    for (const worker of workers) worker.start();
    for (const { runs, after } of kills) {
      let victim: Worker | undefined;
      for (let run = 0; run < runs; run++) {
        victim = await Promise.race(workers.map((worker) => worker.nextRun().then(() => worker)));
      }
      await delay(after);
      await victim?.kill();
      victim?.start();
    }
    const end = Date.now();
    for (const job of Object.keys(JOBS)) await caughtUp(place.store, job, end);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(workers.map(({ complaints }) => complaints).join("")).toBe("");
    // Runs were killed in their middle.
    expect(workers.reduce((sum, { deaths }) => sum + deaths, 0)).toBeGreaterThanOrEqual(1);
    expect(await readFile(`${notes}/overlaps`, "utf8").catch(() => "")).toBe("");
    for (const [job, cron] of Object.entries(JOBS)) await judge(place.store, job, cron, end);
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
  }
}

async function caughtUp(store: ObjectStore, job: string, until: number): Promise<void> {
  const records = new RunRecords(store, job);
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await delay(200)) {
    if (((await records.read()).done.at(-1) ?? 0) >= until) return;
  }
  throw new Error(`${job} did not catch up`);
}

async function judge(store: ObjectStore, job: string, cron: string, end: number): Promise<void> {
  const rows = await queryTable(
    new Lake(store, duckdb),
    `p/bronze/${job.replace("p.", "")}`,
    "SELECT due, epoch FROM t ORDER BY due",
  );
  const effects = rows.map((row) => Number(row.due));
  const since = await new RunRecords(store, job).knownSince({ cron }, 0);
  const [last = 0] = effects.slice(-1);
  expect(last).toBeGreaterThanOrEqual(end);
  expect(effects).toEqual([...dueTimes({ cron }, since, last)]);
  const epochs = rows.map((row) => Number(row.epoch));
  expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
  const { done } = await new RunRecords(store, job).read();
  expect(effects.slice(0, done.length)).toEqual(done);
  // What a last run that was told to stop has done already is done again by nobody.
  expect(effects.length - done.length).toBeLessThanOrEqual(1);
}

const plan = (kills: number) => fc.array(kill, { minLength: kills, maxLength: kills });

it("on a folder: runs have their effects once, whoever is killed", async () => {
  const property = fc.asyncProperty(plan(3), (kills) => {
    const lake = `${folder.path}/lake-${crypto.randomUUID()}`;
    return play({ lake, store: openStore(lake), environment: {} }, kills);
  });
  await fc.assert(property, { numRuns: 1, endOnFailure: true });
}, 400_000);

describe.skipIf(!s3Available())("on S3", () => {
  const s3 = useS3();
  it("runs have their effects once, whoever is killed", async () => {
    const property = fc.asyncProperty(plan(2), (kills) => {
      const prefix = crypto.randomUUID();
      const place = {
        lake: `s3://${s3.bucket}/${prefix}`,
        store: s3.store(prefix),
        environment: s3.environment(),
      };
      return play(place, kills);
    });
    await fc.assert(property, { numRuns: 1, endOnFailure: true });
  }, 400_000);
});
