/** What is published, by what its newest version says of itself. */
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { type MetricsSource, redisAddress, redisSource } from "../../layers/publish/client-source.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { PostgresTableTarget } from "../../layers/publish/postgres-table.ts";
import { setOf } from "../../layers/publish/publication.ts";
import type { VersionStamp } from "../../layers/publish/target.ts";
import { isExpired } from "../../layers/publish/version-schema.ts";
import { WebhookTarget } from "../../layers/publish/webhook.ts";
import type { Runtime } from "../runtime.ts";
import type { Parts } from "./parts.ts";

export interface PublishedObservation {
  /** `commerce/daily_revenue` */
  readonly set: string;
  /** ISO 8601. */
  readonly publishedAt: string;
  /** Milliseconds since then. It grows while there is nothing new to publish. */
  readonly ageMs: number;
}

/** Sources of versions by the target's name. */
export type OpenSources = Map<string | undefined, Pick<MetricsSource, "stamp" | "close">>;

/** The sets of these pipelines that are published, each as the first of its targets has it. */
export async function observePublished(
  runtime: Pick<Runtime, "config" | "folder" | "target">,
  pipelines: readonly PipelineDefinition[],
  parts: Parts,
  open: OpenSources,
  at: number,
): Promise<PublishedObservation[]> {
  const declared = pipelines.flatMap(({ name, publish = [] }) =>
    publish.map((metric) => ({ set: setOf(name, metric), target: metric.to?.[0] })),
  );
  const found = await Promise.all(
    declared.map(({ set, target }) =>
      parts.look(`published ${set}`, async () => (await sourceOf(runtime, target, open)).stamp(set)),
    ),
  );
  return found.flatMap((stamp) => {
    if (stamp === undefined || isExpired(stamp, at)) return [];
    const { set, publishedAt } = stamp;
    return [{ set, publishedAt, ageMs: Math.max(0, at - Date.parse(publishedAt)) }];
  });
}

async function sourceOf(
  runtime: Pick<Runtime, "config" | "folder" | "target">,
  name: string | undefined,
  open: OpenSources,
): Promise<Pick<MetricsSource, "stamp" | "close">> {
  const known = open.get(name);
  if (known !== undefined) return known;
  const target = await runtime.target(name);
  const address = redisAddress(runtime.config, runtime.folder, name);
  // Another part may have been faster.
  const source = open.get(name) ?? (address === undefined ? of(target) : redisSource(target, address));
  open.set(name, source);
  return source;
}

const of = (target: unknown): Pick<MetricsSource, "stamp" | "close"> => ({
  stamp: async (set): Promise<VersionStamp | undefined> =>
    target instanceof EmbeddedTarget ||
    target instanceof PostgresTableTarget ||
    target instanceof WebhookTarget
      ? target.newestEvent(set)
      : undefined,
  close: async () => {},
});
