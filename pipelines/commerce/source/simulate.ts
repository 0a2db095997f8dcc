/** `ingot simulate` of the shop: users go on coming, and the database goes on changing. */
import { setTimeout as delay } from "node:timers/promises";
import type { ProgramContext, SimulateOptions, SimulateResult } from "ingot";
import pg from "pg";
import { peopleMaker } from "./people.ts";
import { Random } from "./random.ts";
import { rememberBatch } from "./remember-batch.ts";
import { planBatch } from "./simulated-batch.ts";
import { emptyShop, readShop, type SimulatedShop } from "./simulated-shop.ts";
import { writeBatch } from "./simulated-write.ts";

/** Journeys of one transaction at most. */
const BATCH = 100;
/** Transactions, and so the marks of progress, a second at a given rate. */
const BATCHES_PER_SECOND = 4;
const PROGRESS_EVERY = 250;
const UNDEFINED_TABLE = "42P01";

type Changes = Record<string, { inserted: number; updated: number; deleted: number }>;

/**
 * Makes journeys until there are enough or the signal is aborted; a transaction that has begun is finished first.
 * The same seed on the same rows gives the same changes (their times are the clock's).
 */
export async function simulate(context: ProgramContext, options: SimulateOptions): Promise<SimulateResult> {
  const client = new pg.Client({
    connectionString: context.connectionString,
    application_name: "ingot simulate",
  });
  // Without a listener a broken connection would end the process; the running query rejects as well.
  client.on("error", () => {});
  await client.connect();
  try {
    const shop = await readShop(client).catch((error: unknown) => {
      throw error instanceof pg.DatabaseError && error.code === UNDEFINED_TABLE ? emptyShop(error) : error;
    });
    return await goOn(client, shop, context, options);
  } finally {
    await client.end();
  }
}

async function goOn(
  client: pg.Client,
  shop: SimulatedShop,
  { signal, onProgress }: ProgramContext,
  { rate, journeys: wanted = Number.POSITIVE_INFINITY, seed }: SimulateOptions,
): Promise<SimulateResult> {
  const random = new Random(seed);
  const person = peopleMaker(seed);
  const size = rate === 0 ? BATCH : Math.min(BATCH, Math.max(1, Math.round(rate / BATCHES_PER_SECOND)));
  const changes: Changes = {};
  const started = performance.now();
  let told = started;
  let journeys = 0;
  while (journeys < wanted && !signal.aborted) {
    const batch = planBatch(shop, Math.min(size, wanted - journeys), random);
    const written = await writeBatch(client, batch, (id) => person(Number(id), random));
    rememberBatch(shop, batch, written);
    add(changes, written.changes);
    journeys += batch.journeys.length;
    const now = performance.now();
    if (now - told >= PROGRESS_EVERY) {
      told = now;
      onProgress({ task: "commerce.simulate", state: "running", rows: journeys, ...totalOf(wanted) });
    }
    // By the clock since the start, so that the rate holds whatever a transaction takes.
    const due = rate === 0 ? now : started + (journeys / rate) * 1000;
    if (due > now && journeys < wanted) await delay(due - now, undefined, { signal }).catch(() => {});
  }
  onProgress({ task: "commerce.simulate", state: "done", rows: journeys });
  return { journeys, changes };
}

function totalOf(wanted: number): { totalRows?: number } {
  return Number.isFinite(wanted) ? { totalRows: wanted } : {};
}

function add(sums: Changes, changes: SimulateResult["changes"]): void {
  for (const [table, { inserted, updated, deleted }] of Object.entries(changes)) {
    sums[table] ??= { inserted: 0, updated: 0, deleted: 0 };
    const sum = sums[table];
    sum.inserted += inserted;
    sum.updated += updated;
    sum.deleted += deleted;
  }
}
