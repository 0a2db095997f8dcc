/**
 * A process that runs schedules until it is killed; its instructions come as JSON in the first argument. Each run appends
 * its due time to a Delta table, once, and while it runs there is a link that only one process can make.
 */
import { access, appendFile, readlink, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Attempt, Job } from "../../jobs/scheduler/job.ts";
import { Scheduler } from "../../jobs/scheduler/scheduler.ts";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake, openStore } from "../../lakehouse/lake.ts";
import { guardedStore } from "../../lakehouse/lease/guarded-store.ts";

const { lake, notes, owner, leaseMilliseconds } = z
  .object({ lake: z.string(), notes: z.string(), owner: z.string(), leaseMilliseconds: z.number() })
  .parse(JSON.parse(process.argv[2] ?? ""));

const SCHEMA: StructType = { type: "struct", fields: [field("due", "long"), field("epoch", "long")] };
const duckdb = await DuckDb.open({ memoryMb: 128, threads: 1 });
const store = openStore(lake);

/** Appends the due time unless a run before this one has: the position stands in the commit. */
async function append({ job, due, epoch, check }: Attempt): Promise<void> {
  const own = new Lake(guardedStore(store, check), duckdb);
  const table = own.table(`p/bronze/${job.replace("p.", "")}`);
  const base = await table.snapshot();
  const before = base?.transactions.get("runs")?.version ?? 0;
  if (before >= due) return;
  const session = await duckdb.session();
  try {
    const staged = await table.stage(
      session,
      `SELECT ${due}::BIGINT AS due, ${epoch}::BIGINT AS epoch`,
      SCHEMA,
    );
    const outcome = await table.write({
      operation: "WRITE",
      base,
      schema: SCHEMA,
      staged,
      reads: "nothing",
      transactions: [{ appId: "runs", version: due }],
    });
    if (outcome.status !== "committed") throw new Error(`lost a race: ${outcome.status}`);
  } finally {
    await session.close();
  }
}

/** Notes whoever else is at the same job. A killed process leaves its link; the test says beforehand whom it kills. */
async function alone({ job, due }: Attempt, work: () => Promise<void>): Promise<void> {
  const link = join(notes, `${job}.running`);
  const other = await readlink(link).catch(() => undefined);
  const dead =
    other !== undefined &&
    (await access(join(notes, `killed-${other}`)).then(
      () => true,
      () => false,
    ));
  if (dead) await rm(link);
  await symlink(String(process.pid), link).catch(async () => {
    await appendFile(join(notes, "overlaps"), `${job} ${due}: ${other} and ${process.pid}\n`);
  });
  await work();
  await rm(link, { force: true });
}

const work = (attempt: Attempt) =>
  alone(attempt, async () => {
    await delay(600);
    await append(attempt);
    await delay(600);
  });
const jobs: Job[] = ["one", "two"].map((name) => ({
  name: `p.${name}`,
  schedule: { cron: name === "one" ? "*/3 * * * * *" : "*/4 * * * * *", missed: "all" },
  after: [],
  work,
}));
const scheduler = new Scheduler(jobs, {
  store,
  owner,
  leaseMilliseconds,
  onEvent: (event) => {
    if (event.event !== "expected") process.stdout.write(`${JSON.stringify(event)}\n`);
  },
});
process.once("SIGTERM", () => {
  void scheduler.stop().then(() => {
    duckdb.close();
    process.exit(0);
  });
});
scheduler.start();
