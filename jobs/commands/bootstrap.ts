import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import { interruption } from "../cleanup.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { positiveNumber } from "./number-options.ts";

export const bootstrapCommand = () =>
  new Command("bootstrap")
    .description(
      "Create and fill the source database of a pipeline that knows how to; nothing where that is done.",
    )
    .argument("<pipeline>", "name of the pipeline")
    .option("--scale <factor>", "size of the data; 1 is what the pipeline was made for", positiveNumber, 1)
    .addHelpText("after", "\nExamples:\n  ingot bootstrap commerce\n  ingot bootstrap commerce --scale 0.1")
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { scale: number }>();
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
          await pipeline.bootstrap(
            { connectionString, signal: interruption.signal, onProgress },
            { scale: options.scale },
          );
        }
        runtime.endProgress();
        process.stdout.write(
          options.json ? `${jsonText({ pipeline: name })}\n` : `${name}: the source is ready\n`,
        );
      });
    });
