/** A replication slot as the source sees it, and what its state means. */
import type pg from "pg";
import { z } from "zod";
import { identifier } from "../../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../../lakehouse/errors.ts";
import type { SlotOptions } from "../../../definition/pipeline.ts";

const slotRow = z.object({
  plugin: z.string().nullable(),
  database: z.string().nullable(),
  here: z.boolean(),
  active: z.boolean(),
  status: z.string().nullable(),
  held: z
    .string()
    .nullable()
    .transform((bytes) => (bytes === null ? undefined : Number(bytes))),
  behind: z
    .string()
    .nullable()
    .transform((bytes) => (bytes === null ? undefined : Number(bytes))),
  safe: z
    .string()
    .nullable()
    .transform((bytes) => (bytes === null ? undefined : Number(bytes))),
  written: z
    .string()
    .nullable()
    .transform((lsn) => (lsn === null ? undefined : Number(lsn))),
});

export interface SlotState {
  readonly name: string;
  /** Whether a consumer is connected. */
  readonly active: boolean;
  /** WAL that was needed is gone: the slot is worth nothing. */
  readonly lost: boolean;
  /** Bytes of WAL that the source keeps for the slot. */
  readonly heldBytes: number;
  /** Bytes of WAL that were not acknowledged. */
  readonly behindBytes: number;
  /** Bytes that may still be written until the source gives the slot up; undefined where it has no such limit. */
  readonly safeBytes: number | undefined;
  /** The end of the source's WAL, as an LSN; undefined where a standby knows of none yet. */
  readonly writtenLsn: number | undefined;
}

const SLOT_SQL = `
  SELECT plugin::text, database::text, database = current_database() AS here, active, wal_status AS status,
         (written - restart_lsn)::text AS held, (written - confirmed_flush_lsn)::text AS behind,
         safe_wal_size::text AS safe, (written - '0/0')::text AS written
    FROM pg_replication_slots, (
      SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS written OFFSET 0
    ) AS wal
   WHERE slot_name = $1`;

/** The slot of this name; undefined where there is none. One of another database or plugin is an error. */
export async function readSlot(client: pg.Client, name: string): Promise<SlotState | undefined> {
  const { rows } = await client.query(SLOT_SQL, [name]);
  if (rows.length === 0) return undefined;
  const slot = slotRow.parse(rows[0]);
  if (slot.plugin !== "pgoutput" || !slot.here) {
    throw new TerminalError(`replication slot ${name} is not one that Ingot can read`, {
      code: "SLOT_FOREIGN",
      value: `plugin ${slot.plugin}, database ${slot.database}`,
      allowed: "a slot of plugin pgoutput in the database that is captured",
      next: "Give the pipeline another slot name: wal: { slot: … }.",
    });
  }
  return {
    name,
    active: slot.active,
    // One that is just being made keeps nothing yet.
    lost: slot.status === "lost" || (slot.held === undefined && !slot.active),
    heldBytes: slot.held ?? 0,
    behindBytes: slot.behind ?? 0,
    safeBytes: slot.safe,
    writtenLsn: slot.written,
  };
}

/** Drops a slot. Its consumer is disconnected first. */
export async function dropSlot(client: pg.Client, name: string): Promise<void> {
  await client.query(
    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active",
    [name],
  );
  for (let tries = 0; ; tries++) {
    try {
      await client.query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
        [name],
      );
      return;
    } catch (error) {
      if (tries === 50) throw error;
      await client.query("SELECT pg_sleep(0.1)");
    }
  }
}

const MEGABYTE = 1 << 20;
const DEFAULT_WARNING = 1024;

export type SlotVerdict =
  | { readonly level: "fine" }
  | { readonly level: "warning" | "stop"; readonly message: string };

/** What a slot's hold on the source's disk calls for. */
export function judgeSlot(slot: SlotState, options: SlotOptions = {}): SlotVerdict {
  const held = Math.round(slot.heldBytes / MEGABYTE);
  const what = `slot ${identifier(slot.name)} keeps ${held} MB of WAL on the source`;
  if (options.stopMegabytes !== undefined && held >= options.stopMegabytes) {
    return { level: "stop", message: `${what}, more than the ${options.stopMegabytes} MB that it may` };
  }
  if (slot.safeBytes !== undefined && slot.safeBytes < slot.heldBytes / 4) {
    const left = Math.max(0, Math.round(slot.safeBytes / MEGABYTE));
    return { level: "warning", message: `${what}; the source gives it up after ${left} MB more` };
  }
  const warn = options.warnMegabytes ?? DEFAULT_WARNING;
  return held >= warn ? { level: "warning", message: what } : { level: "fine" };
}
