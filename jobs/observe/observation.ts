/** What a lake, its source and its targets are like at one moment; metrics and alerts are made of it. */
import { setTimeout as delay } from "node:timers/promises";
import pLimit from "p-limit";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { KINDS } from "../../layers/models/kinds.ts";
import { quarantinePath } from "../../layers/models/quarantine/quarantine-table.ts";
import type { Runtime } from "../runtime.ts";
import { OpenTables } from "./open-tables.ts";
import { type ObservationError, Parts, type Unfinished } from "./parts.ts";
import { type OpenSources, observePublished, type PublishedObservation } from "./published-observation.ts";
import { type KnownWaiting, observeSlots, type SlotObservation } from "./slot-observation.ts";
import {
  type FreshColumn,
  freshColumns,
  freshnessAt,
  type KnownNewest,
  liveRows,
  newestValues,
  type TableObservation,
  tableFigures,
} from "./table-observation.ts";

/** Rows that break the contract of a silver table, and are set aside. */
interface QuarantineObservation {
  readonly pipeline: string;
  /** `silver.orders` */
  readonly table: string;
  readonly rows: number;
}

export interface Observation {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Tables that are declared and there. */
  readonly tables: readonly TableObservation[];
  /** Of every silver table that may have one: a table of which nothing was ever set aside has 0 rows there. */
  readonly quarantines: readonly QuarantineObservation[];
  readonly slots: readonly SlotObservation[];
  readonly published: readonly PublishedObservation[];
  /** Parts that are missing above because they could not be looked at. */
  readonly errors: readonly ObservationError[];
}

/** Milliseconds that an observation takes at most. */
const LONGEST = 10_000;
/** Milliseconds that parts which are under way have at the end. */
const GRACE = 2_000;
/** Tables that are looked at at once. */
const AT_ONCE = 32;
/** Milliseconds between two looks for tables that a pipeline has discovered: it takes a listing of all that it has. */
const LISTED_EVERY = 300_000;

/** What observing remembers from one time to the next. */
interface Memory {
  readonly unfinished: Unfinished;
  readonly newest: KnownNewest;
  readonly waiting: KnownWaiting;
  readonly sources: OpenSources;
  readonly discovered: Map<string, { readonly at: number; readonly names: readonly string[] }>;
  readonly tables: OpenTables;
}

const memories = new WeakMap<Runtime, Memory>();

function memoryOf(runtime: Runtime): Memory {
  const memory = memories.get(runtime) ?? {
    unfinished: { running: new Map(), late: new Map() },
    newest: new WeakMap(),
    waiting: new Map(),
    sources: new Map(),
    discovered: new Map(),
    tables: new OpenTables(runtime.lake),
  };
  memories.set(runtime, memory);
  return memory;
}

/**
 * Looks at all that these pipelines have: logs of tables, slots over one connection to the source, what is published.
 * Rows are read only of files that may hold the newest value of a column that is to be fresh and whose statistics do
 * not tell it. Never rejects, and takes ten seconds at most: what fails or hangs is in `errors`.
 */
export async function observe(
  runtime: Runtime,
  pipelines: readonly PipelineDefinition[],
): Promise<Observation> {
  const memory = memoryOf(runtime);
  const at = Date.now();
  const parts = new Parts(memory.unfinished, LONGEST);
  const [{ tables, quarantines }, slots, published] = await Promise.all([
    observeTables(runtime.lake, pipelines, parts, memory, at),
    observeSlots(runtime, pipelines, parts, memory.waiting, at),
    observePublished(runtime, pipelines, parts, memory.sources, at),
  ]);
  return { at, tables, quarantines, slots, published, errors: parts.errors };
}

/** Ends what observing keeps open; what it has begun has a few seconds to end. */
export async function endObserving(runtime: Runtime): Promise<void> {
  const memory = memories.get(runtime);
  if (memory === undefined) return;
  memories.delete(runtime);
  const over = new AbortController();
  const unfinished = Promise.allSettled([memory.tables.close(), ...memory.unfinished.running.values()]);
  await Promise.race([unfinished, delay(GRACE, undefined, { signal: over.signal }).catch(() => {})]);
  over.abort();
  for (const source of memory.sources.values()) await source.close().catch(() => {});
}

