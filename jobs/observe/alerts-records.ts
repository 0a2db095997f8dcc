/** What became of the runs of jobs, by their records in the lake: of each job by itself. */
import { z } from "zod";
import { messageOf } from "../../lakehouse/errors.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type DoneRun, RunRecords } from "../../layers/schedule/run-records.ts";
import { eventError } from "../scheduler/events.ts";
import type { Verdict } from "./alerts-condition.ts";
import { failure } from "./alerts-runs.ts";

/** Runs of a job that are judged at most, the newest: nobody was there for the others. */
const MOST_RUNS = 50;

const runKey = (job: string): string => `run ${job}`;
const recordsKey = (job: string): string => `records ${job}`;

export interface JudgedJob {
  readonly name: string;
  /** Whether it follows changes: what does has no run that is asked for. */
  readonly follows: boolean;
}

/** Up to which due time the runs of a job have been judged. */
type Judged = Readonly<Record<string, number>>;

export class JudgedRuns {
  private readonly records: ReadonlyMap<string, RunRecords>;
  private readonly followers: ReadonlySet<string>;
  private readonly patience: number;
  private readonly now: () => number;
  /** Since when the records of a job cannot be read. */
  private readonly unread = new Map<string, number>();

  /** `patience`: milliseconds for which records may be out of reach before that is told. */
  constructor(store: ObjectStore, jobs: readonly JudgedJob[], patience: number, now: () => number) {
    this.records = new Map(jobs.map(({ name }) => [name, new RunRecords(store, name)]));
    this.followers = new Set(jobs.flatMap(({ name, follows }) => (follows ? [name] : [])));
    this.patience = patience;
    this.now = now;
  }

  has(job: string): boolean {
    return this.records.has(job);
  }

  /**
   * Verdicts about runs that have ended since they were judged last. `open`: keys of what is wrong. Of a job whose
   * records cannot be read nothing is judged, and the others are all the same. Never rejects.
   */
  async judge(before: Judged, open: readonly string[]): Promise<{ judged: Judged; verdicts: Verdict[] }> {
    const judged: Record<string, number> = { ...before };
    // Jobs that are no longer there have nothing wrong.
    const verdicts: Verdict[] = open.flatMap((key) => {
      const job = /^(?:run|records) (.*)/.exec(key)?.[1];
      return job === undefined || this.has(job) ? [] : [{ key }];
    });
    for (const [job, records] of this.records) {
      try {
        const about = { name: job, follows: this.followers.has(job) };
        const news = await runVerdicts(records, about, judged[job], open.includes(runKey(job)));
        judged[job] = news.judged;
        verdicts.push(...news.verdicts);
        this.unread.delete(job);
        if (open.includes(recordsKey(job))) verdicts.push({ key: recordsKey(job) });
      } catch (error) {
        verdicts.push(...this.unreadable(job, error));
      }
    }
    return { judged, verdicts };
  }

  private unreadable(job: string, error: unknown): Verdict[] {
    const since = this.unread.get(job) ?? this.now();
    this.unread.set(job, since);
    if (this.now() - since < this.patience) return [];
    const condition = failure(job, since, eventError(error), {
      summary: `the runs of ${job} cannot be judged`,
      details: {},
      next: `See whether _ingot/schedule/${job}/ in the lake can be read; until then nothing is told of its runs.`,
    });
    return [{ key: recordsKey(job), condition }];
  }
}

/**
 * Verdicts about the runs of a job that were due since `judged`, in their order, and the newest due time; of a job that
 * was not judged yet, about the newest run. One that somebody asked for counts where it succeeded after a failure.
 */
async function runVerdicts(
  records: RunRecords,
  job: JudgedJob,
  judged: number | undefined,
  wasWrong: boolean,
): Promise<{ readonly verdicts: Verdict[]; readonly judged: number }> {
  const { done } = await records.read(judged);
  const news = judged === undefined ? done.slice(-1) : done.filter((due) => due > judged).slice(-MOST_RUNS);
  const verdicts: Verdict[] = [];
  for (const due of news) {
    const { run, unclear } = await readRun(() => records.readDone(due));
    if (run !== undefined) verdicts.push(runVerdict(job, run));
    if (unclear !== undefined) verdicts.push(unclearVerdict(job.name, due, unclear));
  }
  const newest = news.at(-1) ?? judged ?? 0;
  const last = verdicts.at(-1);
  const isWrong = last === undefined ? wasWrong : last.condition !== undefined;
  if (isWrong && (await isMended(records, newest))) verdicts.push({ key: runKey(job.name) });
  return { verdicts, judged: newest };
}

/** A record, or why it says nothing: it is damaged, or of a newer version. Rejects where it cannot be read. */
async function readRun(
  read: () => Promise<DoneRun | undefined>,
): Promise<{ readonly run?: DoneRun | undefined; readonly unclear?: string }> {
  try {
    return { run: await read() };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError)
      return { unclear: maskSecrets(messageOf(error)) };
    throw error;
  }
}

async function isMended(records: RunRecords, failed: number): Promise<boolean> {
  const { run: asked } = await readRun(() => records.newestExtra());
  if (asked?.status !== "succeeded") return false;
  const { run, unclear } = await readRun(() => records.readDone(failed));
  if (unclear !== undefined) return Date.parse(asked.endedAt) > failed;
  return run === undefined || Date.parse(asked.endedAt) > Date.parse(run.endedAt);
}

function runVerdict({ name: job, follows }: JudgedJob, run: DoneRun): Verdict {
  const again = follows ? "its next due time runs it again." : `\`ingot schedule run ${job}\` runs it now.`;
  const key = runKey(job);
  if (run.status === "succeeded") return { key };
  const { status, due, attempts, runId, endedAt, owner, error } = run;
  return {
    key,
    condition: failure(job, Date.parse(endedAt), error, {
      summary: status === "timed out" ? `${job} timed out` : `${job} failed`,
      details: { status, due, attempts, owner },
      runId,
      next: `The log says more under the id of the run; ${again}`,
    }),
  };
}

function unclearVerdict(job: string, due: number, message: string): Verdict {
  const condition = failure(
    job,
    due,
    { message },
    {
      summary: `what became of a run of ${job} cannot be understood`,
      details: { due: new Date(due).toISOString() },
      next: `See its record in _ingot/schedule/${job}/runs/ of the lake; the next run is judged by its own.`,
    },
  );
  return { key: runKey(job), condition };
}
