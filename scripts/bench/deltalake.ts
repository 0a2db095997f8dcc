/** delta-rs as the benchmarks run it, where scripts/interop/install.sh has installed it. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

const resultSchema = z.object({ milliseconds: z.number(), peakMemoryMb: z.number(), rows: z.number() });

/** What a merge took: its time, and the peak resident memory of its process in megabytes. */
export type DeltalakeResult = z.infer<typeof resultSchema>;

/** Python with `deltalake`; undefined where it is not installed. */
export function findDeltalake(environment = process.env): string | undefined {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), ".cache");
  const python = join(environment.INGOT_INTEROP || join(cache, "ingot", "interop"), "venv", "bin", "python");
  return existsSync(python) ? python : undefined;
}

/** Merges a Parquet file into a table in a process of its own. */
export async function mergeWithDeltalake(
  python: string,
  table: string,
  source: string,
): Promise<DeltalakeResult> {
  // The program is no module of TypeScript's: it is not beside the compiled ones.
  const program = resolve("scripts/bench/deltalake-merge.py");
  const { stdout } = await promisify(execFile)(python, [program, table, source]);
  return resultSchema.parse(JSON.parse(stdout));
}
