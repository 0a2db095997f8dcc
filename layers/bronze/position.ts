/** How far a table's source has been taken. It is kept in the table itself and moves only with the rows. */
import { z } from "zod";
import type { DomainMetadata, SetTransaction } from "../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { SOURCE_DOMAIN } from "../definition/bronze-columns.ts";
import type { SourceColumn } from "./capture/drift.ts";
import { type LoadState, loadStateSchema } from "./load/load-state.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import { type IdMark, idMarksSchema, printMarks } from "./query/id-marks.ts";

/** Name under which the LSN is recorded as an integer; two runs that record it conflict. */
export const SOURCE_APP = "ingot.source";

/** Name, type and number. */
const columnSchema = z
  .tuple([z.string(), z.string(), z.number().int().nullable()])
  .transform(
    ([name, type, attnum]): SourceColumn => ({ name, type, ...(attnum === null ? {} : { attnum }) }),
  );

const positionSchema = z.object({
  kind: z.literal("postgres"),
  source: z.string(),
  snapshot: z.string(),
  xmin: z.string().transform(BigInt),
  xmax: z.string().transform(BigInt),
  lsn: z.number().int(),
  at: z.string(),
  oldest: z.string(),
  key: z.array(z.string()),
  relations: z.array(z.string()),
  fileNodes: z.array(z.string().nullable()).optional(),
  changes: z.enum(["query", "wal"]).default("query"),
  mixed: z.boolean().default(false),
  load: loadStateSchema.optional(),
  expectedRows: z.number().optional(),
  columns: z.array(columnSchema).optional(),
  files: z.string().optional(),
  marks: idMarksSchema.optional(),
});

/** The moment up to which a bronze table holds everything, and what the source table was then. */
export interface Position extends SourceMoment, PositionState {
  readonly key: readonly string[];
  /** Ids of the table and of its partitions: rows of others were not looked at. */
  readonly relations: readonly string[];
  /** Their files, where there are several; undefined where nobody wrote them down. */
  readonly fileNodes?: readonly (string | null)[] | undefined;
  /** The columns of the table then; undefined where nobody wrote them down. */
  readonly columns?: readonly SourceColumn[] | undefined;
  /** While the load is not complete: rows that it will have read, as the source estimates. */
  readonly expectedRows?: number | undefined;
}

/** How a position is to be understood. */
export interface PositionState {
  /** How changes since then are found. */
  readonly changes: "query" | "wal";
  /** Some rows are those of a later moment: a load was interrupted and went on. */
  readonly mixed: boolean;
  /** Which rows there are so far; undefined when all of them are. */
  readonly load?: LoadState | undefined;
  /** Digest of the files that held the rows; written down for tables with a cursor. */
  readonly files?: string | undefined;
  /** Of a table that is synced by increasing ids. */
  readonly marks?: readonly IdMark[] | undefined;
}

/** The position of a bronze table; undefined where nothing was loaded. */
export function readPosition(snapshot: Snapshot | undefined): Position | undefined {
  const domain = snapshot?.domains.get(SOURCE_DOMAIN);
  return domain === undefined ? undefined : positionSchema.parse(JSON.parse(domain.configuration));
}

/** The actions that move a position, to go into the commit of its rows. */
export function positionActions(
  moment: SourceMoment,
  table: TableDescription,
  now: number,
  state: PositionState = { changes: "query", mixed: false },
): { domains: DomainMetadata[]; transactions: SetTransaction[] } {
  const { source, snapshot, lsn, at, oldest } = moment;
  const configuration = JSON.stringify({
    kind: "postgres",
    source,
    snapshot,
    xmin: String(moment.xmin),
    xmax: String(moment.xmax),
    lsn,
    at,
    oldest,
    key: table.key,
    relations: table.relations,
    ...(table.relations.length > 1 ? { fileNodes: table.fileNodes } : {}),
    changes: state.changes,
    ...(state.mixed ? { mixed: true } : {}),
    columns: table.columns.map(({ name, sourceType, attnum }) => [name, sourceType, attnum ?? null]),
    ...(state.load === undefined ? {} : { load: state.load, expectedRows: table.estimatedRows }),
    ...(state.files === undefined ? {} : { files: state.files }),
    ...(state.marks === undefined ? {} : { marks: printMarks(state.marks) }),
  });
  return {
    domains: [{ domain: SOURCE_DOMAIN, configuration, removed: false }],
    transactions: [{ appId: SOURCE_APP, version: moment.lsn, lastUpdated: now }],
  };
}

/** Transaction ids are compared modulo 2^32 at the source; further apart they cannot be told. */
const LONGEST_GAP = 2n ** 31n - 1_000_000n;

/** Refuses a position that says nothing about this source. */
export function checkPosition(position: SourceMoment, moment: SourceMoment, table: string): void {
  const reason =
    position.source !== moment.source
      ? "it is not the database, or not the history, that was loaded (another server, a restore, a failover)"
      : moment.xmax < position.xmax || moment.xmin < position.xmin
        ? "it is behind what was already taken from it, as a replica that lags"
        : moment.xmax - position.xmin > LONGEST_GAP
          ? "too many transactions have passed since the last sync"
          : undefined;
  if (reason === undefined) return;
  throw new TerminalError(`${table} cannot be synced with this source: ${reason}`, {
    code: "SOURCE_POSITION_INVALID",
    value: `position ${position.snapshot} of ${position.source}; source at ${moment.snapshot} of ${moment.source}`,
    next: "Point DATABASE_URL at the database that was loaded, or load into another lake (INGOT_LAKE).",
  });
}
