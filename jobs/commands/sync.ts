import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import { follow } from "../../layers/bronze/follow.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { interruption, onCleanup } from "../cleanup.ts";
import { asRun } from "../observe/tracing-command.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { type StepReport, syncStep } from "../steps.ts";
import { jsonText } from "../terminal/json-text.ts";
import { formatDuration, groupDigits } from "../terminal/numbers.ts";
import { wholeNumber } from "./number-options.ts";
import { summary } from "./step-command.ts";

interface Options extends GlobalOptions {
  readonly follow?: boolean;
  readonly every: number;
}

export const syncCommand = () =>
  new Command("sync")
    .description("Append to bronze what committed at the source since the last load or sync.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option("--follow", 'go on until interrupted, in small batches (for `changes: "wal"`)')
    .option("--every <ms>", "commit a batch after so many milliseconds; with --follow", wholeNumber, 200)
    .addHelpText(
      "after",
      "\nExamples:\n  ingot sync\n  ingot sync commerce --json\n  ingot sync commerce --follow --every 500",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, async (runtime) => {
        const pipelines = runtime.pipelines(name);
        if (options.follow) {
          await followAll(runtime, pipelines, options);
          return;
        }
        const reports: StepReport[] = [];
        await asRun(runtime, "sync", async (run) => {
          for (const pipeline of pipelines) reports.push(await syncStep(run, pipeline));
        });
        runtime.endProgress();
        process.stdout.write(options.json ? `${jsonText({ steps: reports })}\n` : summary(reports));
      });
    });

/** Follows pipelines side by side; prints a line a batch. */
async function followAll(
  runtime: Runtime,
  pipelines: readonly PipelineDefinition[],
  { every, json }: Options,
): Promise<void> {
  const query = pipelines.find(({ source }) => source.changes !== "wal");
  if (query !== undefined) {
    throw new TerminalError(`pipeline ${query.name} finds changes by query: there is no stream to follow`, {
      code: "FOLLOW_QUERY",
      value: query.source.changes ?? "query",
      allowed: '`changes: "wal"` in the pipeline\'s source',
      next: "Run `ingot sync` as often as you like instead, or capture the changes.",
    });
  }
  const { lake, config, onProgress } = runtime;
  const context = {
    lake,
    connectionString: await runtime.database(),
    concurrency: config.concurrency,
    onProgress,
  };
  const following = Promise.all(
    pipelines.map((pipeline) =>
      follow(context, pipeline, {
        signal: interruption.signal,
        limits: { milliseconds: every },
        onCommitted: ({ rows, endLsn }) => {
          const at = new Date().toISOString();
          process.stdout.write(
            json
              ? `${JSON.stringify({ pipeline: pipeline.name, at, rows, lsn: endLsn })}\n`
              : `${at}  ${pipeline.name}  ${groupDigits(rows)} changes\n`,
          );
        },
        onFollowing: (caughtUp) => {
          runtime.endProgress();
          const rows = caughtUp.reduce((sum, report) => sum + report.rows, 0);
          if (!json)
            process.stdout.write(`${pipeline.name}: caught up, ${groupDigits(rows)} rows; following\n`);
        },
        onRetry: (error, wait) =>
          process.stderr.write(`${pipeline.name}: ${error.message}; again in ${formatDuration(wait)}\n`),
      }),
    ),
  );
  // An interruption waits for the commit that is under way.
  const waited = onCleanup(() => following.catch(() => {}));
  await following.finally(waited);
}
