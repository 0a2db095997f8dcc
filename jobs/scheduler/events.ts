/** What a scheduler says of itself, as it happens; a terminal shows it, a log keeps it, and so does its health. */
import { codeOf, messageOf } from "../../lakehouse/errors.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";
import type { DoneRun } from "../../layers/schedule/run-records.ts";
import type { StepReport } from "../steps.ts";

export interface EventError {
  readonly code?: string | undefined;
  /** Free of secrets. */
  readonly message: string;
}

/** What was thrown, for people and logs: without secrets. */
export function eventError(error: unknown): EventError {
  return { code: codeOf(error), message: maskSecrets(messageOf(error)) };
}

/** One run of a job, in an event. */
interface RunEvent {
  readonly job: string;
  readonly runId: string;
  /** ISO 8601; of an extra run, when it was asked for. */
  readonly due: string;
}

export type SchedulerEvent =
  | { readonly event: "started"; readonly owner: string; readonly jobs: readonly string[] }
  /** The run that will be due next; none where it is not known yet. */
  | { readonly event: "expected"; readonly job: string; readonly due: string | undefined }
  | (RunEvent & {
      readonly event: "run started";
      readonly epoch: number;
      /** Why it runs: it was due, changes came in, or somebody asked. */
      readonly reason: "due" | "changes" | "asked";
      /** Due times that it stands for, beside its own. */
      readonly missed: number;
      /** Processes that died of it before. */
      readonly deaths: number;
    })
  | (RunEvent & {
      readonly event: "run failed";
      readonly attempt: number;
      readonly error: EventError;
      readonly retryInMs: number;
    })
  /** A step of it has ended; what it did stays, whatever becomes of the run. */
  | (RunEvent & { readonly event: "step ended"; readonly report: StepReport })
  /** Its time is over; the next attempt, or the next run, waits for the end of what it does. */
  | (RunEvent & { readonly event: "run late"; readonly timeoutSeconds: number })
  | (RunEvent & {
      readonly event: "run ended";
      readonly status: DoneRun["status"];
      readonly attempts: number;
      readonly durationMs: number;
      readonly result?: unknown;
      readonly error?: EventError;
    })
  /** It did not come to its end here; another process, or a later start, runs it again. */
  | (RunEvent & { readonly event: "run left"; readonly reason: "stopped" | "lease lost" | "not recorded" })
  /** It follows changes: from now on, or again after `trouble`. */
  | { readonly event: "following"; readonly job: string; readonly epoch: number }
  | { readonly event: "batch"; readonly job: string; readonly rows: number }
  | {
      readonly event: "followed";
      readonly job: string;
      readonly reason: "stopped" | "paused" | "lease lost" | "failed";
    }
  | { readonly event: "paused"; readonly job: string; readonly by: string }
  | { readonly event: "resumed"; readonly job: string }
  /** Something that is no run went wrong, such as the stream that is followed; it is tried again. */
  | {
      readonly event: "trouble";
      readonly job: string;
      readonly error: EventError;
      readonly retryInMs: number;
    }
  /** All that it needs is there: for the first time, or again after `trouble`. */
  | { readonly event: "working"; readonly job: string; readonly again: boolean }
  /** A webhook was told of something that is wrong, or well again. */
  | {
      readonly event: "alert";
      readonly pipeline: string;
      readonly alert: string;
      readonly state: "firing" | "resolved";
      readonly id: string;
      readonly subject: string;
      readonly summary: string;
    }
  /** It could not be told; it is tried again. */
  | {
      readonly event: "alert failed";
      readonly pipeline: string;
      readonly error: EventError;
      readonly retryInMs: number;
    }
  | { readonly event: "stopping" }
  | { readonly event: "stopped" };

export type SchedulerListener = (event: SchedulerEvent) => void;
