/** Builds a pipeline's models: each after what it reads, side by side where nothing stands between them. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import { messageOf, TerminalError } from "../../lakehouse/errors.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import { isLoading } from "../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { AuditResult } from "./audit/audit-result.ts";
import { buildModel, tableOf } from "./build-model.ts";
import {
  type BlockedModel,
  type BuildOutcome,
  type BuildReport,
  buildError,
  type ModelFailure,
} from "./build-outcome.ts";
import { readModels } from "./model.ts";
import type { Model } from "./planned-model.ts";
import { isModelTable } from "./record.ts";
import { selectModels } from "./select.ts";
import { Slots } from "./slots.ts";
import { refuseLoss } from "./snapshot/image-record.ts";

export type { BuildReport } from "./build-outcome.ts";

export interface BuildContext {
  readonly lake: Lake;
  /** Models built at once. */
  readonly concurrency: number;
  readonly onProgress: ProgressListener;
  /** Selectors of models that are made anew, whatever changed. */
  readonly anew?: readonly string[];
  /** Selectors of the models to build, as `selectModels` has them; all by default. The others stay as they are. */
  readonly select?: readonly string[] | undefined;
  /** Whether tables are held against their audits; they are by default. */
  readonly withAudits?: boolean;
}

/** As `buildModels`; throws where a model failed. */
export async function build(context: BuildContext, pipeline: PipelineDefinition): Promise<BuildReport[]> {
  const outcome = await buildModels(context, pipeline);
  if (outcome.failures.length > 0) throw buildError(outcome);
  return [...outcome.reports];
}

/**
 * Runs every model. One that fails stops those that read it, and no other. Rejects as a whole, before any runs, where a table that
 * is read was not loaded or built, or one that is to be written was not made by a model.
 */
export async function buildModels(
  context: BuildContext,
  pipeline: PipelineDefinition,
): Promise<BuildOutcome> {
  const { lake, onProgress, withAudits = true } = context;
  const all = await readModels(lake.duckdb, pipeline);
  const models = context.select === undefined ? all : selectModels(all, context.select);
  const anew = new Set(selectModels(all, context.anew ?? []).map(({ name }) => name));
  // First the targets, then bronze: a rival that builds from newer inputs in between has then changed a target that
  // this run knows in its former state, and this run's commit on it is a conflict.
  const bases = new Map<string, Snapshot | undefined>();
  for (const model of models) bases.set(model.name, await ownTable(lake, pipeline, model));
  const { snapshots, tables } = await pinInputs(lake, pipeline, models);
  const slots = new Slots(context.concurrency);
  const running = new Map<string, Promise<State>>();
  const settled = new Set<string>();
  /** Models that have made their rows and wait for others to be audited. */
  let parked = 0;
  for (const model of models) {
    const upstream = model.references.flatMap((reference) => running.get(reference) ?? []);
    const before = new Map(running);
    const run = async (): Promise<State> => {
      const states = await Promise.all(upstream);
      const [by] = states.flatMap((state) => failedBy(state) ?? []);
      if (by !== undefined) {
        onProgress({ task: model.name, state: "skipped", note: `blocked by ${by}` });
        return { blocked: { model: model.name, by } };
      }
      return slots.with(async (slot) => {
        // An audit sees tables of the models before this one as the build leaves them, or as they were where those
        // fail. Of models after this one it sees none that the build made, however fast that was.
        const whenBuilt = async (name: string) => {
          const other = before.get(name);
          if (other === undefined || settled.has(name)) return other !== undefined;
          parked += 1;
          await slot.leaveTo(other).finally(() => {
            parked -= 1;
          });
          return true;
        };
        // Rows that are made wait in memory and on disk: where many do, this one waits before it makes its own.
        const audited = model.audits.flatMap(({ reads }) => reads.flatMap((name) => before.get(name) ?? []));
        if (withAudits && parked >= context.concurrency) await slot.leaveTo(Promise.all(audited));
        const audits: AuditResult[] = [];
        try {
          const isAnew = anew.has(model.name);
          const shared = { lake, pipeline, onProgress, withAudits, bases, whenBuilt, snapshots, tables };
          const onAudits = (results: readonly AuditResult[]) => void audits.push(...results);
          return { report: await buildModel({ ...shared, model, anew: isAnew, onAudits }) };
        } catch (error) {
          onProgress({ task: model.name, state: "failed", note: messageOf(error) });
          const version = bases.get(model.name)?.version;
          return { failure: { model: model.name, error, version, audits } };
        }
      });
    };
    running.set(
      model.name,
      run().finally(() => settled.add(model.name)),
    );
  }
  const states = await Promise.all(running.values());
  return {
    models,
    reports: states.flatMap((state) => ("report" in state ? [state.report] : [])),
    failures: states.flatMap((state) => ("failure" in state ? [state.failure] : [])),
    blocked: states.flatMap((state) => ("blocked" in state ? [state.blocked] : [])),
  };
}

type State =
  | { readonly report: BuildReport }
  | { readonly failure: ModelFailure }
  | { readonly blocked: BlockedModel };

/** The model whose failure stands behind a state. */
function failedBy(state: State): string | undefined {
  if ("failure" in state) return state.failure.model;
  return "blocked" in state ? state.blocked.by : undefined;
}

/** Opens what models read. What this run does not make is pinned before the first runs: all of them see one moment. */
async function pinInputs(lake: Lake, pipeline: PipelineDefinition, models: readonly Model[]) {
  const made = new Set(models.map(({ name }) => name));
  const snapshots = new Map<string, Snapshot>();
  const tables = new Map<string, DeltaTable>();
  for (const reference of new Set(models.flatMap((model) => model.references))) {
    const table = tableOf(lake, pipeline, reference);
    tables.set(reference, table);
    if (made.has(reference)) continue;
    const snapshot = await table.snapshot();
    if (snapshot === undefined || isLoading(snapshot)) throw notThere(reference);
    snapshots.set(reference, snapshot);
  }
  return { snapshots, tables };
}

/** The table of a model as it is; one that no model made is not overwritten. */
async function ownTable(
  lake: Lake,
  pipeline: PipelineDefinition,
  model: Model,
): Promise<Snapshot | undefined> {
  const table = tableOf(lake, pipeline, model.name);
  const snapshot = await table.snapshot();
  if (snapshot !== undefined) refuseLoss(model, snapshot);
  if (snapshot === undefined || isModelTable(snapshot)) return snapshot;
  throw new TerminalError(`${model.name} exists and was not made by a model`, {
    code: "MODEL_FOREIGN_TABLE",
    value: table.store.root,
    next: "Move that table away, or give the model another name.",
  });
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
