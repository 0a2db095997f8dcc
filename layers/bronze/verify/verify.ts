/** `ingot verify`: whether bronze holds what the source holds, which rows it does not, and their repair. */
import { addedFiles } from "../../../lakehouse/delta/changes.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { codeOf, TerminalError } from "../../../lakehouse/errors.ts";
import { META } from "../../definition/bronze-columns.ts";
import type { PipelineDefinition, SourceTable } from "../../definition/pipeline.ts";
import { sync } from "../ingest.ts";
import type { IngestContext, Ingestion } from "../ingestion.ts";
import { readPosition } from "../position.ts";
import { connect, disconnect } from "../postgres/connect.ts";
import { RateLimit } from "../postgres/rate-limit.ts";
import { readingSource } from "../postgres/read-error.ts";
import { createSlotSnapshot } from "../postgres/replication/slot-snapshot.ts";
import { type SharedSnapshot, shareSlotSnapshot, shareSnapshot } from "../postgres/snapshot.ts";
import { describeAll, wantedTables } from "../source-tables.ts";
import {
  type ComparedTable,
  comparingTables,
  progressTask,
  RANGE_ROWS,
  type TableToCompare,
} from "./compare-tables.ts";
import { upTo } from "./comparison.ts";
import { dropChanged } from "./explain.ts";
import { raisedPosition, repairTable, samePosition } from "./repair.ts";
import { repairTables } from "./repair-tables.ts";
import { reportOf, type TableVerification } from "./report.ts";

export interface VerifyOptions {
  /** Names of bronze tables; all by default. */
  readonly tables?: readonly string[];
  /** Append what makes the lake agree with the source. */
  readonly repair?: boolean;
  /** Rows that one statement compares at the source, about. */
  readonly rangeRows?: number;
}

/** Rows that change while they are being repaired are compared again, so many times. */
const ROUNDS = 3;

/**
 * Brings the tables up to date, then compares each with one moment of the source, exactly: what was committed or
 * taken meanwhile is no difference. With `repair`, rows that differ are read and appended, one commit for each table.
 */
export function verify(
  context: IngestContext,
  pipeline: PipelineDefinition,
  options: VerifyOptions = {},
): Promise<TableVerification[]> {
  return readingSource(() => verifyTables(context, pipeline, options));
}

async function verifyTables(
  context: IngestContext,
  pipeline: PipelineDefinition,
  options: VerifyOptions,
): Promise<TableVerification[]> {
  const chosen = chooseTables(pipeline, await tablesOf(context, pipeline), options.tables);
  if (pipeline.source.changes !== "wal") return verifyQueried(context, withTables(pipeline, chosen), options);
  if (options.repair) await fillGaps(context, pipeline);
  let reports = await verifyCaptured(context, pipeline, chosen, options);
  for (let round = 1; round < ROUNDS && options.repair; round++) {
    const left = Object.fromEntries(
      Object.entries(chosen).filter(([name]) =>
        reports.some((report) => report.table === `bronze.${name}` && report.status === "different"),
      ),
    );
    if (Object.keys(left).length === 0) break;
    const again = await verifyCaptured(context, pipeline, left, options);
    reports = reports.map((report) =>
      joined(
        report,
        again.find(({ table }) => table === report.table),
      ),
    );
  }
  return reports;
}

type Tables = Readonly<Record<string, SourceTable>>;

/** A capture that stops at a row which the lake lacks goes on only when it has it. */
async function fillGaps(context: IngestContext, pipeline: PipelineDefinition): Promise<void> {
  try {
    await sync(context, pipeline);
  } catch (error) {
    if (codeOf(error) !== "CAPTURE_UNKNOWN_ROW") throw error;
    const shared = await shareSlotSnapshot(
      context.connectionString,
      await createSlotSnapshot(context.connectionString),
    );
    try {
      const tables = await describeAll(context.connectionString, pipeline);
      await repairTables(context, pipeline, shared, { tables, movePosition: true });
    } finally {
      await shared.end();
    }
  }
}

/** Changes are captured: the moment lies at a known place among them. */
async function verifyCaptured(
  context: IngestContext,
  pipeline: PipelineDefinition,
  chosen: Tables,
  options: VerifyOptions,
): Promise<TableVerification[]> {
  const { connectionString } = context;
  const shared = await shareSlotSnapshot(connectionString, await createSlotSnapshot(connectionString));
  try {
    // What committed before the moment is in bronze after this; what committed later is told by its place.
    await sync(context, pipeline);
    const before = upTo(shared.moment.lsn);
    const tables = await openTables(context, withTables(pipeline, chosen));
    const settings = { rangeRows: options.rangeRows ?? RANGE_ROWS, changesBefore: before };
    return await comparingTables(
      ingestionOf(context, pipeline, shared),
      tables,
      settings,
      async (compared) => {
        const reports: TableVerification[] = [];
        for (const table of compared) {
          const { base, target, session } = table.work;
          const found = await reportOf(table.work, table.compared);
          let report = { ...found, ...costOf(table) };
          if (options.repair && found.status === "different") {
            // A row that has changed since must stay the newest of its key, and that of this moment is not.
            const later = `SELECT * FROM (${await scanSql(target.store, scannable(base))}) WHERE NOT ${before}`;
            const left = await dropChanged(table.work, later);
            const { lsn } = shared.moment;
            const position = samePosition(base, target.now());
            const { rows, version } = await repairTable(table.work, {
              base,
              lsn,
              moment: shared.moment,
              position,
            });
            report = {
              ...report,
              repaired: rows,
              version,
              status: left > 0 ? "different" : "repaired",
              ...costOf(table),
            };
          }
          await session.run("DROP TABLE differences");
          reports.push(finished(context, report));
        }
        return reports;
      },
    );
  } finally {
    await shared.end();
  }
}

