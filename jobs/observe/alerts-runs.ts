/** Jobs that do not do what they should, by what happens in this process. */
import type { EventError, SchedulerEvent } from "../scheduler/events.ts";
import { briefly, type Condition, type Verdict } from "./alerts-condition.ts";

/** Characters of an error's message that are told. */
const LONGEST_MESSAGE = 2_000;

/** A job that does not do what it should, with why where that is known. */
export function failure(
  job: string,
  since: number,
  error: EventError | undefined,
  about: Pick<Condition, "summary" | "details" | "runId" | "next">,
): Condition {
  const code = error?.code === undefined ? {} : { code: error.code };
  const why = error === undefined ? {} : { message: error.message.slice(0, LONGEST_MESSAGE), ...code };
  const text = error === undefined ? "" : `: ${briefly(error.code, error.message)}`;
  return {
    alert: "failure",
    subject: job,
    since,
    ...about,
    summary: `${about.summary}${text}`,
    details: { ...about.details, ...why },
  };
}

interface Bad {
  readonly since: number;
  readonly error: EventError | undefined;
  readonly runId?: string;
}

/** What only this process knows of its jobs: what keeps them from working, and runs after changes, which are not recorded. */
export class OwnJobs {
  private readonly now: () => number;
  private readonly owner: string;
  private readonly patience: number;
  private readonly troubles = new Map<string, Bad>();
  private readonly afterChanges = new Map<string, Bad>();
  /** Jobs of runs after changes that go on, by run. */
  private readonly going = new Map<string, string>();

  /** `patience`: milliseconds that a job may be in trouble before it is told of. */
  constructor(owner: string, patience: number, now: () => number) {
    this.owner = owner;
    this.patience = patience;
    this.now = now;
  }

  note(event: SchedulerEvent): void {
    switch (event.event) {
      case "trouble": {
        const since = this.troubles.get(event.job)?.since ?? this.now();
        this.troubles.set(event.job, { since, error: event.error });
        return;
      }
      case "working":
      case "paused":
        this.troubles.delete(event.job);
        return;
      case "run started":
        if (event.reason === "changes") this.going.set(event.runId, event.job);
        return;
      case "run left":
        this.going.delete(event.runId);
        return;
      case "run ended":
        this.ended(event);
        return;
      case "followed":
        // Whoever follows from now on sees it for himself.
        if (event.reason !== "failed") this.afterChanges.delete(event.job);
        return;
      default:
    }
  }

  private ended({ job, runId, status, error }: Extract<SchedulerEvent, { readonly event: "run ended" }>) {
    const ofChanges = this.going.delete(runId);
    if (status === "succeeded") this.afterChanges.delete(job);
    else if (ofChanges) {
      const since = this.afterChanges.get(job)?.since ?? this.now();
      this.afterChanges.set(job, { since, error, runId });
    }
  }

  /** What is wrong with the jobs of a pipeline. */
  verdicts(pipeline: string): (Verdict & { readonly condition: Condition })[] {
    const { owner } = this;
    const of = (jobs: ReadonlyMap<string, Bad>) =>
      [...jobs].filter(([job]) => job.startsWith(`${pipeline}.`));
    const longer = of(this.troubles).filter(([, { since }]) => this.now() - since >= this.patience);
    return [
      ...longer.map(([job, { since, error }]) => ({
        key: `trouble ${job}`,
        condition: failure(job, since, error, {
          summary: `${job} cannot work`,
          details: { owner },
          next: `The log of ${owner} says more; it tries again all the time.`,
        }),
      })),
      ...of(this.afterChanges).map(([job, { since, error, runId }]) => ({
        key: `changes ${job}`,
        condition: failure(job, since, error, {
          summary: `${job} fails after changes`,
          details: { owner },
          runId,
          next: "The log says more under the id of the run; it is tried again with the next changes.",
        }),
      })),
    ];
  }
}
