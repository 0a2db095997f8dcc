/** What a backfill of a model works with: the model, its table and inputs, the range. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { StructField } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { isLoading } from "../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { AuditContext, TableAt } from "../models/audit/audit-result.ts";
import { tableOf } from "../models/build-model.ts";
import { contractSchema } from "../models/contract.ts";
import { changeOf } from "../models/fingerprint.ts";
import { refuseRepeatedKeys } from "../models/keys.ts";
import { KINDS } from "../models/kinds.ts";
import { readModels } from "../models/model.ts";
import { tableActions } from "../models/model-table.ts";
import type { Model } from "../models/planned-model.ts";
import { quarantinePath } from "../models/quarantine/quarantine-table.ts";
import type { Inputs } from "../models/record.ts";
import type { ModelRun } from "../models/run.ts";
import type { ChunkLimits } from "./each-chunk.ts";
import { InputPins, type PinnedInputs, takenBy } from "./pinned-inputs.ts";
import { type Interval, rangeField, readRange } from "./range.ts";
import { RecordingTable } from "./recording-table.ts";

/** What is asked for. */
export interface BackfillRequest extends Interval, ChunkLimits {
  /** `gold.daily_sales` */
  readonly model: string;
  /** Column of the contract; by default the only time of the key. */
  readonly column?: string | undefined;
  /** `7d`, `1mo`; of a number `100000`. */
  readonly chunk?: string | undefined;
  /** Of a bronze table: the most that is read from the source. */
  readonly megabytesPerSecond?: number | undefined;
  /** Begins with the first chunk, whatever an interrupted backfill of the same range has done. */
  readonly anew?: boolean | undefined;
  /** Takes a table as the present SQL's although a former one made it: only the range is made by the present one. */
  readonly accept?: boolean | undefined;
}

export interface Subject {
  readonly model: Model;
  /** All models of the pipeline, each after what it reads. */
  readonly models: readonly Model[];
  readonly field: StructField;
  readonly range: Interval;
  readonly target: RecordingTable;
  readonly tables: ReadonlyMap<string, DeltaTable>;
  /** A table of the pipeline by `layer.name`. */
  readonly tableOf: (reference: string) => DeltaTable;
  readonly quarantine: DeltaTable | undefined;
  readonly pins: InputPins;
  readonly accept: boolean;
}

/** Kinds whose tables are rows by key that their SQL gives at any time. */
const KEPT_BY_KEY: readonly string[] = ["aggregate", "full", "merge"];

/** Opens what a backfill is about. Throws `BACKFILL_MODEL`, `BACKFILL_KIND`, `BACKFILL_COLUMN`, `BACKFILL_RANGE`. */
export async function openSubject(
  lake: Lake,
  pipeline: PipelineDefinition,
  request: BackfillRequest,
): Promise<Subject> {
  const models = await readModels(lake.duckdb, pipeline);
  const model = models.find(({ name }) => name === request.model);
  if (model === undefined) throw noModel(models, request.model);
  if (!KEPT_BY_KEY.includes(model.kind) || model.contract.key.length === 0) throw notByKey(model);
  const { fields } = contractSchema(model.contract);
  const field = rangeField(model.name, fields, model.contract.key, request.column);
  const range = await readRange(lake.duckdb, field, request);
  const table = (reference: string) => tableOf(lake, pipeline, reference);
  const tables = new Map(model.references.map((reference) => [reference, table(reference)]));
  return {
    model,
    models,
    field,
    range,
    target: new RecordingTable(table(model.name), `${field.name} ${range.from} … ${range.to}`),
    tables,
    tableOf: table,
    quarantine: KINDS[model.kind].hasQuarantine
      ? lake.table(quarantinePath(pipeline.name, model.table))
      : undefined,
    pins: new InputPins(model, tables),
    accept: request.accept === true,
  };
}

/** A state of the table, the versions of inputs that it was made from, and the run that makes rows of these. */
export interface Moment {
  readonly base: Snapshot;
  readonly pinned: PinnedInputs;
  readonly run: ModelRun;
}

/**
 * The table as it is now, and what it was made from. Throws `BACKFILL_NOT_BUILT`, `BACKFILL_INPUT_GONE`,
 * `BACKFILL_MODEL_CHANGED`.
 */
export async function momentOf(subject: Subject, session: Session): Promise<Moment> {
  const { model, target, tables, quarantine } = subject;
  // First the target, then its inputs: what a rival builds in between makes the commit of the chunk a conflict.
  const snapshot = await target.snapshot();
  const taken = takenBy(model, snapshot);
  const base = snapshot ?? (await target.existingSnapshot());
  const change = changeOf(model, taken, base.schema.fields);
  const isChanged = change !== undefined;
  if (isChanged && !subject.accept) throw changed(model, change);
  const pinned = await subject.pins.pin(taken);
  const consumed = new Map([...pinned.inputs].map(([name, { version }]) => [name, version]));
  const audits = auditContext(subject, pinned.inputs);
  const run = { model, session, target, quarantine, base, inputs: pinned.inputs, tables, consumed, audits };
  if (isChanged) await checkAccepted(run, base);
  return { base, pinned, run };
}

/** What audits see: the inputs as the chunk reads them, other tables as they are. */
function auditContext({ models, tableOf }: Subject, inputs: Inputs): AuditContext {
  const read = async (reference: string): Promise<TableAt | undefined> => {
    const table = tableOf(reference);
    const snapshot = inputs.get(reference) ?? (await table.snapshot());
    return snapshot === undefined || isLoading(snapshot) ? undefined : { table, snapshot };
  };
  return { read, contracts: new Map(models.map(({ name, contract }) => [name, contract])), report: () => {} };
}

/** A table that another SQL made can be gone on with where it has the columns and the key of the present one. */
async function checkAccepted(run: ModelRun, base: Snapshot): Promise<void> {
  const { model, target } = run;
  if (tableActions(model, base, target.now()).length > 0) {
    throw new TerminalError(`the table of ${model.name} has other columns or partitions than its contract`, {
      code: "BACKFILL_MODEL_CHANGED",
      value: model.name,
      allowed: "--accept where the columns, their types and the partitions are those of before",
      next: "Make the table anew: `ingot build`.",
    });
  }
  await refuseRepeatedKeys(run, `(${await scanSql(target.store, scannable(base))})`);
}

function noModel(models: readonly Model[], name: string): TerminalError {
  return new TerminalError(`there is no model ${name}`, {
    code: "BACKFILL_MODEL",
    value: name,
    allowed: models.map((model) => model.name).join(", "),
  });
}

function notByKey({ name, kind, contract }: Model): TerminalError {
  const why = contract.key.length === 0 ? "its contract has no key" : `it is of the kind ${kind}`;
  return new TerminalError(`a range of ${name} cannot be made again: ${why}`, {
    code: "BACKFILL_KIND",
    value: name,
    allowed: `models with a key, of the kinds ${KEPT_BY_KEY.join(", ")}`,
    next: `Make it anew as a whole: \`ingot build --anew ${name}\`.`,
  });
}

function changed({ name, file }: Model, change: string): TerminalError {
  return new TerminalError(`${name} is not the model any more that its table was made by`, {
    code: "BACKFILL_MODEL_CHANGED",
    value: `${file}: ${change}`,
    next: "The next `ingot build` makes it anew as a whole. With --accept only the range is made by the present SQL: the rest keeps what the former one made, and builds go on from there.",
  });
}
