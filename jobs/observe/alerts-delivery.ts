/** Posting alerts: a few tries, then the next ones later and later; one that is refused does not hold back others. */
import type { Clock } from "../../lakehouse/lease/clock.ts";
import { postWebhook, type WebhookAnswer } from "../../layers/publish/webhook-post.ts";

export interface AlertReceiver {
  readonly url: string;
  readonly secret?: string | undefined;
}

/** Milliseconds that a receiver may take. */
const PATIENCE = 10_000;
/** Pauses before the second try and the third, in milliseconds. */
const PAUSES = [1_000, 5_000];
/** The longest that a receiver may ask to be left alone. */
const LONGEST_WAIT = 30_000;
/** Milliseconds without deliveries after one that failed, or of one that was refused; doubled with each. */
const FIRST_REST = 15_000;
const LONGEST_REST = 600_000;

/** What people may see of a receiver: a path or a query may hold a key. */
export const receiverName = ({ url }: AlertReceiver): string => `the webhook at ${new URL(url).host}`;

/** One try. */
export function postAlert(
  receiver: AlertReceiver,
  message: object,
  { key, signal, reads }: { readonly key: string; readonly signal?: AbortSignal; readonly reads?: boolean },
): Promise<WebhookAnswer> {
  return postWebhook(
    { ...receiver, name: receiverName(receiver) },
    {
      body: JSON.stringify(message),
      headers: { "idempotency-key": key },
      patience: PATIENCE,
      ...(signal === undefined ? {} : { signal }),
      ...(reads === undefined ? {} : { reads }),
    },
  );
}

interface Untaken {
  readonly failure: string;
  readonly isRefused: boolean;
  readonly retryInMs: number;
}

interface Rest {
  /** By the clock's `elapsed`. */
  readonly until: number;
  /** Failures one after the other. */
  readonly failures: number;
}

const NONE: Rest = { until: Number.NEGATIVE_INFINITY, failures: 0 };

/** Deliveries to one receiver, one after the other. */
export class Delivery {
  private readonly receiver: AlertReceiver;
  private readonly clock: Clock;
  private readonly stop: AbortSignal;
  /** While the receiver takes nothing. */
  private rest = NONE;
  /** Of alerts that it refuses, by their keys: it may take others. */
  private readonly refused = new Map<string, Rest>();

  constructor(receiver: AlertReceiver, clock: Clock, stop: AbortSignal) {
    this.receiver = receiver;
    this.clock = clock;
    this.stop = stop;
  }

  /** Whether nothing is to be posted now, or not the alert of this key. */
  isResting(key?: string): boolean {
    const { until } = key === undefined ? this.rest : (this.refused.get(key) ?? NONE);
    return this.clock.elapsed() < until;
  }

  /**
   * Posts one alert, with some tries. Undefined where it was taken; else why not, whether that was this alert's fault, and
   * in how many milliseconds it, or else anything, may be posted again.
   */
  async post(message: object, key: string): Promise<Untaken | undefined> {
    for (let tries = 0; ; tries++) {
      const answer = await postAlert(this.receiver, message, { key, signal: this.stop });
      const { failure, wait, passing } = answer;
      if (failure === undefined) {
        this.rest = NONE;
        this.refused.delete(key);
        return undefined;
      }
      const pause = PAUSES[tries];
      if (passing && pause !== undefined && !this.stop.aborted) {
        await this.clock.sleep(Math.min(LONGEST_WAIT, Math.max(pause, wait)), this.stop);
        if (!this.stop.aborted) continue;
      }
      return { failure, isRefused: !passing, retryInMs: passing ? this.restAll(wait) : this.restOne(key) };
    }
  }

  private restAll(wait: number): number {
    const { rest, milliseconds } = this.after(this.rest, wait);
    this.rest = rest;
    return milliseconds;
  }

  private restOne(key: string): number {
    const { rest, milliseconds } = this.after(this.refused.get(key) ?? NONE);
    // Of what nobody wants to tell any more nothing is kept.
    for (const [other, { until }] of this.refused)
      if (this.clock.elapsed() - until > LONGEST_REST) this.refused.delete(other);
    this.refused.set(key, rest);
    return milliseconds;
  }

  private after({ failures }: Rest, wait = 0): { readonly rest: Rest; readonly milliseconds: number } {
    const milliseconds = Math.min(LONGEST_REST, Math.max(wait, FIRST_REST * 2 ** failures));
    return { milliseconds, rest: { until: this.clock.elapsed() + milliseconds, failures: failures + 1 } };
  }
}
