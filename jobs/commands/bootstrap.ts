import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import { interruption } from "../cleanup.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";

export const bootstrapCommand = () =>
  new Command("bootstrap")
    .description(
      "Create and fill the source database of a pipeline that knows how to; nothing where that is done.",
    )
    .argument("<pipeline>", "name of the pipeline")
    .addHelpText("after", "\nExamples:\n  ingot bootstrap commerce")
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        for (const pipeline of runtime.pipelines(name)) {
          if (pipeline.bootstrap === undefined) {
            throw new TerminalError(`pipeline ${name} has no bootstrap`, {
              code: "PIPELINE_NO_BOOTSTRAP",
              value: name,
              next: "Fill its database yourself, then `ingot load`.",
            });
          }
          const connectionString = await runtime.database();
          const { onProgress } = runtime;
          await pipeline.bootstrap({ connectionString, signal: interruption.signal, onProgress });
        }
        runtime.endProgress();
        process.stdout.write(
          options.json ? `${jsonText({ pipeline: name })}\n` : `${name}: the source is ready\n`,
        );
      });
    });
