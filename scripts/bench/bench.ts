/** What benchmarks share: what they are given, and work done in a process of its own, so that its memory can be told. */
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface BenchOptions {
  /** 1 is the size that targets are stated for. */
  readonly scale: number;
  /** How often each measurement is taken; the median counts. */
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** By name; ratios without unit, others with the unit in the name. What there are several of is by their names. */
type Figures = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

/** Runs and gives its figures. */
export type Bench = (options: BenchOptions) => Promise<Figures>;

export interface ChildResult {
  readonly milliseconds: number;
  /** Peak resident memory of the process, in megabytes. */
  readonly peakMemoryMb: number;
  readonly rows: number;
  /** Measurements of parts of the work, by name. */
  readonly figures: Readonly<Record<string, number>>;
}

/** Compiled modules are one folder deeper than the sources are. */
const PRELUDE = fileURLToPath(new URL("../../../bin/prelude.cjs", import.meta.url));

/** Runs a module in a process of its own, which begins as the command does; it sends one `ChildResult`. */
export function runChild(module: URL, args: readonly string[]): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = fork(module, args, { execArgv: ["--require", PRELUDE] });
    let result: ChildResult | undefined;
    child.on("message", (message) => {
      result = message as ChildResult;
    });
    child.on("exit", (code) => {
      if (code === 0 && result !== undefined) resolve(result);
      else reject(new Error(`${module.pathname} ${args[0]} ended with ${code}`));
    });
    child.on("error", reject);
  });
}

/** Sends the result of a child's work to its parent: rows, and measurements of parts where there are any. */
export async function report(
  work: () => Promise<number | Pick<ChildResult, "rows" | "figures">>,
): Promise<void> {
  const started = performance.now();
  const done = await work();
  const milliseconds = performance.now() - started;
  const result = typeof done === "number" ? { rows: done, figures: {} } : done;
  process.send?.({ ...result, milliseconds, peakMemoryMb: peakMemoryMb() } satisfies ChildResult);
}

/**
 * Peak resident memory of this process. Where Linux says it for the program alone, that counts: `maxRSS`, in
 * kilobytes on Linux and macOS, begins there with what the parent weighed when it started this process.
 */
function peakMemoryMb(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS / 1024;
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(match?.[1]) / 1024;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The value below which this share of the values lies, `share` from 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A figure as it is told: three digits after the point. */
export const rounded = (value: number): number => Number(value.toFixed(3));

/** Runs work and gives its result with the milliseconds that it took. */
export async function timed<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly milliseconds: number }> {
  const started = performance.now();
  const result = await work();
  return { result, milliseconds: performance.now() - started };
}
