/** Backfill of a bronze table: a range of its source read again, chunk by chunk, and what differs appended. */
import { TerminalError } from "../../lakehouse/errors.ts";
import { versionOf } from "../bronze/commit-outcome.ts";
import { type IngestContext, readersOf } from "../bronze/ingestion.ts";
import { connect, disconnect } from "../bronze/postgres/connect.ts";
import { readingSource } from "../bronze/postgres/read-error.ts";
import { sourceName } from "../bronze/schema.ts";
import { describeSource, wantedTables } from "../bronze/source-tables.ts";
import { withTables } from "../bronze/verify/verification-run.ts";
import { isLoading, META_COLUMNS, sourceKey } from "../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { readModels } from "../models/model.ts";
import { selectModels } from "../models/select.ts";
import { type BronzeChunk, type BronzeSubject, runBronzeChunk } from "./bronze-chunk.ts";
import { type ChunkLimits, type ChunkSum, eachChunk } from "./each-chunk.ts";
import { explainedRows } from "./explained-rows.ts";
import { type BackfillSubject, progressAction, readProgress } from "./progress-record.ts";
import { chunksOf, type Interval, isTemporal, rangeField, readChunkSize, readRange } from "./range.ts";
import { sourceRangeSql } from "./read-again.ts";
import { RecordingTable } from "./recording-table.ts";
import type { BackfillRequest } from "./subject.ts";

export interface BronzePlan extends Interval {
  /** `bronze.orders` */
  readonly table: string;
  readonly column: string;
  readonly chunk: string | null;
  readonly chunks: readonly Interval[];
  /** All before it was read by a run that was interrupted. */
  readonly until: string | null;
  /** Rows and bytes that the source expects to send. */
  readonly rows: number;
  readonly bytes: number;
  /** Statements that read a chunk at once. */
  readonly readers: number;
  /** The most that is read; null where nothing bounds it. */
  readonly megabytesPerSecond: number | null;
  /** Models that will take in what changes, however far. */
  readonly downstream: readonly string[];
}

/** `rowsIn`: rows that the source has in the range. `rowsOut`: those that were appended to bronze. */
export interface BronzeReport extends Interval, Readonly<ChunkSum> {
  readonly table: string;
  readonly chunks: number;
  /** Rows that differed and changed meanwhile: bronze has taken them as they are now. */
  readonly left: number;
}

export interface PlannedBronze {
  readonly plan: BronzePlan;
  readonly run: () => Promise<BronzeReport>;
}

/** A chunk of time is so long where nobody says otherwise. */
const USUAL_CHUNK = "7d";

/** Plans a backfill; nothing is written before `run`. Throws `BACKFILL_NOT_LOADED`, `BACKFILL_KIND`, `BACKFILL_COLUMN`. */
export async function prepareBronze(
  context: IngestContext,
  pipeline: PipelineDefinition,
  request: BackfillRequest,
): Promise<PlannedBronze> {
  return readingSource(async () => {
    const name = request.model.slice("bronze.".length);
    const limited = withRate(pipeline, request.megabytesPerSecond);
    const { alone, source } = await tableAtSource(context, limited, name);
    const target = context.lake.table(`${pipeline.name}/bronze/${name}`);
    const base = await target.snapshot();
    if (base === undefined || isLoading(base)) throw notLoaded(request.model);
    const key = sourceKey(base) ?? [];
    if (key.length === 0) throw withoutKey(request.model);
    const fields = base.schema.fields.filter((f) => !META_COLUMNS.includes(f.name));
    const field = rangeField(request.model, fields, key, request.column);
    const range = await readRange(context.lake.duckdb, field, request);
    const chunk = request.chunk ?? (isTemporal(field) ? USUAL_CHUNK : undefined);
    const size = chunk === undefined ? undefined : readChunkSize(field, chunk);
    const until = request.anew ? undefined : readProgress(base, { column: field.name, ...range })?.until;
    const left = { from: until ?? range.from, to: range.to };
    const expected = await explainedRows(context.connectionString, source, sourceRangeSql(field, left));
    const models = await readModels(context.lake.duckdb, pipeline);
    const reading = models.filter(({ references }) => references.includes(request.model));
    const downstream = selectModels(
      models,
      reading.map((model) => `${model.name}+`),
    );
    const plan = {
      table: request.model,
      column: field.name,
      ...range,
      chunk: chunk ?? null,
      chunks: await chunksOf(context.lake.duckdb, field, left, size),
      until: until ?? null,
      ...expected,
      readers: readersOf({
        context: { ...context, concurrency: request.concurrency ?? 1 },
        pipeline: limited,
      }),
      megabytesPerSecond: limited.source.limits?.megabytesPerSecond ?? null,
      downstream: downstream.map((model) => model.name),
    };
    const recording = new RecordingTable(target, `${field.name} ${range.from} … ${range.to}`);
    const { readers } = plan;
    const subject = { context, pipeline: limited, alone, target: recording, field, readers };
    return { plan, run: () => readingSource(() => runChunks(subject, plan, request)) };
  });
}

