import { hostname } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { nextDue } from "../../layers/schedule/due-times.ts";
import { interruption, onCleanup } from "../cleanup.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { eventLines, wallTime } from "../scheduler/event-lines.ts";
import { eventLog } from "../scheduler/event-log.ts";
import type { SchedulerListener } from "../scheduler/events.ts";
import type { Job } from "../scheduler/job.ts";
import { pipelineJobs } from "../scheduler/pipeline-jobs.ts";
import { Scheduler } from "../scheduler/scheduler.ts";
import { formatDuration } from "../terminal/numbers.ts";
import { styleFor } from "../terminal/style.ts";
import { timetableText } from "./schedule/timetable-text.ts";

interface Options extends GlobalOptions {
  readonly lease: number;
  readonly verbose?: boolean;
}

/** Who this process is, in leases and logs. */
export const ownName = (): string => `${hostname()}:${process.pid}`;

export const startCommand = () =>
  new Command("start")
    .description("Run the schedules of pipelines, until interrupted.")
    .argument("[pipelines...]", "names of pipelines; all of them by default")
    .option("--lease <seconds>", "so soon another process takes over from one that died", leaseSeconds, 15)
    .option("--verbose", "also say what runs when it begins, and every batch of changes")
    .addHelpText(
      "after",
      "\nAny number of processes, on any number of machines, can do this on one lake: each run is made by one of them.\nA first Ctrl-C or SIGTERM lets commits that are under way end; a second one ends at once.\nWithout a terminal, or with --json, it logs a JSON object a line.\n\nExamples:\n  ingot start\n  ingot start commerce --json\n  ingot start --lease 5",
    )
    .action(async (names: string[], _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, (runtime) => {
        const pipelines =
          names.length === 0
            ? runtime.pipelines()
            : [...new Set(names)].flatMap((name) => runtime.pipelines(name));
        return runSchedules(runtime, pipelines, options);
      });
    });

async function runSchedules(
  runtime: Runtime,
  pipelines: readonly PipelineDefinition[],
  { lease, json, verbose }: Options,
): Promise<void> {
  const jobs = scheduledJobs(runtime, pipelines);
  const owner = ownName();
  const plain = json || process.stdout.isTTY !== true;
  const settings = verbose ? { verbose } : {};
  const scheduler = new Scheduler(jobs, {
    store: runtime.lake.store,
    owner,
    leaseMilliseconds: lease * 1000,
    onEvent: plain ? eventLog(owner, process.stdout, settings) : lines(jobs, settings),
  });
  if (!plain) process.stdout.write(heading(jobs, runtime.lakeRoot));
  const ended = new Promise<void>((resolve, reject) => {
    const stop = () => scheduler.stop().then(resolve, reject);
    if (interruption.signal.aborted) void stop();
    else interruption.signal.addEventListener("abort", () => void stop(), { once: true });
  });
  endAtOnceWhenAskedAgain();
  // The database and the target are there until the last commit.
  const waited = onCleanup(() => ended);
  scheduler.start();
  await ended.finally(waited);
}

/** Whoever asks twice does not want to wait: what is not committed was never there, and leases end by themselves. */
function endAtOnceWhenAskedAgain(): void {
  let asked = 0;
  const count = () => {
    if (++asked > 1) process.kill(process.pid, "SIGKILL");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, count);
}

/** The jobs of pipelines. Throws `SCHEDULES_NONE`. */
export function scheduledJobs(runtime: Runtime, pipelines: readonly PipelineDefinition[]): readonly Job[] {
  const jobs = pipelineJobs(runtime, pipelines).map(({ job }) => job);
  if (jobs.length > 0) return jobs;
  throw new TerminalError("no pipeline has a schedule", {
    code: "SCHEDULES_NONE",
    value: pipelines.map(({ name }) => name).join(", "),
    next: 'Say when: `schedules: { refresh: { cron: "*/5 * * * *" } }` in a pipeline.',
  });
}

function lines(jobs: readonly Job[], settings: { readonly verbose?: boolean }): SchedulerListener {
  const width = Math.max(...jobs.map(({ name }) => name.length));
  const write = (line: string) => process.stdout.write(`${line}\n`);
  return eventLines({ write, now: Date.now, width, ...settings });
}

function heading(jobs: readonly Job[], lakeRoot: string): string {
  const style = styleFor();
  const now = Date.now();
  const names = Math.max(...jobs.map(({ name }) => name.length));
  const times = jobs.map(({ schedule }) => timetableText(schedule));
  const width = Math.max(...times.map((text) => text.length));
  const list = jobs.map(({ name, schedule }, i) => {
    const due = schedule.cron === undefined ? undefined : nextDue({ ...schedule, cron: schedule.cron }, now);
    const next = due === undefined ? "" : style.dim(`next ${wallTime(due)}, in ${formatDuration(due - now)}`);
    return `  ${style.bold(name.padEnd(names))}  ${(times[i] ?? "").padEnd(width)}  ${next}`.trimEnd();
  });
  const what = jobs.length === 1 ? "1 schedule" : `${jobs.length} schedules`;
  return `${style.bold(`${what} on ${lakeRoot}`)}; Ctrl-C ends it\n${list.join("\n")}\n\n`;
}

function leaseSeconds(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 3600)) throw new InvalidArgumentError("It takes 1 to 3600 seconds.");
  return value;
}
