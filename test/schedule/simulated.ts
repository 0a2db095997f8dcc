/** Schedulers as processes on one timeline, over one store. */

import type { SchedulerEvent, SchedulerListener } from "../../jobs/scheduler/events.ts";
import type { Attempt, Job } from "../../jobs/scheduler/job.ts";
import { Scheduler } from "../../jobs/scheduler/scheduler.ts";
import { TransientError } from "../../lakehouse/errors.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import type { Schedule } from "../../layers/definition/schedule.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";
import { EPOCH, type ProcessClock, Timeline } from "../lease/timeline.ts";

export const LEASE = 15_000;

export interface SimulatedProcess {
  readonly clock: ProcessClock;
  readonly scheduler: Scheduler;
  readonly events: SchedulerEvent[];
  /** As a kill: it does nothing any more. */
  kill(): void;
}

export function startProcess(
  timeline: Timeline,
  store: ObjectStore,
  owner: string,
  jobs: (clock: ProcessClock) => readonly Job[],
  {
    ahead = 0,
    rate = 1,
    onEvent = () => {},
  }: { readonly ahead?: number; readonly rate?: number; readonly onEvent?: SchedulerListener } = {},
): SimulatedProcess {
  const clock = timeline.clock({ ahead, rate });
  const events: SchedulerEvent[] = [];
  const scheduler = new Scheduler(jobs(clock), {
    store,
    owner,
    clock,
    leaseMilliseconds: LEASE,
    onEvent: (event) => {
      events.push(event);
      onEvent(event);
    },
  });
  scheduler.start();
  return { clock, scheduler, events, kill: () => clock.stop() };
}

export function job(
  name: string,
  schedule: Schedule,
  work: Job["work"],
  rest: Pick<Job, "follow"> & { readonly after?: readonly Job[] } = {},
): Job {
  return { name: `p.${name}`, schedule, work, after: [], ...rest };
}

/** Seconds since the beginning of the timeline. */
export const second = (time: number): number => (time - EPOCH) / 1000;

export const seconds = (events: readonly SchedulerEvent[], kind: "run ended"): number[] =>
  events.flatMap((event) => (event.event === kind ? [second(Date.parse(event.due))] : []));

export const named = (events: readonly SchedulerEvent[]): string[] =>
  events.filter(({ event }) => event !== "expected" && event !== "working").map(({ event }) => event);

export const MINUTE = 60_000;

export const nothing = async (): Promise<undefined> => undefined;

/** One job in one process, and what it was run for, in seconds. */
export function single(schedule: Parameters<typeof job>[1], work: (attempt: Attempt) => Promise<unknown>) {
  const timeline = new Timeline();
  const store = new MemoryStore();
  const ran: number[] = [];
  const start = (owner = "a") =>
    startProcess(timeline, store, owner, () => [
      job("j", schedule, (attempt) => {
        ran.push(second(attempt.due));
        return work(attempt);
      }),
    ]);
  return { timeline, store, ran, start, records: new RunRecords(store, "p.j") };
}

export const away = () => new TransientError("the service is away", { code: "AWAY" });
