/** What is tried again, when and how often: the only table of its kind, for every service Ingot talks to. */
import { setTimeout as pauseFor } from "node:timers/promises";

/** How a kind of failure is met. */
export interface RetryRule {
  /** Pauses before the second try, the third and so on, in milliseconds; as many further tries as pauses. */
  readonly delays: readonly number[];
  /** Whether the service may have done what it was asked although it failed. */
  readonly applied: "never" | "maybe";
}

/** No connection was made: nothing was asked yet. */
const UNCONNECTED: RetryRule = { delays: [100, 300, 1000], applied: "never" };
/** The service is there and wants to be asked less. */
const THROTTLED: RetryRule = { delays: [200, 400, 800, 1600, 3200, 6400], applied: "never" };
/** Two requests met on one name, and this one was put off. */
const COLLIDED: RetryRule = { delays: [20, 50, 100, 200, 400, 800], applied: "never" };
/** Another run was faster with the same table: what it made is taken up, and the work done on top of it. */
const OUTRUN: RetryRule = { delays: [50, 100, 200, 400, 800, 1600, 3200, 6400], applied: "never" };
/** The answer was lost, or says that something went wrong on the other side. */
const UNANSWERED: RetryRule = { delays: [100, 200, 400, 800, 1600], applied: "maybe" };

const RULES: Readonly<Record<string, RetryRule>> = {
  ECONNREFUSED: UNCONNECTED,
  EHOSTUNREACH: UNCONNECTED,
  ENETUNREACH: UNCONNECTED,
  EAI_AGAIN: UNCONNECTED,
  SlowDown: THROTTLED,
  Throttling: THROTTLED,
  ThrottlingException: THROTTLED,
  TooManyRequests: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  HTTP_429: THROTTLED,
  ConditionalRequestConflict: COLLIDED,
  OperationAborted: COLLIDED,
  MODEL_RACE_LOST: OUTRUN,
  BRONZE_RACE_LOST: OUTRUN,
  ECONNRESET: UNANSWERED,
  ECONNABORTED: UNANSWERED,
  EPIPE: UNANSWERED,
  ETIMEDOUT: UNANSWERED,
  TimeoutError: UNANSWERED,
  RequestTimeout: UNANSWERED,
  InternalError: UNANSWERED,
  ServiceUnavailable: UNANSWERED,
  HTTP_500: UNANSWERED,
  HTTP_502: UNANSWERED,
  HTTP_503: UNANSWERED,
  HTTP_504: UNANSWERED,
};

/** The rule for the first of these codes that has one; undefined where trying again cannot help. */
export function retryRule(codes: readonly string[]): RetryRule | undefined {
  for (const code of codes) if (Object.hasOwn(RULES, code)) return RULES[code];
  return undefined;
}

export interface RetryOptions {
  /** Codes of a failure, the most specific first; see `retryRule`. */
  readonly codesOf: (error: unknown) => readonly string[];
  /** `false` for work that must not be done twice: it is repeated only after failures that never applied it. */
  readonly repeatable?: boolean;
  readonly pause?: (milliseconds: number) => Promise<unknown>;
  /** 0 up to 1. */
  readonly random?: () => number;
}

/**
 * Does the work until it succeeds, fails for good, or has failed as often as the rule of its newest failure allows;
 * rejects with that failure. A pause is 50 to 100% of the table's, so that those who failed together part.
 */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { codesOf, repeatable = true, pause = pauseFor, random = Math.random } = options;
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const rule = retryRule(codesOf(error));
      const delay = rule?.delays[tries];
      if (rule === undefined || delay === undefined || !(repeatable || rule.applied === "never")) throw error;
      await pause(delay * (0.5 + random() / 2));
    }
  }
}
