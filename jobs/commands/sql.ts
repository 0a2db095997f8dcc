import { join } from "node:path";
import { Command } from "commander";
import { openExplorer } from "../explore/explorer.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { createWriter, type OutputFormat } from "../terminal/formats.ts";
import { runPrompt } from "../terminal/prompt.ts";
import { renderTable } from "../terminal/table.ts";
import { writeRows } from "./write-rows.ts";

interface Options extends GlobalOptions {
  readonly csv?: boolean;
  readonly jsonl?: boolean;
}

export const sqlCommand = () =>
  new Command("sql")
    .description("Query the lake with DuckDB SQL, read-only: one statement, or a prompt with history.")
    .argument("[statement]", "SQL; without it a prompt opens")
    .option("--csv", "print CSV")
    .option("--jsonl", "print one JSON object a line")
    .addHelpText(
      "after",
      '\nExamples:\n  ingot sql "SELECT * FROM gold.daily_revenue ORDER BY day DESC LIMIT 7"\n  ingot sql "FROM silver.orders" --csv > orders.csv\n  ingot sql\n\nTables are layer.table, or pipeline.layer.table where there are several pipelines.',
    )
    .action(async (statement: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, async (runtime) => {
        const explorer = await openExplorer(runtime);
        try {
          if (statement === undefined) {
            const { failed } = await runPrompt({
              input: process.stdin,
              output: process.stdout,
              historyFile: join(runtime.folder, ".ingot", "sql_history"),
              execute: explorer.execute,
              listTables: explorer.listTables,
            });
            // A person has seen the errors; a script that pipes statements in looks at the exit code.
            if (failed > 0 && process.stdin.isTTY !== true) process.exitCode = 1;
            return;
          }
          const format = formatOf(options);
          if (format === undefined) {
            const result = await explorer.execute(statement);
            const width = process.stdout.columns ?? 200;
            const maxRows = process.stdout.isTTY ? 100 : MOST_PIPED;
            const truncated = result.truncated === true;
            process.stdout.write(`${renderTable(result, { width, maxRows, truncated })}\n`);
            return;
          }
          const { columns, chunks } = await explorer.stream(statement);
          await writeRows(process.stdout, createWriter(format, columns), chunks);
        } finally {
          await explorer.close();
        }
      });
    });

const MOST_PIPED = 10_000;

function formatOf(options: Options): OutputFormat | undefined {
  if (options.csv) return "csv";
  if (options.jsonl) return "jsonl";
  return options.json ? "json" : undefined;
}
