/** `ingot verify`: whether bronze holds what the source holds, which rows it does not, and their repair. */

import { codeOf, TerminalError } from "../../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import type { IngestContext } from "../ingestion.ts";
import { connect, disconnect } from "../postgres/connect.ts";
import { readingSource } from "../postgres/read-error.ts";
import { createSlotSnapshot } from "../postgres/replication/slot-snapshot.ts";
import { shareSlotSnapshot } from "../postgres/snapshot.ts";
import { describeSource, wantedTables } from "../source-tables.ts";
import { syncBeside } from "../sync-beside.ts";
import { repairTables } from "./repair-tables.ts";
import type { TableVerification } from "./report.ts";
import { type Tables, type VerifyOptions, withTables } from "./verification-run.ts";
import { verifyCaptured } from "./verify-captured.ts";
import { verifyQueried } from "./verify-queried.ts";

export type { VerifyOptions } from "./verification-run.ts";

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

/** A capture that stops at a row which the lake lacks goes on only when it has it. */
async function fillGaps(context: IngestContext, pipeline: PipelineDefinition): Promise<void> {
  try {
    await syncBeside(context, pipeline);
  } catch (error) {
    if (codeOf(error) !== "CAPTURE_UNKNOWN_ROW") throw error;
    const shared = await shareSlotSnapshot(context.connectionString, await createSlotSnapshot(context));
    try {
      const tables = await describeSource(context, pipeline);
      await repairTables(context, pipeline, shared, { tables, movePosition: true });
    } finally {
      await shared.end();
    }
  }
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
