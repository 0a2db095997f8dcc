/** What a consumer uses: the newest version of a metric, whole, wherever it was published. */
import { stat } from "node:fs/promises";
import { TerminalError } from "../../lakehouse/errors.ts";
import { isAddress, openStore } from "../../lakehouse/lake.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { fileSets, type ListSets, type MetricsSource, redisSource, sourceOf } from "./client-source.ts";
import type { KeyPart, LookupKey, LookupName, MetricName, MetricRow, MetricVersion } from "./client-types.ts";
import { EmbeddedTarget } from "./embedded.ts";
import type { RedisAddress } from "./redis/connect.ts";
import { RedisTarget } from "./redis.ts";
import type {
  PublishedRow,
  PublishedVersion,
  PublishTarget,
  SubscribeOptions,
  Subscription,
  VersionEvent,
  VersionStamp,
} from "./target.ts";

type OnVersion = (event: VersionEvent) => void | Promise<void>;

export interface ListenOptions extends SubscribeOptions {
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

/** Where metrics are: Redis, or the lake in whose files they are. */
export type MetricsPlace = { readonly redis: string | RedisAddress } | { readonly lake: string };

export interface MetricsClient {
  /** The newest version of `pipeline/metric`; undefined where nothing is published under this name or it has expired. */
  get(pipeline: string, metric: string): Promise<PublishedVersion | undefined>;
  /**
   * What is published of a pipeline, or of all of them, by name, without rows. In Redis this goes through the names of
   * all keys; in a lake, for all pipelines, through those of all files.
   */
  list(pipeline?: string): Promise<readonly VersionStamp[]>;
  /** One row of a metric that is published as lookup, by its key. Rejects with `METRICS_NO_LOOKUP` of other forms. */
  row(pipeline: string, metric: string, ...key: readonly KeyPart[]): Promise<PublishedRow | undefined>;
  /**
   * Calls for the version of now and for each that follows it; see `PublishTarget.subscribe`. A lost connection is made
   * again and goes on from the last event; `from` does so over processes.
   */
  subscribe(
    pipeline: string,
    metric: string,
    onVersion: OnVersion,
    options?: ListenOptions,
  ): Promise<Subscription>;
  close(): Promise<void>;
}

/** A client of one pipeline: names, columns and keys are those that it declares. */
export interface PipelineMetrics<P extends PipelineDefinition> {
  get<N extends MetricName<P>>(metric: N): Promise<MetricVersion<P, N> | undefined>;
  list(): Promise<readonly VersionStamp[]>;
  row<N extends LookupName<P>>(
    metric: N,
    ...key: LookupKey<P, N>
  ): Promise<MetricRow<P, N & MetricName<P>> | undefined>;
  subscribe(metric: MetricName<P>, onVersion: OnVersion, options?: ListenOptions): Promise<Subscription>;
  close(): Promise<void>;
}

/**
 * Reads from Redis where an address is given, else from the files of the embedded target in a lake. With the type of a
 * pipeline, whose name it is then told, the client is typed by what that one declares. Rejects with `REDIS_UNREACHABLE`,
 * `METRICS_PLACE` where no place is given, `METRICS_NO_LAKE` where the folder is not there. `close` ends its connections.
 */
export async function createMetricsClient<P extends PipelineDefinition>(
  where: MetricsPlace & { readonly pipeline: P["name"] },
): Promise<PipelineMetrics<P>>;
export async function createMetricsClient(where: MetricsPlace): Promise<MetricsClient>;
export async function createMetricsClient(
  where: MetricsPlace & { readonly pipeline?: string },
): Promise<MetricsClient | PipelineMetrics<PipelineDefinition>> {
  const client = clientOf(await openSource(where));
  return where.pipeline === undefined ? client : bound(client, where.pipeline);
}

function bound(client: MetricsClient, pipeline: string): PipelineMetrics<PipelineDefinition> {
  return {
    get: (metric) => client.get(pipeline, metric),
    list: () => client.list(pipeline),
    row: (metric, ...key) => client.row(pipeline, metric, ...key),
    subscribe: (metric, onVersion, options) => client.subscribe(pipeline, metric, onVersion, options),
    close: () => client.close(),
  };
}

async function openSource(where: MetricsPlace): Promise<MetricsSource & { readonly sets: ListSets }> {
  // Callers without types, or whose variable of the environment is not set, give neither.
  const { redis, lake }: Partial<Record<"redis", string | RedisAddress> & Record<"lake", string>> = where;
  if (redis) {
    const address = typeof redis === "string" ? { url: redis } : redis;
    return redisSource(await RedisTarget.connect(address), address);
  }
  if (!lake) throw noPlace(where);
  await refuseNoLake(lake);
  const store = openStore(lake);
  return { ...sourceOf(new EmbeddedTarget(store)), sets: (pipeline) => fileSets(store, pipeline) };
}

function noPlace(where: object): TerminalError {
  return new TerminalError("createMetricsClient is not told where the metrics are: say redis or lake", {
    code: "METRICS_PLACE",
    value: `{ ${Object.keys(where).join(", ")} }`,
    allowed: '{ redis: "redis://host:6379" } or { lake: "./lake" }',
    next: "Where the address comes from a variable of the environment, see that it is set.",
  });
}

/** In a folder that is not there nothing is ever published; of a bucket's prefix nobody can tell. */
async function refuseNoLake(lake: string): Promise<void> {
  if (isAddress(lake)) return;
  const found = await stat(lake).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new TerminalError(`there is no lake at ${lake}`, {
    code: "METRICS_NO_LAKE",
    value: lake,
    allowed: "the folder of a lake",
    next: "Check the path, which is taken from where the process runs; `ingot run` makes the lake and publishes.",
  });
}

/** The name of a set. A client of all pipelines that is told one name has been asked as if it were bound to one. */
function setOf(pipeline: string, metric: string | undefined): string {
  if (pipeline && metric) return `${pipeline}/${metric}`;
  throw new TerminalError("a client of all pipelines is asked with the names of a pipeline and of a metric", {
    code: "METRICS_NAME",
    value: pipeline,
    allowed: 'get("shop", "totals")',
    next: "Give both names, or the pipeline to createMetricsClient.",
  });
}

function clientOf(source: MetricsSource & { readonly sets: ListSets }): MetricsClient {
  const { target } = source;
  return {
    get: async (pipeline, metric) => target.read(setOf(pipeline, metric)),
    list: async (pipeline) => {
      const stamps = await Promise.all((await source.sets(pipeline)).map((set) => source.stamp(set)));
      return stamps.filter((stamp) => stamp !== undefined).sort((a, b) => (a.set < b.set ? -1 : 1));
    },
    row: async (pipeline, metric, ...key) => target.readRow(setOf(pipeline, metric), key.map(String)),
    subscribe: async (pipeline, metric, onVersion, options) =>
      listen(target, setOf(pipeline, metric), onVersion, options),
    close: async () => {
      await Promise.all([source.close(), target.close()]);
    },
  };
}

async function listen(
  target: PublishTarget,
  set: string,
  onVersion: OnVersion,
  { from, signal }: ListenOptions = {},
): Promise<Subscription> {
  const subscription = await target.subscribe(set, onVersion, from === undefined ? {} : { from });
  if (signal === undefined) return subscription;
  // Whoever waits for its end is told by `done`.
  const end = () => void subscription.close().catch(() => {});
  signal.addEventListener("abort", end, { once: true });
  const forget = () => signal.removeEventListener("abort", end);
  subscription.done.then(forget, forget);
  if (signal.aborted) end();
  return subscription;
}
