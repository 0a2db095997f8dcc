/** What is so now, as gauges that are made anew each time: what is there no more is not told. */
import { Gauge, Registry } from "prom-client";
import type { SchedulerHealth } from "../scheduler/health.ts";
import type { Observation } from "./observation.ts";
import { newer, type RecordedSchedule } from "./recorded-schedules.ts";
import type { SlotObservation } from "./slot-observation.ts";

const SLOT_STATUSES: readonly SlotObservation["status"][] = ["in use", "idle", "lost", "missing"];

/** A set of gauges for one answer. */
export class Gauges {
  readonly registry = new Registry();
  private readonly known = new Map<string, Gauge>();

  /** The scheduler's jobs, by what happened here and what is on record. */
  addJobs({ jobs }: Pick<SchedulerHealth, "jobs">, recorded: (job: string) => RecordedSchedule): void {
    for (const health of jobs) {
      const { job, following, running, trouble, nextDue } = health;
      const labels = { schedule: job };
      const { lastSuccess, paused = health.paused } = recorded(job);
      this.set("run_in_progress", "Whether a run of the schedule is under way here.", labels, flag(running));
      this.set("schedule_following", "Whether changes are followed here.", labels, flag(following));
      this.set("schedule_paused", "Whether the schedule is paused.", labels, flag(paused));
      this.set("schedule_trouble", "Whether something keeps it from working.", labels, flag(trouble));
      this.set(
        "next_due_timestamp_seconds",
        "When it is due next, as far as that is known.",
        labels,
        epochSeconds(nextDue),
      );
      this.set(
        "last_success_timestamp_seconds",
        "When the newest run that is known here to have succeeded ended.",
        labels,
        newer(epochSeconds(health.lastSuccess), lastSuccess),
      );
    }
  }

  /** What an observation found; ages are those of `now`, which is later. */
  addObservation({ at, tables, quarantines, slots, published }: Observation, now: number): void {
    const since = Math.max(0, now - at);
    this.set("observation_timestamp_seconds", "When all that follows was looked at.", {}, at / 1000);
    for (const { pipeline, table, rows, version, ageMs, freshness } of tables) {
      const labels = { pipeline, table };
      this.set("table_rows", "Live rows of the table.", labels, rows);
      this.set("table_version", "Version of the table.", labels, version);
      this.set("table_age_seconds", "Time since the table's newest commit.", labels, seconds(ageMs, since));
      this.set(
        "freshness_lag_seconds",
        "Age of the newest value of the column by which the table is to be fresh.",
        labels,
        seconds(freshness?.lagMs, since),
      );
      this.set("freshness_allowed_seconds", "What that age may be.", labels, seconds(freshness?.allowedMs));
    }
    for (const { rows, ...labels } of quarantines)
      this.set("quarantine_rows", "Rows that break the table's contract and are set aside.", labels, rows);
    for (const { pipeline, slot, lagBytes, lagSeconds, retainedBytes, status } of slots) {
      const labels = { pipeline, slot };
      this.set("capture_lag_bytes", "WAL of the source that was not acknowledged.", labels, lagBytes);
      this.set(
        "capture_lag_seconds",
        "For how long, at least, the oldest of it has been waiting.",
        labels,
        lagSeconds,
      );
      this.set("slot_retained_bytes", "WAL that the source keeps for the slot.", labels, retainedBytes);
      for (const each of SLOT_STATUSES)
        this.set(
          "slot_status",
          "1 for what the slot is.",
          { ...labels, status: each },
          flag(each === status),
        );
    }
    for (const { set, ageMs } of published)
      this.set("published_age_seconds", "Time since the set was published.", { set }, seconds(ageMs, since));
  }

  private set(
    name: string,
    help: string,
    labels: Readonly<Record<string, string>>,
    value: number | undefined,
  ): void {
    if (value === undefined) return;
    const gauge =
      this.known.get(name) ??
      new Gauge({
        name: `ingot_${name}`,
        help,
        labelNames: Object.keys(labels),
        registers: [this.registry],
      });
    this.known.set(name, gauge);
    gauge.set(labels, value);
  }
}

const flag = (value: unknown): number => (value ? 1 : 0);

const seconds = (milliseconds: number | undefined, since = 0): number | undefined =>
  milliseconds === undefined ? undefined : (milliseconds + since) / 1000;

/** Of a time in ISO 8601. */
const epochSeconds = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : Date.parse(time) / 1000;
