/** Check: whether a table's log, files and rows are what they should be, and what to do about what is not. */
import { ignoreProgress, type ProgressListener } from "../../progress.ts";
import { checkReadable, checkWritable } from "../protocol.ts";
import { retentionOf } from "../retention.ts";
import type { Snapshot } from "../snapshot.ts";
import { countRows } from "../stats.ts";
import type { DeltaTable } from "../table.ts";
import { checkCheckpoints, checkChecksum } from "./check/checkpoints.ts";
import { checkColumns } from "./check/columns.ts";
import { checkFiles, checkOrphans, checkPartitions, checkVectors } from "./check/files.ts";
import { examined, type Finding, fromError } from "./check/finding.ts";
import { checkLog } from "./check/log.ts";
import { checkRows } from "./check/rows.ts";
import { bytesOf } from "./optimize-metrics.ts";

export interface CheckOptions {
  /** Reads all rows and all checkpoints: statistics, NOT NULL and constraints are compared with the data. */
  readonly deep?: boolean;
  readonly onProgress?: ProgressListener;
}

export interface CheckReport {
  /** Newest version; undefined where it cannot be read. */
  readonly version: number | undefined;
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
  /** Errors first. */
  readonly findings: readonly Finding[];
  /** Neither errors nor warnings. */
  readonly isSound: boolean;
}

/** Examines a table. Rejects only where there is none. */
export async function checkTable(table: DeltaTable, options: CheckOptions = {}): Promise<CheckReport> {
  const { deep = false, onProgress = ignoreProgress } = options;
  const step = (note: string) => onProgress({ task: "check", state: "running", note });
  step("reading the log");
  const findings: Finding[] = [];
  const add = async (code: string, work: () => Promise<readonly Finding[]>) =>
    void findings.push(...(await examined(code, work)));
  let snapshot: Snapshot | undefined;
  if ((await table.store.list("_delta_log/")).length === 0) await table.existingSnapshot();
  await add("log-unreadable", () => checkLog(table.store));
  await add("table-unreadable", async () => {
    snapshot = await table.existingSnapshot();
    return [];
  });
  await add("checkpoint-unreadable", () => checkCheckpoints(table.store, table.duckdb, deep));
  if (snapshot !== undefined) await checkState(table, snapshot, add, step);
  if (snapshot !== undefined && deep) {
    const state = snapshot;
    await add("rows-unreadable", () => checkRows(table, state, onProgress));
  }
  onProgress({ task: "check", state: "done", note: `${findings.length} findings` });
  const files = [...(snapshot?.files.values() ?? [])];
  return {
    version: snapshot?.version,
    files: files.length,
    bytes: bytesOf(files),
    rows: countRows(files),
    findings: findings.sort((a, b) => RANK[a.severity] - RANK[b.severity]),
    isSound: findings.every(({ severity }) => severity === "info"),
  };
}

const RANK: Readonly<Record<Finding["severity"], number>> = { error: 0, warning: 1, info: 2 };

async function checkState(
  table: DeltaTable,
  snapshot: Snapshot,
  add: (code: string, work: () => Promise<readonly Finding[]>) => Promise<void>,
  step: (note: string) => void,
): Promise<void> {
  const { store } = table;
  await add("protocol-unsupported", async () => protocolFindings(snapshot, store.root));
  await add("checksum-unreadable", () => checkChecksum(store, snapshot));
  step("comparing files");
  const stored = await store.list("");
  await add("file-missing", async () => checkFiles(table, snapshot, stored));
  await add("partition-value", async () => checkPartitions(snapshot));
  await add("vector-unreadable", () => checkVectors(table, snapshot));
  await add("orphans", () => checkOrphans(table, cutOffAt(table.now())));
  step("reading footers");
  await add("file-unreadable", () => checkColumns(table, snapshot, stored));
}

function cutOffAt(now: number): (snapshot: Snapshot) => number {
  return ({ metadata }) =>
    now -
    (retentionOf(metadata.configuration, "delta.deletedFileRetentionDuration") ?? Number.POSITIVE_INFINITY);
}

/** A table that can be read but not written is no broken one. */
function protocolFindings({ protocol, metadata }: Snapshot, where: string): Finding[] {
  try {
    checkReadable(protocol, metadata, where);
  } catch (error) {
    return [fromError("protocol-unsupported", error)];
  }
  try {
    checkWritable(protocol, metadata, where);
    return [];
  } catch (error) {
    return [{ ...fromError("protocol-read-only", error), severity: "warning" }];
  }
}
