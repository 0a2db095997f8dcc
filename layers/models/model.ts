/** Models of a pipeline: their SQL read from files, their references found, in an order that can be run. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { compileContract } from "../contract/compile.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { planAudits } from "./audit/plan-audits.ts";
import { identityOf } from "./fingerprint.ts";
import { KINDS } from "./kinds.ts";
import { inOrder } from "./order.ts";
import type { Model } from "./planned-model.ts";
import { findReferences } from "./references.ts";
import { readsSensitive } from "./sensitive.ts";

/** Reads the models of a pipeline, in the order of `inOrder`. */
export async function readModels(duckdb: DuckDb, pipeline: PipelineDefinition): Promise<Model[]> {
  const models: Model[] = [];
  for (const layer of ["silver", "gold"] as const) {
    for (const [table, definition] of Object.entries(pipeline[layer] ?? {})) {
      const file = sqlFile(pipeline, layer, table);
      const sql = await readSql(file);
      const rules = compileContract(definition.contract);
      const references = await findReferences(duckdb, sql, file);
      models.push({
        ...definition,
        layer,
        name: `${layer}.${table}`,
        table,
        rules,
        sql,
        file,
        references,
        readsSensitive: readsSensitive(pipeline, definition, references),
        audits: await planAudits(duckdb, pipeline, { name: `${layer}.${table}`, file, definition }),
        ...(await identityOf(duckdb, sql, definition, rules)),
      });
    }
  }
  const { tables, wal } = pipeline.source;
  const bronze = [...Object.keys(tables), ...(wal?.messages === undefined ? [] : [wal.messages])];
  const ordered = inOrder(models, new Set(bronze.map((name) => `bronze.${name}`)));
  return Promise.all(ordered.map((model) => KINDS[model.kind].plan(duckdb, model)));
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
