/** What a server serves: the sets that pipelines declare, and from where each is read. */

import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import type { PublishedMetric } from "../../layers/definition/published.ts";
import type { MetricsSource } from "../../layers/publish/client-source.ts";
import { setOf } from "../../layers/publish/publication.ts";
import type { AnyContract } from "../../schemas/table.ts";

export interface ServedSet {
  /** `pipeline/metric` */
  readonly set: string;
  readonly declared: PublishedMetric;
  /** Of the gold table. */
  readonly contract: AnyContract | undefined;
  readonly source: MetricsSource;
}

/** By `pipeline/metric`; `open` gives the source of a target by its name, of the installation's own without one. */
export async function servedSets(
  pipelines: readonly PipelineDefinition[],
  open: (name: string | undefined) => Promise<MetricsSource>,
): Promise<ReadonlyMap<string, ServedSet>> {
  const sets = new Map<string, ServedSet>();
  for (const pipeline of pipelines) {
    for (const declared of pipeline.publish ?? []) {
      const set = setOf(pipeline.name, declared);
      const contract = pipeline.gold?.[declared.model]?.contract;
      // One of its targets is enough: all of them have the same versions.
      sets.set(set, { set, declared, contract, source: await open(declared.to?.[0]) });
    }
  }
  return sets;
}

/** Columns whose values together are the key of a lookup; undefined of other forms. */
export function lookupKey({ declared, contract }: ServedSet): readonly string[] | undefined {
  if (declared.as?.kind !== "lookup") return undefined;
  return declared.as.by ?? contract?.key ?? [];
}
