/** Replication slots, put back to where they stood: what a consumer has acknowledged is gone from its slot. */
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { dropSlot } from "../../layers/bronze/postgres/replication/slot.ts";

/** Makes the slot `to` one that begins where `from` does. */
export async function copySlot(database: string, from: string, to: string): Promise<void> {
  const client = await connect(database);
  try {
    await dropSlot(client, to);
    await client.query("SELECT pg_copy_logical_replication_slot($1, $2)", [from, to]);
  } finally {
    await disconnect(client);
  }
}

/** Drops a slot, where there is one. */
export async function removeSlot(database: string, name: string): Promise<void> {
  const client = await connect(database);
  try {
    await dropSlot(client, name);
  } finally {
    await disconnect(client);
  }
}
