/** The server by which a process that runs schedules is watched. */
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import type { SchedulerListener } from "../scheduler/events.ts";
import type { SchedulerHealth } from "../scheduler/health.ts";
import { ownNames, startListening } from "../serve/listen.ts";
import { Gauges } from "./gauges.ts";
import { RecordedSchedules } from "./recorded-schedules.ts";
import { RunMetrics } from "./run-metrics.ts";
import type { SharedObservation } from "./shared-observation.ts";
import { createWatchApp } from "./watch-app.ts";
import { within } from "./within.ts";

export interface WatchOptions {
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
  /** Names of the jobs that will run. */
  readonly jobs: readonly string[];
  readonly state: () => SchedulerHealth;
  readonly observation: SharedObservation;
  /** The lake's. */
  readonly store: ObjectStore;
  /** Told of errors that nobody foresaw. */
  readonly unexpected: (error: unknown) => void;
}

export interface Watch {
  readonly url: string;
  /** Has to be told all that the scheduler says. */
  readonly onEvent: SchedulerListener;
  /** Lets answers end that are under way. */
  close(): Promise<void>;
}

const CONNECTIONS = 100;
const IDLE = 60_000;
const GRACE = 1_000;
/** Milliseconds that a scrape waits for records. */
const PATIENCE = 5_000;

/** Listens; rejects with `SERVE_ADDRESS` where that is not possible. */
export async function startWatch(options: WatchOptions): Promise<Watch> {
  const { host, port, jobs, state, observation, store, unexpected } = options;
  const runs = new RunMetrics(jobs);
  const recorded = new RecordedSchedules(store, jobs);
  observation.onMade((made) => runs.noteObservation(made));
  const metrics = async () => {
    const [found] = await Promise.all([observation.newest(), within(PATIENCE, recorded.renew())]);
    const gauges = new Gauges();
    gauges.addJobs(state(), (job) => recorded.of(job));
    if (found !== undefined) gauges.addObservation(found, Date.now());
    const { registry } = runs;
    const parts = [await registry.metrics(), await gauges.registry.metrics()];
    return { text: parts.join("\n"), type: registry.contentType };
  };
  const app = createWatchApp({ state, metrics, hosts: ownNames(host), unexpected });
  const limits = { connections: CONNECTIONS, idle: IDLE, grace: GRACE };
  const listening = await startListening(app.fetch, { host, port, ...limits });
  return {
    url: listening.url,
    onEvent: (event) => runs.note(event),
    close: async () => {
      await listening.stop();
      runs.registry.clear();
    },
  };
}
