import { Command, InvalidArgumentError, Option } from "commander";
import { publishedStates } from "../../layers/trace/published.ts";
import { traceRows } from "../../layers/trace/trace.ts";
import { namedTable, sensitiveColumns } from "../named-table.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { wholeNumber } from "./number-options.ts";
import { renderTrace } from "./trace/render.ts";

interface Options extends GlobalOptions {
  readonly column?: string;
  readonly version?: number;
  readonly limit: number;
  readonly sensitive?: boolean;
}

type Condition = readonly [column: string, value: string];

const HELP = `
Rows behind an aggregate are those that its joins put into its groups; behind a merge model all changes of the key, the
newest first; behind another model those with equal values in the columns that its key comes from. Every table is read
in the version from which the one above was made.

Examples:
  ingot trace gold.daily_revenue day=2026-05-01
  ingot trace gold.daily_revenue day=2026-05-01 --column revenue
  ingot trace commerce.silver.orders id=4711 --json
  ingot trace gold.daily_sales day=2026-05-01 --version 12 --limit 3`;

export const traceCommand = () =>
  new Command("trace")
    .description("Follow rows of a table back to their source: the rows they were made of, down to the WAL.")
    .argument("<table>", "layer.table, or pipeline.layer.table")
    .argument("[conditions...]", "COLUMN=VALUE, all of which the rows fulfil", condition)
    .option("--column <name>", "show the key and the columns that this one comes from")
    .addOption(
      new Option("--version <n>", "version of the table; by default the newest").argParser(wholeNumber),
    )
    .option("--limit <n>", "rows of each table to show", wholeNumber, 10)
    .option("--sensitive", "show values of columns that a contract calls sensitive")
    .addHelpText("after", HELP)
    .action(async (name: string, where: readonly Condition[], _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, async (runtime) => {
        const { pipeline, reference } = namedTable(runtime.pipelines(), name);
        const { column, version, limit, sensitive } = options;
        const root = await traceRows(runtime.lake, pipeline, {
          table: reference,
          where,
          column,
          version,
          limit,
          hidden: (table) => (sensitive ? new Set<string>() : sensitiveColumns(pipeline, table)),
        });
        const published = await publishedStates(pipeline, reference, where, limit, runtime.target);
        const trace = { pipeline: pipeline.name, root, published };
        process.stdout.write(options.json ? `${jsonText(trace)}\n` : renderTrace(trace));
      });
    });

function condition(text: string, before: readonly Condition[] | undefined): readonly Condition[] {
  const [, column, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (column === undefined || value === undefined)
    throw new InvalidArgumentError("It takes a column and a value, such as day=2026-05-01.");
  return [...(before ?? []), [column.trim(), value]];
}
