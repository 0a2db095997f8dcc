import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Command, Option } from "commander";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { durationOption } from "../explore/duration.ts";
import { type Explorer, openExplorer } from "../explore/explorer.ts";
import { FILE_FORMATS, type FileFormat, formatOfFile, writeResult } from "../explore/write-result.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { createWriter } from "../terminal/formats.ts";
import { groupDigits } from "../terminal/numbers.ts";
import { planText } from "../terminal/plan.ts";
import { runPrompt } from "../terminal/prompt.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";
import { writeRows } from "./write-rows.ts";

interface Options extends GlobalOptions {
  readonly csv?: boolean;
  readonly jsonl?: boolean;
  readonly sensitive?: boolean;
  readonly format?: FileFormat;
  readonly out?: string;
  readonly force?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
}

export const sqlCommand = () =>
  new Command("sql")
    .description("Query the lake with DuckDB SQL, read-only: one statement, or a prompt with history.")
    .argument("[statement]", "SQL; without it a prompt opens")
    .option("--csv", "print CSV")
    .option("--jsonl", "print one JSON object a line")
    .addOption(new Option("--format <format>", "print or write this").choices(FILE_FORMATS))
    .option("--out <file>", "write a file, whole or not at all; its ending says the format")
    .option("--force", "replace the file if it exists")
    .option("--timeout <time>", "stop a statement after a time such as 30s", durationOption)
    .option("--sensitive", "show values that contracts call sensitive; else they are masked or hashed")
    .addHelpText(
      "after",
      '\nExamples:\n  ingot sql "SELECT * FROM gold.daily_revenue ORDER BY day DESC LIMIT 7"\n  ingot sql "FROM gold.daily_revenue AT (VERSION => 12)"\n  ingot sql "FROM silver.orders" --out orders.parquet\n  ingot sql\n\nTables are layer.table, or pipeline.layer.table where there are several pipelines.',
    )
    .action(async (statement: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      refuseIdle(statement, options);
      await withRuntime(options, async (runtime) => {
        const explorer = await openExplorer(runtime, options);
        try {
          if (statement !== undefined) return await answer(explorer, statement, options);
          const { failed } = await runPrompt({
            input: process.stdin,
            output: process.stdout,
            historyFile: join(runtime.folder, ".ingot", "sql_history"),
            execute: explorer.execute,
            listTables: explorer.listTables,
            timeout: options.timeout,
          });
          // A person has seen the errors; a script that pipes statements in looks at the exit code.
          if (failed > 0 && process.stdin.isTTY !== true) process.exitCode = 1;
        } finally {
          await explorer.close();
        }
      });
    });

const MOST_PIPED = 10_000;

async function answer(explorer: Explorer, statement: string, options: Options): Promise<void> {
  const signal = options.timeout === undefined ? undefined : AbortSignal.timeout(options.timeout);
  const format = formatOf(options);
  if (options.out !== undefined) return toFile(explorer, statement, options.out, options, signal);
  if (format === undefined) {
    const result = await explorer.execute(statement, signal);
    const width = terminalWidth(process.stdout, 200);
    const maxRows = process.stdout.isTTY ? 100 : MOST_PIPED;
    const truncated = result.truncated === true;
    process.stdout.write(`${planText(result) ?? renderTable(result, { width, maxRows, truncated })}\n`);
    return;
  }
  const result = await explorer.stream(statement, signal);
  if (format === "arrow") {
    const { arrowBytes } = await import("../explore/arrow-result.ts");
    await pipeline(Readable.from(arrowBytes(result, "stream")), process.stdout, { end: false }).catch(
      (error: unknown) => {
        // `| head` closes the pipe; that is no failure of ours.
        if (codeOf(error) !== "EPIPE") throw error;
      },
    );
    return;
  }
  if (format === "parquet") throw needsFile(format);
  await writeRows(process.stdout, createWriter(format, result.columns), result.chunks);
}

async function toFile(
  explorer: Explorer,
  statement: string,
  file: string,
  options: Options,
  signal: AbortSignal | undefined,
): Promise<void> {
  const format = options.format ?? (options.csv ? "csv" : options.jsonl ? "jsonl" : formatOfFile(file));
  const rows = await writeResult(explorer, statement, file, {
    format,
    force: options.force === true,
    signal,
  });
  if (options.json) process.stdout.write(`${JSON.stringify({ file, format, rows })}\n`);
  else if (!options.quiet) process.stderr.write(`${file}: ${groupDigits(rows)} rows\n`);
}

/** Before a configuration is read: what cannot come to anything. */
function refuseIdle(statement: string | undefined, options: Options): void {
  if (options.out === undefined) {
    if (options.format === "parquet") throw needsFile("parquet");
    if (options.format === "arrow" && process.stdout.isTTY) throw needsFile("arrow");
    return;
  }
  if (statement === undefined)
    throw new TerminalError("a file needs a statement", {
      code: "USAGE",
      value: options.out,
      next: 'Say `ingot sql "SELECT …" --out FILE`.',
    });
  if (options.format === undefined && !options.csv && !options.jsonl) formatOfFile(options.out);
}

function needsFile(format: FileFormat): TerminalError {
  return new TerminalError(`${format} is no text for a screen`, {
    code: "USAGE",
    value: format,
    allowed: "csv, jsonl, json; arrow into a pipe",
    next: `Write it to a file: --out result.${format}`,
  });
}

function formatOf(options: Options): FileFormat | undefined {
  if (options.format !== undefined) return options.format;
  if (options.csv) return "csv";
  if (options.jsonl) return "jsonl";
  return options.json ? "json" : undefined;
}
