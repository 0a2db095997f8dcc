/** A run from its first attempt to its last, under a lease that its caller holds. */
import { randomUUID } from "node:crypto";
import { codeOf, TerminalError, TransientError } from "../../lakehouse/errors.ts";
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import type { Claim, DoneRun } from "../../layers/schedule/run-records.ts";
import type { StepReport } from "../steps.ts";
import { eventError } from "./events.ts";
import type { Job, Services } from "./job.ts";
import { linkedSignal } from "./linked-signal.ts";

/** Seconds before the second attempt, the third and so on; the last goes for all further ones. */
const BACK_OFF = [5, 30, 120, 600] as const;
const RETRIES = 2;
/** Processes that may die of one run before it is given up: something in it kills them. */
const MOST_DEATHS = 20;

/** Where a run keeps what becomes of it. */
interface RunLog {
  /** What earlier holders left of it. */
  readonly earlier: readonly Claim[];
  readonly begin: (claim: Claim) => Promise<void>;
  readonly end: (done: DoneRun) => Promise<void>;
}

export interface DueRun {
  readonly job: Job;
  /** Milliseconds since the epoch. */
  readonly due: number;
  readonly reason: "due" | "changes" | "asked";
  readonly missed: number;
  readonly lease: Lease;
  readonly log: RunLog;
  readonly consumed?: Readonly<Record<string, string>>;
}

/**
 * Runs it until it succeeds, has failed too often, or has to be left. Answers what was put on record; undefined for a
 * run that was left, which is then for another process or a later start. Rejects when the record cannot be written.
 */
export async function carryOut(run: DueRun, services: Services): Promise<DoneRun | undefined> {
  const begun = new Run(run, services);
  try {
    return await begun.toItsEnd();
  } catch (error) {
    await begun.leaveUnrecorded();
    throw error instanceof RecordError ? error.cause : error;
  }
}

class Run {
  private readonly run: DueRun;
  private readonly services: Services;
  private readonly id = randomUUID();
  private readonly startedAt: number;
  private claim: Claim;
  private attempts = 0;
  private isStarted = false;

  constructor(run: DueRun, services: Services) {
    this.run = run;
    this.services = services;
    this.startedAt = services.clock.now();
    this.claim = {
      owner: services.owner,
      runId: this.id,
      startedAt: new Date(this.startedAt).toISOString(),
      failures: Math.max(0, ...run.log.earlier.map(({ failures }) => failures)),
      left: false,
      late: false,
    };
  }

  async toItsEnd(): Promise<DoneRun | undefined> {
    const { lease, log, missed, reason } = this.run;
    const deaths = log.earlier.filter(({ left }) => !left).length;
    await log.begin(this.claim);
    this.isStarted = true;
    this.services.emit({ event: "run started", ...this.about(), epoch: lease.epoch, reason, missed, deaths });
    if (deaths >= MOST_DEATHS) return this.end("failed", { error: this.givenUp(deaths) });
    for (;;) {
      try {
        return await this.end("succeeded", { result: await this.attempt() });
      } catch (error) {
        if (error instanceof RecordError && lease.isHeld()) throw error;
        const outcome = await this.afterFailure(error);
        if (outcome !== "again") return outcome;
      }
    }
  }

  /** What becomes of the run now; undefined where it is left. */
  private async afterFailure(error: unknown): Promise<DoneRun | undefined | "again"> {
    if (this.reasonToLeave() !== undefined) return this.leave();
    const { retries = RETRIES } = this.run.job.schedule;
    const failures = this.claim.failures + 1;
    if (error instanceof TerminalError || failures > retries) {
      return this.end(codeOf(error) === "RUN_TIMED_OUT" ? "timed out" : "failed", { error });
    }
    await this.pause(error, failures);
    return this.reasonToLeave() === undefined ? "again" : this.leave();
  }

  private reasonToLeave(): "stopped" | "lease lost" | undefined {
    if (!this.run.lease.isHeld()) return "lease lost";
    return this.services.stop.aborted ? "stopped" : undefined;
  }

