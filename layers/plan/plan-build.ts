/** What a build would do, and what stands in its way, found without doing any of it. */
import { changeSince } from "../../lakehouse/delta/change/change-feed.ts";
import { bytesOf } from "../../lakehouse/delta/maintain/optimize-metrics.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { rowCount } from "../../lakehouse/delta/stats.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import { isLoading, META_COLUMNS } from "../definition/bronze-columns.ts";
import type { ModelKind } from "../definition/model.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { dueAudits } from "../models/audit/run-audits.ts";
import { contractSchema } from "../models/contract.ts";
import { readModels } from "../models/model.ts";
import { tableActions } from "../models/model-table.ts";
import type { Model } from "../models/planned-model.ts";
import { isWorthReading } from "../models/read-change.ts";
import { consumption, isModelTable } from "../models/record.ts";
import { checkAudits } from "./check-audits.ts";
import { checkModel, type InputSchemas, type Problem } from "./check-model.ts";
import { lostImages, ofImages } from "./plan-images.ts";
import type { PlannedAction } from "./planned-action.ts";

interface PlannedModel {
  readonly model: string;
  readonly kind: ModelKind;
  readonly action: PlannedAction;
  readonly why: string;
  /** Rows and bytes of its inputs that will be read; absent where that is not known, or models before it decide. */
  readonly rows?: number;
  readonly bytes?: number;
  /** Models that read it, however far. */
  readonly downstream: readonly string[];
}

export interface BuildPlan {
  readonly models: readonly PlannedModel[];
  readonly problems: readonly Problem[];
}

/** Plans a build. Models that cannot be put in order (a circle, a table that does not exist) are errors. */
export async function planBuild(lake: Lake, pipeline: PipelineDefinition): Promise<BuildPlan> {
  const models = await readModels(lake.duckdb, pipeline);
  const planner = new Planner(lake, pipeline, models);
  const planned: PlannedModel[] = [];
  const problems: Problem[] = [];
  for (const model of models) {
    planned.push(await planner.plan(model));
    problems.push(...(await planner.check(model)));
  }
  return { models: planned, problems };
}

/** Kinds that read what came to their inputs and went from them. */
const READING_CHANGES: readonly ModelKind[] = ["aggregate", "stateful"];

class Planner {
  private readonly lake: Lake;
  private readonly pipeline: PipelineDefinition;
  private readonly models: readonly Model[];
  private readonly actions = new Map<string, PlannedAction>();
  private readonly snapshots = new Map<string, Promise<Snapshot | undefined>>();

  constructor(lake: Lake, pipeline: PipelineDefinition, models: readonly Model[]) {
    this.lake = lake;
    this.pipeline = pipeline;
    this.models = models;
  }

  async plan(model: Model): Promise<PlannedModel> {
    const now = this.lake.table(this.path(model.name)).now();
    const base = await this.snapshot(model.name);
    const decided = ofImages(await this.decide(model), model, base, now);
    const { action } = decided;
    this.actions.set(model.name, action);
    const due = base !== undefined && action === "nothing" ? dueAudits(model, base) : [];
    const audits = due.length === 0 ? "" : `; audits are due: ${due.map(({ name }) => name).join(", ")}`;
    const why = `${decided.why}${audits}`;
    return {
      model: model.name,
      kind: model.kind,
      ...decided,
      why,
      downstream: this.downstreamOf(model.name),
    };
  }

  /** Problems of a model's SQL, its contract and its table. */
  async check(model: Model): Promise<Problem[]> {
    const table = await this.snapshot(model.name);
    if (table !== undefined && !isModelTable(table)) {
      const problem = "has a table that no model made";
      const next = "Move that table away, or give the model another name.";
      return [{ code: "MODEL_FOREIGN_TABLE", model: model.name, file: model.file, problem, next }];
    }
    const lost = table && lostImages(model, table);
    if (lost !== undefined) return [lost];
    const hidden = ["merge", "scd2"].includes(model.kind) ? META_COLUMNS : [];
    const schemas = await this.schemas(model.references, hidden);
    const read = await this.schemas(new Set(model.audits.flatMap(({ reads }) => reads)));
    return [
      ...(await withSession(this.lake, (session) => checkModel(this.lake.duckdb, session, model, schemas))),
      ...(await withSession(this.lake, (session) => checkAudits(session, model, read))),
    ];
  }

  private async decide(model: Model): Promise<Omit<PlannedModel, "model" | "kind" | "downstream">> {
    const missing = await this.notLoaded(model);
    if (missing !== undefined) return { action: "wait", why: `${missing} was not loaded yet` };
    const base = await this.snapshot(model.name);
    const own = model.references.filter((reference) => this.actions.has(reference));
    if (base === undefined)
      return { action: "create", why: "its table does not exist", ...(await this.cost(model)) };
    const inputs = await this.inputs(model);
    const found = consumption(base, model, inputs);
    if ("reason" in found) return { action: "rebuild", why: found.reason, ...(await this.cost(model)) };
    const consumed = found.versions;
    const anew = own.filter((reference) => ["create", "rebuild"].includes(this.actions.get(reference) ?? ""));
    const changed = [...inputs].filter(([name, input]) => consumed.get(name) !== input.version);
    if (anew.length > 0) return this.afterRebuild(model, anew, changed, consumed);
    const moving = own.filter((reference) => this.actions.get(reference) === "increment");
    if (moving.length > 0) return { action: "increment", why: `${moving.join(", ")} will change` };
    if (changed.length === 0) return { action: "nothing", why: "no input changed" };
    return this.increment(model, changed, consumed);
  }

