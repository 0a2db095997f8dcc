/** Commands that run steps of pipelines and print what was done. */
import { Command } from "commander";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import type { StepReport } from "../steps.ts";
import { jsonText } from "../terminal/json-text.ts";
import { formatDuration, groupDigits } from "../terminal/numbers.ts";

interface StepCommand {
  readonly name: string;
  readonly description: string;
  readonly examples: string;
  readonly steps: (runtime: Runtime, pipeline: PipelineDefinition) => Promise<StepReport[]>;
}

/** A command `NAME [pipeline]` that runs steps for one pipeline or all. */
export function stepCommand({ name, description, examples, steps }: StepCommand): Command {
  return new Command(name)
    .description(description)
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .addHelpText("after", `\nExamples:\n${examples}`)
    .action(async (pipeline: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const reports: StepReport[] = [];
        for (const chosen of runtime.pipelines(pipeline)) reports.push(...(await steps(runtime, chosen)));
        runtime.endProgress();
        process.stdout.write(options.json ? `${jsonText({ steps: reports })}\n` : summary(reports));
      });
    });
}

/** One line a step: how many rows, in how many tables, how long. */
export function summary(reports: readonly StepReport[]): string {
  return reports
    .map(({ pipeline, step, rows, tables, durationMs }) => {
      const changed = tables.filter((t) => !["unchanged", "skipped"].includes(t.status)).length;
      const verb = { load: "loaded", sync: "synced", build: "built", publish: "published" }[step];
      const what =
        changed === 0
          ? `nothing new in ${tables.length} ${tables.length === 1 ? "table" : "tables"}`
          : `${groupDigits(rows)} rows in ${changed} of ${tables.length} tables`;
      return `${pipeline}: ${verb} ${what}, ${formatDuration(durationMs)}\n`;
    })
    .join("");
}
