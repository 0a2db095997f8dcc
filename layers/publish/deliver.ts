/** What every subscription does with the versions that it finds: each once, none that is older than the last. */
import { setTimeout as delay } from "node:timers/promises";
import type { Subscription, VersionEvent } from "./target.ts";

type Listener = (event: VersionEvent) => void | Promise<void>;

/** Passes events on in order. */
export class Delivery {
  /** Id of the last event that was dealt with. */
  last: string | undefined;
  private token = "";
  private readonly onVersion: Listener;

  constructor(onVersion: Listener, from: string | undefined) {
    this.onVersion = onVersion;
    this.last = from;
  }

  /** An older version comes through only where somebody rolled back to it: a target may have been set back. */
  async deliver(event: VersionEvent): Promise<void> {
    if (event.rolledBack || event.token >= this.token) {
      await this.onVersion(event);
      this.token = event.token;
    }
    this.last = event.id;
  }
}

/** Runs `work` until it is closed or fails. `work` gets a signal that it must heed; `stop` ends what it waits for. */
export function subscription(
  work: (signal: AbortSignal) => Promise<void>,
  stop: () => void = () => {},
): Subscription {
  const closing = new AbortController();
  const done = work(closing.signal);
  // Whoever does not look at it is told by `close`.
  done.catch(() => {});
  return {
    done,
    close: async () => {
      closing.abort();
      stop();
      await done;
    },
  };
}

/** A subscription to what can only be asked: `newest` gives the event of now. */
export function polling(
  newest: () => Promise<VersionEvent | undefined>,
  onVersion: Listener,
  { from, every }: { readonly from?: string | undefined; readonly every: number },
): Subscription {
  const delivery = new Delivery(onVersion, from);
  return subscription(async (signal) => {
    while (!signal.aborted) {
      const event = await newest();
      if (event !== undefined && event.id !== delivery.last) await delivery.deliver(event);
      await pause(every, signal);
    }
  });
}

/** Waits, or until the signal. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}