/** The pipeline with reads of its source that take no more than this, nor more than it says itself. */
function withRate(pipeline: PipelineDefinition, wanted: number | undefined): PipelineDefinition {
  if (wanted === undefined) return pipeline;
  const { source } = pipeline;
  const megabytesPerSecond = Math.min(wanted, source.limits?.megabytesPerSecond ?? wanted);
  return { ...pipeline, source: { ...source, limits: { ...source.limits, megabytesPerSecond } } };
}

async function runChunks(
  subject: BronzeSubject,
  plan: BronzePlan,
  { pauseSeconds }: ChunkLimits,
): Promise<BronzeReport> {
  const { onProgress } = subject.context;
  const { table, column, from, to, chunks } = plan;
  let left = 0;
  const sum = await eachChunk(
    // Each chunk is one moment of the source: what is read side by side are its parts.
    { task: `backfill ${table}`, chunks, onProgress, pauseSeconds },
    async (chunk) => ({
      commit: async () => {
        const made = await recordedChunk(subject, { column, from, to }, chunk);
        left += made.left;
        return { rowsIn: made.sourceRows, rowsOut: made.rows, bytes: made.bytes, version: made.version };
      },
      close: async () => {},
    }),
    ({ rowsOut }) => `${rowsOut} rows differed`,
  );
  return { table, from, to, chunks: chunks.length, ...sum, left };
}

/** The fingerprint of a bronze table's range: what is read again is what the source has, whatever models do. */
const SOURCE = "source";

/** A chunk, with the record of it in its commit; in one of its own where no row differs. */
async function recordedChunk(
  subject: BronzeSubject,
  range: BackfillSubject,
  chunk: Interval,
): Promise<BronzeChunk> {
  const { target } = subject;
  const record = progressAction(range, chunk.to, SOURCE);
  target.carry([record]);
  const made = await runBronzeChunk(subject, chunk);
  const base = await target.existingSnapshot();
  const isKnown = readProgress(base, range)?.until === chunk.to;
  if (made.rows > 0 || isKnown || (chunk.to === range.to && readProgress(base, range) === undefined))
    return made;
  const outcome = await target.commit({ base, operation: "WRITE", actions: [], reads: "nothing" });
  const lost = { lost: `another run read ${range.column} again`, next: "Run the same command again." };
  return { ...made, version: versionOf(outcome, lost) };
}

async function tableAtSource(context: IngestContext, pipeline: PipelineDefinition, name: string) {
  const client = await connect(context.connectionString);
  try {
    const wanted = (await wantedTables(client, pipeline)).get(name);
    if (wanted === undefined) throw notLoaded(`bronze.${name}`);
    const alone = withTables(pipeline, { [name]: wanted });
    const [table] = await describeSource(context, alone);
    if (table === undefined) throw notLoaded(`bronze.${name}`);
    return { alone, source: sourceName(table) };
  } finally {
    await disconnect(client);
  }
}

function notLoaded(table: string): TerminalError {
  return new TerminalError(`${table} was not loaded yet, or not to its end`, {
    code: "BACKFILL_NOT_LOADED",
    value: table,
    next: "Run `ingot load` first.",
  });
}

function withoutKey(table: string): TerminalError {
  return new TerminalError(
    `a range of ${table} cannot be read again: it has no key that tells its rows apart`,
    {
      code: "BACKFILL_KIND",
      value: table,
      allowed: "tables with a key",
      next: "`ingot verify --repair` compares the whole table by what its rows hold.",
    },
  );
}
