/** What runs of steps answer; programs of users answer whatever they like, and nothing of that is shown. */
import type { StepReport } from "../steps.ts";

/** The reports of a run, if it was one of steps. */
export function stepReports(result: unknown): readonly StepReport[] | undefined {
  const isReport = (item: unknown): item is StepReport =>
    typeof item === "object" && item !== null && "step" in item && "tables" in item;
  return Array.isArray(result) && result.every(isReport) ? result : undefined;
}

/** The figures of each step. */
export function stepFigures(result: unknown) {
  return stepReports(result)?.map(({ step, rows, durationMs, tables }) => {
    const changed = tables.filter(({ status }) => !["unchanged", "skipped"].includes(status)).length;
    return { step, rows, durationMs: Math.round(durationMs), tables: tables.length, changed };
  });
}
