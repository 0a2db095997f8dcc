/** Models of a pipeline: their SQL read from files, their references found, in an order that can be run. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { compileContract } from "../contract/compile.ts";
import type { CompiledContract } from "../contract/rule.ts";
import type { ModelDefinition, PipelineDefinition } from "../definition/pipeline.ts";
import { planGroups } from "./aggregate/plan.ts";
import type { Model } from "./planned-model.ts";
import { findReferences } from "./references.ts";
import { checkRowwise } from "./row-query.ts";

export type { Model } from "./planned-model.ts";

/** Reads the models of a pipeline and orders them: every model after all that it reads. */
export async function readModels(duckdb: DuckDb, pipeline: PipelineDefinition): Promise<Model[]> {
  const models: Model[] = [];
  for (const layer of ["silver", "gold"] as const) {
    for (const [table, definition] of Object.entries(pipeline[layer] ?? {})) {
      const file = sqlFile(pipeline, layer, table);
      const sql = await readSql(file);
      const rules = compileContract(definition.contract);
      const model: Model = {
        layer,
        name: `${layer}.${table}`,
        table,
        kind: definition.kind,
        contract: definition.contract,
        rules,
        quarantine: definition.quarantine ?? {},
        sql,
        file,
        references: await findReferences(duckdb, sql, file),
        touches: definition.touches,
        reach: definition.reach,
        fingerprint: fingerprint(sql, definition, rules),
      };
      models.push(model);
    }
  }
  const { tables, wal } = pipeline.source;
  const bronze = [...Object.keys(tables), ...(wal?.messages === undefined ? [] : [wal.messages])];
  const ordered = inOrder(models, new Set(bronze.map((name) => `bronze.${name}`)));
  return Promise.all(ordered.map((model) => planned(duckdb, model)));
}

/** Refuses what the kind of a model cannot keep up to date. */
async function planned(duckdb: DuckDb, model: Model): Promise<Model> {
  if (model.kind === "merge" && model.layer !== "silver") {
    throw new TerminalError(`model ${model.name} cannot be kept as current state outside of silver`, {
      code: "MODEL_MERGE",
      value: model.file,
      allowed: "merge in silver; aggregate and full in gold",
      next: "Move it to silver.",
    });
  }
  if (model.kind === "aggregate") return { ...model, groups: await planGroups(duckdb, model) };
  if (model.kind !== "full") await checkRowwise(duckdb, model);
  return model;
}

function sqlFile(pipeline: PipelineDefinition, layer: string, table: string): string {
  if (pipeline.folder === undefined) {
    throw new TerminalError(`pipeline ${pipeline.name} has models but no folder to find their SQL in`, {
      code: "PIPELINE_NO_FOLDER",
      value: `${layer}.${table}`,
      next: 'Add `folder: new URL(".", import.meta.url)` to the pipeline.',
    });
  }
  return fileURLToPath(new URL(`${layer}/${table}.sql`, pipeline.folder));
}

async function readSql(file: string): Promise<string> {
  try {
    // A trailing semicolon is a habit, not a second statement.
    return (await readFile(file, "utf8")).trim().replace(/;$/, "");
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT") throw cause;
    throw new TerminalError(`the SQL of a model is missing: ${file}`, {
      code: "MODEL_NO_SQL",
      value: file,
      next: "Create the file, or take the model out of the pipeline.",
      cause,
    });
  }
}

/** Changes with the way in which tables are kept, so that those of former ways are made anew. */
const LAYOUT = 2;

function fingerprint(
  sql: string,
  { kind, contract, touches, reach }: ModelDefinition,
  rules: CompiledContract,
): string {
  const columns = Object.entries(contract.columns).map(([name, column]) => [name, column.type]);
  const { key, partitionBy } = contract;
  return createHash("sha256")
    .update(JSON.stringify([LAYOUT, sql, kind, columns, key, partitionBy, touches, reach, rules.fingerprint]))
    .digest("hex");
}

function inOrder(models: readonly Model[], bronze: ReadonlySet<string>): Model[] {
  const byName = new Map(models.map((model) => [model.name, model]));
  const ordered: Model[] = [];
  const state = new Map<string, "visiting" | "done">();
  const visit = (model: Model, path: readonly string[]): void => {
    if (state.get(model.name) === "done") return;
    if (state.get(model.name) === "visiting") {
      throw new TerminalError("models depend on each other in a circle", {
        code: "MODEL_CYCLE",
        value: [...path.slice(path.indexOf(model.name)), model.name].join(" → "),
        next: `Break the circle in ${model.file}.`,
      });
    }
    state.set(model.name, "visiting");
    for (const reference of model.references) {
      const upstream = byName.get(reference);
      if (upstream) visit(upstream, [...path, model.name]);
      else if (!bronze.has(reference))
        throw unknownReference(model, reference, [...bronze, ...byName.keys()]);
    }
    state.set(model.name, "done");
    ordered.push(model);
  };
  for (const model of models) visit(model, []);
  return ordered;
}

function unknownReference(model: Model, reference: string, known: readonly string[]): TerminalError {
  return new TerminalError(`model ${model.name} reads ${reference}, which does not exist`, {
    code: "MODEL_UNKNOWN_TABLE",
    value: reference,
    allowed: known.join(", "),
    next: `Correct the name in ${model.file}.`,
  });
}
