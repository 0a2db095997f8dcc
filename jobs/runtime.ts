/** What a command works with: configuration, lake, source, target, progress; opened when first asked for. */
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { boundSharedCache } from "../lakehouse/cache/data-file-cache.ts";
import { DuckDb } from "../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../lakehouse/errors.ts";
import { isAddress, Lake, openStore, openStoreFor } from "../lakehouse/lake.ts";
import type { ProgressListener } from "../lakehouse/progress.ts";
import { connect, disconnect } from "../layers/bronze/postgres/connect.ts";
import type { Config } from "../layers/definition/config.ts";
import type { PipelineDefinition } from "../layers/definition/pipeline.ts";
import { openNamed } from "../layers/publish/open-target.ts";
import type { PublishTarget } from "../layers/publish/target.ts";
import { interruption, onCleanup } from "./cleanup.ts";
import { type EmbeddedPostgres, releasePostgres, startPostgres } from "./embedded/postgres.ts";
import { type LoadedConfig, loadConfig } from "./load-config.ts";
import { openTracing, type Tracing } from "./observe/tracing.ts";
import type { TraceSpan } from "./observe/tracing-span.ts";
import { createProgress } from "./terminal/progress.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What work is part of: all that is recorded of it has this id. */
export interface RunContext {
  readonly id: string;
  /** Of a run of a schedule: 1, 2 and so on. */
  readonly attempt?: number;
  readonly span?: TraceSpan;
}

export interface Runtime {
  readonly config: Config;
  /** Folder of the configuration file. */
  readonly folder: string;
  readonly lakeRoot: string;
  readonly lake: Lake;
  readonly onProgress: ProgressListener;
  /** Address of the source; starts the embedded database where none is configured. */
  database(): Promise<string>;
  /** Where metrics go: the installation's own target, or one of those that the configuration names. */
  target(name?: string): Promise<PublishTarget>;
  /** The pipelines that a command is about: the one named, or all. */
  pipelines(name?: string): readonly PipelineDefinition[];
  /** Leaves what progress was shown on the screen; later events start a new block. */
  endProgress(): void;
  /** The run that its work is part of; each step is its own where there is none. */
  readonly run?: RunContext;
  /** Where traces are collected. */
  readonly tracing?: Tracing | undefined;
}

/** Opens a runtime, runs the work and closes all that was opened, whatever happens. */
export async function withRuntime<T>(
  options: GlobalOptions,
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  const loaded = await loadConfig(options.config);
  const { config, folder } = loaded;
  const closing: (() => Promise<void>)[] = [];
  boundSharedCache(config.cacheMb * 1_000_000);
  const close = (undo: () => Promise<unknown> | unknown) => closing.push(onCleanup(undo));
  try {
    const tracing = await openTracing(config.tracing, (text) => process.stderr.write(text));
    if (tracing !== undefined) close(() => tracing.end());
    const duckdb = await DuckDb.open({
      memoryMb: config.memoryMb,
      threads: Math.min(config.threads, cpus().length),
      spillFolder: config.spillFolder,
    });
    closing.push(async () => duckdb.close());
    const lakeRoot = lakeRootOf(loaded);
    const progress = progressOf(options);
    close(() => progress.finish());
    const databaseOnce = onceEach(() => openDatabase(config, folder, close));
    const targets = onceEach((name) => openTarget(loaded, lakeRoot, name, close));
    return await work({
      config,
      folder,
      lakeRoot,
      lake: new Lake(await openStoreFor(duckdb, lakeRoot, config.s3), duckdb, {
        open: (address) => openStoreFor(duckdb, rootOf(address, folder), config.s3),
      }),
      onProgress: (event) => progress.onProgress(event),
      database: databaseOnce,
      target: targets,
      pipelines: (name) => choosePipelines(config, name),
      endProgress: () => progress.finish(),
      tracing,
    });
  } finally {
    await closeAll(closing);
  }
}

/** Closes everything, the newest first, even where closing one of them fails; that failure is thrown at the end. */
async function closeAll(closing: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const undo of [...closing].reverse()) {
    await undo().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

/** Root of the lake: an address as it is, a folder relative to the configuration file. */
export function lakeRootOf({ config, folder }: LoadedConfig): string {
  return rootOf(config.lake, folder);
}

const rootOf = (lake: string, folder: string) => (isAddress(lake) ? lake : resolve(folder, lake));

/** Work that may need the database, and nothing else of a runtime. */
export async function withDatabase<T>(
  work: (open: (config: Config, folder: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const closing: (() => Promise<void>)[] = [];
  try {
    return await work((config, folder) =>
      openDatabase(config, folder, (undo) => closing.push(onCleanup(undo))),
    );
  } finally {
    await closeAll(closing);
  }
}

/** Progress that starts anew after it was finished. */
function progressOf(options: GlobalOptions) {
  const make = () =>
    createProgress({ stream: process.stderr, isTTY: process.stderr.isTTY === true, now: Date.now });
  let current: ReturnType<typeof make> | undefined;
  return {
    onProgress: ((event) => {
      if (options.quiet) return;
      current ??= make();
      current.onProgress(event);
    }) satisfies ProgressListener,
    finish: () => {
      current?.finish();
      current = undefined;
    },
  };
}

async function openDatabase(
  config: Config,
  folder: string,
  close: (undo: () => Promise<unknown>) => void,
): Promise<string> {
  if (config.database !== undefined) return config.database;
  const starting = startPostgres({ folder: join(folder, ".ingot", "postgres") });
  // Registered before it is up: a server whose start is interrupted has to be stopped as well.
  close(() => starting.then(leaveDatabase, () => {}));
  return ownAddress(await starting);
}

/** The address under which every connection of this process carries its name. */
function ownAddress(postgres: EmbeddedPostgres): string {
  const url = new URL(postgres.connectionString);
  url.searchParams.set("application_name", `ingot ${process.pid}`);
  return url.href;
}

/** Stops the server unless other processes use it. After an interruption our own connections may still be open. */
async function leaveDatabase(postgres: EmbeddedPostgres): Promise<void> {
  if (interruption.signal.aborted) {
    const client = await connect(postgres.connectionString);
    await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [
      `ingot ${process.pid}`,
    ]);
    await disconnect(client);
  }
  await releasePostgres(postgres);
}

async function openTarget(
  { config, folder }: LoadedConfig,
  lakeRoot: string,
  name: string | undefined,
  close: (undo: () => Promise<unknown>) => void,
): Promise<PublishTarget> {
  const target = await openNamed(config, folder, name, () => openStore(lakeRoot, config.s3));
  close(() => target.close());
  return target;
}

function choosePipelines(config: Config, name: string | undefined): readonly PipelineDefinition[] {
  if (name === undefined) return config.pipelines;
  const found = config.pipelines.filter((pipeline) => pipeline.name === name);
  if (found.length > 0) return found;
  throw new TerminalError(`there is no pipeline ${name}`, {
    code: "PIPELINE_UNKNOWN",
    value: name,
    allowed: config.pipelines.map((pipeline) => pipeline.name).join(", "),
    next: "Give one of these names, or none for all pipelines.",
  });
}

/** Makes each thing once; one that could not be made is tried again by who asks next. */
function onceEach<T>(make: (name?: string) => Promise<T>): (name?: string) => Promise<T> {
  const made = new Map<string | undefined, Promise<T>>();
  return (name) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const making = make(name);
    made.set(name, making);
    making.catch(() => made.delete(name));
    return making;
  };
}
