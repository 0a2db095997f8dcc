/** `ingot bootstrap` of the shop. */
import type { BootstrapOptions, ProgramContext } from "ingot";
import pg from "pg";
import { fillCommerce } from "./fill.ts";

const SEED = 2026;

/** Creates, fills and verifies the shop's database; safe to run again, and after a kill at any moment. */
export async function bootstrap(
  { connectionString, signal, onProgress }: ProgramContext,
  { scale }: BootstrapOptions,
): Promise<void> {
  signal.throwIfAborted();
  const client = new pg.Client({ connectionString, application_name: "ingot bootstrap" });
  // Without a listener a broken connection would end the process; the running query rejects as well.
  client.on("error", () => {});
  await client.connect();
  try {
    await fillCommerce(client, { scale, seed: SEED, asOf: new Date(), onProgress, signal });
  } finally {
    await client.end();
  }
}
