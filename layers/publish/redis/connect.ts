/** Connections to Redis: one server, one behind sentinels, or a cluster, which is found out by asking. */
import { readFile } from "node:fs/promises";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { messageOf, TransientError } from "../../../lakehouse/errors.ts";

/** Where a Redis is. */
export interface RedisAddress {
  /** redis:// or rediss:// (TLS), with user, password and database as usual; of a cluster, any of its nodes. */
  readonly url: string;
  /** Whether it is a cluster; asked by default, which a user without the right to INFO may not. */
  readonly cluster?: boolean | undefined;
  /** File with the certificate of the authority that signed the server's, where it is none that everyone knows. */
  readonly ca?: string | undefined;
  /** host:port of sentinels, which know where the primary is; `url` then says user, password and database. */
  readonly sentinels?: readonly string[] | undefined;
  /** Name of the primary at the sentinels. */
  readonly master?: string | undefined;
}

export type RedisClient = Redis | Cluster;

type Options = Omit<RedisOptions, "replyMapping">;

/** Tries to connect before the first connection; later ones go on for as long as the process lives. */
const FIRST_TRIES = 3;
const LONGEST_PAUSE = 500;

/** Connects, or says in one sentence why not. */
export async function connectRedis(address: RedisAddress): Promise<RedisClient> {
  const shown = addressOf(address);
  let reason: unknown;
  let connected = false;
  let client: RedisClient | undefined;
  try {
    const options: Options = {
      ...(await optionsOf(address)),
      lazyConnect: true,
      // It asks INFO, which a user of few rights may not.
      enableReadyCheck: false,
      connectTimeout: 5_000,
      commandTimeout: 30_000,
      maxRetriesPerRequest: 2,
      // A command that may have been carried out is not sent again: the publication decides what to do.
      autoResendUnfulfilledCommands: false,
      reconnectOnError: (error) => error.message.startsWith("READONLY"),
      retryStrategy: (attempt) =>
        connected || attempt < FIRST_TRIES ? Math.min(LONGEST_PAUSE, 100 * attempt) : null,
    };
    const listen = <T extends RedisClient>(made: T): T => {
      made.on("error", (error) => {
        reason = error;
      });
      return made;
    };
    const single = listen(new Redis(options));
    client = single;
    await single.connect();
    await single.ping();
    if (address.cluster ?? (await isCluster(single))) {
      await single.quit();
      const cluster = listen(clusterOf(options, () => connected));
      client = cluster;
      await cluster.connect();
    }
    connected = true;
    return client;
  } catch (error) {
    client?.disconnect();
    throw new TransientError(`cannot use Redis at ${shown}: ${messageOf(reason ?? error)}`, {
      code: "REDIS_UNREACHABLE",
      value: shown,
      next: "Check REDIS_URL; without it the metrics are published as files in the lake.",
      cause: reason ?? error,
    });
  }
}

/**
 * A connection of its own to the node that has a key, for commands that wait. It is not opened again when it is lost:
 * another node may have the key by then.
 */
export async function separateConnection(client: RedisClient, key: string): Promise<Redis> {
  const node = client instanceof Redis ? client : await nodeOf(client, key);
  const connection = node.duplicate({
    lazyConnect: true,
    commandTimeout: 30_000,
    retryStrategy: () => null,
    reconnectOnError: null,
  });
  // Without a listener a connection that drops would end the process; commands reject all the same.
  connection.on("error", () => {});
  await connection.connect();
  return connection;
}

async function nodeOf(cluster: Cluster, key: string): Promise<Redis> {
  const slot = Number(await cluster.cluster("KEYSLOT", key));
  const owner = cluster.slots[slot]?.[0];
  const nodes = cluster.nodes("master");
  const node = nodes.find(({ options }) => `${options.host}:${options.port}` === owner) ?? nodes[0];
  if (node === undefined) throw new Error("Connection is closed.");
  return node;
}

function clusterOf(options: Options, connected: () => boolean): Cluster {
  const { host = "localhost", port = 6379, username, password, tls } = options;
  return new Cluster([{ host, port }], {
    redisOptions: {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
      connectTimeout: 5_000,
      commandTimeout: 30_000,
      maxRetriesPerRequest: 2,
      autoResendUnfulfilledCommands: false,
    },
    lazyConnect: true,
    enableReadyCheck: false,
    // Certificates name hosts, nodes tell addresses.
    dnsLookup: (name, callback) => callback(null, name),
    clusterRetryStrategy: (attempt) =>
      connected() || attempt < FIRST_TRIES ? Math.min(LONGEST_PAUSE, 100 * attempt) : null,
  });
}

async function isCluster(client: Redis): Promise<boolean> {
  const info = await client.info("cluster").catch(() => "");
  return /^cluster_enabled:1/m.test(info);
}

async function optionsOf({ url, ca, sentinels, master }: RedisAddress): Promise<Options> {
  const { hostname, port, pathname, username, password, protocol } = new URL(url);
  const tls =
    protocol === "rediss:" ? { tls: ca === undefined ? {} : { ca: await readFile(ca, "utf8") } } : {};
  const login = {
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    db: Number(pathname.slice(1)) || 0,
  };
  if (sentinels === undefined) {
    return { ...login, ...tls, host: hostname || "localhost", port: Number(port || "6379") };
  }
  const places = sentinels.map((text) => {
    const at = text.lastIndexOf(":");
    return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
  });
  return {
    ...login,
    ...tls,
    sentinels: places,
    name: master ?? "mymaster",
    sentinelRetryStrategy: (n) => (n < 20 ? 100 : null),
  };
}

/** host:port/database, never the password. */
export function addressOf({ url, sentinels, master }: RedisAddress): string {
  if (sentinels !== undefined) return `${master ?? "mymaster"} of sentinels ${sentinels.join(", ")}`;
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname || "localhost"}:${port || "6379"}${pathname}`;
  } catch {
    return "the address in REDIS_URL";
  }
}