/** Changes are asked for: a row that a further sync finds changed may have been so before the moment, or after it. */
async function verifyQueried(
  context: IngestContext,
  pipeline: PipelineDefinition,
  options: VerifyOptions,
): Promise<TableVerification[]> {
  await sync(context, pipeline);
  const tables = await openTables(context, pipeline);
  const shared = await shareSnapshot(context.connectionString);
  try {
    const settings = { rangeRows: options.rangeRows ?? RANGE_ROWS };
    return await comparingTables(
      ingestionOf(context, pipeline, shared),
      tables,
      settings,
      async (compared) => {
        const differs = ({ compared: { ranges } }: ComparedTable) => ranges.some((r) => r.buckets.length > 0);
        if (compared.some(differs)) await sync(context, pipeline);
        const reports: TableVerification[] = [];
        for (const table of compared)
          reports.push(finished(context, await settleQueried(table, shared, options)));
        return reports;
      },
    );
  } finally {
    await shared.end();
  }
}

async function settleQueried(
  table: ComparedTable,
  shared: SharedSnapshot,
  options: VerifyOptions,
): Promise<TableVerification> {
  const { work, compared } = table;
  const { base, target } = work;
  const newest = await target.existingSnapshot();
  if (newest.version > base.version) await dropChanged(work, await changesBetween(table, newest));
  const found = await reportOf(work, compared);
  const report = { ...found, ...costOf(table), version: newest.version };
  if (!options.repair || found.status === "same") return report;
  // Behind all that bronze has of these rows.
  const lsn = Math.max(shared.moment.lsn, readPosition(base)?.lsn ?? 0) + 1;
  const position = raisedPosition(newest, lsn, target.now());
  const { rows, version } = await repairTable(work, { base: newest, lsn, moment: shared.moment, position });
  return { ...report, repaired: rows, version, status: "repaired", ...costOf(table) };
}

/** SQL of the changes that came into bronze since it was compared. */
async function changesBetween({ work }: ComparedTable, newest: Snapshot): Promise<string> {
  const { target, base } = work;
  const files = await addedFiles(target.store, base.version, newest.version);
  if (files !== undefined) return scanSql(target.store, { ...scannable(newest), files });
  const all = await scanSql(target.store, scannable(newest));
  return `SELECT * FROM (${all}) WHERE ${META.lsn} > ${readPosition(base)?.lsn ?? 0}`;
}

function ingestionOf(
  context: IngestContext,
  pipeline: PipelineDefinition,
  shared: SharedSnapshot,
): Ingestion {
  const megabytes = pipeline.source.limits?.megabytesPerSecond;
  return { context, pipeline, shared, rate: megabytes === undefined ? undefined : new RateLimit(megabytes) };
}

async function openTables(context: IngestContext, pipeline: PipelineDefinition): Promise<TableToCompare[]> {
  const tables: TableToCompare[] = [];
  for (const table of await describeAll(context.connectionString, pipeline)) {
    const base = await context.lake.table(`${pipeline.name}/bronze/${table.bronze}`).existingSnapshot();
    tables.push({ table, base });
  }
  return tables;
}

const costOf = ({ bytes, startedAt }: ComparedTable) => ({ bytes, durationMs: Date.now() - startedAt });

function finished({ onProgress }: IngestContext, report: TableVerification): TableVerification {
  const differs = report.missing + report.extra + report.different;
  const note = report.status === "same" ? "same" : `${differs} differ, ${report.repaired} repaired`;
  onProgress({ task: progressTask(report.table), state: "done", rows: report.sourceRows, note });
  return report;
}

/** What two rounds of one table did together; the first found what differed. */
function joined(first: TableVerification, second: TableVerification | undefined): TableVerification {
  if (second === undefined) return first;
  return {
    ...first,
    status: second.status === "different" ? "different" : "repaired",
    repaired: first.repaired + second.repaired,
    bytes: first.bytes + second.bytes,
    version: second.version,
    durationMs: first.durationMs + second.durationMs,
  };
}

function withTables(pipeline: PipelineDefinition, tables: Tables): PipelineDefinition {
  const { discover: _discover, ...source } = pipeline.source;
  return { ...pipeline, source: { ...source, tables } };
}

async function tablesOf({ connectionString }: IngestContext, pipeline: PipelineDefinition): Promise<Tables> {
  const client = await connect(connectionString);
  try {
    return Object.fromEntries(await wantedTables(client, pipeline));
  } finally {
    await disconnect(client);
  }
}

function chooseTables(
  { name }: PipelineDefinition,
  tables: Tables,
  wanted: readonly string[] | undefined,
): Tables {
  const unknown = wanted?.find((table) => !Object.hasOwn(tables, table));
  if (unknown !== undefined) {
    throw new TerminalError(`pipeline ${name} takes no table ${unknown}`, {
      code: "TABLE_UNKNOWN",
      value: unknown,
      allowed: Object.keys(tables).join(", "),
    });
  }
  return Object.fromEntries(
    Object.entries(tables).filter(([table]) => wanted === undefined || wanted.includes(table)),
  );
}
