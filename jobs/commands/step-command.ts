/** Commands that run steps of pipelines and print what was done. */
import { Command } from "commander";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { auditText } from "../../layers/models/audit/run-audits.ts";
import { asRun } from "../observe/tracing-command.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import type { StepReport } from "../steps.ts";
import { jsonText } from "../terminal/json-text.ts";
import { formatDuration, groupDigits } from "../terminal/numbers.ts";

interface StepCommand {
  readonly name: string;
  readonly description: string;
  readonly examples: string;
  readonly steps: (runtime: Runtime, pipeline: PipelineDefinition) => Promise<StepReport[]>;
}

/** A command `NAME [pipeline]` that runs steps for one pipeline or all. */
export function stepCommand({ name, description, examples, steps }: StepCommand): Command {
  return new Command(name)
    .description(description)
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .addHelpText("after", `\nExamples:\n${examples}`)
    .action(async (pipeline: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const reports: StepReport[] = [];
        await asRun(runtime, name, async (run) => {
          for (const chosen of run.pipelines(pipeline)) reports.push(...(await steps(run, chosen)));
        });
        runtime.endProgress();
        process.stdout.write(options.json ? `${jsonText({ steps: reports })}\n` : summary(reports));
      });
    });
}

/** One line a step: how many rows, in how many tables, how long. */
export function summary(reports: readonly StepReport[]): string {
  return reports
    .map((report) => {
      const line = `${report.pipeline}: ${describe(report)}, ${formatDuration(report.durationMs)}`;
      return [line, ...auditLines(report)].map((text) => `${text}\n`).join("");
    })
    .join("");
}

/** One line for each audit that warns. */
function auditLines({ tables }: StepReport): string[] {
  return tables.flatMap((table) => {
    if (!("audits" in table)) return [];
    const failed = table.audits.filter(({ status }) => status === "failed");
    return failed.map((result) => `  warning: ${table.model} fails ${auditText(result)}`);
  });
}

const VERBS = { load: "loaded", sync: "synced", build: "built", publish: "published" } as const;

function describe(report: StepReport): string {
  const { failed = [] } = report;
  if (failed.length === 0) return describeTables(report);
  const ended = (wanted: string) => failed.filter(({ status }) => status === wanted);
  const blocked = ended("blocked").length;
  const behind = blocked === 0 ? "" : `, ${blocked} blocked`;
  return `${describeTables(report)}; ${ended("failed").length} failed${behind}`;
}

function describeTables({ step, rows, tables }: StepReport): string {
  const changed = tables.filter((t) => !["unchanged", "skipped", "held", "stale"].includes(t.status));
  const noun = step === "publish" ? "set" : "table";
  if (changed.length === 0) return `${VERBS[step]} nothing: no change in ${plural(tables.length, noun)}`;
  if (step === "publish") return describeSets(changed, tables.length);
  if (step !== "build")
    return `${VERBS[step]} ${plural(rows, "row")} in ${changed.length} of ${plural(tables.length, "table")}`;
  // Rows that were read as change and rows of tables made anew are different things.
  const merged = changed.flatMap((t) => ("rowsIn" in t && t.status === "incremental" ? [t.rowsIn] : []));
  const anew = changed.flatMap((t) => ("rowsOut" in t && t.status === "rebuilt" ? [t.rowsOut] : []));
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  return [
    merged.length > 0 ? `${plural(sum(merged), "change")} into ${plural(merged.length, "table")}` : [],
    anew.length > 0 ? `${plural(anew.length, "table")} anew (${plural(sum(anew), "row")})` : [],
  ]
    .flat()
    .join(", ")
    .replace(/^/, "built ");
}

/** Rows that a version shares with the one before are there already. */
function describeSets(published: StepReport["tables"], of: number): string {
  const sum = (field: "rows" | "written") =>
    published.reduce((total, table) => total + ("written" in table ? table[field] : 0), 0);
  const sets = `${published.length} of ${plural(of, "set")}`;
  return `published new versions of ${sets} (${plural(sum("rows"), "row")}, ${groupDigits(sum("written"))} of them written)`;
}

const plural = (count: number, noun: string) => `${groupDigits(count)} ${noun}${count === 1 ? "" : "s"}`;
