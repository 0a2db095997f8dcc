/** Makes the shop's tables and fills them: the same seed and day give the same shop. */
import { readFile } from "node:fs/promises";
import { type ProgressListener, TerminalError } from "ingot";
import type { ClientBase } from "pg";
import { makeCatalogue } from "./catalogue.ts";
import { copyLines } from "./copy.ts";
import { historyUntil } from "./history.ts";
import { makeJourneys } from "./journeys.ts";
import { signUps } from "./people.ts";
import { type Shop, TABLES } from "./rows.ts";
import { verifyFill } from "./verify.ts";

export interface FillOptions {
  /** 1 gives the full shop (20,000 users, a quarter of a million carts); 0.01 a hundredth of it. */
  readonly scale: number;
  readonly seed: number;
  /** The history ends where this day begins (UTC). */
  readonly asOf: Date;
  readonly onProgress?: ProgressListener;
  readonly signal?: AbortSignal;
}

const USERS = 20_000;
const PRODUCTS = 2_000;
const CARTS = 255_000;

/**
 * Creates, fills and verifies in one transaction: after a kill there is nothing, and where the shop is filled already
 * nothing is done.
 */
export async function fillCommerce(client: ClientBase, options: FillOptions): Promise<"filled" | "present"> {
  const { onProgress = () => {}, signal = new AbortController().signal } = options;
  await client.query("BEGIN");
  try {
    // A second bootstrap waits here until the first one is through, and then finds its work done.
    await client.query("SELECT pg_advisory_xact_lock(hashtext('ingot.commerce.bootstrap'))");
    if (await isFilled(client)) {
      await client.query("ROLLBACK");
      for (const { table } of TABLES) {
        onProgress({ task: `commerce.${table}`, state: "skipped", note: "already filled" });
      }
      return "present";
    }
    await refuseForeignTables(client);
    await client.query("SET LOCAL maintenance_work_mem = '128MB'");
    await client.query(await statements("schema.sql"));
    const shop = makeShop(options);
    const sent = await fillTables(client, shop, onProgress, signal);
    onProgress({ task: "commerce.constraints", state: "running" });
    await client.query(await statements("constraints.sql"));
    onProgress({ task: "commerce.constraints", state: "done" });
    signal.throwIfAborted();
    await verifyFill(client, sent, new Date(shop.history.end * 1000));
    await client.query(
      "INSERT INTO public.commerce_bootstrap (seed, scale, filled_to) VALUES ($1, $2, to_timestamp($3))",
      [options.seed, options.scale, shop.history.end],
    );
    await client.query("COMMIT");
    return "filled";
  } catch (error) {
    // The first error says more than that of a rollback on a broken connection.
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

async function isFilled(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query("SELECT to_regclass('public.commerce_bootstrap') IS NOT NULL AS made");
  if (!rows[0]?.made) return false;
  return ((await client.query("SELECT FROM public.commerce_bootstrap")).rowCount ?? 0) > 0;
}

/** A shop that somebody else made is never written into. */
async function refuseForeignTables(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass('public.' || name) IS NOT NULL",
    [TABLES.map(({ table }) => table)],
  );
  if (rows.length === 0) return;
  throw new TerminalError("The database has tables of the names that the shop needs.", {
    code: "COMMERCE_TABLES_EXIST",
    value: rows.map(({ name }) => `public.${name}`),
    allowed: "a database without these tables, or one that an earlier bootstrap has filled",
    next: "Use an empty database for the commerce pipeline.",
  });
}

function makeShop({ scale, seed, asOf }: FillOptions): Shop {
  const history = historyUntil(asOf);
  const catalogue = makeCatalogue(history, Math.max(80, Math.round(PRODUCTS * scale)), seed);
  const signedUp = signUps(history, Math.max(20, Math.round(USERS * scale)), seed);
  const carts = Math.max(200, Math.round(CARTS * scale));
  return {
    seed,
    history,
    catalogue,
    signedUp,
    journeys: () => makeJourneys(history, catalogue, signedUp, carts, seed),
  };
}

async function fillTables(
  client: ClientBase,
  shop: Shop,
  onProgress: ProgressListener,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const sent: Record<string, number> = {};
  for (const target of TABLES) {
    const task = `commerce.${target.table}`;
    onProgress({ task, state: "running", rows: 0 });
    const onRows = (rows: number) => onProgress({ task, state: "running", rows });
    const rows = await copyLines(client, target, target.lines(shop), onRows, signal);
    await client.query(
      `SELECT setval(pg_get_serial_sequence('public.${target.table}', 'id'), greatest($1::bigint, 1))`,
      [rows],
    );
    await client.query(`ANALYZE public.${target.table}`);
    sent[target.table] = rows;
    onProgress({ task, state: "done", rows, totalRows: rows });
  }
  return sent;
}

function statements(file: string): Promise<string> {
  return readFile(new URL(file, import.meta.url), "utf8");
}
