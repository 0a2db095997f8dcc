/** What this process did, as counters that only grow: runs, steps, rows, changes that were followed. */
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { SchedulerEvent } from "../scheduler/events.ts";
import type { StepReport } from "../steps.ts";
import type { Observation } from "./observation.ts";

/** Seconds: from steps that find nothing new to nightly rebuilds. */
const DURATIONS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200];
const STATUSES = ["succeeded", "failed", "timed out"] as const;

export class RunMetrics {
  readonly registry = new Registry();
  private readonly runs = this.counter("runs", "Runs that ended in this process.", ["schedule", "status"]);
  private readonly retries = this.counter("retries", "Attempts that failed and were followed by another.", [
    "schedule",
  ]);
  private readonly rows = this.counter(
    "rows",
    "Rows that runs took into bronze tables, and wrote to those of models.",
    ["pipeline", "table"],
  );
  private readonly batches = this.counter("followed_batches", "Batches of changes that were followed.", [
    "schedule",
  ]);
  private readonly followed = this.counter(
    "followed_rows",
    "Rows that following took into bronze, beside those of runs.",
    ["schedule"],
  );
  private readonly failures = this.counter("observation_errors", "Parts that could not be looked at.", [
    "what",
  ]);
  private readonly runSeconds = this.histogram("run_duration", "Time from the first attempt to the end.", [
    "schedule",
  ]);
  private readonly stepSeconds = this.histogram("step_duration", "Time that a step took.", [
    "schedule",
    "step",
  ]);

  constructor(jobs: readonly string[]) {
    collectDefaultMetrics({ register: this.registry });
    // What has not happened yet is 0: a rate has something to begin at.
    for (const job of jobs) {
      for (const status of STATUSES) this.runs.inc({ schedule: job, status }, 0);
      for (const counter of [this.retries, this.batches, this.followed]) counter.inc({ schedule: job }, 0);
      this.runSeconds.zero({ schedule: job });
    }
  }

  /** Takes in an event of the scheduler. */
  note(event: SchedulerEvent): void {
    if (event.event === "run ended") {
      const { job, status, durationMs } = event;
      this.runs.inc({ schedule: job, status });
      this.runSeconds.observe({ schedule: job }, seconds(durationMs));
    } else if (event.event === "run failed") this.retries.inc({ schedule: event.job });
    else if (event.event === "step ended") this.noteStep(event.job, event.report);
    else if (event.event === "batch") {
      this.batches.inc({ schedule: event.job });
      this.followed.inc({ schedule: event.job }, event.rows);
    }
  }

  /** Counts what an observation could not look at. */
  noteObservation({ errors }: Pick<Observation, "errors">): void {
    for (const { what } of errors) this.failures.inc({ what });
  }

  private noteStep(job: string, { pipeline, step, durationMs, tables }: StepReport): void {
    this.stepSeconds.observe({ schedule: job, step }, seconds(durationMs));
    for (const report of tables) {
      if ("model" in report) this.rows.inc({ pipeline, table: report.model }, report.rowsOut);
      else if ("table" in report) this.rows.inc({ pipeline, table: report.table }, report.rows);
    }
  }

  private counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name: `ingot_${name}_total`, help, labelNames, registers: [this.registry] });
  }

  private histogram<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
    const named = { name: `ingot_${name}_seconds`, help, labelNames };
    return new Histogram({ ...named, buckets: DURATIONS, registers: [this.registry] });
  }
}

/** A clock that was set back must not make a sum smaller. */
const seconds = (milliseconds: number): number => Math.max(0, milliseconds) / 1000;
