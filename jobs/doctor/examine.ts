/** All checks, in the order in which one needs the other. */
import { openStore } from "../../lakehouse/lake.ts";
import { knownLakeId } from "../../lakehouse/lake-id.ts";
import type { LoadedConfig } from "../load-config.ts";
import { attempt, type CheckResult, ok, skipped, withoutSecrets } from "./check.ts";
import { checkDuckDb } from "./duckdb.ts";
import { checkLake } from "./lake.ts";
import { checkPostgres, skipPostgres } from "./postgres.ts";
import { checkRedis } from "./redis.ts";

/** What the checks are run against. */
export interface Patient {
  readonly loadConfig: () => Promise<LoadedConfig>;
  /** Root of the lake for a configuration. */
  readonly lakeRoot: (loaded: LoadedConfig) => string;
  /** Address of the source; starts the embedded database where none is configured. */
  readonly database: (loaded: LoadedConfig) => Promise<string>;
}

/** Runs every check; tells each result as it comes. No result holds a secret. */
export async function examine(patient: Patient, tell: (result: CheckResult) => void): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const record: Recorder = (found) => {
    for (const result of found.map(withoutSecrets)) {
      results.push(result);
      tell(result);
    }
  };
  const loaded = await loadPatient(patient, record);
  if (loaded === undefined) {
    const why = "not checked without a configuration";
    record(["DuckDB", "lake", "Postgres", "Redis"].map((name) => skipped(name, why)));
    return results;
  }
  const { config } = loaded;
  record(
    await attempt("DuckDB", "Install the packages anew: npm ci. Is there room for temporary files?", () =>
      checkDuckDb(config.memoryMb, config.threads),
    ),
  );
  record(
    await attempt("lake", "Check `lake` in ingot.config.ts, or INGOT_LAKE.", () =>
      checkLake(patient.lakeRoot(loaded), config.s3),
    ),
  );
  await examineSource(patient, loaded, record);
  record(await attempt("Redis", "Check REDIS_URL.", () => checkRedis(config.redis)));
  return results;
}

type Recorder = (found: readonly CheckResult[]) => void;

async function loadPatient(patient: Patient, record: Recorder): Promise<LoadedConfig | undefined> {
  let loaded: LoadedConfig | undefined;
  record(
    await attempt("configuration", "Correct ingot.config.ts.", async () => {
      loaded = await patient.loadConfig();
      const names = loaded.config.pipelines.map((pipeline) => pipeline.name);
      return ok("configuration", `${loaded.file}, pipelines: ${names.join(", ")}`);
    }),
  );
  return loaded;
}

/** Whether a lake can be read is a check of its own. */
async function idOf(patient: Patient, loaded: LoadedConfig): Promise<string | undefined> {
  try {
    return await knownLakeId(openStore(patient.lakeRoot(loaded), loaded.config.s3));
  } catch {
    return undefined;
  }
}

async function examineSource(patient: Patient, loaded: LoadedConfig, record: Recorder): Promise<void> {
  const { database, pipelines } = loaded.config;
  const kind = database === undefined ? "embedded" : undefined;
  const fix =
    "Check DATABASE_URL and the server's log. A pgBouncer that refuses a startup parameter: ignore_startup_parameters, or connect to the server itself.";
  const found = await attempt("Postgres", fix, async () =>
    checkPostgres(await patient.database(loaded), pipelines, { kind, lake: await idOf(patient, loaded) }),
  );
  record(found);
  // Nothing but one failure: the server could not be used at all, and the rest was not tried.
  if (found.length === 1) record(skipPostgres(pipelines, "not checked: Postgres cannot be used"));
}
