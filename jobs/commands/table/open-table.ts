/** Finds the table that an argument of the command line means, and opens it. */
import { stat } from "node:fs/promises";
import { cpus } from "node:os";
import { z } from "zod";
import { settingsError, settingsShape, withEnvironment } from "../../../lakehouse/config/settings.ts";
import { explainReadError } from "../../../lakehouse/delta/scan/read-error.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { codeOf, TerminalError } from "../../../lakehouse/errors.ts";
import { isAddress, Lake, openStore } from "../../../lakehouse/lake.ts";
import type { ProgressListener } from "../../../lakehouse/progress.ts";
import type { ObjectStore } from "../../../lakehouse/store/store.ts";
import { onCleanup } from "../../cleanup.ts";
import { type LoadedConfig, loadConfig } from "../../load-config.ts";
import { type GlobalOptions, lakeRootOf } from "../../runtime.ts";
import { createProgress } from "../../terminal/progress.ts";

/** What a table command works with. */
export interface Opened {
  readonly table: DeltaTable;
  readonly onProgress: ProgressListener;
  /** Leaves what progress was shown on the screen. */
  readonly endProgress: () => void;
}

/** What every sub-command says of its argument. */
export const TABLE_ARGUMENT = [
  "<table>",
  "folder with _delta_log inside, s3:// address, layer.table, or pipeline.layer.table",
] as const;

/** Least memory for work on whole tables, in megabytes, where nobody says otherwise. */
const MEMORY_MB = 512;

export interface OpenOptions extends GlobalOptions {
  /** Rows come in the order of the files; costs memory. */
  readonly keepOrder?: boolean;
}

/** Opens the table, runs the work, and closes all that was opened. */
export async function withTable<T>(
  name: string,
  options: OpenOptions,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { store, config } = await locate(name, options);
  const { memoryMb, threads } = config?.config ?? engineFromEnvironment();
  const { keepOrder = false } = options;
  const duckdb = await DuckDb.open({ memoryMb, threads: Math.min(threads, cpus().length), keepOrder });
  const progress = createProgress({
    stream: process.stderr,
    isTTY: process.stderr.isTTY === true,
    now: Date.now,
  });
  const endProgress = onCleanup(() => progress.finish());
  try {
    return await work({
      table: new DeltaTable(store, duckdb),
      onProgress: options.quiet ? () => {} : progress.onProgress,
      endProgress: () => progress.finish(),
    });
  } catch (error) {
    throw explainReadError(error, store.root);
  } finally {
    await endProgress();
    duckdb.close();
  }
}

interface Located {
  readonly store: ObjectStore;
  /** The configuration, where the table was found through one. */
  readonly config?: LoadedConfig;
}

/** A path that exists wins; else `pipeline.layer.table` in the configured lake, or `layer.table` of one pipeline. */
async function locate(name: string, options: GlobalOptions): Promise<Located> {
  if (isAddress(name) || (await isThere(name))) return { store: openStore(name) };
  const parts = partsOf(name);
  if (parts === undefined)
    throw noTable(name, "a folder with _delta_log inside, layer.table or pipeline.layer.table");
  const config = await loadConfig(options.config).catch((error: unknown) => {
    if (codeOf(error) !== "CONFIG_MISSING" || options.config !== undefined) throw error;
    throw noTable(name, "a folder with _delta_log inside, or layer.table below an ingot.config.ts");
  });
  const root = openStore(lakeRootOf(config), config.config.s3);
  const pipelines = parts.length === 3 ? [[]] : config.config.pipelines.map((pipeline) => [pipeline.name]);
  const found: (readonly string[])[] = [];
  for (const pipeline of pipelines) {
    const path = [...pipeline, ...parts];
    if ((await root.within(path.join("/")).list("_delta_log/")).length > 0) found.push(path);
  }
  const [path] = found;
  if (path === undefined) throw noTable(name, await tablesOf(root, config));
  if (found.length > 1) throw severalTables(name, found);
  return { store: root.within(path.join("/")), config };
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function partsOf(name: string): readonly string[] | undefined {
  const parts = name.split(name.includes("/") ? "/" : ".");
  const isName =
    (parts.length === 3 || parts.length === 2) &&
    parts.every((part) => part !== "" && part !== "." && part !== "..");
  return isName ? parts : undefined;
}

/** Names of tables, for an error: those of the lake, or how they look. */
async function tablesOf(root: ObjectStore, { config }: LoadedConfig): Promise<string> {
  const duckdb = await DuckDb.open({ memoryMb: config.memoryMb, threads: 1 });
  try {
    const names = (await new Lake(root, duckdb).tables()).map((path) => path.replaceAll("/", "."));
    return names.join(", ") || `nothing yet: the lake at ${root.root} is empty`;
  } finally {
    duckdb.close();
  }
}

function noTable(name: string, allowed: string): TerminalError {
  return new TerminalError(`there is no table ${name}`, {
    code: "DELTA_NO_TABLE",
    value: name,
    allowed,
    next: "Check the path or the name; `ingot status` lists the tables of the lake.",
  });
}

function severalTables(name: string, found: readonly (readonly string[])[]): TerminalError {
  return new TerminalError(`${name} is of several pipelines`, {
    code: "TABLE_UNKNOWN",
    value: name,
    allowed: found.map((path) => path.join(".")).join(", "),
    next: "Name its pipeline too.",
  });
}

/** Memory and threads for those who have no configuration. */
function engineFromEnvironment(): { readonly memoryMb: number; readonly threads: number } {
  const { values, origins } = withEnvironment({ memoryMb: MEMORY_MB }, process.env);
  const shape = z.object({ memoryMb: settingsShape.memoryMb, threads: settingsShape.threads });
  const parsed = shape.safeParse(values);
  if (!parsed.success) throw settingsError(parsed.error, values, origins, "ingot.config.ts");
  return parsed.data;
}