  private async attempt(): Promise<unknown> {
    const { job, due, lease } = this.run;
    const { stop, clock } = this.services;
    const ended = new AbortController();
    const over = new AbortController();
    const { signal, unlink } = linkedSignal(lease.signal, stop, over.signal);
    const check = () => {
      lease.check();
      signal.throwIfAborted();
    };
    const { timeoutSeconds } = job.schedule;
    if (timeoutSeconds !== undefined) {
      void clock.sleep(timeoutSeconds * 1000, ended.signal).then(() => {
        if (!ended.signal.aborted) this.runOut(over, timeoutSeconds);
      });
    }
    this.attempts += 1;
    try {
      const { attempts: attempt, id: runId } = this;
      const named = { job: job.name, due, runId, attempt, epoch: lease.epoch };
      const onStep = (report: StepReport) =>
        this.services.emit({ event: "step ended", ...this.about(), report });
      const result = await job.work({ ...named, signal, check, onStep });
      // It did not ask, or had nothing more to write: its time is over all the same.
      over.signal.throwIfAborted();
      return result;
    } catch (error) {
      // What work throws when it is interrupted says less than why.
      throw over.signal.aborted ? over.signal.reason : error;
    } finally {
      ended.abort();
      unlink();
    }
  }

  /** Time is over: the lake takes no more of it, and its end is waited for. */
  private runOut(over: AbortController, timeoutSeconds: number): void {
    const { job } = this.run;
    over.abort(
      new TransientError(`${job.name} took longer than ${timeoutSeconds} s`, {
        code: "RUN_TIMED_OUT",
        value: timeoutSeconds,
        next: "Give it more time with `timeoutSeconds`, or less to do at once.",
      }),
    );
    this.claim = { ...this.claim, late: true };
    this.services.emit({ event: "run late", ...this.about(), timeoutSeconds });
    // For people who ask meanwhile; what counts is recorded at the end.
    this.run.log.begin(this.claim).catch(() => {});
  }

  private async pause(error: unknown, failures: number): Promise<void> {
    const { lease, log } = this.run;
    const { clock, stop, emit } = this.services;
    this.claim = { ...this.claim, failures, late: false };
    await log.begin(this.claim);
    const retryInMs = 1000 * (BACK_OFF[failures - 1] ?? BACK_OFF[BACK_OFF.length - 1] ?? 0);
    emit({
      event: "run failed",
      ...this.about(),
      attempt: this.attempts,
      error: eventError(error),
      retryInMs,
    });
    const { signal, unlink } = linkedSignal(stop, lease.signal);
    await clock.sleep(retryInMs, signal);
    unlink();
  }

  private async end(
    status: DoneRun["status"],
    { result, error }: { readonly result?: unknown; readonly error?: unknown },
  ): Promise<DoneRun> {
    const { due, lease, log, consumed } = this.run;
    const endedAt = this.services.clock.now();
    const why = error === undefined ? {} : { error: eventError(error) };
    const done: DoneRun = {
      due: new Date(due).toISOString(),
      status,
      attempts: this.attempts,
      startedAt: this.claim.startedAt,
      endedAt: new Date(endedAt).toISOString(),
      runId: this.id,
      owner: this.services.owner,
      epoch: lease.epoch,
      ...why,
      ...(consumed === undefined ? {} : { consumed: { ...consumed } }),
    };
    lease.check();
    await log.end(done).catch((cause: unknown) => {
      throw new RecordError(cause);
    });
    const durationMs = endedAt - this.startedAt;
    const { attempts } = this;
    this.services.emit({ event: "run ended", ...this.about(), status, attempts, durationMs, result, ...why });
    return done;
  }

  private async leave(): Promise<undefined> {
    const reason = this.reasonToLeave() ?? "stopped";
    if (reason === "stopped") await this.claimLeft();
    this.services.emit({ event: "run left", ...this.about(), reason });
    return undefined;
  }

  /** For a run whose record could not be written: whoever was told that it started is told that it goes on no more. */
  async leaveUnrecorded(): Promise<void> {
    if (!this.isStarted) return;
    await this.claimLeft();
    this.services.emit({ event: "run left", ...this.about(), reason: "not recorded" });
  }

  /** Those who take it over know that nobody died of it. */
  private claimLeft(): Promise<void> {
    return this.run.log.begin({ ...this.claim, left: true }).catch(() => {});
  }

  private about(): { readonly job: string; readonly runId: string; readonly due: string } {
    return { job: this.run.job.name, runId: this.id, due: new Date(this.run.due).toISOString() };
  }

  private givenUp(deaths: number): TerminalError {
    return new TerminalError(`${deaths} processes died while they ran ${this.run.job.name}`, {
      code: "RUN_DEADLY",
      value: deaths,
      next: "See what ended them: too little memory, most often. The next due time is run as usual.",
    });
  }
}

/** A record that could not be written says nothing of the run. */
class RecordError extends Error {
  constructor(cause: unknown) {
    super("a run's record could not be written", { cause });
  }
}
