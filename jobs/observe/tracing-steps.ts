/** The span of a step, and within it one for each table that it worked on, by its progress and its report. */
import { codeOf, messageOf } from "../../lakehouse/errors.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";
import type { IngestReport } from "../../layers/bronze/ingest.ts";
import type { BuildReport } from "../../layers/models/build-outcome.ts";
import type { PublishReport } from "../../layers/publish/publish.ts";
import type { SpanAttributes, SpanError, TraceSpan } from "./tracing-span.ts";

/** What a step came to. */
interface StepResult {
  readonly tables: readonly (IngestReport | BuildReport | PublishReport)[];
  /** Models that failed, or were not run. */
  readonly failed?: readonly {
    readonly model: string;
    readonly status: string;
    readonly reason: string;
    readonly code?: string | undefined;
  }[];
}

/** When a table was worked on, by its progress. */
interface Seen {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly failed: string | undefined;
}

/** Runs the work of a step within a span of its own, where the run that it is part of is traced. */
export async function tracedStep<T extends StepResult>(
  { parent, onProgress }: { readonly parent: TraceSpan | undefined; readonly onProgress: ProgressListener },
  about: { readonly pipeline: string; readonly step: string; readonly attempt?: number | undefined },
  work: (onProgress: ProgressListener) => Promise<T>,
): Promise<T> {
  if (parent === undefined) return work(onProgress);
  const span = parent.child(`${about.step} ${about.pipeline}`, about);
  const seen = new Map<string, Seen>();
  const watch: ProgressListener = (event) => {
    onProgress(event);
    // What is skipped is no work.
    if (event.state === "skipped") return;
    const endedAt = Date.now();
    const startedAt = seen.get(event.task)?.startedAt ?? endedAt;
    const failed = event.state === "failed" ? maskSecrets(event.note ?? "it failed") : undefined;
    seen.set(event.task, { startedAt, endedAt, failed });
  };
  try {
    const result = await work(watch);
    tableSpans(span, seen, result);
    const failed = result.failed?.find(({ status }) => status === "failed");
    span.end({ error: failed && { code: failed.code, message: `${failed.model}: ${failed.reason}` } });
    return result;
  } catch (error) {
    tableSpans(span, seen, { tables: [] });
    span.end({ error: spanError(error) });
    throw error;
  }
}

/** What was thrown, free of secrets. */
export const spanError = (error: unknown): SpanError => ({
  code: codeOf(error),
  message: maskSecrets(messageOf(error)),
});

/** A span for each table that was worked on. Those that nothing is said of in the report ended with the step. */
function tableSpans(step: TraceSpan, seen: ReadonlyMap<string, Seen>, result: StepResult): void {
  const figures = new Map(result.tables.map((report) => [taskOf(report), figuresOf(report)]));
  const failures = new Map((result.failed ?? []).map((failed) => [failed.model, failed]));
  for (const [task, { startedAt, endedAt, failed }] of seen) {
    const { status, code, reason } = failures.get(task) ?? {};
    const attributes = figures.get(task) ?? {
      status: status ?? (failed === undefined ? undefined : "failed"),
    };
    // Asked, and found as it was.
    if (attributes.status === "unchanged" && startedAt === endedAt) continue;
    const span = step.child(task, { table: task, ...attributes }, startedAt);
    const message = reason ?? failed;
    span.end({ at: endedAt, error: message === undefined ? undefined : { code, message } });
  }
}

function taskOf(report: IngestReport | BuildReport | PublishReport): string {
  if ("table" in report) return report.table;
  if ("model" in report) return report.model;
  return `publish ${report.metric}${report.target === undefined ? "" : ` to ${report.target}`}`;
}

function figuresOf(report: IngestReport | BuildReport | PublishReport): SpanAttributes {
  const { status, version } = report;
  if ("table" in report) return { status, version, rows: report.rows, bytes: report.bytes };
  if ("metric" in report) return { status, version, rows: report.rows, written: report.written };
  return { status, version, rows: report.rowsOut, rows_in: report.rowsIn, bytes: report.bytes };
}
