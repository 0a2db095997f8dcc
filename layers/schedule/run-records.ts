/**
 * What a job was due for and what came of it, as objects of the lake, all made by put-if-absent or written by the holder
 * of the job's lease:
 *
 * - `_ingot/schedule/<job>/known-<timetable>.json`: since when this timetable has been known;
 * - `_ingot/schedule/<job>/runs/<due>.claim-<epoch>.json`: somebody runs it, or died of it;
 * - `_ingot/schedule/<job>/runs/<due>.done.json`: what came of it, for good;
 * - `_ingot/schedule/<job>/extra/<at>-<run>.json`: what came of a run that was asked for;
 * - `_ingot/schedule/<job>/paused.json`: it is not to be run.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import type { Timetable } from "./due-times.ts";

const ROOT = "_ingot/schedule";

const doneSchema = z.object({
  /** ISO 8601. */
  due: z.string(),
  status: z.enum(["succeeded", "failed", "timed out"]),
  attempts: z.number(),
  startedAt: z.string(),
  endedAt: z.string(),
  runId: z.string(),
  owner: z.string(),
  epoch: z.number(),
  /** Of a failed one. */
  error: z.object({ code: z.string().optional(), message: z.string() }).optional(),
  /** Of a job without a timetable of its own: the runs of others that it came after, by schedule. */
  consumed: z.record(z.string(), z.string()).optional(),
});

/** A run that came to its end. */
export type DoneRun = z.output<typeof doneSchema>;

const claimSchema = z.object({
  owner: z.string(),
  runId: z.string(),
  startedAt: z.string(),
  /** Attempts that failed, under this lease and earlier ones. */
  failures: z.number(),
  /** Whether its holder left it as it was told to; otherwise, without `done`, it died of it. */
  left: z.boolean(),
  /** Whether its time was over before it had ended. */
  late: z.boolean(),
});

/** A run that somebody began. */
export type Claim = z.output<typeof claimSchema>;

const pauseSchema = z.object({ by: z.string(), at: z.string() });
export type Pause = z.output<typeof pauseSchema>;

/** Runs that are on record, by due time in milliseconds, ascending. */
export interface Records {
  readonly done: readonly number[];
  readonly claims: readonly { readonly due: number; readonly epoch: number }[];
}

const pad = (epoch: number) => String(epoch).padStart(15, "0");
/** `20260131T093000Z`: sorts by time, and is a file name everywhere. */
const stamp = (time: number) => new Date(time).toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
const encode = (value: object) => new TextEncoder().encode(`${JSON.stringify(value)}\n`);

function timeOf(name: string): number {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(name) ?? [];
  return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
}

/** Results that are kept in memory; they never change. */
const MOST_KNOWN = 1_000;

export class RunRecords {
  private readonly store: ObjectStore;
  private readonly folder: string;
  private readonly known = new Map<number, DoneRun>();

  constructor(store: ObjectStore, job: string) {
    this.store = store;
    this.folder = `${ROOT}/${job}`;
  }

  /** The runs due at or after a time. */
  async read(from = 0): Promise<Records> {
    const prefix = `${this.folder}/runs/`;
    const done: number[] = [];
    const claims: { due: number; epoch: number }[] = [];
    for (const { path } of await this.store.list(prefix, `${prefix}${stamp(from)}`)) {
      const name = path.slice(prefix.length);
      const due = timeOf(name);
      const epoch = /\.claim-(\d+)\.json$/.exec(name)?.[1];
      if (Number.isNaN(due)) continue;
      if (epoch !== undefined) claims.push({ due, epoch: Number(epoch) });
      else if (name.endsWith(".done.json")) done.push(due);
    }
    return { done, claims };
  }

