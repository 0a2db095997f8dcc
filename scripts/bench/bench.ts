/** What benchmarks share: what they are given, and work done in a process of its own, so that its memory can be told. */
import { fork } from "node:child_process";

interface BenchOptions {
  /** 1 is the size that targets are stated for. */
  readonly scale: number;
  /** How often each measurement is taken; the median counts. */
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** Runs and gives its figures by name; ratios without unit, others with the unit in the name. */
export type Bench = (options: BenchOptions) => Promise<Readonly<Record<string, number>>>;

export interface ChildResult {
  readonly milliseconds: number;
  /** Peak resident memory of the process, in megabytes. */
  readonly peakMemoryMb: number;
  readonly rows: number;
}

/** Runs a module in a process of its own; it sends one `ChildResult`. */
export function runChild(module: URL, args: readonly string[]): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = fork(module, args, { env: { ...process.env, UV_THREADPOOL_SIZE: "16" } });
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

/** Sends the result of a child's work to its parent. */
export async function report(work: () => Promise<number>): Promise<void> {
  const started = performance.now();
  const rows = await work();
  const milliseconds = performance.now() - started;
  // maxRSS is in kilobytes on Linux and macOS.
  process.send?.({ milliseconds, peakMemoryMb: process.resourceUsage().maxRSS / 1024, rows });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
