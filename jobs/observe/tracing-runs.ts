/** A span for each run of a scheduler, by its events. */
import type { SchedulerEvent, SchedulerListener } from "../scheduler/events.ts";
import type { Tracing } from "./tracing.ts";
import type { TraceSpan } from "./tracing-span.ts";

/** Begins and ends the spans of runs; those that go on are in `tracing.runs`, for their steps. */
export function traceRuns(tracing: Tracing): SchedulerListener {
  const { root, runs } = tracing;
  return (event) => {
    if (event.event === "run started") {
      const { job, due, reason, runId, epoch, missed, deaths } = event;
      runs.set(runId, root(`run ${job}`, { job, due, reason, run_id: runId, epoch, missed, deaths }));
    }
    if (!("runId" in event)) return;
    const span = runs.get(event.runId);
    if (span !== undefined && note(span, event)) runs.delete(event.runId);
  };
}

/** Whether it was the end of the run. */
function note(span: TraceSpan, event: Extract<SchedulerEvent, { readonly runId: string }>): boolean {
  switch (event.event) {
    case "run failed": {
      const { attempt, error, retryInMs } = event;
      const { code, message } = error;
      span.event("attempt failed", { attempt, retry_in_ms: retryInMs, code, message });
      return false;
    }
    case "run late":
      span.event("time is over", { timeout_s: event.timeoutSeconds });
      return false;
    case "run ended": {
      const { status, attempts, error } = event;
      span.set({ status, attempts });
      span.end({ error: error ?? (status === "succeeded" ? undefined : { message: status }) });
      return true;
    }
    case "run left":
      span.set({ status: "left" });
      span.end({ error: { message: event.reason } });
      return true;
    default:
      return false;
  }
}
