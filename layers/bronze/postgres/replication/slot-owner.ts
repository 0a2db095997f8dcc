/**
 * Whose a slot is. Two lakes that read one slot would each get a part of the changes, and neither could tell. So the
 * source keeps which lake a slot was made for, in the comment on the publication that Ingot made for it:
 * `made by Ingot; slot ingot_shop: ingot lake <uuid>`. A publication that somebody else made keeps its own comment, and
 * nothing is known of its slots.
 */
import type pg from "pg";
import { z } from "zod";
import { identifier, literal } from "../../../../lakehouse/duckdb/quote.ts";
import { codeOf, TerminalError } from "../../../../lakehouse/errors.ts";
import type { Lake } from "../../../../lakehouse/lake.ts";
import type { PipelineDefinition } from "../../../definition/pipeline.ts";
import { replicationNames } from "../../../definition/replication-names.ts";

/** What the comment on a publication of Ingot's begins with. */
export const OWN = "made by Ingot";

/** Ids of lakes, by the slot that was made for them. */
type Owners = Map<string, string>;

const commentRow = z.object({ comment: z.string().nullable() });

/**
 * Refuses a slot that was made for another lake (`SLOT_FOREIGN`); one of which nobody wrote down whose it is becomes
 * this lake's. For a slot that is there.
 */
export async function checkSlotOwner(
  client: pg.Client,
  pipeline: PipelineDefinition,
  lake: Pick<Lake, "id">,
): Promise<void> {
  const { slot, publications } = replicationNames(pipeline);
  const owners = await readOwners(client, publications[0]);
  if (owners === undefined) return;
  const [own, owner] = [await lake.id(), owners.get(slot)];
  if (owner === own) return;
  if (owner === undefined) {
    await claimSlot(client, pipeline, lake);
    return;
  }
  throw new TerminalError(`replication slot ${slot} was made for another lake`, {
    code: "SLOT_FOREIGN",
    value: slot,
    allowed: `lake ${owner}; this one is ${own}`,
    next: `Give the pipeline a slot of its own here (wal: { slot: … }), or take this one over: \`ingot slot ${pipeline.name} --drop\`.`,
  });
}

/** Id of the lake that the pipeline's slot was made for, as far as the source knows. */
export async function slotOwner(
  client: pg.Client,
  pipeline: PipelineDefinition,
): Promise<string | undefined> {
  const { slot, publications } = replicationNames(pipeline);
  return (await readOwners(client, publications[0]))?.get(slot);
}

/** Writes down that the pipeline's slot is this lake's. Call it before the slot is made. */
export async function claimSlot(
  client: pg.Client,
  pipeline: PipelineDefinition,
  lake: Pick<Lake, "id">,
): Promise<void> {
  const own = await lake.id();
  await changeOwners(client, pipeline, (owners, slot) => owners.set(slot, own));
}

/** Forgets whose the pipeline's slot was: the next lake that makes it has it. */
export function disownSlot(client: pg.Client, pipeline: PipelineDefinition): Promise<void> {
  return changeOwners(client, pipeline, (owners, slot) => owners.delete(slot));
}

async function changeOwners(
  client: pg.Client,
  pipeline: PipelineDefinition,
  change: (owners: Owners, slot: string) => unknown,
): Promise<void> {
  const { slot, publications } = replicationNames(pipeline);
  const [publication] = publications;
  await client.query("BEGIN");
  try {
    // Another pipeline of the publication may be writing its line.
    await client.query("SELECT pg_advisory_xact_lock(hashtext($1))", [`ingot publication ${publication}`]);
    const owners = await readOwners(client, publication);
    if (owners !== undefined) {
      change(owners, slot);
      const lines = [OWN, ...[...owners].map(([name, lake]) => `slot ${name}: ingot lake ${lake}`)];
      await client.query(
        `COMMENT ON PUBLICATION ${identifier(publication)} IS ${literal(lines.join(SEPARATOR))}`,
      );
    }
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    // Another role made it than the one that reads now.
    if (codeOf(error) !== "42501") throw error;
  }
}

const SEPARATOR = "; ";
const LINE = /^slot (\S+): ingot lake (\S+)$/;

/** Undefined where the publication is not there, or not one that Ingot made. */
async function readOwners(client: pg.Client, publication: string): Promise<Owners | undefined> {
  const { rows } = await client.query(
    "SELECT obj_description(oid, 'pg_publication') AS comment FROM pg_publication WHERE pubname = $1",
    [publication],
  );
  const comment = rows.length === 0 ? null : commentRow.parse(rows[0]).comment;
  if (comment === null || !comment.startsWith(OWN)) return undefined;
  const lines = comment.split(SEPARATOR).flatMap((line) => {
    const [, slot, lake] = LINE.exec(line) ?? [];
    return slot === undefined || lake === undefined ? [] : [[slot, lake] as const];
  });
  return new Map(lines);
}
