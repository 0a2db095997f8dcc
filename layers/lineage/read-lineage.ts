/** The lineage of a pipeline as it is configured, over the tables that its lake holds. */
import type { Lake } from "../../lakehouse/lake.ts";
import { META_COLUMNS } from "../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { readModels } from "../models/model.ts";
import type { Model } from "../models/planned-model.ts";
import { type PipelineLineage, readLineage } from "./pipeline-lineage.ts";

/** Models of a pipeline and their lineage. Bronze tables that were not loaded yet have the columns that models name. */
export async function lineageOf(
  lake: Lake,
  pipeline: PipelineDefinition,
): Promise<{ models: readonly Model[]; lineage: PipelineLineage }> {
  const models = await readModels(lake.duckdb, pipeline);
  const sources = new Map<string, string[]>();
  for (const reference of new Set(models.flatMap((model) => model.references))) {
    const [layer, name] = reference.split(".");
    if (layer !== "bronze") continue;
    const snapshot = await lake.table(`${pipeline.name}/${layer}/${name}`).snapshot();
    if (snapshot === undefined) continue;
    const names = snapshot.schema.fields.map((field) => field.name);
    sources.set(
      reference,
      names.filter((column) => !META_COLUMNS.includes(column)),
    );
  }
  return { models, lineage: await readLineage(lake.duckdb, models, sources) };
}
