/** One model of a build: run where an input changed, its audits made, its small files joined. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import { isLoading } from "../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { AuditContext, AuditResult, TableAt } from "./audit/audit-result.ts";
import { dueAudits } from "./audit/run-audits.ts";
import type { BuildReport } from "./build-outcome.ts";
import { commitNothing } from "./commit-model.ts";
import { compactSmallFiles } from "./compact.ts";
import { KINDS } from "./kinds.ts";
import type { Model } from "./planned-model.ts";
import { quarantinePath } from "./quarantine/quarantine-table.ts";
import { consumption, type Inputs } from "./record.ts";
import type { ModelResult, ModelRun } from "./run.ts";
import { coldPlace } from "./snapshot/cold-place.ts";

/** A build as one of its models sees it. */
export interface ModelBuild {
  readonly lake: Lake;
  readonly pipeline: PipelineDefinition;
  readonly onProgress: ProgressListener;
  readonly model: Model;
  /** Whether it is made anew, whatever changed. */
  readonly anew: boolean;
  readonly withAudits: boolean;
  /** Tables of all models of the build as they were before it. */
  readonly bases: ReadonlyMap<string, Snapshot | undefined>;
  /** Resolves when a model of the build that comes before this one was built, or has failed; false for all others. */
  readonly whenBuilt: (name: string) => Promise<boolean>;
  /** Versions that models of this build read: pinned ones, and those that it made. */
  readonly snapshots: Map<string, Snapshot>;
  readonly tables: ReadonlyMap<string, DeltaTable>;
  /** Is told of each audit, also where the model then fails. */
  readonly onAudits: (results: readonly AuditResult[]) => void;
}

export async function buildModel(build: ModelBuild): Promise<BuildReport> {
  const { lake, pipeline, onProgress, model, snapshots, bases, tables } = build;
  const task = model.name;
  const inputs = new Map(
    model.references.flatMap((name): [string, Snapshot][] => {
      const snapshot = snapshots.get(name);
      return snapshot ? [[name, snapshot]] : [];
    }),
  );
  const versions = Object.fromEntries([...inputs].map(([name, { version }]) => [name, version]));
  const audits: AuditResult[] = [];
  const context = build.withAudits
    ? auditContext(build, inputs, (results) => {
        audits.push(...results);
        build.onAudits(results);
      })
    : undefined;
  const base = bases.get(model.name);
  const found = build.anew ? { reason: "--anew" } : consumption(base, model, inputs);
  const consumed = "versions" in found ? found.versions : undefined;
  const reason = "reason" in found ? found.reason : undefined;
  const target = tableOf(lake, pipeline, model.name);
  const kind = KINDS[model.kind];
  const cold = coldPlace(lake, pipeline.name, model);
  const run = { model, target, base, inputs, tables, consumed, reason, audits: context, cold };
  const isUnchanged = [...inputs].every(([name, input]) => consumed?.get(name) === input.version);
  if (base && consumed && isUnchanged && !kind.isDue?.(model, base, target.now())) {
    const isDue = context !== undefined && dueAudits(model, base).length > 0;
    const result = isDue ? await commitNothing(run, base) : unchanged(base);
    snapshots.set(
      model.name,
      result.version === base.version ? base : await snapshotAt(target, result.version),
    );
    onProgress({ task, state: "skipped", note: `no new input${warnings(result, audits)}` });
    return { model: task, ...result, inputs: versions, audits: toTell(result, audits, base) };
  }
  onProgress({ task, state: "running" });
  const session = await lake.duckdb.session();
  try {
    const quarantine = kind.hasQuarantine
      ? lake.table(quarantinePath(pipeline.name, model.table))
      : undefined;
    const result = await kind.run({ ...run, session, quarantine } satisfies ModelRun);
    const made = await snapshotAt(target, result.version);
    snapshots.set(model.name, made);
    // The rows are there; files that could not be joined now are joined another time.
    if (result.status === "incremental") await compactSmallFiles(target, made).catch(() => {});
    onProgress(ended(task, result, audits));
    return { model: task, ...result, inputs: versions, audits: toTell(result, audits, base) };
  } finally {
    await session.close();
  }
}

const toTell = ({ version }: ModelResult, audits: readonly AuditResult[], base: Snapshot | undefined) =>
  version === base?.version ? audits.filter(({ status }) => status !== "passed") : audits;

function ended(task: string, result: ModelResult, audits: readonly AuditResult[]) {
  if (result.status === "unchanged")
    return { task, state: "skipped", note: `nothing changed${warnings(result, audits)}` } as const;
  const changes = result.status === "incremental" ? `, ${result.rowsIn} changes` : "";
  const held = result.held ? `, ${result.held} rows in quarantine` : "";
  const note = `version ${result.version}${changes}${held}${warnings(result, audits)}`;
  return { task, state: "done", rows: result.rowsOut, bytes: result.bytes, note } as const;
}

function warnings({ warning }: ModelResult, audits: readonly AuditResult[]): string {
  const failed = audits.filter(({ status }) => status === "failed").map(({ audit }) => audit);
  const said = [...failed, ...(warning === undefined ? [] : [warning])];
  return said.length === 0 ? "" : `, warning: ${said.join(", ")}`;
}

const unchanged = (base: Snapshot): ModelResult => ({
  status: "unchanged",
  rowsIn: 0,
  rowsOut: 0,
  bytes: 0,
  version: base.version,
});

/**
 * What audits see: the inputs as the model reads them, tables of models before it as the build made them, those of models
 * after it as they were, others as they are.
 */
function auditContext(
  { lake, pipeline, bases, whenBuilt, snapshots }: ModelBuild,
  inputs: Inputs,
  report: AuditContext["report"],
): AuditContext {
  const read = async (reference: string): Promise<TableAt | undefined> => {
    const table = tableOf(lake, pipeline, reference);
    const isBefore = await whenBuilt(reference);
    const isLater = bases.has(reference) && !isBefore;
    const made = isLater ? undefined : snapshots.get(reference);
    const pinned = inputs.get(reference) ?? made ?? bases.get(reference);
    const snapshot = pinned ?? (bases.has(reference) ? undefined : await table.snapshot());
    return snapshot === undefined || isLoading(snapshot) ? undefined : { table, snapshot };
  };
  const models = Object.entries({ silver: pipeline.silver, gold: pipeline.gold });
  const contracts = new Map(
    models.flatMap(([layer, tables = {}]) =>
      Object.entries(tables).map(([name, { contract }]) => [`${layer}.${name}`, contract] as const),
    ),
  );
  return { read, contracts, report };
}

/** A version that was just committed, mostly the newest: that is told by the commits since the last look. */
async function snapshotAt(table: DeltaTable, version: number): Promise<Snapshot> {
  const newest = await table.existingSnapshot();
  return newest.version === version ? newest : table.existingSnapshot(version);
}

/** The table of a reference such as `gold.daily_sales`. */
export function tableOf(lake: Lake, pipeline: PipelineDefinition, reference: string): DeltaTable {
  const [layer, name] = reference.split(".");
  const path: TablePath = `${pipeline.name}/${layer}/${name}`;
  return lake.table(path);
}
