/** What a consumer uses: the newest version of a metric, whole, wherever it was published. */
import { openStore } from "../../lakehouse/lake.ts";
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
  /** The newest version of `pipeline/metric`; undefined where nothing is published or it has expired. */
  get(pipeline: string, metric: string): Promise<PublishedVersion | undefined>;
  /** What is published of a pipeline, by name, without rows. In Redis this goes through the names of all keys. */
  list(pipeline: string): Promise<readonly VersionStamp[]>;
  /** One row of a metric that is published as lookup, by its key. */
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
 * pipeline, whose name it is then told, the client is typed by what that one declares. Rejects with `REDIS_UNREACHABLE`.
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
  if ("redis" in where) {
    const address = typeof where.redis === "string" ? { url: where.redis } : where.redis;
    return redisSource(await RedisTarget.connect(address), address);
  }
  const store = openStore(where.lake);
  return { ...sourceOf(new EmbeddedTarget(store)), sets: (pipeline) => fileSets(store, pipeline) };
}

function clientOf(source: MetricsSource & { readonly sets: ListSets }): MetricsClient {
  const { target } = source;
  return {
    get: (pipeline, metric) => target.read(`${pipeline}/${metric}`),
    list: async (pipeline) => {
      const stamps = await Promise.all((await source.sets(pipeline)).map((set) => source.stamp(set)));
      return stamps.filter((stamp) => stamp !== undefined).sort((a, b) => (a.set < b.set ? -1 : 1));
    },
    row: (pipeline, metric, ...key) => target.readRow(`${pipeline}/${metric}`, key.map(String)),
    subscribe: (pipeline, metric, onVersion, options) =>
      listen(target, `${pipeline}/${metric}`, onVersion, options),
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
