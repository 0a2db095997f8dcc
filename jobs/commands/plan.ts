import { relative } from "node:path";
import { Command } from "commander";
import type { Problem } from "../../layers/plan/check-model.ts";
import { type BuildPlan, planBuild } from "../../layers/plan/plan-build.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { formatBytes, groupDigits } from "../terminal/numbers.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";

type Plan = BuildPlan & { readonly pipeline: string };

export const planCommand = () =>
  new Command("plan")
    .description(
      "Say what a build would do and what it would read, and find what is wrong with models, without running any.",
    )
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .addHelpText(
      "after",
      "\nExit code 1: something is wrong; each line says where. Columns and types of models over bronze are checked once\nbronze was loaded.\n\nExamples:\n  ingot plan\n  ingot plan commerce --json",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const plans: Plan[] = [];
        for (const pipeline of runtime.pipelines(name))
          plans.push({ pipeline: pipeline.name, ...(await planBuild(runtime.lake, pipeline)) });
        process.stdout.write(options.json ? `${jsonText({ plans })}\n` : plans.map(render).join("\n"));
        if (plans.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
      });
    });

function render({ pipeline, models, problems }: Plan): string {
  if (models.length === 0) return `${pipeline} has no models.\n`;
  const columns = ["model", "kind", "action", "why", "rows", "reads", "then"].map((name) => ({ name }));
  const rows = models.map((m) => [
    `${pipeline}.${m.model}`,
    m.kind,
    m.action,
    m.why,
    m.rows === undefined ? "" : groupDigits(m.rows),
    m.bytes === undefined ? "" : formatBytes(m.bytes),
    ["rebuild", "create"].includes(m.action) ? m.downstream.join(", ") : "",
  ]);
  const table = `${renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 160) })}\n`;
  return problems.length === 0 ? table : `${table}\n${problems.map(line).join("")}`;
}

/** `pipelines/commerce/gold/daily.sql:12: gold.daily gives …`, and what to do. */
function line({ file, line: at, model, problem, allowed, next }: Problem): string {
  const place = `${relative(process.cwd(), file)}${at === undefined ? "" : `:${at}`}`;
  const wanted = allowed === undefined ? "" : `\n    allowed: ${allowed}`;
  return `${place}: ${model} ${problem}${wanted}\n    ${next}\n`;
}