  /** Of a model that reads tables which are made anew. */
  private async afterRebuild(
    model: Model,
    anew: readonly string[],
    changed: readonly (readonly [string, Snapshot])[],
    consumed: ReadonlyMap<string, number>,
  ): Promise<Omit<PlannedModel, "model" | "kind" | "downstream">> {
    for (const reference of anew) {
      const isRead = READING_CHANGES.includes(model.kind) && (await this.isReadWhole(reference));
      if (!isRead) return { action: "rebuild", why: `${reference} is made anew` };
    }
    const others = changed.filter(([name]) => !anew.includes(name));
    const planned = await this.increment(model, others, consumed);
    if (planned.action === "rebuild") return planned;
    const what =
      anew.length === 1 ? "is made anew; all of its rows are" : "are made anew; all of their rows are";
    return { action: "increment", why: `${anew.join(", ")} ${what} read as a change` };
  }

  /** Whether a table that is made anew is so small, and stays so much the same, that its rows are read as a change. */
  private async isReadWhole(reference: string): Promise<boolean> {
    const made = this.models.find(({ name }) => name === reference);
    const table = await this.snapshot(reference);
    if (made === undefined || table === undefined || this.actions.get(reference) !== "rebuild") return false;
    const bytes = bytesOf(table.files.values());
    // All rows go and all come; what those weigh is taken for what these do.
    return tableActions(made, table, 0).length === 0 && isWorthReading(bytes * 2, bytes);
  }

  private async increment(
    { kind }: Model,
    changed: readonly (readonly [string, Snapshot])[],
    consumed: ReadonlyMap<string, number>,
  ): Promise<Omit<PlannedModel, "model" | "kind" | "downstream">> {
    let bytes = 0;
    for (const [name, input] of changed) {
      const table = this.lake.table(this.path(name));
      const change = await changeSince(table, consumed.get(name) ?? 0, input);
      if (change === undefined) return { action: "rebuild", why: `how ${name} changed is no longer known` };
      if (READING_CHANGES.includes(kind) && !isWorthReading(change.bytes, bytesOf(input.files.values())))
        return { action: "rebuild", why: `${name} changed by more than half` };
      bytes += change.bytes;
    }
    if (bytes === 0) return { action: "nothing", why: "no row changed" };
    return { action: "increment", why: `${changed.map(([name]) => name).join(", ")} changed`, bytes };
  }

  /** What all of its inputs hold, where they are there already. */
  private async cost(model: Model): Promise<{ readonly rows?: number; readonly bytes?: number }> {
    const inputs = await this.inputs(model);
    const moving = model.references.some((name) => (this.actions.get(name) ?? "nothing") !== "nothing");
    if (moving || inputs.size < model.references.length) return {};
    const files = [...inputs.values()].flatMap((input) => [...input.files.values()]);
    return { rows: files.reduce((sum, file) => sum + (rowCount(file) ?? 0), 0), bytes: bytesOf(files) };
  }

  private async notLoaded(model: Model): Promise<string | undefined> {
    for (const reference of model.references) {
      if (this.actions.get(reference) === "wait") return reference;
      if (!reference.startsWith("bronze.")) continue;
      const snapshot = await this.snapshot(reference);
      if (snapshot === undefined || isLoading(snapshot)) return reference;
    }
    return undefined;
  }

  private async inputs(model: Model): Promise<ReadonlyMap<string, Snapshot>> {
    const found = new Map<string, Snapshot>();
    for (const reference of model.references) {
      const snapshot = await this.snapshot(reference);
      if (snapshot !== undefined) found.set(reference, snapshot);
    }
    return found;
  }

  /** The columns that SQL will see: of models those of their contracts, of bronze those of its tables but for `hidden`. */
  private async schemas(references: Iterable<string>, hidden: readonly string[] = []): Promise<InputSchemas> {
    const schemas = new Map<string, ReturnType<typeof contractSchema>>();
    for (const reference of references) {
      const upstream = this.models.find(({ name }) => name === reference);
      if (upstream !== undefined) schemas.set(reference, contractSchema(upstream.contract));
      else {
        const bronze = await this.snapshot(reference);
        const fields = bronze?.schema.fields.filter(({ name }) => !hidden.includes(name));
        if (fields !== undefined) schemas.set(reference, { type: "struct", fields });
      }
    }
    return schemas;
  }

  private downstreamOf(name: string): string[] {
    const found = new Set([name]);
    // Models come after what they read.
    for (const model of this.models) if (model.references.some((r) => found.has(r))) found.add(model.name);
    found.delete(name);
    return [...found];
  }

  private path(reference: string): TablePath {
    const [layer = "", table = ""] = reference.split(".");
    return `${this.pipeline.name}/${layer}/${table}`;
  }

  private snapshot(reference: string): Promise<Snapshot | undefined> {
    const known = this.snapshots.get(reference) ?? this.lake.table(this.path(reference)).snapshot();
    this.snapshots.set(reference, known);
    return known;
  }
}

async function withSession<T>(lake: Lake, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await lake.duckdb.session();
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
