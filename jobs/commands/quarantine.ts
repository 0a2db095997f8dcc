import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import {
  type BrokenRule,
  brokenRules,
  dropHeld,
  type HeldRow,
  heldRows,
} from "../../layers/models/quarantine/read-quarantine.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { buildStep } from "../steps.ts";
import { confirm } from "../terminal/confirm.ts";
import { jsonText } from "../terminal/json-text.ts";
import { groupDigits } from "../terminal/numbers.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";
import { wholeNumber } from "./number-options.ts";
import { summary } from "./step-command.ts";

export const quarantineCommand = () =>
  new Command("quarantine")
    .description("Rows that break their contract: what they are, and putting them where they belong.")
    .addCommand(lsCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
    .addCommand(dropCommand())
    .addHelpText(
      "after",
      "\nA row whose newest version breaks the contract of its silver table is in quarantine and not in the table. It\nleaves quarantine by itself when the source corrects it, and when the contract or the model's SQL is changed so\nthat it is right: the next build makes the table anew.\n\nExamples:\n  ingot quarantine ls\n  ingot quarantine show silver.orders --limit 5\n  ingot quarantine replay silver.orders\n  ingot quarantine drop silver.orders --rule status.enum --yes",
    );

const lsCommand = () =>
  new Command("ls")
    .description("How many rows break which rule, by table.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const rules: (BrokenRule & { readonly pipeline: string })[] = [];
        for (const pipeline of runtime.pipelines(name)) {
          const found = await brokenRules(runtime.lake, pipeline.name);
          rules.push(...found.map((rule) => ({ pipeline: pipeline.name, ...rule })));
        }
        process.stdout.write(options.json ? `${jsonText({ rules })}\n` : renderRules(rules));
      });
    });

const TABLE = ["<table>", "silver.orders; pipeline.silver.orders where there are several pipelines"] as const;

const showCommand = () =>
  new Command("show")
    .description("The rows of a table that are in quarantine, the newest first.")
    .argument(...TABLE)
    .option("--limit <rows>", "at most so many rows", wholeNumber, 20)
    .option("--sensitive", "show values that contracts call sensitive")
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<
        GlobalOptions & { readonly limit: number; readonly sensitive?: boolean }
      >();
      await withRuntime(options, async (runtime) => {
        const { pipeline, table } = tableOf(runtime, name);
        const rows = await heldRows(
          runtime.lake,
          pipeline.name,
          table,
          options.limit,
          options.sensitive ? undefined : pipeline.silver?.[table]?.contract,
        );
        process.stdout.write(options.json ? `${jsonText({ rows })}\n` : renderHeld(rows));
      });
    });

const replayCommand = () =>
  new Command("replay")
    .description("Make a table anew out of bronze: rows that are right by now leave quarantine.")
    .argument(...TABLE)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const { pipeline, table } = tableOf(runtime, name);
        const report = await buildStep(runtime, pipeline, { anew: [`silver.${table}`] });
        runtime.endProgress();
        process.stdout.write(options.json ? `${jsonText({ steps: [report] })}\n` : summary([report]));
      });
    });

interface DropOptions extends GlobalOptions {
  readonly rule?: string;
  readonly yes?: boolean;
}

const dropCommand = () =>
  new Command("drop")
    .description("Take rows out of quarantine. They come back when the table is made anew.")
    .argument(...TABLE)
    .option("--rule <rule>", "only rows that break this rule")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<DropOptions>();
      await withRuntime(options, async (runtime) => {
        const { pipeline, table } = tableOf(runtime, name);
        if (!(await mayDrop(table, options))) return;
        const dropped = await dropHeld(runtime.lake, pipeline.name, table, options.rule);
        process.stdout.write(options.json ? `${jsonText({ dropped })}\n` : renderDropped(dropped, table));
      });
    });

/** Asks where there is somebody to ask. Throws `QUARANTINE_UNCONFIRMED` where there is not. */
async function mayDrop(table: string, { rule, yes, json }: DropOptions): Promise<boolean> {
  if (yes) return true;
  const which = rule === undefined ? "All rows" : `Rows that break ${rule}`;
  const what = `${which} of silver.${table} leave quarantine, and are then in no table but bronze.`;
  if (!json && process.stdin.isTTY && process.stdout.isTTY) {
    if (await confirm(`${what} Go on?`, process.stdin, process.stdout)) return true;
    process.stdout.write("Nothing was done.\n");
    return false;
  }
  throw new TerminalError("nobody is here to say that these rows are to be dropped", {
    code: "QUARANTINE_UNCONFIRMED",
    value: what,
    allowed: "--yes",
    next: `Look at what \`ingot quarantine show silver.${table}\` says, then run it with --yes.`,
  });
}

const renderDropped = (dropped: number, table: string): string =>
  `${groupDigits(dropped)} rows dropped: ${dropped === 0 ? "none was there" : `they are in no table but bronze, until \`ingot quarantine replay silver.${table}\``}\n`;

/** The table that is meant: `silver.orders`, `orders`, or with its pipeline before it. */
function tableOf(
  runtime: Runtime,
  name: string,
): { readonly pipeline: PipelineDefinition; readonly table: string } {
  const parts = name.split(".");
  const table = parts.at(-1) ?? "";
  const pipelines = runtime.pipelines(parts.length === 3 ? parts[0] : undefined);
  const owners = pipelines.filter(({ silver }) => silver !== undefined && Object.hasOwn(silver, table));
  const [pipeline] = owners;
  const isSilver = parts.length === 1 || parts.at(-2) === "silver";
  if (pipeline !== undefined && owners.length === 1 && isSilver) return { pipeline, table };
  const known = pipelines.flatMap((p) => Object.keys(p.silver ?? {}).map((t) => `${p.name}.silver.${t}`));
  throw new TerminalError(
    owners.length > 1 ? `${name} is in several pipelines` : `there is no silver table ${name}`,
    { code: "QUARANTINE_TABLE", value: name, allowed: known.join(", ") || "no pipeline has silver tables" },
  );
}

function renderRules(rules: readonly (BrokenRule & { readonly pipeline: string })[]): string {
  if (rules.length === 0)
    return "Nothing is in quarantine. What was dropped from it is in no table until a replay.\n";
  const columns = ["table", "rule", "rows", "oldest"].map((name) => ({ name }));
  const rows = rules.map((r) => [`${r.pipeline}.${r.model}`, r.rule, r.rows, r.oldest]);
  return `${renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 160) })}\n`;
}

function renderHeld(held: readonly HeldRow[]): string {
  if (held.length === 0) return "Nothing of this table is in quarantine.\n";
  const columns = ["key", "breaks", "row", "since"].map((name) => ({ name }));
  const rows = held.map(({ key, rules, raw, heldAt }) => [
    jsonText(key),
    rules.join(", "),
    jsonText(raw),
    heldAt,
  ]);
  return `${renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 160) })}\n`;
}
