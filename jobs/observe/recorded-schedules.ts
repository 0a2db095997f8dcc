/** What records say of schedules, whichever process wrote them. */
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";

export interface RecordedSchedule {
  /** Seconds since the epoch at which the newest run that succeeded ended; undefined where none is known. */
  readonly lastSuccess: number | undefined;
  /** Undefined where that could not be asked. */
  readonly paused: boolean | undefined;
}

/** Milliseconds for which nothing is asked again. */
const FRESH_FOR = 10_000;
/** Milliseconds between two looks at runs: each takes listings. */
const LISTED_EVERY = 60_000;

const UNKNOWN: RecordedSchedule = { lastSuccess: undefined, paused: undefined };

/** Asks for records when somebody wants to know, and not too often. */
export class RecordedSchedules {
  private readonly now: () => number;
  private readonly schedules: ReadonlyMap<string, Recorded>;
  private renewedAt = Number.NEGATIVE_INFINITY;
  private renewing: Promise<void> | undefined;

  /** `now`: milliseconds of any clock that only goes on. */
  constructor(store: ObjectStore, jobs: readonly string[], now: () => number = () => performance.now()) {
    this.now = now;
    this.schedules = new Map(jobs.map((job) => [job, new Recorded(new RunRecords(store, job))]));
  }

  /** As it was when it was last asked for. */
  of(job: string): RecordedSchedule {
    return this.schedules.get(job) ?? UNKNOWN;
  }

  /** Asks anew where that was not just done. Never rejects. */
  async renew(): Promise<void> {
    if (this.now() - this.renewedAt < FRESH_FOR) return;
    this.renewing ??= this.askAll().finally(() => {
      this.renewing = undefined;
    });
    await this.renewing;
  }

  private async askAll(): Promise<void> {
    const now = this.now();
    const schedules = [...this.schedules.values()];
    await Promise.all(schedules.flatMap((one) => [one.askPause(), one.askSuccess(now)]));
    this.renewedAt = now;
  }
}

class Recorded implements RecordedSchedule {
  lastSuccess: number | undefined;
  paused: boolean | undefined;
  private readonly records: RunRecords;
  private listedAt = Number.NEGATIVE_INFINITY;
  /** Due time of the newest run that is known to have succeeded. */
  private due: number | undefined;

  constructor(records: RunRecords) {
    this.records = records;
  }

  async askPause(): Promise<void> {
    // The job itself meets what keeps it from being read, and says so.
    const pause = await this.records.readPause().catch(() => "unknown");
    this.paused = pause === "unknown" ? undefined : pause !== undefined;
  }

  /** What cannot be read now is asked for again by who comes next. */
  async askSuccess(now: number): Promise<void> {
    if (now - this.listedAt < LISTED_EVERY) return;
    try {
      this.due = await this.records.newestSuccess(this.due);
      const done = this.due === undefined ? undefined : await this.records.readDone(this.due);
      const extra = await this.records.newestExtra();
      for (const run of [done, extra]) {
        if (run?.status === "succeeded")
          this.lastSuccess = newer(this.lastSuccess, Date.parse(run.endedAt) / 1000);
      }
      this.listedAt = now;
    } catch {
      // As above.
    }
  }
}

/** Of two times that may be unknown. */
export function newer(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}
