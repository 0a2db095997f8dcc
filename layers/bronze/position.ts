/** How far a table's source has been taken. It is kept in the table itself and moves only with the rows. */
import { z } from "zod";
import type { DomainMetadata, SetTransaction } from "../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";

const DOMAIN = "ingot.source";
/** Name under which the LSN is recorded as an integer; two runs that record it conflict. */
const SOURCE_APP = "ingot.source";

const positionSchema = z.object({
  kind: z.literal("postgres"),
  systemId: z.string(),
  snapshot: z.string(),
  xmin: z.string().transform(BigInt),
  xmax: z.string().transform(BigInt),
  lsn: z.number().int(),
  at: z.string(),
});

/** The moment up to which a bronze table holds everything; undefined where nothing was loaded. */
export function readPosition(snapshot: Snapshot | undefined): SourceMoment | undefined {
  const domain = snapshot?.domains.get(DOMAIN);
  return domain === undefined ? undefined : positionSchema.parse(JSON.parse(domain.configuration));
}

/** The actions that move a position, to go into the commit of its rows. */
export function positionActions(
  moment: SourceMoment,
  now: number,
): { domains: DomainMetadata[]; transactions: SetTransaction[] } {
  const configuration = JSON.stringify({
    ...moment,
    kind: "postgres",
    xmin: String(moment.xmin),
    xmax: String(moment.xmax),
  });
  return {
    domains: [{ domain: DOMAIN, configuration, removed: false }],
    transactions: [{ appId: SOURCE_APP, version: moment.lsn, lastUpdated: now }],
  };
}

/** Transaction ids are compared modulo 2^32 at the source; further apart they cannot be told. */
const LONGEST_GAP = 2n ** 31n - 1_000_000n;

/** Refuses a position that says nothing about this source. */
export function checkPosition(position: SourceMoment, moment: SourceMoment, table: string): void {
  const reason =
    position.systemId !== moment.systemId
      ? "it is another database cluster than the one that was loaded"
      : moment.xmax < position.xmin
        ? "it has gone back in time, as after a restore"
        : moment.xmax - position.xmin > LONGEST_GAP
          ? "too many transactions have passed since the last sync"
          : undefined;
  if (reason === undefined) return;
  throw new TerminalError(`${table} cannot be synced with this source: ${reason}`, {
    code: "SOURCE_POSITION_INVALID",
    value: `position ${position.snapshot} of cluster ${position.systemId}; source at ${moment.snapshot} of cluster ${moment.systemId}`,
    next: "Point DATABASE_URL at the database that was loaded, or load into another lake (INGOT_LAKE).",
  });
}
