/**
 * Watches over one pipeline and tells a webhook what is wrong with it. Of all processes on the lake the one that holds
 * the lease `<pipeline>._alerts` tells; others hand over what only they know. What is told was written down before, and
 * is noted after: killed in between, it is told again under the same id.
 */
import type { Clock } from "../../lakehouse/lease/clock.ts";
import { guardedStore } from "../../lakehouse/lease/guarded-store.ts";
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import type { Leases } from "../../lakehouse/lease/leases.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import type { SchedulerEvent, SchedulerListener } from "../scheduler/events.ts";
import { eventError } from "../scheduler/events.ts";
import { type Book, EMPTY, essence, readBook, settle, writeBook } from "./alerts-book.ts";
import type { AlertKind, Verdict } from "./alerts-condition.ts";
import type { AlertReceiver } from "./alerts-delivery.ts";
import { nextBaselines, observedVerdicts, vanished } from "./alerts-observed.ts";
import { JudgedRuns } from "./alerts-records.ts";
import { AllReports, OwnReports } from "./alerts-reports.ts";
import { OwnJobs } from "./alerts-runs.ts";
import { Teller } from "./alerts-teller.ts";
import type { Observation } from "./observation.ts";

/** Setting `alerts` of a configuration. */
interface AlertSettings extends AlertReceiver {
  readonly on: readonly AlertKind[];
  readonly repeatHours: number;
  readonly troubleMinutes: number;
}

export interface WatchContext {
  /** The lake's. */
  readonly store: ObjectStore;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly owner: string;
  readonly settings: AlertSettings;
  /** Undefined where none can be had now. */
  readonly observe: () => Promise<Observation | undefined>;
  readonly emit: SchedulerListener;
  /** Aborted when nothing more is to be told. */
  readonly stop: AbortSignal;
}

/** Milliseconds between two looks at records and reports. */
const LOOK_EVERY = 30_000;
/** Between two looks that something has asked for. */
const LOOK_AFTER = 1_000;
/** Between two observations, and two that runs have asked for. */
const OBSERVE_EVERY = 60_000;
const OBSERVE_AFTER = 5_000;
/** After which an unchanged report is of a process that died. */
const ABANDONED_AFTER = 5 * LOOK_EVERY;
const MINUTE = 60_000;

export class AlertWatch {
  private readonly context: WatchContext;
  private readonly pipeline: PipelineDefinition;
  private readonly runs: JudgedRuns;
  private readonly own: OwnJobs;
  private readonly ownReports: OwnReports;
  private readonly reports: AllReports;
  private readonly teller: Teller;
  private lease: Lease | undefined;
  private askAt = Number.NEGATIVE_INFINITY;
  /** What is to be in the lake, and the essence of what is; of the holder of the lease. */
  private book: Book | undefined;
  private saved = "";
  /** What this process tells by itself, as the lake could not be written when it began. */
  private aside = EMPTY;
  private observed: Observation | undefined;
  private observing: Promise<void> | undefined;
  private observedAt = Number.NEGATIVE_INFINITY;
  private hasRun = false;
  private complained = false;
  private alarm = new AbortController();

  constructor(pipeline: PipelineDefinition, context: WatchContext) {
    const { store, clock, owner, settings, stop } = context;
    this.context = context;
    this.pipeline = pipeline;
    const jobs = Object.entries(pipeline.schedules ?? {}).map(([name, { follow }]) => ({
      name: `${pipeline.name}.${name}`,
      follows: follow !== undefined,
    }));
    const patience = settings.troubleMinutes * MINUTE;
    const now = () => clock.now();
    this.runs = new JudgedRuns(store, jobs, patience, now);
    this.own = new OwnJobs(owner, patience, now);
    this.ownReports = new OwnReports(store, pipeline.name, owner);
    this.reports = new AllReports(store, pipeline.name, () => clock.elapsed(), ABANDONED_AFTER);
    this.teller = new Teller(pipeline.name, context);
    stop.addEventListener("abort", () => this.alarm.abort(), { once: true });
  }

  note(event: SchedulerEvent): void {
    if (!("job" in event) || !this.runs.has(event.job)) return;
    this.own.note(event);
    if (event.event !== "run ended") return;
    this.hasRun = true;
    this.alarm.abort();
  }

  /** Watches until `stop`. Never rejects. */
  async run(): Promise<void> {
    const { clock, stop } = this.context;
    while (!stop.aborted) {
      await this.turn().then(
        () => {
          this.complained = false;
        },
        (error: unknown) => this.complain(error),
      );
      await clock.sleep(LOOK_AFTER, stop);
      await clock.sleep(LOOK_EVERY - LOOK_AFTER, this.alarm.signal);
      if (!stop.aborted) this.alarm = new AbortController();
    }
    await this.lease?.release();
  }

  /** Alerts that cannot be looked after are no reason to stop anything. */
  private complain(error: unknown): void {
    const { emit, stop } = this.context;
    if (this.complained || stop.aborted) return;
    this.complained = true;
    emit({
      event: "alert failed",
      pipeline: this.pipeline.name,
      error: eventError(error),
      retryInMs: LOOK_EVERY,
    });
  }

