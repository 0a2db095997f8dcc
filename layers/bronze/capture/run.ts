/** One run of change capture over the tables of a pipeline: until caught up, or until it is told to stop. */
import type pg from "pg";
import { z } from "zod";
import { codeOf, TerminalError } from "../../../lakehouse/errors.ts";
import type { Lake, TablePath } from "../../../lakehouse/lake.ts";
import type { ProgressListener } from "../../../lakehouse/progress.ts";
import { isLoading } from "../../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import { provisionalSlot, replicationNames } from "../../definition/replication-names.ts";
import { type Position, readPosition, SOURCE_APP } from "../position.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { connect, disconnect } from "../postgres/connect.ts";
import { parseLsn } from "../postgres/lsn.ts";
import { ensurePublication } from "../postgres/replication/publication.ts";
import { dropSlot, judgeSlot, readSlot } from "../postgres/replication/slot.ts";
import { checkSlotOwner } from "../postgres/replication/slot-owner.ts";
import { HISTORY_SQL } from "../postgres/snapshot.ts";
import { Capture } from "./capture.ts";
import type { BatchLimits } from "./capture-options.ts";
import type { CapturedTable } from "./captured-table.ts";
import { messageShape } from "./message-row.ts";
import { messagesTable } from "./messages-table.ts";
import { followAltered } from "./shape.ts";
import { noticeRelations, noticeUnpublished } from "./table-changes.ts";

export interface CaptureContext {
  readonly lake: Lake;
  readonly connectionString: string;
  readonly concurrency: number;
  readonly onProgress: ProgressListener;
}

/** `caught-up`: everything that had committed when the run began. A signal: until it is aborted. */
type CaptureEnd = "caught-up" | AbortSignal;

/** Larger batches make fewer, larger files; a run that follows commits sooner. */
const CATCHING_UP: BatchLimits = { rows: 500_000, bytes: 64 << 20, milliseconds: 10_000 };
const FOLLOWING: BatchLimits = { rows: 100_000, bytes: 32 << 20, milliseconds: 200 };

export interface CaptureRun {
  readonly end: CaptureEnd;
  readonly limits?: Partial<BatchLimits>;
  readonly onCommitted?: (batch: { readonly rows: number; readonly endLsn: number }) => void;
  /** Told that a table has to be compared with the source. */
  readonly onUnchecked?: () => void;
  /** Told when the stream is open. */
  readonly onOpen?: () => void;
}

export interface CapturedCount {
  readonly table: CapturedTable;
  readonly rows: number;
  readonly deleted: number;
  readonly bytes: number;
}

/** Whether the slot is not there, or of no use any more: what it would have brought has to be found by comparison. */
export function isSlotLost(error: unknown): boolean {
  return ["SLOT_LOST", "SLOT_OVER_BUDGET", "SOURCE_FAILED_OVER"].includes(codeOf(error) ?? "");
}

/** Takes changes from the pipeline's slot into the tables, all of which have been loaded; messages into theirs. */
export async function captureChanges(
  context: CaptureContext,
  pipeline: PipelineDefinition,
  described: readonly TableDescription[],
  { end, limits, onCommitted, onUnchecked, onOpen }: CaptureRun,
): Promise<CapturedCount[]> {
  const client = await connect(context.connectionString);
  try {
    const { slot, publications } = replicationNames(pipeline);
    await guardSlot(client, pipeline, slot, context);
    const now = await sourceNow(client);
    await dropSlot(client, provisionalSlot(slot));
    const unpublished = await ensurePublication(client, pipeline, described);
    const tables: CapturedTable[] = [];
    for (const table of described) {
      if (unpublished.includes(table)) await noticeUnpublished(context.lake, pipeline, table);
      tables.push(await openTable(context.lake, client, pipeline, table, now.source));
    }
    const messages = messagesTable(pipeline, described);
    const outbox = messages && {
      table: await openTable(context.lake, client, pipeline, messages, now.source),
      shape: messageShape(messages),
    };
    const capture = await Capture.open({
      ...context,
      client,
      slot,
      publications,
      tables,
      ...(outbox ? { messages: outbox } : {}),
      selection: pipeline.source.wal ?? {},
      currentXid: now.xid,
      limits: { ...(end === "caught-up" ? CATCHING_UP : FOLLOWING), ...limits },
      ...(onCommitted ? { onCommitted } : {}),
      ...(onUnchecked ? { onUnchecked } : {}),
    });
    onOpen?.();
    if (end === "caught-up") {
      await catchUp(client, capture, now.lsn);
      await followColumns(client, tables, described);
    } else await capture.follow(end);
    return [...tables, ...(outbox ? [outbox.table] : [])].map((table) => {
      const counted = capture.counts.get(table) ?? { rows: 0, deleted: 0, bytes: 0 };
      return { table, ...counted };
    });
  } finally {
    await disconnect(client);
  }
}

/** Milliseconds after which the source is asked to flush what it has written. */
const UNFLUSHED_AFTER = 1_000;

/**
 * What a commit does not flush, such as what reading cleans up, stays unflushed on an idle server, and unsent, for up to
 * 15 seconds. A transaction that writes nothing but its end has the server flush it.
 */
async function catchUp(client: pg.Client, capture: Capture, lsn: number): Promise<void> {
  const flush = setTimeout(() => client.query("SELECT txid_current()").catch(() => {}), UNFLUSHED_AFTER);
  try {
    await capture.until(lsn);
  } finally {
    clearTimeout(flush);
  }
}

