/** Delta tables that other engines wrote, with what is known of each: kept beside the project, not in it. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";

const ARCHIVE = resolve(import.meta.dirname, "../../../shared/delta-cases.tgz");

const tableSchema = z.looseObject({
  /** Also the table's folder, which holds the table itself as `delta/`. */
  id: z.string(),
  /** What is known of the table. */
  kind: z.enum(["expected-parquet", "oracle-2way", "count-only", "log-only", "must-error"]),
  note: z.string().optional(),
  latest: z.number(),
  /** First version whose commit is in the log. */
  firstCommit: z.number(),
  protocol: z.tuple([z.number(), z.number()]).optional(),
  readerFeatures: z.array(z.string()).default([]),
  writerFeatures: z.array(z.string()).default([]),
  config: z.record(z.string(), z.string()).default({}),
  partitionColumns: z.array(z.string()).default([]),
  /** What the table is an example of, for instance `ckpt:multipart` or `dv:u`. */
  features: z.array(z.string()),
  /** Live rows of the latest version. */
  rows: z.number().nullish(),
  rowsPerVersion: z.record(z.string(), z.number().nullable()).default({}),
  /** Live files of the latest version. */
  liveFiles: z.number().optional(),
  /** `path|vector` of the live files as the log states them. */
  liveKeys: z.array(z.string()).optional(),
});

/** One reference table. */
export type ReferenceTable = z.infer<typeof tableSchema>;

export interface ReferenceTables {
  /** Where they are unpacked. Others read there too: copy what is to be written to. */
  readonly folder: string;
  readonly tables: readonly ReferenceTable[];
  /** The folder of one table, with its `_delta_log` inside. */
  readonly pathOf: (table: Pick<ReferenceTable, "id">) => string;
}

/** The reference tables, unpacked once for all test files; undefined, and a line says so, where they are absent. */
export function referenceTables(): ReferenceTables | undefined {
  if (!existsSync(ARCHIVE)) {
    process.stderr.write("reference tables are absent: tests over them are skipped\n");
    return undefined;
  }
  const folder = join(unpacked(), "delta-cases");
  const manifest = z
    .object({ cases: z.array(tableSchema) })
    .parse(JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")));
  return { folder, tables: manifest.cases, pathOf: ({ id }) => join(folder, id, "delta") };
}

/** Named by the archive's time and user: another archive is unpacked anew. */
function unpacked(): string {
  const { mtimeMs, size } = statSync(ARCHIVE);
  const user = process.getuid?.() ?? "user";
  const folder = join(tmpdir(), `ingot-reference-tables-${user}-${size}-${Math.floor(mtimeMs)}`);
  if (existsSync(folder)) return folder;
  const partial = mkdtempSync(join(tmpdir(), "ingot-reference-tables-"));
  try {
    mkdirSync(join(partial, "tables"));
    execFileSync("tar", ["-xzf", ARCHIVE, "-C", join(partial, "tables")]);
    renameSync(join(partial, "tables"), folder);
  } catch (error) {
    // Another test file was faster.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return folder;
}
