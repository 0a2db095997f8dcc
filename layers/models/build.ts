/** Builds a pipeline's models: each after what it reads, side by side where nothing stands between them. */
import pLimit from "p-limit";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import { isLoading } from "../definition/bronze-columns.ts";
import type { ModelKind, PipelineDefinition } from "../definition/pipeline.ts";
import { runAggregate } from "./aggregate/aggregate.ts";
import { runAppend } from "./append.ts";
import { compactSmallFiles } from "./compact.ts";
import { runFull } from "./full.ts";
import { runMerge } from "./merge.ts";
import { type Model, readModels } from "./model.ts";
import { quarantinePath } from "./quarantine/quarantine-table.ts";
import { consumedVersions, isModelTable } from "./record.ts";
import type { ModelResult, ModelRun } from "./run.ts";
import { selectModels } from "./select.ts";

export interface BuildContext {
  readonly lake: Lake;
  /** Models built at once. */
  readonly concurrency: number;
  readonly onProgress: ProgressListener;
  /** Selectors of models that are made anew, whatever changed. */
  readonly anew?: readonly string[];
  /** Selectors of the models to build, as `selectModels` has them; all by default. The others stay as they are. */
  readonly select?: readonly string[] | undefined;
}

export interface BuildReport extends ModelResult {
  /** `gold.daily_revenue` */
  readonly model: string;
}

/** Runs every model. A model that fails stops those that read it; the others go on, and the first failure is thrown. */
export async function build(context: BuildContext, pipeline: PipelineDefinition): Promise<BuildReport[]> {
  const { lake } = context;
  const all = await readModels(lake.duckdb, pipeline);
  const models = context.select === undefined ? all : selectModels(all, context.select);
  const anew = new Set(selectModels(all, context.anew ?? []).map(({ name }) => name));
  // First the targets, then bronze: a rival that builds from newer inputs in between has then changed a target that
  // this run knows in its former state, and this run's commit on it is a conflict.
  const bases = new Map<string, Snapshot | undefined>();
  for (const model of models) bases.set(model.name, await ownTable(lake, pipeline, model));
  const snapshots = new Map<string, Snapshot>();
  const tables = new Map<string, DeltaTable>();
  // What this run does not make is pinned before the first model runs: all models of a run see one moment.
  for (const reference of new Set(models.flatMap((model) => model.references))) {
    tables.set(reference, tableOf(lake, pipeline, reference));
    if (bases.has(reference)) continue;
    const snapshot = await tableOf(lake, pipeline, reference).snapshot();
    if (snapshot === undefined || isLoading(snapshot)) throw notThere(reference);
    snapshots.set(reference, snapshot);
  }
  const limit = pLimit(context.concurrency);
  const running = new Map<string, Promise<BuildReport>>();
  for (const model of models) {
    const upstream = model.references.flatMap((reference) => running.get(reference) ?? []);
    running.set(
      model.name,
      Promise.all(upstream).then(() =>
        limit(() => {
          const base = bases.get(model.name);
          return buildModel(context, pipeline, {
            model,
            base,
            anew: anew.has(model.name),
            snapshots,
            tables,
          });
        }),
      ),
    );
  }
  const settled = await Promise.allSettled(running.values());
  const failed = settled.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  return settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}

const RUNS: Readonly<Record<ModelKind, (run: ModelRun) => Promise<ModelResult>>> = {
  append: runAppend,
  merge: runMerge,
  aggregate: runAggregate,
  full: runFull,
};

interface ModelBuild {
  readonly model: Model;
  readonly base: Snapshot | undefined;
  readonly anew: boolean;
  readonly snapshots: Map<string, Snapshot>;
  readonly tables: ReadonlyMap<string, DeltaTable>;
}

async function buildModel(
  context: BuildContext,
  pipeline: PipelineDefinition,
  { model, base, anew, snapshots, tables }: ModelBuild,
): Promise<BuildReport> {
  const task = model.name;
  const target = tableOf(context.lake, pipeline, model.name);
  const inputs = new Map(
    model.references.flatMap((name): [string, Snapshot][] => {
      const snapshot = snapshots.get(name);
      return snapshot ? [[name, snapshot]] : [];
    }),
  );
  const consumed = anew ? undefined : consumedVersions(base, model, inputs);
  if (base && consumed && [...inputs].every(([name, input]) => consumed.get(name) === input.version)) {
    snapshots.set(model.name, base);
    context.onProgress({ task, state: "skipped", note: "no new input" });
    return { model: task, status: "unchanged", rowsIn: 0, rowsOut: 0, bytes: 0, version: base.version };
  }
  context.onProgress({ task, state: "running" });
  const session = await context.lake.duckdb.session();
  try {
    const quarantine =
      model.kind === "merge" ? context.lake.table(quarantinePath(pipeline.name, model.table)) : undefined;
    const run = { model, session, target, quarantine, base, inputs, tables, consumed };
    const result = await RUNS[model.kind](run);
    const made = await snapshotAt(target, result.version);
    snapshots.set(model.name, made);
    // The rows are there; files that could not be joined now are joined another time.
    if (result.status === "incremental") await compactSmallFiles(target, made).catch(() => {});
    if (result.status === "unchanged") {
      context.onProgress({ task, state: "skipped", note: "nothing changed" });
    } else {
      const changes = result.status === "incremental" ? `, ${result.rowsIn} changes` : "";
      const held = result.held ? `, ${result.held} rows in quarantine` : "";
      const note = `version ${result.version}${changes}${held}`;
      context.onProgress({ task, state: "done", rows: result.rowsOut, bytes: result.bytes, note });
    }
    return { model: task, ...result };
  } catch (error) {
    context.onProgress({ task, state: "failed" });
    throw error;
  } finally {
    await session.close();
  }
}

/** A version that was just committed, mostly the newest: that is told by the commits since the last look. */
async function snapshotAt(table: DeltaTable, version: number): Promise<Snapshot> {
  const newest = await table.existingSnapshot();
  return newest.version === version ? newest : table.existingSnapshot(version);
}

/** The table of a model as it is; one that no model made is not overwritten. */
async function ownTable(
  lake: Lake,
  pipeline: PipelineDefinition,
  model: Model,
): Promise<Snapshot | undefined> {
  const table = tableOf(lake, pipeline, model.name);
  const snapshot = await table.snapshot();
  if (snapshot === undefined || isModelTable(snapshot)) return snapshot;
  throw new TerminalError(`${model.name} exists and was not made by a model`, {
    code: "MODEL_FOREIGN_TABLE",
    value: table.store.root,
    next: "Move that table away, or give the model another name.",
  });
}

function tableOf(lake: Lake, pipeline: PipelineDefinition, reference: string): DeltaTable {
  const [layer, name] = reference.split(".");
  const path: TablePath = `${pipeline.name}/${layer}/${name}`;
  return lake.table(path);
}

function notThere(reference: string): TerminalError {
  const isBronze = reference.startsWith("bronze.");
  return new TerminalError(
    isBronze
      ? `${reference} was not loaded yet, or not to its end`
      : `${reference} was not built yet, and is not selected`,
    {
      code: isBronze ? "BUILD_NOT_LOADED" : "BUILD_NOT_BUILT",
      value: reference,
      next: isBronze
        ? "Run `ingot load` first, or `ingot run`, which does both."
        : "Select it too: + before a model takes in all that it reads.",
    },
  );
}
