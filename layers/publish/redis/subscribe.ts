/**
 * Versions as they come, out of the set's stream: a read that waits is as quick as a message, and goes on from the
 * last event after a connection was lost, where a message would be missed. What the stream does not have any more
 * (it was trimmed, or Redis lost it) the pointer has.
 */
import type { Redis } from "ioredis";
import { messageOf } from "../../../lakehouse/errors.ts";
import { Delivery, pause, subscription } from "../deliver.ts";
import type { SubscribeOptions, Subscription, VersionEvent } from "../target.ts";
import { parseStamp } from "../version-schema.ts";
import { type RedisClient, separateConnection } from "./connect.ts";
import { retryCodes } from "./failure.ts";
import { eventsKey } from "./keys.ts";
import { type Current, readPointer } from "./pointer.ts";

/** Milliseconds for which a read waits before the pointer is looked at again. */
const WAIT = 5_000;
/** While nothing was published yet: the set may get another prefix when it is. */
const WAIT_FIRST = 1_000;
const RECONNECT = 200;
/** Its slot is at another node now. */
const MOVED = /^(MOVED|ASK)\b/;

export function subscribeToStream(
  client: RedisClient,
  set: string,
  onVersion: (event: VersionEvent) => void | Promise<void>,
  { from }: SubscribeOptions,
): Subscription {
  const delivery = new Delivery(onVersion, from);
  const stream = new SetStream(client, set);
  return subscription(
    async (signal) => {
      try {
        while (!signal.aborted) {
          const events = await stream.next(delivery.last, signal);
          for (const event of events) await delivery.deliver(event);
        }
      } finally {
        stream.close();
      }
    },
    () => stream.close(),
  );
}

/** Events of a set, over a connection of its own. */
class SetStream {
  private readonly client: RedisClient;
  private readonly set: string;
  private connection: Redis | undefined;
  private prefix: string | undefined;

  constructor(client: RedisClient, set: string) {
    this.client = client;
    this.set = set;
  }

  /** Those after the last one; none where it was closed, the connection was lost, or nothing happened for a while. */
  async next(last: string | undefined, signal: AbortSignal): Promise<VersionEvent[]> {
    try {
      const { prefix, current } = await readPointer(this.client, this.set);
      const connection = await this.connectionFor(prefix);
      if (signal.aborted) return [];
      return await nextEvents(connection, prefix, current, last);
    } catch (error) {
      if (signal.aborted) return [];
      if (retryCodes(error, true).length === 0 && !MOVED.test(messageOf(error))) throw error;
      this.close();
      await pause(RECONNECT, signal);
      return [];
    }
  }

  close(): void {
    this.connection?.disconnect();
    this.connection = undefined;
  }

  /** A set that is published under another key may be on another node. */
  private async connectionFor(prefix: string): Promise<Redis> {
    if (this.prefix !== prefix) this.close();
    this.connection ??= await separateConnection(this.client, prefix);
    this.prefix = prefix;
    return this.connection;
  }
}

/** What happened since the last event; waits for it where nothing did. */
async function nextEvents(
  connection: Redis,
  prefix: string,
  current: Current | undefined,
  last: string | undefined,
): Promise<VersionEvent[]> {
  if (last === undefined && current !== undefined) return [eventOf(current)];
  const behind = current !== undefined && current.event !== last;
  const key = eventsKey(prefix);
  const after = last ?? "0-0";
  const answer = behind
    ? await connection.xread("STREAMS", key, after)
    : await connection.xread("BLOCK", current === undefined ? WAIT_FIRST : WAIT, "STREAMS", key, after);
  const entries = answer?.[0]?.[1] ?? [];
  if (entries.length === 0) return behind ? [eventOf(current)] : [];
  return entries.map(([id, fields]) => ({
    ...parseStamp(fields[1] ?? "", `${key}, ${id}`),
    id,
    rolledBack: fields[3] === "1",
  }));
}

const eventOf = ({ parsed, event, rolledBack }: Current): VersionEvent => ({
  ...parsed,
  id: event,
  rolledBack: rolledBack !== undefined,
});
