/** Alerts of `ingot start`: a watch over each of its pipelines. */
import { setMaxListeners } from "node:events";
import { type Clock, systemClock } from "../../lakehouse/lease/clock.ts";
import { Leases } from "../../lakehouse/lease/leases.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import type { Runtime } from "../runtime.ts";
import type { SchedulerListener } from "../scheduler/events.ts";
import { AlertWatch } from "./alerts-watch.ts";
import type { SharedObservation } from "./shared-observation.ts";

export interface Alerts {
  readonly note: SchedulerListener;
  /** Tells no more; resolves when leases are given back. */
  end(): Promise<void>;
}

/**
 * Milliseconds within which another process takes over telling from one that died, at least: each renewal of a lease is
 * paid for on S3, and alerts can wait.
 */
const SHORTEST_LEASE = 120_000;

/** Watches over pipelines where a receiver is configured; `emit` is told of what was told. */
export function watchAlerts(
  runtime: Pick<Runtime, "config"> & { readonly lake: Pick<Runtime["lake"], "store"> },
  pipelines: readonly PipelineDefinition[],
  {
    owner,
    leaseMilliseconds,
    observation,
    emit,
    clock = systemClock,
  }: {
    readonly owner: string;
    readonly leaseMilliseconds: number;
    readonly observation: SharedObservation;
    readonly emit: SchedulerListener;
    readonly clock?: Clock;
  },
): Alerts | undefined {
  const { alerts: settings } = runtime.config;
  if (settings === undefined) return undefined;
  const { store } = runtime.lake;
  const stopping = new AbortController();
  // As many as watches wait.
  setMaxListeners(0, stopping.signal);
  const milliseconds = Math.max(SHORTEST_LEASE, leaseMilliseconds);
  const context = {
    store,
    leases: new Leases(store, { owner, milliseconds, clock }),
    clock,
    owner,
    settings,
    observe: () => observation.newest(),
    emit,
    stop: stopping.signal,
  };
  const watches = pipelines.map((pipeline) => new AlertWatch(pipeline, context));
  const running = Promise.all(watches.map((watch) => watch.run()));
  return {
    note: (event) => {
      for (const watch of watches) watch.note(event);
    },
    end: async () => {
      stopping.abort();
      await running;
    },
  };
}