/** Follows columns that were altered before the run began, and of which no change has told since. */
async function followColumns(
  client: pg.Client,
  tables: readonly CapturedTable[],
  described: readonly TableDescription[],
): Promise<void> {
  for (const table of tables) {
    const description = described.find(({ oid }) => oid === table.oid);
    if (description !== undefined) await followAltered(client, table, description);
  }
}

/** Speaks up where the slot holds back too much, and gives it up where the source must come first. */
async function guardSlot(
  client: pg.Client,
  pipeline: PipelineDefinition,
  name: string,
  { lake, onProgress }: CaptureContext,
): Promise<void> {
  const slot = await readSlot(client, name);
  if (slot !== undefined) await checkSlotOwner(client, pipeline, lake);
  if (slot === undefined || slot.lost) {
    throw new TerminalError(
      `replication slot ${name} ${slot === undefined ? "is not there" : "was invalidated"}`,
      {
        code: "SLOT_LOST",
        value: name,
        next: "`ingot sync` makes a new one, compares the tables with the source and takes what differs.",
      },
    );
  }
  const verdict = judgeSlot(slot, pipeline.source.wal);
  if (verdict.level === "fine") return;
  onProgress({ task: `slot ${name}`, state: "running", note: verdict.message });
  if (verdict.level === "warning") return;
  await dropSlot(client, name);
  throw new TerminalError(`${verdict.message}: it was dropped`, {
    code: "SLOT_OVER_BUDGET",
    value: name,
    next: "`ingot sync` makes a new one and compares; capture more often, or raise wal.stopMegabytes.",
  });
}

/** The bronze table of a source table, as capture goes on from it. */
async function openTable(
  lake: Lake,
  client: pg.Client,
  pipeline: PipelineDefinition,
  table: TableDescription,
  source: string,
): Promise<CapturedTable> {
  const path: TablePath = `${pipeline.name}/bronze/${table.bronze}`;
  const target = lake.table(path);
  const base = await target.existingSnapshot();
  const position = readPosition(base);
  if (position === undefined || isLoading(base)) {
    throw new TerminalError(`${path} was not loaded to its end`, {
      code: "CAPTURE_NOT_LOADED",
      value: path,
      next: "Run `ingot load` first.",
    });
  }
  checkHistory(path, position.source, source);
  checkKind(path, position, table);
  const known = await noticeRelations(client, target, base, position, table);
  return {
    task: `bronze.${table.bronze}`,
    source: `${table.schema}.${table.name}`,
    target,
    key: position.key,
    policy: pipeline.source.tables[table.bronze]?.drift ?? "evolve",
    oid: table.oid,
    partitioned: table.kind === "p",
    namesKey: position.key.every((name) => table.identityColumns.includes(name)),
    bringsWholeRows: table.bringsWholeRows,
    relations: table.relations.map(Number),
    base: known,
    position: base.transactions.get(SOURCE_APP)?.version ?? position.lsn,
  };
}

/** A table of messages came of no relation; one name may have stood for the one and then for the other. */
function checkKind(path: string, { relations }: Position, table: TableDescription): void {
  if ((relations.length === 0) === (table.relations.length === 0)) return;
  const what = (ids: readonly string[]) => (ids.length === 0 ? "logical messages" : "rows of a table");
  throw new TerminalError(`${path} holds ${what(relations)}, not ${what(table.relations)}`, {
    code: "BRONZE_FOREIGN_TABLE",
    value: path,
    allowed: `a table of ${what(table.relations)}`,
    next: "Give it another name in the pipeline's source, or move that table out of the lake.",
  });
}

/** Refuses another database; says so where it is the same one after a failover. */
function checkHistory(path: string, recorded: string, source: string): void {
  if (recorded === source) return;
  const withoutTimeline = (history: string) => history.replace(/timeline \d+/, "");
  const failedOver = withoutTimeline(recorded) === withoutTimeline(source);
  throw new TerminalError(
    failedOver ? "the source failed over" : `${path} was not loaded from this database`,
    failedOver
      ? {
          code: "SOURCE_FAILED_OVER",
          value: `${recorded}; now ${source}`,
          next: "`ingot sync` makes a new slot, compares the tables with the source and takes what differs.",
        }
      : {
          code: "SOURCE_POSITION_INVALID",
          value: `${recorded}; DATABASE_URL is ${source}`,
          next: "Point DATABASE_URL at the database that was loaded, or load into another lake (INGOT_LAKE).",
        },
  );
}

const nowRow = z.object({ source: z.string(), lsn: z.string(), xid: z.string().transform(BigInt) });

async function sourceNow(client: pg.Client): Promise<{ source: string; lsn: number; xid: bigint }> {
  const { rows } = await client.query(
    `SELECT ${HISTORY_SQL} AS source, (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS lsn,
            pg_snapshot_xmax(pg_current_snapshot())::text AS xid`,
  );
  const { source, lsn, xid } = nowRow.parse(rows[0]);
  return { source, lsn: withoutPageHeader(Number(parseLsn(lsn))), xid };
}

const PAGE = 8192;
const LONGEST_HEADER = 40;

/** At the beginning of a page the server names the place behind its header, where nothing is written yet. */
function withoutPageHeader(lsn: number): number {
  const into = lsn % PAGE;
  return into <= LONGEST_HEADER ? lsn - into : lsn;
}
