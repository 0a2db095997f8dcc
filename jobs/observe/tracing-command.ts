/** A command as one run: what it does in all pipelines has one id in journals, audits and traces. */
import { randomUUID } from "node:crypto";
import type { RunContext, Runtime } from "../runtime.ts";
import { spanError } from "./tracing-steps.ts";

/** Does a command's work as a run, within a span of its own where traces are collected. */
export async function asRun<T>(
  runtime: Runtime,
  command: string,
  work: (runtime: Runtime & { readonly run: RunContext }) => Promise<T>,
): Promise<T> {
  const id = randomUUID();
  const span = runtime.tracing?.root(`ingot ${command}`, { command, run_id: id });
  try {
    const result = await work({ ...runtime, run: span === undefined ? { id } : { id, span } });
    span?.end();
    return result;
  } catch (error) {
    span?.end({ error: spanError(error) });
    throw error;
  }
}

/** Says in a command's span what a backfill came to. */
export function noteBackfill(
  { span }: RunContext,
  pipeline: string,
  table: string,
  { rowsIn, rowsOut, bytes, version }: Readonly<Record<"rowsIn" | "rowsOut" | "bytes" | "version", number>>,
): void {
  span?.set({ pipeline, table, rows_in: rowsIn, rows: rowsOut, bytes, version });
}
