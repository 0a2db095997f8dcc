import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { TablePath } from "../../lakehouse/lake.ts";
import { type AdoptResult, adoptColumn } from "../../layers/bronze/adopt.ts";
import { type DriftRecord, readDrift } from "../../layers/bronze/capture/drift-record.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { groupDigits } from "../terminal/numbers.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";

/** Types that `--type` takes, by what they are called in Delta. */
const TYPES = /^(string|long|integer|short|float|double|boolean|date|timestamp|decimal\(\d+,\s*\d+\))$/;

type Change = DriftRecord["changes"][number] & { readonly table: string };

export const schemaCommand = () =>
  new Command("schema")
    .description("Show how the source's columns changed and what became of it; adopt what was rescued.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option("--adopt <table.column>", "give rescued values of a column a place: bronze.orders.note")
    .option("--type <type>", "the column's type in the table, as Delta names it", "string")
    .addHelpText(
      "after",
      "\nAdopting replaces the table's files in one commit; the source is not read.\n\nExamples:\n  ingot schema\n  ingot schema commerce --json\n  ingot schema commerce --adopt bronze.orders.discount --type 'decimal(12,2)'",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { adopt?: string; type: string }>();
      await withRuntime(options, async (runtime) => {
        if (options.adopt !== undefined) {
          const result = await adopt(runtime, name, options.adopt, options.type);
          process.stdout.write(options.json ? `${jsonText(result)}\n` : renderAdopted(result));
          return;
        }
        const changes: Change[] = [];
        for (const pipeline of runtime.pipelines(name))
          changes.push(...(await changesOf(runtime, pipeline.name)));
        process.stdout.write(options.json ? `${jsonText({ changes })}\n` : render(changes));
      });
    });

async function changesOf(runtime: Runtime, pipeline: string): Promise<Change[]> {
  const changes: Change[] = [];
  for (const path of await runtime.lake.tables(pipeline)) {
    if (path.split("/")[1] !== "bronze") continue;
    const drift = readDrift(await runtime.lake.table(path).existingSnapshot());
    const table = path.replaceAll("/", ".");
    changes.push(...(drift?.changes ?? []).map((change) => ({ table, ...change })));
  }
  return changes.sort((a, b) => (a.at < b.at ? -1 : 1));
}

async function adopt(
  runtime: Runtime,
  pipeline: string | undefined,
  column: string,
  type: string,
): Promise<AdoptResult> {
  const [, table, name] = /^bronze\.([^.]+)\.(.+)$/.exec(column) ?? [];
  const chosen = runtime.pipelines(pipeline);
  const only = chosen.length === 1 ? chosen[0] : undefined;
  if (table === undefined || name === undefined || only === undefined || !TYPES.test(type)) {
    throw new TerminalError("say which column of which table, and a type", {
      code: "USAGE",
      value: `${pipeline ?? ""} ${column} ${type}`.trim(),
      allowed:
        "PIPELINE --adopt bronze.TABLE.COLUMN --type string|long|integer|double|boolean|date|timestamp|decimal(p,s)",
    });
  }
  const path: TablePath = `${only.name}/bronze/${table}`;
  return adoptColumn(runtime.lake.table(path), name, type.replace(/\s/g, ""));
}

const renderAdopted = ({ column, type, adopted, left, version }: AdoptResult) =>
  `${column} ${type}: ${groupDigits(adopted)} values adopted${left > 0 ? `, ${groupDigits(left)} stay rescued` : ""}, version ${version}\n`;

function render(changes: readonly Change[]): string {
  if (changes.length === 0) return "The source's columns are those that were loaded.\n";
  const columns = ["at", "table", "column", "change", "policy", "effect"].map((name) => ({ name }));
  const rows = changes.map((c) => [
    c.at,
    c.table,
    c.column,
    c.kind === "renamed"
      ? `renamed from ${c.from}`
      : c.kind === "retyped"
        ? `${c.from} became ${c.to}`
        : c.kind,
    c.policy,
    c.effect,
  ]);
  return `${renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 160) })}\n`;
}
