/** All checks, in the order in which one needs the other. */
import type { LoadedConfig } from "../load-config.ts";
import { attempt, type CheckResult, ok, skipped } from "./check.ts";
import { checkDuckDb, checkLake } from "./lake.ts";
import { checkPostgres } from "./postgres.ts";
import { checkRedis } from "./redis.ts";

/** What the checks are run against. */
export interface Patient {
  readonly loadConfig: () => Promise<LoadedConfig>;
  /** Root of the lake for a configuration. */
  readonly lakeRoot: (loaded: LoadedConfig) => string;
  /** Address of the source; starts the embedded database where none is configured. */
  readonly database: (loaded: LoadedConfig) => Promise<string>;
}

/** Runs every check; tells each result as it comes. */
export async function examine(patient: Patient, tell: (result: CheckResult) => void): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const run = async (name: string, work: Parameters<typeof attempt>[1]) => {
    for (const result of await attempt(name, work)) {
      results.push(result);
      tell(result);
    }
  };
  let loaded: LoadedConfig | undefined;
  await run("configuration", async () => {
    loaded = await patient.loadConfig();
    const names = loaded.config.pipelines.map((pipeline) => pipeline.name).join(", ");
    return ok("configuration", `${loaded.file}: ${names}`);
  });
  if (loaded === undefined) {
    for (const name of ["DuckDB", "lake", "Postgres", "Redis"]) {
      await run(name, async () => skipped(name, "not checked without a configuration"));
    }
    return results;
  }
  const present = loaded;
  const { config } = present;
  await run("DuckDB", () => checkDuckDb(config.memoryMb, config.threads));
  await run("lake", () => checkLake(patient.lakeRoot(present)));
  await run("Postgres", async () => checkPostgres(await patient.database(present), config.pipelines));
  await run("Redis", () => checkRedis(config.redis));
  return results;
}
