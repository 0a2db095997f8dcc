/** A target as its readers use it: what is published there, and which version, without reading rows. */
import { resolve } from "node:path";
import { Cluster } from "ioredis";
import { retrying } from "../../lakehouse/retry.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import type { Config } from "../definition/config.ts";
import { EmbeddedTarget } from "./embedded.ts";
import { connectRedis, type RedisAddress, type RedisClient } from "./redis/connect.ts";
import { redisError, retryCodes } from "./redis/failure.ts";
import { PREFIXES, prefixOf } from "./redis/keys.ts";
import { readPointer } from "./redis/pointer.ts";
import type { PublishTarget, VersionStamp } from "./target.ts";
import { isExpired } from "./version-schema.ts";

export interface MetricsSource {
  readonly target: PublishTarget;
  /** What the newest version says of itself; undefined where nothing is published or it has expired. */
  stamp(set: string): Promise<VersionStamp | undefined>;
  /** Closes what is open beside the target. */
  close(): Promise<void>;
}

/** Names of the sets, of a pipeline or of all, that are or were published. */
export type ListSets = (pipeline: string | undefined) => Promise<readonly string[]>;

/** Of targets that cannot say it the version is read whole. */
export function sourceOf(target: PublishTarget): MetricsSource {
  const stamp = async (set: string) => {
    if (!(target instanceof EmbeddedTarget)) return stampOf(await target.read(set));
    return stampOf(await target.newestEvent(set));
  };
  return { target, stamp: async (set) => unexpired(await stamp(set)), close: async () => {} };
}

/** As `sourceOf`; pointers are read over a connection of their own. */
export function redisSource(
  target: PublishTarget,
  address: RedisAddress,
): MetricsSource & { readonly sets: ListSets } {
  let connecting: Promise<RedisClient> | undefined;
  const asked = async <T>(work: (client: RedisClient) => Promise<T>): Promise<T> => {
    connecting ??= connectRedis(address).catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    const client = await connecting;
    try {
      return await retrying(() => work(client), { codesOf: (error) => retryCodes(error, true) });
    } catch (error) {
      throw redisError(error, target.name);
    }
  };
  return {
    target,
    stamp: (set) => asked(async (client) => unexpired((await readPointer(client, set)).current?.parsed)),
    sets: (pipeline) => asked((client) => redisSets(client, pipeline)),
    close: async () => {
      const client = await connecting?.catch(() => undefined);
      await client?.quit().catch(() => client.disconnect());
    },
  };
}

/** Address of a target that is Redis, as `openNamed` finds it. */
export function redisAddress(
  { redis, targets }: Pick<Config, "redis" | "targets">,
  folder: string,
  name: string | undefined,
): RedisAddress | undefined {
  const declared = name === undefined ? undefined : targets?.[name];
  if (declared === undefined) {
    return redis !== undefined && (name ?? "redis") === "redis" ? { url: redis } : undefined;
  }
  if (declared.kind !== "redis") return undefined;
  const { kind: _kind, ca, ...address } = declared;
  return { ...address, ...(ca === undefined ? {} : { ca: resolve(folder, ca) }) };
}

/** Sets in the files of a lake. */
export async function fileSets(store: ObjectStore, pipeline: string | undefined): Promise<readonly string[]> {
  const objects = await store.list(pipeline === undefined ? "" : `${pipeline}/_ingot/published/`);
  const sets = objects.flatMap(({ path }) => {
    const [, owner, name] = /^([^/]+)\/_ingot\/published\/([^/]+)\//.exec(path) ?? [];
    return owner === undefined ? [] : [`${owner}/${name}`];
  });
  return [...new Set(sets)];
}

/** Pointers by their names, in small steps; those with prefixes of their own stand in one place. */
async function redisSets(client: RedisClient, pipeline: string | undefined): Promise<readonly string[]> {
  const begin = pipeline === undefined ? "" : `${pipeline}/`;
  const sets = new Set((await client.hkeys(PREFIXES)).filter((set) => set.startsWith(begin)));
  const name = prefixOf(`${begin.replaceAll(/[*?[\]\\^]/g, "\\$&")}*`, undefined);
  const length = prefixOf("", undefined).length - 1;
  for (const node of client instanceof Cluster ? client.nodes("master") : [client]) {
    let cursor = "0";
    do {
      const [next, keys] = await node.scan(cursor, "MATCH", name, "COUNT", 1_000);
      for (const key of keys) sets.add(key.slice(length, -1));
      cursor = next;
    } while (cursor !== "0");
  }
  return [...sets];
}

function stampOf(version: VersionStamp | undefined): VersionStamp | undefined {
  if (version === undefined) return undefined;
  const { set, token, version: number, publishedAt, expiresAt, source } = version;
  return {
    set,
    token,
    version: number,
    publishedAt,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(source === undefined ? {} : { source }),
  };
}

const unexpired = (stamp: VersionStamp | undefined): VersionStamp | undefined =>
  stamp === undefined || isExpired(stamp, Date.now()) ? undefined : stamp;
