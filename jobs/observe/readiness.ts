/** Whether an instance is ready: it could run its jobs. What runs make of the user's tables is no part of it. */
import type { SchedulerHealth } from "../scheduler/health.ts";

export interface Unready {
  readonly job?: string;
  readonly reason: string;
  readonly code?: string;
}

/** Why an instance is not ready; nothing where it is. */
export function unreadyReasons({ stopping, jobs }: SchedulerHealth): Unready[] {
  if (stopping) return [{ reason: "it is stopping" }];
  if (jobs.length === 0) return [{ reason: "it has not started yet" }];
  return jobs.flatMap(({ job, seen, trouble }): Unready[] => {
    if (trouble !== undefined) {
      const { code, message } = trouble;
      return [{ job, reason: message, ...(code === undefined ? {} : { code }) }];
    }
    return seen ? [] : [{ job, reason: "it has not been able to look at its records yet" }];
  });
}
