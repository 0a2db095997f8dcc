/** What consumers see of a traced table. */
import { messageOf } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { setOf } from "../publish/publication.ts";
import type { TargetByName } from "../publish/publish.ts";
import type { PublishTarget } from "../publish/target.ts";
import type { PublishedState } from "./traced.ts";

/**
 * For each set that is published of a gold table, and each place: the version there, and its rows that fulfil the
 * conditions. A place that is away is told as such: it is no reason to say nothing of the lake.
 */
export async function publishedStates(
  pipeline: PipelineDefinition,
  reference: string,
  where: readonly (readonly [column: string, value: string])[],
  limit: number,
  targets: TargetByName,
): Promise<PublishedState[]> {
  const [layer, table] = reference.split(".");
  const metrics = layer === "gold" ? (pipeline.publish ?? []).filter(({ model }) => model === table) : [];
  const states: PublishedState[] = [];
  for (const metric of metrics) {
    const set = setOf(pipeline.name, metric);
    for (const name of metric.to ?? [undefined]) {
      const nothing = { set, target: name ?? "", version: null, publishedAt: null, rows: [], error: null };
      try {
        states.push(await stateAt(await targets(name), set, where, limit));
      } catch (error) {
        states.push({ ...nothing, error: messageOf(error) });
      }
    }
  }
  return states;
}

async function stateAt(
  target: PublishTarget,
  set: string,
  where: readonly (readonly [column: string, value: string])[],
  limit: number,
): Promise<PublishedState> {
  const published = await target.read(set);
  const rows = published?.rows.filter((row) =>
    where.every(([column, value]) => String(row[column]) === value),
  );
  return {
    set,
    target: target.name,
    version: published?.version ?? null,
    publishedAt: published?.publishedAt ?? null,
    rows: rows?.slice(0, limit) ?? [],
    error: null,
  };
}
