import { Command } from "commander";
import { asRun } from "../observe/tracing-command.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { loadStep, type StepReport } from "../steps.ts";
import { jsonText } from "../terminal/json-text.ts";
import { summary } from "./step-command.ts";

interface Options extends GlobalOptions {
  readonly resume: boolean;
}

export const loadCommand = () =>
  new Command("load")
    .description("Take the whole source into bronze: every table that is not there yet, at one moment.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option("--resume", "go on with loads that were interrupted, where they were", true)
    .option("--no-resume", "begin interrupted loads anew")
    .addHelpText(
      "after",
      `
Examples:
  ingot load                         all pipelines
  ingot load commerce --json         one, with a report as JSON
  ingot load commerce --no-resume    read again what an interrupted load has read

Large tables are read in ranges, and each range is committed when it was read: run again after an interruption, and
the load goes on behind the last one. Tables that are complete are skipped. \`limits\` of the pipeline's source bound
the connections, the time of a statement and the megabytes a second that it takes.`,
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, async (runtime) => {
        const reports: StepReport[] = [];
        await asRun(runtime, "load", async (run) => {
          for (const pipeline of run.pipelines(name)) {
            reports.push(await loadStep(run, pipeline, { resume: options.resume }));
          }
        });
        runtime.endProgress();
        process.stdout.write(options.json ? `${jsonText({ steps: reports })}\n` : summary(reports));
      });
    });
