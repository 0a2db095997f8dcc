/** What change capture asks of the database of a pipeline: its slot, and publications of its tables. */
import type pg from "pg";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../lakehouse/errors.ts";
import type { TableDescription } from "../../layers/bronze/postgres/catalog.ts";
import { ensurePublication } from "../../layers/bronze/postgres/replication/publication.ts";
import { judgeSlot, readSlot } from "../../layers/bronze/postgres/replication/slot.ts";
import { slotOwner } from "../../layers/bronze/postgres/replication/slot-owner.ts";
import { checkSelection } from "../../layers/bronze/postgres/replication/stream-parameters.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { replicationNames } from "../../layers/definition/replication-names.ts";
import { formatBytes } from "../terminal/numbers.ts";
import { attempt, type CheckResult, failed, ok, reasonOf, skipped, warning } from "./check.ts";
import type { Server } from "./postgres-server.ts";

export const captures = ({ source }: PipelineDefinition): boolean => source.changes === "wal";

/** Names of the checks of a pipeline that captures. */
export function captureNames(pipeline: PipelineDefinition): readonly [slot: string, publication: string] {
  const { slot, publications } = replicationNames(pipeline);
  return [`slot ${slot}`, `publication ${publications[0]}`];
}

/** How many of these pipelines' slots have not been made yet. */
export async function countNewSlots(
  client: pg.Client,
  pipelines: readonly PipelineDefinition[],
): Promise<number> {
  const names = pipelines.filter(captures).map((pipeline) => replicationNames(pipeline).slot);
  const { rows } = await client.query<{ missing: number }>(
    "SELECT count(*)::int AS missing FROM unnest($1::text[]) AS name WHERE name NOT IN (SELECT slot_name FROM pg_replication_slots)",
    [names],
  );
  return rows[0]?.missing ?? 0;
}

/**
 * The pipeline's slot: whether it can be read, by this lake, and what it holds back at the source. `lake`: the lake's id,
 * undefined for one that has none yet.
 */
export function checkSlot(
  client: pg.Client,
  pipeline: PipelineDefinition,
  lake: string | undefined,
): Promise<readonly CheckResult[]> {
  const [name] = captureNames(pipeline);
  return attempt(name, "Give the pipeline another slot: wal: { slot: … }.", async () => {
    const slot = await readSlot(client, replicationNames(pipeline).slot);
    if (slot === undefined) return ok(name, "not there yet: the first load makes it");
    const owner = await slotOwner(client, pipeline);
    if (owner !== undefined && owner !== lake) {
      return failed(
        name,
        `was made for another lake (${owner}): two lakes on one slot would each get a part of the changes`,
        `Give the pipeline a slot of its own here: wal: { slot: … }.\nOr take this one over, and load anew: \`ingot slot ${pipeline.name} --drop\`.`,
      );
    }
    if (slot.lost) {
      return warning(
        name,
        "lost: WAL that it needs is gone",
        "`ingot sync` makes a new one, compares the tables with the source and takes what differs. To keep it: sync more often, or raise max_slot_wal_keep_size.",
      );
    }
    const [held, behind] = [formatBytes(slot.heldBytes), formatBytes(slot.behindBytes)];
    const verdict = judgeSlot(slot, pipeline.source.wal);
    if (verdict.level === "fine")
      return ok(name, `${slot.active ? "in use, " : ""}keeps ${held} of WAL, ${behind} behind`);
    const unwanted = `Not wanted any more: \`ingot slot ${pipeline.name} --drop\`.`;
    return verdict.level === "warning"
      ? warning(
          name,
          verdict.message,
          `Sync more often, or go on all the time: \`ingot sync --follow\`.\n${unwanted}`,
        )
      : warning(
          name,
          `${verdict.message}: the next sync drops it and compares the tables with the source`,
          `Sync more often, or raise wal.stopMegabytes of the pipeline.\n${unwanted}`,
        );
  });
}

/** Whether the server can send what the pipeline asks for beside changes of tables; nothing where it asks for nothing. */
export async function checkSelected(
  { version, full }: Server,
  { name, source: { wal = {} } }: PipelineDefinition,
): Promise<readonly CheckResult[]> {
  const asked = [
    ...(wal.messages === undefined ? [] : [`messages into ${wal.messages}`]),
    ...(wal.origin === "none" ? ["changes made here only"] : []),
  ];
  if (asked.length === 0) return [];
  const label = `stream of ${name}`;
  return attempt(label, "Correct `wal` in the pipeline's `source`.", async () => {
    checkSelection(version * 10_000, wal);
    return ok(label, `${asked.join(", ")}: known to ${full}`);
  });
}

/** Makes the publications as a load would, and takes them back. */
export function checkPublication(
  client: pg.Client,
  { replica, database, user }: Server,
  pipeline: PipelineDefinition,
  tables: readonly TableDescription[],
): Promise<readonly CheckResult[]> {
  const [, name] = captureNames(pipeline);
  const fix =
    "Take the table that it names out of the pipeline, or make it one that can be published: ALTER TABLE … SET LOGGED.";
  return attempt(name, fix, async () => {
    if (replica) return skipped(name, "not to be made on a standby");
    await client.query("BEGIN");
    try {
      const { rows } = await client.query("SELECT FROM pg_publication WHERE pubname = $1", [
        replicationNames(pipeline).publications[0],
      ]);
      await ensurePublication(client, pipeline, tables);
      const count = `${tables.length} ${tables.length === 1 ? "table" : "tables"}`;
      return ok(name, rows.length > 0 ? `covers ${count}, or can be made to` : `can be made, for ${count}`);
    } catch (error) {
      if (codeOf(error) !== "PUBLICATION_GRANT") throw error;
      const { next = "" } = error as { readonly next?: string };
      const grant = `Or GRANT CREATE ON DATABASE ${identifier(database)} TO ${identifier(user)}; and make it the owner of the tables.`;
      return failed(name, reasonOf(error), `${next}\n${grant}`);
    } finally {
      await client.query("ROLLBACK");
    }
  });
}
