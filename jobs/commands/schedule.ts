import { hostname, userInfo } from "node:os";
import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import { systemClock } from "../../lakehouse/lease/clock.ts";
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import { Leases } from "../../lakehouse/lease/leases.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";
import { interruption, onCleanup } from "../cleanup.ts";
import { traceRuns } from "../observe/tracing-runs.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { DueJob } from "../scheduler/due-job.ts";
import type { Job } from "../scheduler/job.ts";
import { stepReports } from "../scheduler/run-result.ts";
import { jsonText } from "../terminal/json-text.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";
import { type JobStatus, jobStatus, statusRow } from "./schedule/job-status.ts";
import { ownName, scheduledJobs } from "./start.ts";
import { summary } from "./step-command.ts";

export const scheduleCommand = () =>
  new Command("schedule")
    .description("Schedules: when they run next, what became of them; pause, resume and run them.")
    .addCommand(lsCommand())
    .addCommand(pauseCommand())
    .addCommand(resumeCommand())
    .addCommand(runCommand())
    .addHelpText(
      "after",
      "\nExamples:\n  ingot schedule ls\n  ingot schedule pause commerce.refresh\n  ingot schedule resume refresh\n  ingot schedule run refresh",
    );

const NAME = ["<name>", "commerce.refresh, or refresh where one pipeline has it"] as const;

const lsCommand = () =>
  new Command("ls")
    .description(
      "When each schedule is due next, how it ended last, whether it is paused, who holds its lease.",
    )
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const { store } = runtime.lake;
        const leases = new Leases(store, { owner: ownName() });
        const jobs = scheduledJobs(runtime, runtime.pipelines(name));
        const now = Date.now();
        const schedules = await Promise.all(jobs.map((job) => jobStatus(store, leases, job, now)));
        process.stdout.write(options.json ? `${jsonText({ schedules })}\n` : render(schedules, now));
      });
    });

function render(schedules: readonly JobStatus[], now: number): string {
  const columns = ["schedule", "when", "next", "last", "state"].map((name) => ({ name }));
  const rows = schedules.map((status) => statusRow(status, now));
  return `${renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 160) })}\n`;
}

const pauseCommand = () =>
  new Command("pause")
    .description("Run it no more, in no process, until it is resumed; a run that is under way ends.")
    .argument(...NAME)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const job = jobNamed(runtime, name);
        const records = new RunRecords(runtime.lake.store, job.name);
        const first = await records.pause({ by: userName(), at: new Date().toISOString() });
        const text = first ? `${job.name} is paused\n` : `${job.name} was paused before\n`;
        process.stdout.write(options.json ? `${jsonText({ schedule: job.name, paused: true })}\n` : text);
      });
    });

/** Who is at the terminal, for others. */
function userName(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A container may run as a user that it has no name for.
    return hostname();
  }
}

const resumeCommand = () =>
  new Command("resume")
    .description("Run it again when it is due; what it missed meanwhile runs by its policy.")
    .argument(...NAME)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const job = jobNamed(runtime, name);
        await new RunRecords(runtime.lake.store, job.name).resume();
        const text = `${job.name} is resumed\n`;
        process.stdout.write(options.json ? `${jsonText({ schedule: job.name, paused: false })}\n` : text);
      });
    });

const runCommand = () =>
  new Command("run")
    .description("Run it now, beside what is due; waits for a run that is under way, wherever that is.")
    .argument(...NAME)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, (runtime) => runNow(runtime, jobNamed(runtime, name), options));
    });

async function runNow(runtime: Runtime, job: Job, { json }: GlobalOptions): Promise<void> {
  if (job.follow !== undefined) {
    throw new TerminalError(`${job.name} follows changes all the time: there is no run of it`, {
      code: "SCHEDULE_FOLLOWS",
      value: job.name,
      next: "Run the step that you want: `ingot build`, `ingot publish`.",
    });
  }
  const { store } = runtime.lake;
  const owner = ownName();
  const leases = new Leases(store, { owner });
  const lease = await whenFree(leases, job);
  let result: unknown;
  let failure: unknown;
  const work: Job["work"] = async (attempt) => {
    try {
      result = await job.work(attempt);
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  const stop = interruption.signal;
  const emit = runtime.tracing === undefined ? () => {} : traceRuns(runtime.tracing);
  const services = { store, leases, clock: systemClock, owner, emit, stop, grace: 0 };
  const running = new DueJob({ ...job, work }, services).runExtra("asked", lease);
  // An interruption waits for the commit that is under way.
  const ended = onCleanup(() =>
    running.then(
      () => lease.release(),
      () => lease.release(),
    ),
  );
  const done = await running.finally(ended);
  if (failure !== undefined) throw failure;
  if (done === undefined) lease.check();
  const reports = stepReports(result);
  const text = reports === undefined ? `${job.name}: ${done?.status ?? "left"}\n` : summary(reports);
  process.stdout.write(json ? `${jsonText({ run: done, steps: reports })}\n` : text);
}

/** The lease, once who has it gives it back. */
async function whenFree(leases: Leases, job: Job): Promise<Lease> {
  for (let told = false; ; ) {
    const lease = await leases.tryTake(job.name);
    if (lease !== undefined) return lease;
    if (!told) {
      const { owner = "somebody" } = (await leases.holding(job.name)) ?? {};
      process.stderr.write(`waiting: ${owner} runs ${job.name}\n`);
      told = true;
    }
    await systemClock.sleep(leases.pollEvery, interruption.signal);
    interruption.signal.throwIfAborted();
  }
}

/** The job that is meant. Throws `SCHEDULE_UNKNOWN`. */
function jobNamed(runtime: Runtime, name: string): Job {
  const jobs = scheduledJobs(runtime, runtime.pipelines());
  const found = jobs.filter((job) => job.name === name || job.name.endsWith(`.${name}`));
  const [job] = found;
  if (job !== undefined && found.length === 1) return job;
  throw new TerminalError(
    found.length > 1 ? `${name} is in several pipelines` : `there is no schedule ${name}`,
    { code: "SCHEDULE_UNKNOWN", value: name, allowed: jobs.map((known) => known.name).join(", ") },
  );
}
