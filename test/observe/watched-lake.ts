/** A lake over which processes watch, by clocks of the test. */
import { onTestFinished } from "vitest";
import type { AlertKind } from "../../jobs/observe/alerts-condition.ts";
import { AlertWatch } from "../../jobs/observe/alerts-watch.ts";
import type { Observation } from "../../jobs/observe/observation.ts";
import type { SchedulerEvent } from "../../jobs/scheduler/events.ts";
import { Leases } from "../../lakehouse/lease/leases.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { type DoneRun, RunRecords } from "../../layers/schedule/run-records.ts";
import { EPOCH, type ProcessClock, Timeline } from "../lease/timeline.ts";
import type { Receiver } from "./receiver.ts";

export const MINUTE = 60_000;
const KINDS: readonly AlertKind[] = ["failure", "staleness", "quarantine", "slot"];
const pipeline: PipelineDefinition = {
  name: "p",
  source: postgres({ tables: {} }),
  schedules: { j: { cron: "* * * * *" } },
};
const NOTHING: Observation = { at: EPOCH, tables: [], quarantines: [], slots: [], published: [], errors: [] };

export interface Process {
  readonly watch: AlertWatch;
  readonly clock: ProcessClock;
  readonly events: SchedulerEvent[];
  stop(): Promise<void>;
}

/** Processes of one pipeline that tell `receiver`, and time that passes when a test says so. */
export function newWatchedLake(receiver: Receiver) {
  const timeline = new Timeline();
  const store = new MemoryStore();
  const records = new RunRecords(store, "p.j");
  let observation = NOTHING;
  // A test that has failed for want of time passes no more of it.
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  const processes: Process[] = [];
  const start = (
    owner: string,
    more: { readonly store?: ObjectStore; readonly on?: readonly AlertKind[] } = {},
  ) => {
    const clock = timeline.clock();
    const events: SchedulerEvent[] = [];
    const stopping = new AbortController();
    const settings = {
      url: `${receiver.url}/alerts?key=hunter2`,
      secret: "a-secret-of-this-test",
      on: more.on ?? KINDS,
      repeatHours: 24,
      troubleMinutes: 5,
    };
    const shared = more.store ?? store;
    const watch = new AlertWatch(pipeline, {
      store: shared,
      leases: new Leases(shared, { owner, milliseconds: 15_000, clock }),
      clock,
      owner,
      settings,
      observe: async () => observation,
      emit: (event) => events.push(event),
      stop: stopping.signal,
    });
    const running = watch.run();
    const process = {
      watch,
      clock,
      events,
      stop: () => {
        stopping.abort();
        return running;
      },
    };
    processes.push(process);
    return process;
  };
  let runs = 0;
  const record = (status: DoneRun["status"]): DoneRun => {
    const at = new Date(EPOCH + ++runs * MINUTE).toISOString();
    const times = { due: at, startedAt: at, endedAt: at };
    const error = status === "succeeded" ? {} : { error: { code: "AWAY", message: "it is away" } };
    return { ...times, status, attempts: 3, runId: `run-${runs}`, owner: "x", epoch: 1, ...error };
  };
  /** A run that was due has ended, on record. */
  const ended = async (status: DoneRun["status"]) => {
    const done = record(status);
    await records.finish(Date.parse(done.due), done, []);
  };
  return {
    timeline,
    store,
    start,
    ended,
    /** As `ended`, of one that somebody asked for. */
    asked: (status: DoneRun["status"]) => records.recordExtra(record(status)),
    see: (more: Partial<Observation>) => {
      observation = { ...NOTHING, ...more };
    },
    /** Lets time pass until enough has happened; posts take real time. */
    until: async (isEnough: () => boolean) => {
      while (!isOver && !isEnough()) {
        await timeline.pass(500);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    stop: () => Promise.all(processes.map((process) => process.stop())),
  };
}
