import { Command } from "commander";
import { asRun } from "../observe/tracing-command.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { type StepReport, tryBuildStep } from "../steps.ts";
import { jsonText } from "../terminal/json-text.ts";
import { printError } from "../terminal/print-error.ts";
import { summary } from "./step-command.ts";

interface Options extends GlobalOptions {
  readonly select?: readonly string[];
  readonly anew?: readonly string[];
}

export const buildCommand = () =>
  new Command("build")
    .description("Bring silver and gold up to what bronze holds.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option(
      "--select <models...>",
      "only these: gold.x, silver.*, +gold.x with what it reads, silver.y+ with what reads it",
    )
    .option("--anew <models...>", "make these anew, whatever changed")
    .addHelpText(
      "after",
      "\nExamples:\n  ingot build\n  ingot build commerce --json\n  ingot build commerce --select +gold.daily_revenue\n  ingot build commerce --select silver.orders+ --anew silver.orders",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, async (runtime) => {
        const { select, anew = [] } = options;
        const reports: StepReport[] = [];
        const errors: unknown[] = [];
        await asRun(runtime, "build", async (run) => {
          for (const pipeline of run.pipelines(name)) {
            const { report, error } = await tryBuildStep(run, pipeline, { select, anew });
            reports.push(report);
            if (error !== undefined) errors.push(error);
          }
        });
        runtime.endProgress();
        process.stdout.write(options.json ? `${jsonText({ steps: reports })}\n` : summary(reports));
        // The last one is printed where every error is.
        for (const error of errors.slice(0, -1)) printError(error, { json: options.json === true });
        if (errors.length > 0) throw errors.at(-1);
      });
    });
