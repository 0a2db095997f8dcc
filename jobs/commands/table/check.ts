import { Command } from "commander";
import type { Finding } from "../../../lakehouse/delta/maintain/check/finding.ts";
import { type CheckReport, checkTable } from "../../../lakehouse/delta/maintain/check.ts";
import type { GlobalOptions } from "../../runtime.ts";
import { formatBytes } from "../../terminal/numbers.ts";
import { styleFor } from "../../terminal/style.ts";
import { printable } from "../../terminal/text.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";
import { counted, printResult } from "./print.ts";

interface Options extends GlobalOptions {
  readonly deep?: boolean;
}

export const checkCommand = () =>
  new Command("check")
    .description("Compare a table's log with its files, and say what is wrong and what to do.")
    .argument(...TABLE_ARGUMENT)
    .option("--deep", "also read all rows: statistics, NOT NULL, constraints")
    .addHelpText(
      "after",
      "\nExamples:\n  ingot table check commerce.silver.orders\n  ingot table check s3://bucket/orders --deep --json\n\nThe exit code is 1 where anything is wrong.",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withTable(name, options, async ({ table, onProgress, endProgress }) => {
        const report = await checkTable(table, { deep: options.deep === true, onProgress });
        endProgress();
        printResult(options, report, render);
        if (!report.isSound) process.exitCode = 1;
      });
    });

function render(report: CheckReport): string {
  const style = styleFor();
  const table =
    report.version === undefined
      ? "The newest version cannot be read"
      : `version ${report.version}: ${counted(report.files, "file")}, ${formatBytes(report.bytes)}, ${counted(report.rows, "row")}`;
  const count = (severity: Finding["severity"]) =>
    report.findings.filter((f) => f.severity === severity).length;
  const summary = report.isSound
    ? style.green("Sound")
    : style.red(`${counted(count("error"), "error")}, ${counted(count("warning"), "warning")}`);
  return `${report.findings.map(renderFinding).join("")}${table}\n${summary}\n`;
}

function renderFinding({ severity, message, value, next }: Finding): string {
  const style = styleFor();
  const mark = { error: style.red("✖"), warning: style.yellow("!"), info: style.dim("–") }[severity];
  const detail = (name: string, text: string | undefined) =>
    text === undefined ? "" : `  ${style.dim(name.padEnd(6))}${printable(text)}\n`;
  return `${mark} ${printable(message)}\n${detail("value", value)}${detail("next", next)}`;
}