interface Declared {
  readonly pipeline: string;
  readonly table: string;
  readonly path: TablePath;
  readonly fresh: readonly FreshColumn[];
  readonly quarantine?: TablePath;
}

async function observeTables(
  lake: Lake,
  pipelines: readonly PipelineDefinition[],
  parts: Parts,
  memory: Memory,
  at: number,
): Promise<Pick<Observation, "tables" | "quarantines">> {
  const tables: TableObservation[] = [];
  const quarantines: QuarantineObservation[] = [];
  const limit = pLimit(AT_ONCE);
  const observeOne = async ({ pipeline, table, path, fresh, quarantine }: Declared) => {
    const name = `${pipeline}.${table}`;
    const snapshot = await parts.look(`table ${name}`, () => memory.tables.table(path).snapshot());
    if (snapshot !== undefined) {
      const look = () => newestValues(memory.tables.table(path), snapshot, fresh, memory.newest);
      const values = fresh.length === 0 ? [] : await parts.look(`freshness ${name}`, look);
      const freshness = freshnessAt(values ?? [], at);
      const figures = { pipeline, table, ...tableFigures(snapshot, at) };
      tables.push(freshness === undefined ? figures : { ...figures, freshness });
    }
    if (quarantine === undefined) return;
    const rows = await parts.look(`quarantine ${name}`, async () => {
      const held = await memory.tables.table(quarantine).snapshot();
      return held === undefined ? 0 : liveRows(held);
    });
    if (rows !== undefined) quarantines.push({ pipeline, table, rows });
  };
  const each = pipelines.map(async (pipeline) => {
    const known = declaredTables(pipeline, memory.discovered.get(pipeline.name)?.names ?? []);
    // A listing that takes long is nothing that the others wait for.
    const looks = known.map((table) => limit(() => observeOne(table)));
    const names = await discovered(lake, pipeline, parts, memory, at);
    const found = declaredTables(pipeline, names).filter(({ path }) =>
      known.every((table) => table.path !== path),
    );
    await Promise.all([...looks, ...found.map((table) => limit(() => observeOne(table)))]);
    return [...known, ...found];
  });
  const declared = (await Promise.all(each)).flat();
  void memory.tables.renew(new Set(declared.flatMap(({ path, quarantine = path }) => [path, quarantine])));
  return { tables, quarantines };
}

/** Tables of a pipeline, with the bronze tables of schemas that it takes whole. */
function declaredTables(pipeline: PipelineDefinition, taken: readonly string[]): Declared[] {
  const { name, source } = pipeline;
  const bronze = new Set([...Object.keys(source.tables), ...taken]);
  if (source.wal?.messages !== undefined) bronze.add(source.wal.messages);
  const sourced = [...bronze].map((table): Declared => {
    return { pipeline: name, table: `bronze.${table}`, path: `${name}/bronze/${table}`, fresh: [] };
  });
  const models = (["silver", "gold"] as const).flatMap((layer) =>
    Object.entries(pipeline[layer] ?? {}).map(([table, model]): Declared => {
      const isHeld = layer === "silver" && KINDS[model.kind].hasQuarantine === true;
      return {
        pipeline: name,
        table: `${layer}.${table}`,
        path: `${name}/${layer}/${table}`,
        fresh: freshColumns(pipeline, model),
        ...(isHeld ? { quarantine: quarantinePath(name, table) } : {}),
      };
    }),
  );
  return [...sourced, ...models];
}

/** Bronze tables of schemas that are taken whole, as they were at the last listing. */
async function discovered(
  lake: Lake,
  { name, source }: PipelineDefinition,
  parts: Parts,
  { discovered: known }: Memory,
  at: number,
): Promise<readonly string[]> {
  if (source.discover === undefined) return [];
  const before = known.get(name);
  if (before !== undefined && at - before.at < LISTED_EVERY) return before.names;
  const listed = await parts.look(`tables of ${name}`, async () => {
    const names = (await lake.tables(name)).flatMap((path) => {
      const [, layer, table] = path.split("/");
      return layer === "bronze" && table !== undefined ? [table] : [];
    });
    // Where it is late, the next observation has it.
    known.set(name, { at, names });
    return names;
  });
  return listed ?? before?.names ?? [];
}
