import { Command } from "commander";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { readMetrics, renderMetric } from "../show-metrics.ts";
import { jsonText } from "../terminal/json-text.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";

export const metricsCommand = () =>
  new Command("metrics")
    .description("Show the published metrics as their consumers see them.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .addHelpText("after", "\nExamples:\n  ingot metrics\n  ingot metrics commerce --json")
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const target = await runtime.target();
        for (const pipeline of runtime.pipelines(name)) {
          const shown = await readMetrics(target, pipeline, runtime.target);
          if (options.json) {
            const metrics = shown.map(({ metric, published }) => ({
              metric: metric.name ?? metric.model,
              ...published,
            }));
            process.stdout.write(`${jsonText({ pipeline: pipeline.name, metrics })}\n`);
          } else {
            const width = terminalWidth(process.stdout, 100);
            process.stdout.write(`${shown.map((metric) => renderMetric(metric, width)).join("\n")}`);
          }
        }
      });
    });
