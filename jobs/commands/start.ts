import { hostname } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { messageOf, TerminalError } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { nextDue } from "../../layers/schedule/due-times.ts";
import { interruption, onCleanup } from "../cleanup.ts";
import { watchAlerts } from "../observe/alerts.ts";
import { endObserving, observe } from "../observe/observation.ts";
import { SharedObservation } from "../observe/shared-observation.ts";
import { traceRuns } from "../observe/tracing-runs.ts";
import type { Watch } from "../observe/watch.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { eventLines, wallTime } from "../scheduler/event-lines.ts";
import { eventLog } from "../scheduler/event-log.ts";
import type { SchedulerEvent, SchedulerListener } from "../scheduler/events.ts";
import type { Job } from "../scheduler/job.ts";
import { pipelineJobs } from "../scheduler/pipeline-jobs.ts";
import { Scheduler } from "../scheduler/scheduler.ts";
import { isLoopback } from "../serve/loopback.ts";
import { formatDuration } from "../terminal/numbers.ts";
import { styleFor } from "../terminal/style.ts";
import { portNumber } from "./number-options.ts";
import { timetableText } from "./schedule/timetable-text.ts";

interface Options extends GlobalOptions {
  readonly lease: number;
  readonly port?: number;
  readonly host: string;
  readonly verbose?: boolean;
}

/** Who this process is, in leases and logs. */
export const ownName = (): string => `${hostname()}:${process.pid}`;

export const startCommand = () =>
  new Command("start")
    .description("Run the schedules of pipelines, until interrupted.")
    .argument("[pipelines...]", "names of pipelines; all of them by default")
    .option("--lease <seconds>", "so soon another process takes over from one that died", leaseSeconds, 15)
    .option(
      "--port <number>",
      "answer /healthz, /readyz and /metrics on this port; 0 takes one that is free",
      portNumber,
    )
    .option("--host <address>", "address to listen on; this machine alone by default", "127.0.0.1")
    .option("--verbose", "also say what runs when it begins, and every batch of changes")
    .addHelpText(
      "after",
      "\nAny number of processes, on any number of machines, can do this on one lake: each run is made by one of them.\nA first Ctrl-C or SIGTERM lets commits that are under way end; a second one ends at once.\nWithout a terminal, or with --json, it logs a JSON object a line.\n\nExamples:\n  ingot start\n  ingot start commerce --json\n  ingot start --lease 5\n  ingot start --port 9464   # then: curl localhost:9464/metrics",
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
  options: Options,
): Promise<void> {
  const { lease, json, verbose } = options;
  const jobs = scheduledJobs(runtime, pipelines);
  const owner = ownName();
  const plain = json || process.stdout.isTTY !== true;
  const settings = verbose ? { verbose } : {};
  const listeners = [plain ? eventLog(owner, process.stdout, settings) : lines(jobs, settings)];
  const tell = (event: SchedulerEvent) => {
    for (const listen of listeners) listen(event);
  };
  const leaseMilliseconds = lease * 1000;
  const scheduler = new Scheduler(jobs, {
    store: runtime.lake.store,
    owner,
    leaseMilliseconds,
    onEvent: tell,
  });
  const observation = new SharedObservation(() => observe(runtime, pipelines));
  const watch = await watchedAt(options, { runtime, jobs, scheduler, observation });
  if (watch !== undefined) listeners.push(watch.onEvent);
  if (runtime.tracing !== undefined) listeners.push(traceRuns(runtime.tracing));
  const alerts = watchAlerts(runtime, pipelines, { owner, leaseMilliseconds, observation, emit: tell });
  if (alerts !== undefined) listeners.push(alerts.note);
  if (!plain) process.stdout.write(heading(jobs, runtime.lakeRoot));
  if (watch !== undefined) announce(watch, owner, options, plain);
  const stopped = new Promise<void>((resolve, reject) => {
    const stop = () => scheduler.stop().then(resolve, reject);
    if (interruption.signal.aborted) void stop();
    else interruption.signal.addEventListener("abort", () => void stop(), { once: true });
  });
  const ended = stopped.finally(async () => {
    await alerts?.end();
    await watch?.close();
    await observation.close();
    await endObserving(runtime);
  });
  endAtOnceWhenAskedAgain();
  // The database and the target are there until the last commit.
  const waited = onCleanup(() => ended);
  scheduler.start();
  await ended.finally(waited);
}

/** The server that it is watched by, where a port is given. */
async function watchedAt(
  { port, host }: Options,
  about: {
    readonly runtime: Runtime;
    readonly jobs: readonly Job[];
    readonly scheduler: Scheduler;
    readonly observation: SharedObservation;
  },
): Promise<Watch | undefined> {
  if (port === undefined) return undefined;
  const { startWatch } = await import("../observe/watch.ts");
  const { runtime, jobs, scheduler, observation } = about;
  return startWatch({
    host,
    port,
    jobs: jobs.map(({ name }) => name),
    state: () => scheduler.state,
    observation,
    store: runtime.lake.store,
    unexpected: (error) => process.stderr.write(`the server has failed: ${messageOf(error)}\n`),
  });
}

function announce({ url }: Watch, owner: string, { host }: Options, plain: boolean): void {
  const line = { level: "info", time: new Date().toISOString(), owner, url, msg: "watched" };
  process.stdout.write(
    plain ? `${JSON.stringify(line)}\n` : `watched at ${url}/metrics, /readyz, /healthz\n\n`,
  );
  if (!isLoopback(host))
    process.stderr.write(`Whoever reaches ${host} can read the names and figures of tables, no rows.\n`);
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
