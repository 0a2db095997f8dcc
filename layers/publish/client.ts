/** What a consumer uses: the newest version of a metric, whole, wherever it was published. */
import { openStore } from "../../lakehouse/lake.ts";
import { EmbeddedTarget } from "./embedded.ts";
import { RedisTarget } from "./redis.ts";
import type { PublishedVersion } from "./target.ts";

export interface MetricsClient {
  /** The newest version of `pipeline/metric`; undefined where nothing is published or it has expired. */
  get(pipeline: string, metric: string): Promise<PublishedVersion | undefined>;
  close(): Promise<void>;
}

/** Reads from Redis where an address is given, else from the files of the embedded target in a lake. */
export async function createMetricsClient(
  where: { readonly redis: string } | { readonly lake: string },
): Promise<MetricsClient> {
  const target =
    "redis" in where ? await RedisTarget.connect(where.redis) : new EmbeddedTarget(openStore(where.lake));
  return {
    get: (pipeline, metric) => target.read(`${pipeline}/${metric}`),
    close: () => target.close(),
  };
}