  /** Since when a timetable has been known here: from now on, where it was not. Milliseconds since the epoch. */
  async knownSince(timetable: Timetable, now: number): Promise<number> {
    const text = JSON.stringify([timetable.cron, timetable.timeZone ?? "UTC"]);
    const path = `${this.folder}/known-${createHash("sha256").update(text).digest("hex").slice(0, 16)}.json`;
    const schema = z.object({ since: z.number() });
    const found = await this.get(path, schema);
    if (found !== undefined) return found.since;
    const { cron, timeZone } = timetable;
    if (await this.store.putIfAbsent(path, encode({ since: now, cron, timeZone }))) return now;
    return (await this.get(path, schema))?.since ?? now;
  }

  /** Says that a run is under way; only the holder of the epoch writes this. */
  async claim(due: number, epoch: number, claim: Claim): Promise<void> {
    await this.store.put(this.claimPath(due, epoch), encode(claim));
  }

  readClaim(due: number, epoch: number): Promise<Claim | undefined> {
    return this.get(this.claimPath(due, epoch), claimSchema);
  }

  async readDone(due: number): Promise<DoneRun | undefined> {
    const done =
      this.known.get(due) ?? (await this.get(`${this.folder}/runs/${stamp(due)}.done.json`, doneSchema));
    if (done !== undefined) this.known.set(due, done);
    for (const oldest of this.known.keys()) {
      if (this.known.size <= MOST_KNOWN) break;
      this.known.delete(oldest);
    }
    return done;
  }

  /** Settles a run, unless it was settled before. Claims of it and of earlier due times, if given, are over with it. */
  async finish(due: number, done: DoneRun, claims: Records["claims"]): Promise<void> {
    await this.store.putIfAbsent(`${this.folder}/runs/${stamp(due)}.done.json`, encode(done));
    for (const claim of claims) {
      // One that stays says nothing any more: what is due up to here is settled.
      if (claim.due <= due) await this.store.delete(this.claimPath(claim.due, claim.epoch)).catch(() => {});
    }
  }

  async recordExtra(done: DoneRun): Promise<void> {
    const path = `${this.folder}/extra/${stamp(Date.parse(done.due))}-${done.runId}.json`;
    await this.store.putIfAbsent(path, encode(done));
  }

  /** The newest run that came to its end, of those due or of those that were asked for. */
  async newestDone(): Promise<DoneRun | undefined> {
    const [due] = (await this.read()).done.slice(-1);
    return due === undefined ? undefined : this.readDone(due);
  }

  /** The newest run that was asked for and came to its end. */
  async newestExtra(): Promise<DoneRun | undefined> {
    const newest = (await this.store.list(`${this.folder}/extra/`)).at(-1);
    return newest && this.get(newest.path, doneSchema);
  }

  /** The newest due time, from `from` on, whose run succeeded. */
  async newestSuccess(from = 0): Promise<number | undefined> {
    const { done } = await this.read(from);
    for (const due of done.toReversed()) {
      if ((await this.readDone(due))?.status === "succeeded") return due;
    }
    return undefined;
  }

  /** Removes what is older than the newest `keep` runs, and claims that were left behind. */
  async prune(keep: number): Promise<void> {
    const { done, claims } = await this.read();
    for (const due of done.slice(0, -keep)) {
      await this.store.delete(`${this.folder}/runs/${stamp(due)}.done.json`);
    }
    for (const { due, epoch } of claims) {
      if (due <= (done.at(-1) ?? 0)) await this.store.delete(this.claimPath(due, epoch));
    }
    const extra = await this.store.list(`${this.folder}/extra/`);
    for (const { path } of extra.slice(0, -keep)) await this.store.delete(path);
  }

  readPause(): Promise<Pause | undefined> {
    return this.get(`${this.folder}/paused.json`, pauseSchema);
  }

  /** For all processes, until it is resumed; false where it was paused before. */
  pause(pause: Pause): Promise<boolean> {
    return this.store.putIfAbsent(`${this.folder}/paused.json`, encode(pause));
  }

  async resume(): Promise<void> {
    await this.store.delete(`${this.folder}/paused.json`);
  }

  private claimPath(due: number, epoch: number): string {
    return `${this.folder}/runs/${stamp(due)}.claim-${pad(epoch)}.json`;
  }

  private async get<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const bytes = await this.store.get(path);
    return bytes && schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  }
}
