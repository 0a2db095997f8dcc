/** Checks of the files that a version names against those of the store. */
import { messageOf } from "../../../errors.ts";
import type { StoredObject } from "../../../store/store.ts";
import type { AddFile } from "../../actions.ts";
import { CONTAINER_VALUES } from "../../deletion-vector/container.ts";
import { readDeletionVector } from "../../deletion-vector/read.ts";
import type { RowSet } from "../../deletion-vector/row-set.ts";
import { layoutOf, nameInFiles, partitionFields } from "../../layout.ts";
import { readAhead } from "../../log/read-ahead.ts";
import { decodePartitionValue } from "../../skip/partition-value.ts";
import type { Snapshot } from "../../snapshot.ts";
import { rowCount } from "../../stats.ts";
import type { DeltaTable } from "../../table.ts";
import { storedPath } from "../stored-path.ts";
import { planVacuum } from "../vacuum-plan.ts";
import { type Finding, someOf } from "./finding.ts";

const PARALLEL = 8;

/** Files that are missing, or that are not as large as the log says. */
export function checkFiles(
  table: DeltaTable,
  snapshot: Snapshot,
  stored: readonly StoredObject[],
): Finding[] {
  const sizes = new Map(stored.map(({ path, size }) => [path, size]));
  const [missing, resized, outside]: [string[], string[], string[]] = [[], [], []];
  for (const file of snapshot.files.values()) {
    const path = storedPath(table.store, file.path);
    const size = path === undefined ? undefined : sizes.get(path);
    if (path === undefined) outside.push(file.path);
    else if (size === undefined) missing.push(file.path);
    else if (size !== file.size) resized.push(`${file.path} (${size} bytes, not ${file.size})`);
  }
  const next =
    "Restore the files from a backup, go back with `ingot table restore`, or delete their rows and load them anew.";
  return [
    ...finding("error", "file-missing", "data files are not on the store", missing, next),
    ...finding("error", "file-resized", "data files have another size than the log says", resized, next),
    ...finding(
      "info",
      "file-outside",
      "data files lie outside of the table's folder and were not looked at",
      outside,
    ),
  ];
}

function finding(
  severity: Finding["severity"],
  code: string,
  message: string,
  names: readonly string[],
  next?: string,
): Finding[] {
  if (names.length === 0) return [];
  const about = { severity, code, message: `${message}: ${names.length}`, value: someOf(names) };
  return [next === undefined ? about : { ...about, next }];
}

/** Deletion vectors that are missing, damaged, or that delete rows which their file does not have. */
export async function checkVectors(table: DeltaTable, snapshot: Snapshot): Promise<Finding[]> {
  const wrong: string[] = [];
  const examine = async (file: AddFile) => {
    if (file.deletionVector === undefined) return undefined;
    try {
      const rows = await readDeletionVector(table.store, file.deletionVector);
      const held = rowCount(file);
      const last = lastRow(rows);
      return held !== undefined && last >= held
        ? `${file.path}: it deletes row ${last} of ${held}`
        : undefined;
    } catch (error) {
      return `${file.path}: ${messageOf(error)}`;
    }
  };
  for await (const problem of readAhead([...snapshot.files.values()], PARALLEL, examine))
    if (problem) wrong.push(problem);
  const next =
    "Restore the vector's file from a backup; without it the file's deleted rows cannot be told from the others.";
  return finding("error", "vector-unreadable", "deletion vectors cannot be read", wrong, next);
}

/** The highest index; -1 of an empty set. */
function lastRow(rows: RowSet): number {
  const [chunk, container] = [...rows.containers()].at(-1) ?? [0, undefined];
  return container === undefined ? -1 : chunk * CONTAINER_VALUES + (container.sorted().at(-1) ?? 0);
}

/** Partition values that their column's type cannot hold. */
export function checkPartitions(snapshot: Snapshot): Finding[] {
  const layout = layoutOf(snapshot.metadata, snapshot.schema);
  const wrong: string[] = [];
  for (const f of partitionFields(layout)) {
    const name = nameInFiles(layout, f);
    for (const file of snapshot.files.values()) {
      const text = file.partitionValues[name];
      const isText = typeof f.type === "string" && text !== undefined;
      // The word that Hive writes for null may stand for itself in a column of texts.
      const known =
        isText && (f.type === "string" || decodePartitionValue(text, String(f.type)) !== undefined);
      if (!known) wrong.push(`${f.name}=${text} of ${file.path}`);
    }
  }
  const next = "The log was written by a faulty writer; overwrite these partitions.";
  return finding("error", "partition-value", "partition values cannot be read", wrong, next);
}

/** Files of the folder that no version within the retention needs. */
export async function checkOrphans(
  table: DeltaTable,
  cutOffFor: (snapshot: Snapshot) => number,
): Promise<Finding[]> {
  const { expired } = await planVacuum(table, cutOffFor);
  const bytes = expired.reduce((sum, file) => sum + file.size, 0);
  if (expired.length === 0) return [];
  return [
    {
      severity: "info",
      code: "orphans",
      message: `${expired.length} files of ${bytes} bytes are needed by no version within the retention`,
      value: someOf(expired.map(({ path }) => path)),
      next: "`ingot table vacuum` deletes them.",
    },
  ];
}
