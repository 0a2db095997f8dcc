import { Command } from "commander";
import { type RestoreResult, restoreTable } from "../../../lakehouse/delta/maintain/restore.ts";
import { formatBytes } from "../../terminal/numbers.ts";
import { printable } from "../../terminal/text.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";
import { counted, printResult } from "./print.ts";
import { timestampOption, type VersionOptions, versionOption } from "./version-options.ts";

interface Options extends VersionOptions {
  readonly ignoreMissing?: boolean;
  readonly dryRun?: boolean;
}

export const restoreCommand = () =>
  new Command("restore")
    .description("Take a table back to an earlier version, as a new version.")
    .argument(...TABLE_ARGUMENT)
    .addOption(versionOption("version to go back to"))
    .addOption(timestampOption())
    .option("--ignore-missing", "go back even where files were vacuumed: their rows are lost")
    .option("--dry-run", "only say what would change")
    .addHelpText(
      "after",
      "\nColumns and properties go back with the rows. What sources have recorded does not: rows that were loaded since\nare not loaded again.\n\nExamples:\n  ingot table restore commerce.silver.orders --version 12 --dry-run\n  ingot table restore lake/commerce/silver/orders --timestamp 2026-01-31T10:00:00Z",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { version, timestamp, ignoreMissing = false, dryRun = false } = options;
      if (version === undefined && timestamp === undefined) {
        command.error("error: say which version, with --version <number> or --timestamp <time>", {
          exitCode: 2,
        });
      }
      const point = timestamp === undefined ? { version: version ?? 0 } : { timestamp };
      await withTable(name, options, async ({ table }) => {
        const result = await restoreTable(table, point, { ignoreMissing, dryRun });
        printResult(options, { ...result, dryRun }, render);
      });
    });

function render(result: RestoreResult & { readonly dryRun: boolean }): string {
  const { addedFiles, addedBytes, removedFiles, removedBytes, changes, missing, dryRun } = result;
  const isSame = addedFiles + removedFiles + changes.length + missing.length === 0;
  if (isSame) return `The table is as it was at version ${result.restored}: nothing to do.\n`;
  const lines = [
    `${dryRun ? "Would go" : "Went"} back to version ${result.restored}${dryRun ? "" : `, as version ${result.version}`}:`,
    `  ${counted(addedFiles, "file")} (${formatBytes(addedBytes)}) ${dryRun ? "come" : "came"} back`,
    `  ${counted(removedFiles, "file")} (${formatBytes(removedBytes)}) ${dryRun ? "go" : "went"}`,
    ...(changes.length > 0 ? [`  ${changes.join(", ")} ${dryRun ? "change" : "changed"}`] : []),
    ...missing.map((path) => `  gone for good: ${printable(path)}`),
  ];
  return `${lines.join("\n")}\n`;
}
