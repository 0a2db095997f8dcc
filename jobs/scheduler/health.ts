/** How the jobs of this process are, in memory: for people and for what watches over it. */
import type { DoneRun } from "../../layers/schedule/run-records.ts";
import type { EventError, SchedulerEvent } from "./events.ts";

export interface JobHealth {
  readonly job: string;
  /** The run that is due next, as far as known. Times are ISO 8601. */
  readonly nextDue?: string | undefined;
  /** What runs here, now. */
  readonly running?: {
    readonly runId: string;
    readonly due: string;
    readonly since: string;
    readonly late: boolean;
  };
  /** Whether changes are followed here, now. */
  readonly following: boolean;
  readonly paused: boolean;
  /** The newest run that ended here. */
  readonly last?: { readonly status: DoneRun["status"]; readonly at: string; readonly error?: EventError };
  readonly lastSuccess?: string;
  /** Runs that ended here with each status. */
  readonly runs: Readonly<Record<DoneRun["status"], number>>;
  /** Whether it has been seen to work: it could look at its records and leases. */
  readonly seen: boolean;
  /** What keeps it from working, as long as it does. */
  readonly trouble?: EventError;
}

export interface SchedulerHealth {
  readonly owner: string;
  readonly startedAt: string;
  readonly stopping: boolean;
  readonly jobs: readonly JobHealth[];
}

const NO_RUNS = { succeeded: 0, failed: 0, "timed out": 0 };

/** Follows the events of a scheduler. */
export class Health {
  private readonly now: () => number;
  private readonly startedAt: string;
  private readonly jobs = new Map<string, JobHealth>();
  private owner = "";
  private stopping = false;

  constructor(now: () => number) {
    this.now = now;
    this.startedAt = this.at();
  }

  /** What it is like now. */
  get state(): SchedulerHealth {
    const { owner, startedAt, stopping } = this;
    return { owner, startedAt, stopping, jobs: [...this.jobs.values()] };
  }

  note(event: SchedulerEvent): void {
    if (event.event === "started") {
      this.owner = event.owner;
      for (const job of event.jobs) {
        this.jobs.set(job, { job, following: false, paused: false, runs: NO_RUNS, seen: false });
      }
    } else if (event.event === "stopping") this.stopping = true;
    else if ("job" in event) {
      const before = this.jobs.get(event.job);
      if (before !== undefined) this.jobs.set(event.job, this.after(before, event));
    }
  }

  private after(before: JobHealth, event: Extract<SchedulerEvent, { readonly job: string }>): JobHealth {
    const { running, ...rest } = before;
    switch (event.event) {
      case "expected":
        return { ...before, nextDue: event.due };
      case "run started":
        return {
          ...rest,
          running: { runId: event.runId, due: event.due, since: this.at(), late: false },
        };
      case "working": {
        const { trouble: _, ...well } = before;
        return { ...well, seen: true };
      }
      case "run late":
        return running === undefined ? before : { ...before, running: { ...running, late: true } };
      case "run left":
        return rest;
      case "run ended":
        return this.afterRun(rest, event);
      case "following":
        return { ...before, following: true };
      case "followed":
        return { ...before, following: false };
      case "paused":
        return { ...before, paused: true };
      case "resumed":
        return { ...before, paused: false };
      case "trouble":
        // What is in trouble takes in no changes.
        return { ...before, trouble: event.error, following: false };
      default:
        return before;
    }
  }

  private afterRun(
    before: JobHealth,
    { status, error }: Extract<SchedulerEvent, { readonly event: "run ended" }>,
  ): JobHealth {
    const at = this.at();
    return {
      ...before,
      last: error === undefined ? { status, at } : { status, at, error },
      ...(status === "succeeded" ? { lastSuccess: at } : {}),
      runs: { ...before.runs, [status]: before.runs[status] + 1 },
    };
  }

  private at(): string {
    return new Date(this.now()).toISOString();
  }
}