  private async turn(): Promise<void> {
    await this.handOver();
    const { leases, clock, stop } = this.context;
    if (stop.aborted) return;
    if (this.lease?.isHeld() !== true) {
      this.book = undefined;
      this.lease = undefined;
      // What wakes this process is no reason to ask more often who tells.
      if (clock.elapsed() < this.askAt) return;
      this.askAt = clock.elapsed() + LOOK_EVERY - LOOK_AFTER;
      this.lease = await leases.tryTake(`${this.pipeline.name}._alerts`);
    }
    if (this.lease !== undefined) await this.tend(this.lease);
  }

  /** Reports what only this process knows; where that fails it tells of it by itself, to the end. */
  private async handOver(): Promise<void> {
    const { clock } = this.context;
    const known = this.wanted(this.own.verdicts(this.pipeline.name));
    const isAside = new Set(openKeys(this.aside));
    let failure: { readonly error: unknown } | undefined;
    try {
      await this.ownReports.renew(known.filter(({ key }) => !isAside.has(key)));
    } catch (error) {
      failure = { error };
    }
    const told = failure === undefined ? known.filter(({ key }) => isAside.has(key)) : known;
    this.aside = settle(this.aside, [...told, ...fine(isAside, told)], clock.now());
    await this.teller.tell(this.aside, async (book) => {
      this.aside = book;
    });
    if (failure !== undefined) throw failure.error;
  }

  /** What the holder of the lease does. */
  private async tend(lease: Lease): Promise<void> {
    const { store, clock } = this.context;
    const { name } = this.pipeline;
    if (this.book === undefined) {
      const found = await readBook(store, name);
      this.book = { ...found, incidents: this.wanted(found.incidents) };
      this.saved = essence(found);
    }
    this.look();
    const { judged, verdicts } = await this.runs.judge(this.book.judged, openKeys(this.book));
    const reported = await this.reports.read();
    const isReported = openKeys(this.book).filter((key) => /^(trouble|changes) /.test(key));
    const observed = this.judgeObserved(this.book);
    const found = [...verdicts, ...reported, ...fine(isReported, reported), ...observed.verdicts];
    const { baselines } = observed;
    const base = { ...this.book, judged, ...(baselines === undefined ? {} : { baselines }) };
    const save = async (book: Book) => {
      this.book = book;
      if (essence(book) === this.saved) return;
      await writeBook(
        guardedStore(store, () => lease.check()),
        name,
        book,
      );
      this.saved = essence(book);
    };
    await save(settle(base, this.wanted(found), clock.now()));
    await this.teller.tell(this.book, save);
  }

  /** What the newest observation says, once. What it does not speak of, though it could, is gone. */
  private judgeObserved(book: Book): { verdicts: Verdict[]; baselines: Book["baselines"] } {
    const { observed, pipeline } = this;
    this.observed = undefined;
    if (observed === undefined) return { verdicts: [], baselines: book.baselines };
    const baselines = nextBaselines(pipeline.name, observed, book.baselines);
    const verdicts = observedVerdicts(pipeline, observed, baselines);
    const gone = fine(vanished(pipeline, observed, openKeys(book)), verdicts);
    return { verdicts: [...verdicts, ...gone], baselines };
  }

  /** Begins an observation where it is time; what it sees is judged at the next look. */
  private look(): void {
    const { clock, observe, stop, settings } = this.context;
    const since = clock.elapsed() - this.observedAt;
    const isDue = since >= OBSERVE_EVERY || (this.hasRun && since >= OBSERVE_AFTER);
    if (!isDue || this.observing !== undefined || settings.on.every((kind) => kind === "failure")) return;
    this.observedAt = clock.elapsed();
    this.hasRun = false;
    this.observing = observe()
      .then(
        (observation) => {
          this.observed = observation;
        },
        (error: unknown) => this.complain(error),
      )
      .finally(() => {
        this.observing = undefined;
        if (!stop.aborted) this.alarm.abort();
      });
  }

  /** Those of the kinds that are asked for. */
  private wanted<
    T extends { readonly alert?: AlertKind; readonly condition?: { readonly alert: AlertKind } },
  >(items: readonly T[]): T[] {
    const { on } = this.context.settings;
    return items.filter(({ alert, condition }) => {
      const kind = condition?.alert ?? alert;
      return kind === undefined || on.includes(kind);
    });
  }
}

const openKeys = ({ incidents }: Book): string[] =>
  incidents.flatMap(({ key, resolvedAt }) => (resolvedAt === undefined ? [key] : []));

/** Of these keys the ones that nothing is said of: nothing is wrong with them any more. */
function fine(keys: Iterable<string>, said: readonly Verdict[]): Verdict[] {
  const spoken = new Set(said.map(({ key }) => key));
  return [...keys].flatMap((key) => (spoken.has(key) ? [] : [{ key }]));
}
